/** What a user may choose about compression, checked once where it comes in (RFC 7692, section 7.1). */
import { MisuseError, show } from '../protocol/misuse-error.ts'

export interface DeflateOptions {
  /**
   * 'shared', the default: no message refers back to an earlier one, in either direction, so that all connections share
   * one compressor and one decompressor and a connection needs no memory. 'dedicated': context takeover, which
   * compresses small messages that resemble each other far better, for memory of every connection that sends
   * (about 100 KiB as `windowBits` and `memLevel` are by default) or receives (2^windowBits bytes and an eighth of that).
   */
  readonly mode?: 'shared' | 'dedicated' | undefined
  /** How hard to try: 1, fastest, to 9, smallest. Default 1. */
  readonly level?: number | undefined
  /**
   * Only where 'dedicated': a message may refer back 2^windowBits bytes, in both directions. 9 to 15; a client that
   * does not let the server choose (RFC 7692, section 7.1.2.2) takes 15. Default 12.
   */
  readonly windowBits?: number | undefined
  /** Only where 'dedicated': memory that a connection's compressor works with, 1 to 9. Default 5. */
  readonly memLevel?: number | undefined
}

/** The choices in force. */
export interface DeflateSettings {
  readonly mode: 'shared' | 'dedicated'
  readonly level: number
  readonly windowBits: number
  readonly memLevel: number
}

export const MAX_WINDOW_BITS = 15

/** As large as they come: they are paid for once, not per connection. */
const SHARED = { windowBits: MAX_WINDOW_BITS, memLevel: 8 } as const
const DEDICATED = { windowBits: 12, memLevel: 5 } as const
/** [lowest, highest] */
const RANGES = { level: [1, 9], windowBits: [9, MAX_WINDOW_BITS], memLevel: [1, 9] } as const
export const DEFLATE_OPTIONS: readonly string[] = ['mode', ...Object.keys(RANGES)]

/** @throws MisuseError `invalid-option` for a name that is no option, or a value that is not allowed */
export function resolveDeflateSettings(options: DeflateOptions = {}): DeflateSettings {
  const mode = options.mode ?? 'shared'
  if (mode !== 'shared' && mode !== 'dedicated') {
    throw new MisuseError('invalid-option', `compression.mode must be 'shared' or 'dedicated', and not ${show(mode)}`)
  }
  const level = checkNumber('level', options.level, 1)
  if (mode === 'dedicated') {
    const windowBits = checkNumber('windowBits', options.windowBits, DEDICATED.windowBits)
    return { mode, level, windowBits, memLevel: checkNumber('memLevel', options.memLevel, DEDICATED.memLevel) }
  }
  for (const name of ['windowBits', 'memLevel'] as const) {
    if (options[name] !== undefined) {
      throw new MisuseError('invalid-option', `compression.${name} can only be chosen where mode is 'dedicated'`)
    }
  }
  return { mode, level, ...SHARED }
}

function checkNumber(name: keyof typeof RANGES, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  const [lowest, highest] = RANGES[name]
  if (Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest) return value as number
  throw new MisuseError(
    'invalid-option',
    `compression.${name} must be a whole number from ${lowest} to ${highest}, and not ${show(value)}`
  )
}

/** What a peer may use of a server, checked once where the options come in. */
import { checkAmount } from './protocol/amount.ts'
import { MisuseError, show } from './protocol/misuse-error.ts'
import { DEFAULT_MAX_MESSAGE_BYTES } from './protocol/endpoint.ts'

/** Every limit is a whole number, or Infinity for none; left out or undefined it has its default. */
export interface LimitOptions {
  /** Bytes of one message, whole or in fragments; more closes the connection with 1009. Default 16 MiB. */
  readonly messageBytes?: number | undefined
  /**
   * Bytes queued for sending to one peer; a message that would pass it drops the connection (1006, `slow-consumer`).
   * A message that finds the queue empty always goes. Default 16 MiB.
   */
  readonly queuedBytes?: number | undefined
  /** Milliseconds for the request to come whole, and again for `accept` to answer; then 408. Default 10,000. */
  readonly handshakeTime?: number | undefined
  /** Milliseconds from our close frame to the end of the connection; then it is dropped. Default 10,000. */
  readonly closingTime?: number | undefined
  /** Milliseconds without a byte in or out; then the connection is closed with 1001. Default Infinity. */
  readonly idleTime?: number | undefined
}

/** The limits in force. */
export type Limits = { readonly [Name in keyof LimitOptions]-?: number }

const TIME = 'milliseconds'
const BYTES = 'bytes'

const DEFAULTS: { readonly [Name in keyof Limits]: readonly [value: number, unit: string] } = {
  messageBytes: [DEFAULT_MAX_MESSAGE_BYTES, BYTES],
  queuedBytes: [16 * 1024 * 1024, BYTES],
  handshakeTime: [10_000, TIME],
  closingTime: [10_000, TIME],
  idleTime: [Infinity, TIME],
}

/** @throws MisuseError `invalid-option` for a limit that is not one of those above or has no allowed value */
export function resolveLimits(options: LimitOptions = {}): Limits {
  if (typeof options !== 'object' || options === null) {
    throw new MisuseError('invalid-option', `limits must be an object, and not ${show(options)}`)
  }
  const limits: Record<string, number> = {}
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw new MisuseError('invalid-option', `limits.${name} is no limit; there are ${Object.keys(DEFAULTS).join(', ')}`)
    }
  }
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const [fallback, unit] = DEFAULTS[name]
    limits[name] = options[name] === undefined ? fallback : checkAmount(`limits.${name}`, options[name], unit)
  }
  return limits as Limits
}

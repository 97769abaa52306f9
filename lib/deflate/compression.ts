/** The `compression` option, and what a connection compresses with once it is agreed on (RFC 7692, section 7). */
import { COMPRESSION_NAMES } from '../foreign-names.ts'
import { checkAmount } from '../protocol/amount.ts'
import type { Role } from '../protocol/frame-parser.ts'
import type { Compression, CompressionTally } from '../protocol/message-codec.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkNames, type KnownNames } from '../protocol/option-names.ts'
import { threadCodecs } from './codec.ts'
import type { Agreement } from './negotiation.ts'
import { DEFLATE_OPTIONS, resolveDeflateSettings, type DeflateOptions, type DeflateSettings } from './settings.ts'

/** permessage-deflate: false for none, true or 'shared', 'dedicated', or choices in detail. */
export type CompressionOption = boolean | 'shared' | 'dedicated' | CompressionOptions

export interface CompressionOptions extends DeflateOptions {
  /**
   * Messages of fewer bytes are sent as they are, unless `send` says `compress: true`: 0 or more, or Infinity to compress
   * only what says so. Default 1024.
   */
  readonly threshold?: number | undefined
}

/** The choices in force. */
export interface CompressionSettings extends DeflateSettings {
  readonly threshold: number
}

const DEFAULT_THRESHOLD = 1024
const KNOWN: KnownNames = { prefix: 'compression.', names: ['threshold', ...DEFLATE_OPTIONS], foreign: COMPRESSION_NAMES }

/**
 * @returns undefined for no compression
 * @throws MisuseError `invalid-option`, naming the option and what it may be
 */
export function resolveCompression(option: unknown): CompressionSettings | undefined {
  if (option === false) return undefined
  const given = asOptions(option)
  checkNames('compression', given, KNOWN)
  const { threshold, ...deflate } = given
  return {
    ...resolveDeflateSettings(deflate),
    threshold: threshold === undefined ? DEFAULT_THRESHOLD : checkAmount('compression.threshold', threshold, 'bytes'),
  }
}

function asOptions(option: unknown): CompressionOptions {
  if (option === true) return {}
  if (option === 'shared' || option === 'dedicated') return { mode: option }
  if (typeof option === 'object' && option !== null) return option
  throw new MisuseError(
    'invalid-option',
    `compression must be true, false, 'shared', 'dedicated' or an object of choices, and not ${show(option)}`
  )
}

/**
 * What `role` compresses and decompresses with on a connection with this agreement.
 *
 * @param tally where the bytes that go compressed are counted
 */
export function createCompression(
  role: Role,
  agreement: Agreement,
  settings: CompressionSettings,
  tally?: CompressionTally
): Compression {
  return {
    compressor: threadCodecs().createCompressor(role, agreement, settings),
    decompressor: threadCodecs().createDecompressor(role, agreement),
    threshold: settings.threshold,
    contexts: !agreement.serverNoContextTakeover || !agreement.clientNoContextTakeover,
    tally,
  }
}

/** What a peer may use of a server, checked once where the options come in. */
import { checkAmount } from './protocol/amount.ts'
import { MisuseError, show } from './protocol/misuse-error.ts'
import { DEFAULT_MAX_MESSAGE_BYTES, retainedFor } from './protocol/endpoint.ts'

/** Every limit is a whole number, or Infinity for none; left out or undefined it has its default. */
export interface LimitOptions {
  /** Bytes of one message, whole or in fragments; more closes the connection with 1009. Default 16 MiB. */
  readonly messageBytes?: number | undefined
  /**
   * Bytes of memory for a message of the peer that has to be kept until it is whole, and for that message itself; more
   * closes the connection with 1009. Messages that are read as streams are not kept, so only `messageBytes` holds for
   * them. Default: what a message of `messageBytes` may take, compressed as badly as can be: 9/8 of it and 1 KiB.
   */
  readonly retainedBytes?: number | undefined
  /**
   * Bytes queued for sending to one peer; a message that would pass it drops the connection (1006, `slow-consumer`).
   * A message that finds the queue empty always goes. What waits as many small writes counts with at least 512 bytes for
   * each of them. `slowReceivers` chooses other ends. Default 16 MiB.
   */
  readonly queuedBytes?: number | undefined
  /**
   * Messages handed to the `message` callback whose promise has not settled; then reading pauses until one does. 0 is as
   * 1. Default 16.
   */
  readonly pendingMessages?: number | undefined
  /** Pings and pongs of the peer in a second; more closes the connection with 1008. Default 1,000. */
  readonly controlFrames?: number | undefined
  /** Bytes of the request's line and headers; more is answered with 431. Default 16 KiB. */
  readonly handshakeBytes?: number | undefined
  /** Milliseconds for the request to come whole, and again for `accept` to answer; then 408. Default 10,000. */
  readonly handshakeTime?: number | undefined
  /** Milliseconds from our close frame to the end of the connection; then it is dropped. Default 10,000. */
  readonly closingTime?: number | undefined
  /** Milliseconds from its opening that a connection may last; then it is closed with 1001. Default Infinity. */
  readonly lifetime?: number | undefined
  /** Milliseconds without a byte in or out; then the connection is closed with 1001. Default Infinity. */
  readonly idleTime?: number | undefined
}

/** The limits in force. */
export type Limits = { readonly [Name in keyof LimitOptions]-?: number }

const TIME = 'milliseconds'
const BYTES = 'bytes'

const DEFAULTS: { readonly [Name in keyof Limits]: readonly [value: number | 'derived', unit: string] } = {
  messageBytes: [DEFAULT_MAX_MESSAGE_BYTES, BYTES],
  retainedBytes: ['derived', BYTES],
  queuedBytes: [16 * 1024 * 1024, BYTES],
  pendingMessages: [16, 'messages'],
  controlFrames: [1000, 'control frames a second'],
  handshakeBytes: [16 * 1024, BYTES],
  handshakeTime: [10_000, TIME],
  closingTime: [10_000, TIME],
  lifetime: [Infinity, TIME],
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
    const given = options[name]
    if (given !== undefined) limits[name] = checkAmount(`limits.${name}`, given, unit)
    else limits[name] = fallback === 'derived' ? retainedFor(limits.messageBytes) : fallback
  }
  return limits as Limits
}

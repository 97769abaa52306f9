/** What a peer may use of a server, and all peers together, checked once where the options come in. */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { checkAmount } from './protocol/amount.ts'
import { LIMIT_NAMES } from './foreign-names.ts'
import { checkNames, type KnownNames } from './protocol/option-names.ts'
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
   * Messages handed to the `message` callback whose promise has not settled; then reading pauses until one does, and also
   * where these messages take `retainedBytes` of memory together. 0 is as 1. Default 16.
   */
  readonly pendingMessages?: number | undefined
  /** Pings and pongs of the peer in a second; more closes the connection with 1008. Default 1,000. */
  readonly controlFrames?: number | undefined
  /** Topics that one connection takes part in; one more closes it with 1008. Default 10,000. */
  readonly topics?: number | undefined
  /** Bytes of the request's line and headers; more, or more than 128 header lines, is answered with 431. Default 16 KiB. */
  readonly handshakeBytes?: number | undefined
  /** Milliseconds for the request to come whole, and again for `accept` to answer; then 408. Default 10,000. */
  readonly handshakeTime?: number | undefined
  /**
   * Milliseconds from our close frame to the end of the connection; then it is dropped. While the frame waits behind what is
   * being compressed or sent as a stream, from the last part that the peer has taken. Default 10,000.
   */
  readonly closingTime?: number | undefined
  /** Milliseconds from its opening that a connection may last; then it is closed with 1001. Default Infinity. */
  readonly lifetime?: number | undefined
  /** Milliseconds without a byte in or out; then the connection is closed with 1001. Default Infinity. */
  readonly idleTime?: number | undefined
  /**
   * Connections of a server, those that are being closed and handshakes that wait for `accept` included; then 503.
   * Default 100,000; less where a quarter of the memory (see `memory`), at 5 KiB for each, is less.
   */
  readonly connections?: number | undefined
  /**
   * The same of one address; then 429. An IPv6 address is its first 64 bits. Default 1,000, but then this machine and
   * private networks, where proxies are, are not counted; they are where a number is given. Unix sockets never are.
   */
  readonly connectionsPerAddress?: number | undefined
  /**
   * Handshakes of a server that wait for `accept`, sockets that were refused and are not gone, and with `listen` also
   * requests that have not come whole. Over it the refused are cut off, then the oldest of these requests gets 503. Default
   * 10,000; less where half of `memory`, at 32 KiB and `handshakeBytes` each, is less, but 1 at least.
   */
  readonly handshakes?: number | undefined
  /**
   * Bytes that all connections of a server hold together: messages and handshakes under way, topics, and what is queued
   * for sending; and messages that the application has not finished with. From three quarters on the largest holders are
   * not read, above it they are dropped (1013 or 1006, `memory`). New connections get 503 where the application keeps
   * three quarters.
   * Default: a quarter of the heap limit, or of the memory of the container or machine where that is less.
   */
  readonly memory?: number | undefined
}

/** The limits in force. */
export type Limits = { readonly [Name in keyof LimitOptions]-?: number }

const TIME = 'milliseconds'
const BYTES = 'bytes'
const CONNECTIONS = 'connections'

/** What an idle connection takes, rounded up, in bytes. */
const CONNECTION_SIZE = 5 * 1024
/**
 * What a request takes besides its bytes, in bytes, rounded up: its socket and parser, a string for each name and value of
 * its header lines, their table as an object, and the lists in them.
 */
const REQUEST_SIZE = 32 * 1024
/** Where there is no limit for its bytes, a request counts with so many. */
const REQUEST_BYTES = 16 * 1024
const QUARTER = Math.floor(availableMemory() / 4)

/** Limits that only a server has. */
export const SERVER_LIMITS = ['handshakeBytes', 'handshakeTime', 'connections', 'connectionsPerAddress', 'handshakes', 'memory', 'topics'] as const

const DEFAULTS: { readonly [Name in keyof Limits]: readonly [value: number | 'derived', unit: string] } = {
  messageBytes: [DEFAULT_MAX_MESSAGE_BYTES, BYTES],
  retainedBytes: ['derived', BYTES],
  queuedBytes: [16 * 1024 * 1024, BYTES],
  pendingMessages: [16, 'messages'],
  controlFrames: [1000, 'control frames a second'],
  topics: [10_000, 'topics'],
  handshakeBytes: [16 * 1024, BYTES],
  handshakeTime: [10_000, TIME],
  closingTime: [10_000, TIME],
  lifetime: [Infinity, TIME],
  idleTime: [Infinity, TIME],
  connections: [Math.min(100_000, Math.floor(QUARTER / CONNECTION_SIZE)), CONNECTIONS],
  connectionsPerAddress: [1000, CONNECTIONS],
  handshakes: ['derived', 'handshakes'],
  memory: [QUARTER, BYTES],
}

/** The names of all limits. */
export const LIMITS: readonly string[] = Object.keys(DEFAULTS)
const KNOWN: KnownNames = { prefix: 'limits.', kind: 'limit', names: LIMITS, foreign: LIMIT_NAMES }

/** @throws MisuseError `invalid-option` for a limit that is not one of those above or has no allowed value */
export function resolveLimits(options: LimitOptions = {}): Limits {
  checkNames('limits', options, KNOWN)
  const limits: Record<string, number> = {}
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const [fallback, unit] = DEFAULTS[name]
    const given = options[name]
    if (given !== undefined) limits[name] = checkAmount(`limits.${name}`, given, unit)
    else if (fallback !== 'derived') limits[name] = fallback
  }
  limits.retainedBytes ??= retainedFor(limits.messageBytes)
  limits.handshakes ??= handshakesFor(limits.memory, limits.handshakeBytes)
  return limits as Limits
}

/** Bytes that one request counts with while it is under way or waits for its answer: what it takes at the most. */
export function requestSize({ handshakeBytes }: Pick<Limits, 'handshakeBytes'>): number {
  return REQUEST_SIZE + (handshakeBytes === Infinity ? REQUEST_BYTES : handshakeBytes)
}

/** So many that they leave half of the memory to connections. */
function handshakesFor(memory: number, handshakeBytes: number): number {
  const half = Math.min(memory, QUARTER) / 2
  return Math.max(1, Math.min(10_000, Math.floor(half / requestSize({ handshakeBytes }))))
}

/** What V8's heap may grow to, or what the container or machine has, in bytes; without a container its limit is huge. */
function availableMemory(): number {
  // 0, or undefined in some releases, where nothing is known of it.
  const constrained = process.constrainedMemory() || Infinity
  return Math.min(getHeapStatistics().heap_size_limit, constrained, totalmem())
}

/** What operators can see: counts of a server's or client's doings, told on channels of node:diagnostics_channel too. */
import { channel } from 'node:diagnostics_channel'
import { REFUSALS, type Refusal } from './handshake/refusal.ts'
import type { Role } from './protocol/frame-parser.ts'
import type { CompressionTally } from './protocol/message-codec.ts'
import { RSV1 } from './protocol/opcode.ts'

/** The Connection, as much of it as tells which one it is. */
export interface ObservedConnection {
  readonly data: unknown
  /** The subprotocol agreed on; empty for none. */
  readonly protocol: string
  /** The extensions agreed on, as the handshake's header names them; empty for none. */
  readonly extensions: string
  /** The peer's IP address, where the transport has one and is not gone. */
  readonly remoteAddress: string | undefined
  readonly readyState: 'open' | 'closing' | 'closed'
  /** Bytes, framing included, that are queued for the peer. */
  readonly bufferedAmount: number
  /** Milliseconds that the last ping of the heartbeat took to be answered; undefined before the first answer. */
  readonly roundTripTime: number | undefined
}

/** What is asked of a connection when a snapshot is taken. */
export interface MeasuredConnection extends ObservedConnection {
  /** Bytes of memory that are kept for what the peer has sent. */
  readonly retainedBytes: number
}

/**
 * What is published, by the name of the channel. `role` is our own: 'server' for connections that were accepted,
 * 'client' for those that `connect` made. Nothing is made or published where nobody has subscribed.
 */
export interface ChannelMessages {
  /** A handshake is done; published in front of the `open` callback. */
  'kore-ws.connection.open': { readonly role: Role; readonly connection: ObservedConnection }
  /** A connection is over, once for each that was opened; in front of the `close` callback, with what that gets. */
  'kore-ws.connection.close': {
    readonly role: Role
    readonly connection: ObservedConnection
    readonly code: number
    readonly reason: string
  }
  /** A handshake came to nothing because one side said no. */
  'kore-ws.handshake.refused': {
    readonly role: Role
    /** The HTTP status of the answer; undefined for a client that got none. */
    readonly status: number | undefined
    /**
     * A server's: `method`, `host`, `upgrade`, `version`, `key`, `protocol`, `extensions`, `path`, `origin`, `timeout`,
     * `failure`, `closing`, and so on, or `accept` where your callback refused. A client's: the HandshakeError's code.
     */
    readonly reason: string
    /** The client's IP address; undefined for a client of ours, and where there is none. */
    readonly remoteAddress: string | undefined
  }
  /** A peer reached a limit, by its name in `limits`. */
  'kore-ws.limit': { readonly limit: string; readonly connection: object | null }
  /** A message was skipped, accepted before or not, by the policy for slow receivers that did so. */
  'kore-ws.message.dropped': { readonly policy: string; readonly connection: object }
  /** What an `error` callback gets: a callback failed, or the peer broke the protocol (a Violation). */
  'kore-ws.error': { readonly role: Role; readonly error: unknown; readonly connection: ObservedConnection | null }
}

const openChannel = channel('kore-ws.connection.open')
const closeChannel = channel('kore-ws.connection.close')
const refusedChannel = channel('kore-ws.handshake.refused')
const limitChannel = channel('kore-ws.limit')
const droppedChannel = channel('kore-ws.message.dropped')
const errorChannel = channel('kore-ws.error')

const REASONS: ReadonlyMap<Refusal, string> = new Map(Object.entries(REFUSALS).map(([name, refusal]) => [refusal, name]))
/** Refusals that come of a limit, where nothing else says that it was reached. */
const LIMITS: ReadonlyMap<Refusal, string> = new Map([
  [REFUSALS.headSize, 'handshakeBytes'],
  [REFUSALS.timeout, 'handshakeTime'],
])
/** The reason of refusals that are the application's. */
const BY_ACCEPT = 'accept'

/** The counts of one server, or of all clients of a process. */
export class Diagnostics {
  readonly role: Role
  /** When counting began, as `performance.now()`. */
  readonly since = performance.now()
  // With every message, read or write one of these moves, for 1 ns (Node 20): plain fields of one object, counted up in
  // place, as small integers and past 2^31 as doubles, without an allocation.
  messagesReceived = 0
  messagesSent = 0
  bytesReceived = 0
  bytesSent = 0
  /** Bytes of payloads that went compressed. */
  readonly compression: CompressionTally = { sentPlain: 0, sentCompressed: 0, receivedPlain: 0, receivedCompressed: 0 }
  connectionsOpened = 0
  readonly closedByCode = new Map<number, number>()
  handshakesRefused = 0
  readonly refusedByStatus = new Map<number, number>()
  readonly refusedByReason = new Map<string, number>()
  /** How often each limit was reached, by its name in `limits`. */
  readonly limitsReached = new Map<string, number>()
  /** Messages that were skipped, accepted before or not, by the policy that skipped them. */
  readonly messagesDropped = new Map<string, number>()
  errors = 0
  /** A client's open connections; a server knows its own. */
  readonly open = new Set<MeasuredConnection>()

  constructor(role: Role = 'server') {
    this.role = role
  }

  /** A broadcast's frame was accepted for one receiver. @param plain bytes of its payload before compression */
  sharedSent(plain: number, { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number }): void {
    this.messagesSent++
    if ((bytes[start] & RSV1) === 0) return
    this.compression.sentPlain += plain
    // What is compressed for many is compressed at once, and so has less than 64 KiB.
    this.compression.sentCompressed += end - start - (bytes[start + 1] < 126 ? 2 : 4)
  }

  /** A handshake is done. */
  connectionOpened(connection: MeasuredConnection): void {
    const { role } = this
    if (role === 'client') this.open.add(connection)
    this.connectionsOpened++
    if (openChannel.hasSubscribers) openChannel.publish({ role, connection } satisfies Message<'connection.open'>)
  }

  /** Once for each that was opened. */
  connectionClosed(connection: MeasuredConnection, code: number, reason: string): void {
    const { role } = this
    this.open.delete(connection)
    count(this.closedByCode, code)
    if (!closeChannel.hasSubscribers) return
    closeChannel.publish({ role, connection, code, reason } satisfies Message<'connection.close'>)
  }

  /**
   * A server's answer to a handshake, on its way to the client at the other end of `socket`.
   *
   * @param address the client's, where it is not the socket's
   */
  refused(refusal: Refusal, socket: object, address?: string | undefined): void {
    const reason = REASONS.get(refusal) ?? BY_ACCEPT
    const limit = LIMITS.get(refusal)
    if (limit !== undefined) this.limitReached(limit, null)
    this.#refused(refusal.status, reason)
    if (!refusedChannel.hasSubscribers) return
    const { remoteAddress = undefined } = address === undefined ? (socket as { readonly remoteAddress?: string | undefined }) : { remoteAddress: address }
    const message: Message<'handshake.refused'> = { role: this.role, status: refusal.status, reason, remoteAddress }
    refusedChannel.publish(message)
  }

  /** A handshake of a client's. @param status of the answer; undefined where none came */
  refusedBy(status: number | undefined, reason: string): void {
    const { role } = this
    this.#refused(status, reason)
    if (!refusedChannel.hasSubscribers) return
    refusedChannel.publish({ role, status, reason, remoteAddress: undefined } satisfies Message<'handshake.refused'>)
  }

  /** @param connection whose peer reached it; null in a handshake */
  limitReached(limit: string, connection: object | null): void {
    count(this.limitsReached, limit)
    if (limitChannel.hasSubscribers) limitChannel.publish({ limit, connection } satisfies Message<'limit'>)
  }

  /** @param policy the slow-receiver policy that skipped the message */
  messageDropped(policy: string, connection: object): void {
    count(this.messagesDropped, policy)
    if (droppedChannel.hasSubscribers) droppedChannel.publish({ policy, connection } satisfies Message<'message.dropped'>)
  }

  /** What an `error` callback is told. @param connection null in a handshake */
  failed(error: unknown, connection: ObservedConnection | null): void {
    const { role } = this
    this.errors++
    if (errorChannel.hasSubscribers) errorChannel.publish({ role, error, connection } satisfies Message<'error'>)
  }

  #refused(status: number | undefined, reason: string): void {
    this.handshakesRefused++
    if (status !== undefined) count(this.refusedByStatus, status)
    count(this.refusedByReason, reason)
  }
}

type Message<Name extends string> = ChannelMessages[`kore-ws.${Name}` & keyof ChannelMessages]

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

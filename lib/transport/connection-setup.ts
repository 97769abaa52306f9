/** What a Connection is given, and the options of its calls. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Diagnostics } from '../diagnostics.ts'
import type { Limits } from '../limits.ts'
import type { Role } from '../protocol/frame-parser.ts'
import type { Compression, Compressor } from '../protocol/message-codec.ts'
import type { DataOpcode, Opcode } from '../protocol/opcode.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { Message } from './message.ts'
import type { Payload } from './payload.ts'
import type { Failure } from './report.ts'
import type { SlowReceivers } from './slow-receiver.ts'

/** What a Connection calls. Each may throw or return a promise that rejects: that closes this connection with 1011. */
export interface ConnectionHandlers<Connection> {
  open?(connection: Connection): unknown
  message?(connection: Connection, data: Message): unknown
  /** In place of `message`: the payload as it lies in memory, good until the call returns. */
  rawMessage?(connection: Connection, opcode: DataOpcode, bytes: Buffer, start: number, end: number): unknown
  drain?(connection: Connection): unknown
  pong?(connection: Connection, data: Buffer): unknown
  /** Once, and last: the connection is over. */
  close?(connection: Connection, code: number, reason: string): unknown
  /** A callback failed, as `failure` says, or the peer broke the protocol (a Violation). Must not throw. */
  failed(connection: Connection, error: unknown, failure?: Failure): void
  /** The transport is gone too: nothing of the connection is left. Must not throw. */
  gone(connection: Connection): void
}

/** Topics and whoever serves them. */
export interface TopicHub<Connection> {
  /** Returns how many topics the connection has now. */
  subscribe(connection: Connection, topic: string): number
  /** Returns how many topics the connection has now. */
  unsubscribe(connection: Connection, topic: string): number
  isSubscribed(connection: Connection, topic: string): boolean
  /** Bytes of memory that the connection's topics count with. */
  topicBytes(connection: Connection): number
  publish(topic: string, data: Payload, options: PublishOptions, except: Connection | undefined): number
}

/** What connections wait at while what their messages cause can't get away. */
export interface Gate<Connection> {
  readonly closed: boolean
  /** Calls the connection's `passGate` when it is open. */
  wait(connection: Connection): void
}

/** How a server answered a client's handshake. */
export interface HandshakeResponse {
  /** 101. */
  readonly status: number
  /** Their names in lower case. */
  readonly headers: IncomingHttpHeaders
}

export interface SendOptions {
  /** Sends a string as binary, or bytes as text (which must be valid UTF-8). Default: strings are text, bytes binary. */
  readonly binary?: boolean | undefined
  /**
   * true: compresses the message whatever its size; false: sends it as it is. Default: from `compression.threshold` bytes
   * on. Without effect where no compression was agreed on.
   */
  readonly compress?: boolean | undefined
}

/** A message that many connections send, encoded once for those that send the same bytes. */
export interface SharedMessage {
  readonly opcode: Opcode
  /** What is sent, not framed. */
  readonly payload: Buffer
  /** The frame for a connection that compresses with `compressor`, which keeps no context; undefined: not compressed. */
  frameFor(compressor: Compressor | undefined): FrameRange
}

/** An unmasked frame: `bytes[start, end)`. */
export interface FrameRange {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

export interface PublishOptions extends SendOptions {
  /** 'local': the connections of this process (default); 'global': those of all workers, through the server's bus. */
  readonly scope?: 'local' | 'global' | undefined
}

/** What the connections of one server have in common, and keep one reference to. */
export interface ConnectionTerms<Connection> {
  readonly role: Role
  readonly handlers: ConnectionHandlers<Connection>
  readonly limits: Limits
  /** Where what happens is counted. Default: counted nowhere. */
  readonly diagnostics?: Diagnostics | undefined
  /** What happens where the queue would pass its limit. Default: the connection is dropped. */
  readonly slowReceivers?: SlowReceivers | undefined
  readonly hub?: TopicHub<Connection> | undefined
  readonly heartbeat?: Heartbeat | undefined
  /** Is told what each connection holds. Default: nobody is. */
  readonly memory?: MemoryBudget | undefined
  /** While it is closed, no further message is read. Default: there is none. */
  readonly gate?: Gate<Connection> | undefined
}

export interface ConnectionSetup<Connection, Data> {
  readonly terms: ConnectionTerms<Connection>
  readonly transport: Duplex
  /** The client's, where it is not what the transport says. */
  readonly remoteAddress?: string | undefined
  /** The answer to a client's handshake. */
  readonly response?: HandshakeResponse | undefined
  readonly protocol: string
  /** What was agreed on, as the header said it; empty for nothing. */
  readonly extensions?: string | undefined
  readonly compression?: Compression | undefined
  readonly data: Data
  /** Whether messages wait from the start until somebody pulls them. */
  readonly pulled?: boolean | undefined
  /** Goes out in front of the first frame, in one write with it: the 101 response. */
  readonly greeting?: string | undefined
}

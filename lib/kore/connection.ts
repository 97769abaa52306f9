/** Kore's `struct connection`, as far as a program can use it, over a Connection of ours. */
import { Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { fileDescriptor } from '../node-internals/file-descriptor.ts'
import { checkAmount } from '../protocol/amount.ts'
import type { Connection } from '../transport/connection.ts'
import type { SharedMessage } from '../transport/connection-setup.ts'
import {
  CONN_PROTO_HTTP,
  CONN_PROTO_WEBSOCKET,
  CONN_STATE_DISCONNECTING,
  CONN_STATE_ESTABLISHED,
  CONN_WS_CLOSE_SENT,
} from './constants.ts'

export type OnConnect = (c: KoreConnection) => unknown
/** `data` is the program's own, unless `config.websocket_lend` says otherwise. */
export type OnMessage = (c: KoreConnection, op: number, data: Buffer, length: number) => unknown
export type OnDisconnect = (c: KoreConnection) => unknown

/** A websocket connection, or an HTTP connection that may become one. */
export class KoreConnection {
  /** Free for the program; may be set before the handshake, on `req.owner`. */
  hdlr_extra: unknown = null
  ws_connect: OnConnect | null = null
  ws_message: OnMessage | null = null
  ws_disconnect: OnDisconnect | null = null
  /** Kore's flag bits; CONN_WS_CLOSE_SENT is kept up to date. */
  flags = 0

  /** The listener: the HTTP server that took the connection, where that is known. */
  readonly owner: unknown
  #transport: Duplex
  #connection: Connection<KoreConnection> | undefined
  #disconnected = false

  /** @internal */
  constructor(transport: Duplex) {
    this.#transport = transport
    this.owner = 'server' in transport ? transport.server : undefined
  }

  /** CONN_STATE_ESTABLISHED or CONN_STATE_DISCONNECTING. */
  get state(): number {
    const over = this.#disconnected || this.#connection?.closeInfo !== undefined
    return over ? CONN_STATE_DISCONNECTING : CONN_STATE_ESTABLISHED
  }

  /** CONN_PROTO_HTTP before the handshake, CONN_PROTO_WEBSOCKET after it. */
  get proto(): number {
    return this.#connection === undefined ? CONN_PROTO_HTTP : CONN_PROTO_WEBSOCKET
  }

  /** The file descriptor where Node tells it, else -1: it is not documented, and portable mode has none. */
  get fd(): number {
    return fileDescriptor(this.#transport)
  }

  /** The peer's address; empty where it has none (a unix socket) or is gone. */
  get addr(): Partial<AddressInfo> {
    const { remoteAddress: address, remotePort: port, remoteFamily: family } = this.#transport as Partial<Socket>
    return {
      ...(address !== undefined && { address }),
      ...(port !== undefined && { port }),
      ...(family !== undefined && { family }),
    }
  }

  /** `length`: milliseconds without a byte in or out until the connection is closed. Assign to it in onconnect. */
  get idle_timer(): { length: number } {
    const connection = this.#connection
    return {
      get length() {
        return connection?.idleTime ?? Infinity
      },
      set length(milliseconds) {
        const time = checkAmount('idle_timer.length', milliseconds, 'milliseconds')
        if (connection !== undefined) connection.idleTime = time
      },
    }
  }

  /** @internal The websocket; undefined before the handshake. */
  get websocket(): Connection<KoreConnection> | undefined {
    return this.#connection
  }

  /** @internal The handshake is done. */
  become(connection: Connection<KoreConnection>): void {
    this.#connection = connection
  }

  /** @internal True the first time: ondisconnect is to be called. */
  markDisconnected(): boolean {
    if (this.#disconnected) return false
    this.#disconnected = true
    return true
  }

  /** @internal */
  markCloseSent(): void {
    this.flags |= CONN_WS_CLOSE_SENT
  }

  /** @internal */
  broken(error: unknown): void {
    this.#connection?.broken(error)
  }

  /** @internal For broadcasts. */
  sendShared(message: SharedMessage, compress: boolean | undefined): boolean {
    return this.#connection?.sendShared(message, compress) ?? false
  }
}

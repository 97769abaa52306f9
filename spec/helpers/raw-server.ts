/** A server that is nothing but sockets: it writes requests down, and answers with the bytes that the test gives it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Test } from 'tap'
import { acceptKey } from '../../lib/handshake/accept-key.ts'
import { eventually } from './journal.ts'

/** A certificate for localhost and 127.0.0.1, signed by itself. */
export const CERT = fixture('cert')
export const KEY = fixture('key')

/** Bytes to answer a request's head with, or what to do about it. */
export type Reply = (head: string, socket: Socket) => string | Buffer | void

export interface RawServerOptions {
  /** Speaks TLS, with the certificate of the fixtures. */
  readonly tls?: boolean | TlsOptions
  /** Listens on a unix socket. */
  readonly path?: string
  /** Each byte of an answer goes out on its own. */
  readonly byteByByte?: boolean
}

export class RawServer {
  /** The head of each request, in order. */
  readonly heads: string[] = []
  /** The sockets that are open. */
  readonly sockets = new Set<Socket>()
  /** What carries them: the same, or with TLS the TCP sockets below. */
  readonly carriers = new Set<Socket>()
  /** How many sockets there have been. */
  accepted = 0
  readonly server: Server
  readonly #reply: Reply
  readonly #options: RawServerOptions

  private constructor(reply: Reply, options: RawServerOptions) {
    const { tls = false } = options
    this.#reply = reply
    this.#options = options
    const onSocket = (socket: Socket): void => this.#serve(socket)
    const tlsOptions = { cert: CERT, key: KEY, ...(typeof tls === 'object' && tls) }
    this.server = tls === false ? createServer({ noDelay: true }, onSocket) : createTlsServer(tlsOptions, onSocket)
    this.server.on('connection', (socket: Socket) => {
      this.carriers.add(socket)
      socket.on('close', () => this.carriers.delete(socket))
      socket.on('error', () => {})
    })
    if (tls !== false) this.server.on('tlsClientError', () => {})
  }

  /** Listens on a free port of 127.0.0.1, or on the path; ends with the test. */
  static async open(t: Test, reply: Reply, options: RawServerOptions = {}): Promise<RawServer> {
    const raw = new RawServer(reply, options)
    raw.server.listen(options.path === undefined ? { port: 0, host: '127.0.0.1' } : { path: options.path })
    await once(raw.server, 'listening')
    t.teardown(() => {
      raw.server.close()
      for (const socket of raw.sockets) socket.destroy()
    })
    return raw
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Its address as a URL, ws: or wss:. */
  get url(): string {
    return this.#options.tls === undefined ? `ws://127.0.0.1:${this.port}` : `wss://localhost:${this.port}`
  }

  /** Resolves when no client is connected any more, and at least `accepted` have been. */
  async left(accepted = 1): Promise<void> {
    await eventually('every client to leave', () => this.accepted >= accepted && this.sockets.size === 0)
  }

  #serve(socket: Socket): void {
    this.accepted++
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('error', () => {})
    let unread = ''
    const onData = (chunk: Buffer): void => {
      unread += chunk.toString('latin1')
      const end = unread.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onData)
      const head = unread.slice(0, end + 4)
      this.heads.push(head)
      // What the test sends by itself comes behind; what came behind the head is the test's to read.
      const rest = unread.slice(end + 4)
      if (rest !== '') socket.unshift(Buffer.from(rest, 'latin1'))
      const answer = this.#reply(head, socket)
      if (answer !== undefined) this.#write(socket, Buffer.from(answer as string, 'latin1'))
    }
    socket.on('data', onData)
  }

  #write(socket: Socket, answer: Buffer): void {
    if (this.#options.byteByByte !== true) {
      socket.write(answer)
      return
    }
    let at = 0
    const next = (): void => {
      if (at < answer.length && !socket.destroyed) socket.write(answer.subarray(at, ++at), () => setImmediate(next))
    }
    next()
  }
}

/** The lines of a head as names, in lower case, and values; a header that is repeated becomes a list. */
export function headersOf(head: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const line of head.trimEnd().split('\r\n').slice(1)) {
    const colon = line.indexOf(': ')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 2)
    headers[name] = name in headers ? [headers[name], value].flat() : value
  }
  return headers
}

/** What a server has to answer this head with. */
export function acceptOf(head: string): string {
  return acceptKey(String(headersOf(head)['sec-websocket-key']))
}

/** The 101 to a head. */
export function accepting(head: string): string {
  return acceptingWith(head, {})
}

/** The same with lines in place of the usual ones, or more; null takes one out, a list becomes several. */
export function acceptingWith(head: string, lines: Readonly<Record<string, string | readonly string[] | null>>): string {
  const all = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': acceptOf(head), ...lines }
  const text = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [value].flat()).map(line => `${name}: ${line}\r\n`))
  return `HTTP/1.1 101 Switching Protocols\r\n${text.join('')}\r\n`
}

/** A whole answer with another status. */
export function answering(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): string {
  const lines = Object.entries({ ...headers, 'content-length': `${Buffer.byteLength(body)}` })
  return `HTTP/1.1 ${status} Any\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/localhost.${name}.pem`, import.meta.url))
}

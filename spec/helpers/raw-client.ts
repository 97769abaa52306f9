/** A client that is nothing but a socket: what goes out is written by hand as hex, what comes back is read as hex. */
import { connect, type Socket } from 'node:net'
import { acceptKey } from '../../lib/handshake/accept-key.ts'
import { bytes, hex } from './frames.ts'
import { patience, PATIENCE } from './journal.ts'

/** The key of RFC 6455's own example (section 1.3). */
export const CLIENT_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export interface HandshakeParts {
  readonly path?: string
  readonly method?: string
  readonly version?: string
  /** In place of the usual ones, by name in lower case; null takes one out, a list becomes several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>
}

/** A handshake request as text, its lines ended by CR LF. */
export function handshakeText({ path = '/', method = 'GET', version = '1.1', headers = {} }: HandshakeParts = {}): string {
  const all: Record<string, string | readonly string[] | null> = {
    host: 'localhost',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': CLIENT_KEY,
    'sec-websocket-version': '13',
    ...headers,
  }
  let text = `${method} ${path} HTTP/${version}\r\n`
  for (const [name, value] of Object.entries(all)) {
    for (const line of value === null ? [] : [value].flat()) text += `${name}: ${line}\r\n`
  }
  return `${text}\r\n`
}

export class RawClient {
  /** What has come, as it came: one entry for each read. */
  readonly chunks: string[] = []
  readonly socket: Socket
  /** 'open', 'ended' by the peer's FIN, or 'reset'. */
  state: 'open' | 'ended' | 'reset' = 'open'
  #unread = Buffer.alloc(0)
  #wake: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('connect', () => this.#changed())
    socket.on('data', chunk => {
      this.chunks.push(hex(chunk))
      this.#unread = Buffer.concat([this.#unread, chunk])
      this.#changed()
    })
    socket.on('end', () => this.#over('ended'))
    socket.on('error', () => this.#over('reset'))
    socket.on('close', () => this.#changed())
  }

  /** @param allowHalfOpen whether our side stays open when the peer has ended its own */
  static async open(port: number, allowHalfOpen = false): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen, noDelay: true })
    const client = new RawClient(socket)
    await client.#until('a connection', () => !socket.connecting)
    return client
  }

  /** Opens, sends the handshake and takes the 101 off what comes. */
  static async handshake(port: number, parts: HandshakeParts = {}): Promise<RawClient> {
    const client = await RawClient.open(port)
    client.text(handshakeText(parts))
    const head = await client.head()
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no 101: ${head}`)
    if (!head.includes(acceptKey(CLIENT_KEY))) throw new Error(`a wrong accept: ${head}`)
    return client
  }

  /** Sends bytes given as hex, in one segment. */
  send(...frames: string[]): void {
    this.socket.write(bytes(frames.join('')))
  }

  text(latin1: string): void {
    this.socket.write(latin1, 'latin1')
  }

  /** Our FIN. */
  end(): void {
    this.socket.end()
  }

  /** Our RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** A response's status line and headers, the empty line included. */
  async head(): Promise<string> {
    const end = (): number => this.#unread.indexOf('\r\n\r\n')
    await this.#until('a response head', () => end() >= 0)
    return this.#take(end() + 4).toString('latin1')
  }

  /** So many bytes, as hex; fewer where the connection ends before. */
  async read(length: number): Promise<string> {
    await this.#until(`${length} bytes`, () => this.#unread.length >= length || this.state !== 'open')
    return hex(this.#take(length))
  }

  /** As many bytes as `expected` has: equal to it, unless something is wrong. */
  readAs(expected: string): Promise<string> {
    return this.read(bytes(expected).length)
  }

  /** All that comes until the peer ends the connection; `reset` behind it where it was no orderly end. */
  async rest(): Promise<string> {
    await this.#until('the end', () => this.state !== 'open')
    return hex(this.#take(this.#unread.length)) + (this.state === 'reset' ? ' reset' : '')
  }

  /** The status and the body of a response that ends the connection. */
  async refusal(): Promise<{ status: number; head: string; body: string }> {
    const head = await this.head()
    const body = bytes((await this.rest()).replace(' reset', '')).toString()
    return { status: Number(head.split(' ')[1]), head, body }
  }

  /** Nothing has come so far that was not read. */
  get unread(): string {
    return hex(this.#unread)
  }

  /** Resolves when the socket is gone. */
  async close(): Promise<void> {
    this.socket.destroy()
    await this.#until('the socket to close', () => this.socket.closed)
  }

  async #until(what: string, met: () => boolean): Promise<void> {
    const { promise, reject } = withReject()
    const timer = patience(PATIENCE, () => {
      const so = `${this.#unread.length} bytes so far, ${hex(this.#unread.subarray(0, 200))}, connection ${this.state}`
      reject(new Error(`waited ${PATIENCE} ms in vain for ${what}: ${so}`))
    })
    try {
      while (!met()) {
        if (this.socket.closed) throw new Error(`the socket closed (${this.state}) before ${what} came: ${hex(this.#unread)}`)
        await Promise.race([new Promise<void>(resolve => this.#wake.push(resolve)), promise])
      }
    } finally {
      clearInterval(timer)
    }
  }

  #take(length: number): Buffer {
    const taken = this.#unread.subarray(0, length)
    this.#unread = this.#unread.subarray(length)
    return taken
  }

  #over(how: 'ended' | 'reset'): void {
    if (this.state === 'open') this.state = how
    this.#changed()
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

function withReject(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<never>((_, no) => {
    reject = no
  })
  promise.catch(() => {})
  return { promise, reject }
}

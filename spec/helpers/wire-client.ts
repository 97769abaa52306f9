/** A client on any Duplex that knows no rule: it writes what it is told to, and writes down what comes back, as words. */
import { request as httpRequest } from 'node:http'
import { connect as connectSocket, type NetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { deflatedFrame, type Takeover } from './deflated.ts'
import { bytes, masked } from './frames.ts'
import { Journal, within } from './journal.ts'
import { handshakeText, type HandshakeParts } from './raw-client.ts'

const KINDS: Readonly<Record<number, string>> = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }
/** Longer payloads stand in the journal as their length. */
const SHOWN = 200
const RSV1 = 0x40

export interface Frame {
  readonly first: number
  readonly payload: Buffer
}

export interface Answer {
  readonly status: number
  /** The lines of the head, status line included. */
  readonly head: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export class WireClient {
  readonly socket: Duplex
  /** `text a`, `binary 61`, `ping 61`, `close 1000 reason`, then `end`, `error ECONNRESET` and `closed` as they come. */
  readonly journal = new Journal()
  readonly frames: Frame[] = []
  /** The size of each chunk that came. */
  readonly chunks: number[] = []
  /** Where compression was agreed on: messages are compressed then, and what comes compressed is shown inflated. */
  inflater: Takeover | undefined
  /** How many of the frames came compressed. */
  compressed = 0
  #unread: Buffer[] = []
  #size = 0
  /** How many bytes it takes to go on. */
  #needed = 1
  #onAnswer: ((answer: Answer) => void) | undefined

  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('end', () => this.journal.add('end'))
    socket.on('error', (error: NodeJS.ErrnoException) => this.journal.add(`error ${error.code}`))
    socket.on('close', () => this.journal.add('closed'))
  }

  /** Connects over TCP or a unix socket. */
  static to(where: NetConnectOpts): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket({ ...where, allowHalfOpen: true }, () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
      socket.setNoDelay(true)
      socket.once('error', reject)
    })
  }

  /** Sends a handshake, with `early` (hex, as it is) in the same write, and returns the answer. */
  handshake(parts: HandshakeParts = {}, early = ''): Promise<Answer> {
    const answer = this.answer()
    this.ask(parts, early)
    return answer
  }

  /** The same, for a handshake whose answer nobody waits for. */
  ask(parts: HandshakeParts = {}, early = ''): void {
    this.socket.write(Buffer.concat([Buffer.from(handshakeText(parts), 'latin1'), bytes(early)]))
  }

  /** The next HTTP response. */
  answer(): Promise<Answer> {
    const answered = new Promise<Answer>(resolve => {
      this.#onAnswer = resolve
    })
    return within(answered, () => `an HTTP response; so far ${this.journal.lines.join()}`)
  }

  /** Sends unmasked frames masked, as a client has to, in one write. */
  send(...frames: string[]): void {
    this.sendRaw(frames.map(frame => masked(this.inflater === undefined ? frame : compress(frame))).join(''))
  }

  /** Sends hex as it is. */
  sendRaw(hex: string): void {
    this.socket.write(bytes(hex))
  }

  /** The journal's first `count` lines, once they are there. */
  async lines(count: number): Promise<readonly string[]> {
    return (await this.journal.reach(count)).slice(0, count)
  }

  /** The frames, once there are `count` of them. */
  async received(count: number): Promise<readonly Frame[]> {
    await this.journal.reach(count)
    return this.frames
  }

  #receive(chunk: Buffer): void {
    this.chunks.push(chunk.length)
    this.#unread.push(chunk)
    this.#size += chunk.length
    while (this.#size >= this.#needed) {
      const all = this.#unread.length === 1 ? this.#unread[0] : Buffer.concat(this.#unread)
      const used = this.#onAnswer === undefined ? this.#takeFrame(all) : this.#takeAnswer(all)
      this.#unread = used < all.length ? [all.subarray(used)] : []
      this.#size -= used
      if (used > 0) this.#needed = 1
    }
  }

  /** Returns how many bytes an answer took; 0 if it is not whole. */
  #takeAnswer(all: Buffer): number {
    const end = all.indexOf('\r\n\r\n')
    this.#needed = all.length + 1
    if (end < 0) return 0
    const head = all.toString('latin1', 0, end).split('\r\n')
    const headers = Object.fromEntries(head.slice(1).map(splitHeader))
    const status = Number(head[0].split(' ')[1])
    const length = Number(headers['content-length'] ?? 0)
    if (all.length < end + 4 + length) return 0
    const answer = { status, head, headers, body: all.toString('utf8', end + 4, end + 4 + length) }
    this.#onAnswer?.(answer)
    this.#onAnswer = undefined
    return end + 4 + length
  }

  #inflate(frame: Frame): Frame {
    if (this.inflater === undefined || (frame.first & RSV1) === 0) return frame
    this.compressed++
    return { first: frame.first & ~RSV1, payload: this.inflater.inflate(frame.payload) }
  }

  #takeFrame(all: Buffer): number {
    const small = all.length < 2 ? 0 : all[1] & 0x7f
    // A masked frame, which no server may send, has its key behind the length.
    const key = all.length < 2 || all[1] <= 0x7f ? 0 : 4
    const header = (small < 126 ? 2 : small === 126 ? 4 : 10) + key
    this.#needed = header
    if (all.length < header) return 0
    const length = small < 126 ? small : small === 126 ? all.readUInt16BE(2) : Number(all.readBigUInt64BE(2))
    this.#needed = header + length
    if (all.length < this.#needed) return 0
    const frame = this.#inflate({ first: all[0], payload: unmasked(all.subarray(header, header + length), all.subarray(header - key, header)) })
    this.frames.push(frame)
    this.journal.add(all[1] > 0x7f ? 'a masked frame' : describe(frame))
    return header + length
  }
}

/** A copy of `payload`; the key is empty where nothing is masked. */
function unmasked(payload: Buffer, key: Buffer): Buffer {
  return Buffer.from(key.length === 0 ? payload : payload.map((byte, i) => byte ^ key[i % 4]))
}

/** A plain HTTP request to a port; its status, headers and body. */
export function plainRequest(port: number, path = '/'): Promise<{ status: number; headers: object; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, agent: false }, response => {
      let body = ''
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    request.on('error', reject)
    request.end()
  })
}

/** Whole messages compressed; other frames as they are. */
function compress(frame: string): string {
  const all = bytes(frame)
  const first = frame.slice(0, 2)
  if (first !== '81' && first !== '82') return frame
  const header = all[1] < 126 ? 2 : all[1] === 126 ? 4 : 10
  return deflatedFrame(first, all.subarray(header))
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

function describe({ first, payload }: Frame): string {
  const kind = `${KINDS[first & 0x0f] ?? first}${first < 0x80 ? ' begins' : ''}`
  if (kind === 'close') {
    return payload.length < 2 ? 'close' : `close ${payload.readUInt16BE()} ${payload.toString('utf8', 2)}`.trimEnd()
  }
  if (payload.length > SHOWN) return `${kind} of ${payload.length} bytes`
  return `${kind} ${payload.toString((first & 0x0f) === 1 ? 'utf8' : 'hex')}`.trimEnd()
}

/** A raw echo that keeps every rule the cases know, as a server or as a client, and a switch for each to break it. */
import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { Utf8Validator } from '../../lib/protocol/utf8.ts'

/** The rule that is broken. */
export type Fault =
  | 'ignores-reserved-opcodes'
  | 'ignores-reserved-bits'
  | 'takes-invalid-text'
  | 'finds-invalid-text-late'
  | 'drops-stray-continuations'
  | 'takes-messages-inside-messages'
  | 'never-pongs'
  | 'pongs-without-payload'
  | 'takes-fragmented-controls'
  | 'takes-long-controls'
  | 'takes-any-close-code'
  | 'takes-any-close-reason'
  | 'takes-half-a-close-code'
  | 'answers-close-with-1011'
  | 'echoes-behind-its-close-frame'
  | 'drops-tcp-on-close'
  | 'keeps-tcp-after-close'
  | 'echoes-text-as-binary'
  | 'loses-the-last-byte'
  | 'masks-its-frames'
  | 'forgets-to-mask'
  | 'writes-long-lengths'
  | 'keeps-its-context'
  | 'forgets-the-other-context'
  | 'uses-a-large-window'
  | 'grants-a-larger-window'
  | 'forgets-rsv1'
  | 'names-unknown-parameters'

const TAIL = Buffer.from('0000ffff', 'hex')
const MAX_WINDOW = 32_768

/** What is agreed about the compression of this side. */
export interface Deflate {
  readonly contextTakeover: boolean
  readonly windowBits: number
}

/** Ends the connection: the code that the close frame has. */
class Failure extends Error {
  readonly code: number

  constructor(code: number) {
    super(String(code))
    this.code = code
  }
}

interface Frame {
  readonly first: number
  readonly payload: Buffer
  /** Octets of the payload that have not come yet. */
  readonly missing: number
  readonly end: number
}

export class Echo {
  readonly #socket: Socket
  readonly #isServer: boolean
  readonly #fault: Fault | undefined
  readonly #deflate: Deflate | undefined
  #unread: Buffer = Buffer.alloc(0)
  #closed = false
  #message: { readonly first: number; readonly parts: Buffer[] } | undefined
  /** A control frame came in fragments, and was taken. */
  #restOfControl = false
  #validator = new Utf8Validator()
  /** Octets of the frame under way that were validated. */
  #validated = 0
  /** The ends of what both sides have compressed. */
  #mine: Buffer = Buffer.alloc(0)
  #theirs: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, isServer: boolean, fault: Fault | undefined, deflate: Deflate | undefined) {
    this.#socket = socket
    this.#isServer = isServer
    this.#fault = fault
    this.#deflate = deflate
  }

  receive(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk])
    try {
      for (let frame = this.#next(); frame !== undefined && !this.#over; frame = this.#next()) {
        if (frame.missing > 0) {
          this.#validatePart(frame)
          return
        }
        this.#unread = this.#unread.subarray(frame.end)
        this.#take(frame)
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      this.#close(error.code)
    }
  }

  get #over(): boolean {
    return this.#closed && this.#fault !== 'echoes-behind-its-close-frame'
  }

  #next(): Frame | undefined {
    const bytes = this.#unread
    if (bytes.length < 2) return undefined
    const form = bytes[1] & 127
    const start = 2 + (form === 127 ? 8 : form === 126 ? 2 : 0) + (this.#isServer ? 4 : 0)
    if (bytes.length < start) return undefined
    const length = form === 127 ? Number(bytes.readBigUInt64BE(2)) : form === 126 ? bytes.readUInt16BE(2) : form
    const payload = Buffer.from(bytes.subarray(start, start + length))
    const missing = length - payload.length
    // A large frame is looked at when it is whole: unmasking its beginning again and again would take too long.
    if (this.#isServer && (missing === 0 || length < 100)) {
      payload.forEach((byte, at) => (payload[at] = byte ^ bytes[start - 4 + (at & 3)]))
    }
    return { first: bytes[0], payload, missing, end: start + length }
  }

  #has(fault: Fault): boolean {
    return this.#fault === fault
  }

  #take({ first, payload }: Frame): void {
    const opcode = first & 15
    const isWhole = (first & 0x80) !== 0
    const compressed = this.#deflate !== undefined && (opcode === 1 || opcode === 2) ? 0x40 : 0
    if ((first & 0x70 & ~compressed) !== 0 && !this.#has('ignores-reserved-bits')) throw new Failure(1002)
    if (opcode >= 8 && !isWhole && !this.#has('takes-fragmented-controls')) throw new Failure(1002)
    if (opcode >= 8 && payload.length > 125 && !this.#has('takes-long-controls')) throw new Failure(1002)
    if (opcode >= 8) this.#restOfControl = !isWhole
    if (opcode === 8) this.#answerClose(payload)
    else if (opcode === 9) this.#pong(payload)
    else if (opcode < 3) this.#takeData(first, payload)
    else if (opcode !== 10 && !this.#has('ignores-reserved-opcodes')) throw new Failure(1002)
  }

  #pong(payload: Buffer): void {
    if (this.#has('never-pongs')) return
    this.#send(0x8a, this.#has('pongs-without-payload') ? Buffer.alloc(0) : payload)
  }

  #takeData(first: number, payload: Buffer): void {
    const isStart = (first & 15) !== 0
    if (!isStart && this.#message === undefined && (this.#has('drops-stray-continuations') || this.#restOfControl))
      return
    if (isStart === (this.#message !== undefined) && !(isStart && this.#has('takes-messages-inside-messages')))
      throw new Failure(1002)
    if (isStart) this.#message = { first, parts: [] }
    const message = this.#message
    if (message === undefined) return
    message.parts.push(payload)
    this.#validate(message.first, payload.subarray(this.#validated), (first & 0x80) !== 0)
    if ((first & 0x80) !== 0) this.#echo(message.first, Buffer.concat(message.parts))
  }

  /** Of a frame that is not whole, what is there has to be the beginning of text. */
  #validatePart({ first, payload, missing }: Frame): void {
    const opcode = first & 15
    if (opcode > 2 || payload.length + missing >= 100) return
    const start = opcode === 0 ? (this.#message?.first ?? 0) : first
    this.#validate(start, payload.subarray(this.#validated), false)
    this.#validated = payload.length
  }

  #validate(first: number, bytes: Buffer, isEnd: boolean): void {
    this.#validated = 0
    const isText = (first & 15) === 1 && (first & 0x40) === 0
    if (!isText || this.#has('takes-invalid-text') || this.#has('finds-invalid-text-late')) return
    if (!this.#validator.push(bytes, 0, bytes.length) || (isEnd && !this.#validator.complete)) throw new Failure(1007)
  }

  #echo(first: number, bytes: Buffer): void {
    this.#message = undefined
    this.#validator = new Utf8Validator()
    const isCompressed = this.#deflate !== undefined && (first & 0x40) !== 0
    const plain = isCompressed ? this.#inflate(bytes) : bytes
    const isText = (first & 15) === 1
    if (isText && !isUtf8(plain) && !this.#has('takes-invalid-text')) throw new Failure(1007)
    const kept = this.#has('loses-the-last-byte') && plain.length > 0 ? plain.subarray(0, -1) : plain
    const opcode = isText && !this.#has('echoes-text-as-binary') ? 0x81 : 0x82
    if (this.#deflate === undefined) this.#send(opcode, kept)
    else this.#send(opcode | (this.#has('forgets-rsv1') ? 0 : 0x40), this.#compress(kept, this.#deflate))
  }

  #inflate(bytes: Buffer): Buffer {
    const dictionary = this.#has('forgets-the-other-context') ? Buffer.alloc(0) : this.#theirs
    try {
      const plain = inflateRawSync(Buffer.concat([bytes, TAIL]), {
        finishFlush: constants.Z_SYNC_FLUSH,
        ...(dictionary.length > 0 && { dictionary }),
      })
      this.#theirs = Buffer.concat([this.#theirs, plain]).subarray(-MAX_WINDOW)
      return plain
    } catch {
      throw new Failure(1007)
    }
  }

  #compress(plain: Buffer, { contextTakeover, windowBits }: Deflate): Buffer {
    const dictionary = contextTakeover || this.#has('keeps-its-context') ? this.#mine : Buffer.alloc(0)
    const compressed = deflateRawSync(plain, {
      finishFlush: constants.Z_SYNC_FLUSH,
      windowBits: this.#has('uses-a-large-window') ? 15 : windowBits,
      ...(dictionary.length > 0 && { dictionary }),
    })
    this.#mine = Buffer.concat([this.#mine, plain]).subarray(-MAX_WINDOW)
    return compressed.subarray(0, -4)
  }

  #answerClose(payload: Buffer): void {
    if (this.#has('drops-tcp-on-close')) {
      this.#closed = true
      this.#socket.end()
      return
    }
    if (payload.length === 1 && this.#has('takes-half-a-close-code')) return this.#close(1000)
    if (payload.length === 1) throw new Failure(1002)
    const code = payload.length > 0 ? payload.readUInt16BE() : undefined
    if (code !== undefined && !isAllowed(code) && !this.#has('takes-any-close-code')) throw new Failure(1002)
    if (!isUtf8(payload.subarray(2)) && !this.#has('takes-any-close-reason')) throw new Failure(1007)
    this.#close(this.#has('answers-close-with-1011') ? 1011 : code)
  }

  #close(code: number | undefined): void {
    if (this.#closed) return
    const payload = Buffer.alloc(code === undefined ? 0 : 2)
    if (code !== undefined) payload.writeUInt16BE(code)
    this.#send(0x88, payload)
    this.#closed = true
    // A client waits for the server to end the connection.
    if (this.#has('keeps-tcp-after-close') || !this.#isServer) return
    if (this.#has('echoes-behind-its-close-frame')) setImmediate(() => this.#socket.end())
    else this.#socket.end()
  }

  #send(first: number, payload: Buffer): void {
    const long = this.#has('writes-long-lengths')
    const form = payload.length > 65_535 || long ? 127 : payload.length > 125 ? 126 : payload.length
    const masked = this.#isServer ? this.#has('masks-its-frames') : !this.#has('forgets-to-mask')
    const head = Buffer.alloc(2 + (form === 127 ? 8 : form === 126 ? 2 : 0) + (masked ? 4 : 0))
    head[0] = first
    head[1] = form | (masked ? 0x80 : 0)
    if (form === 127) head.writeBigUInt64BE(BigInt(payload.length), 2)
    else if (form === 126) head.writeUInt16BE(payload.length, 2)
    // The key is zero, so that the payload stays as it is.
    if (this.#socket.writable) this.#socket.write(Buffer.concat([head, payload]))
  }
}

function isAllowed(code: number): boolean {
  return (code >= 3000 && code <= 4999) || (code >= 1000 && code <= 1011 && ![1004, 1005, 1006].includes(code))
}

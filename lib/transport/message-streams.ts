/** Messages that are read while they come: each an async iterable of its pieces, with no more kept than one read. */
import { StringDecoder } from 'node:string_decoder'
import { Opcode, type DataOpcode } from '../protocol/opcode.ts'
import { asString } from './large-text.ts'
import { memoryOf, type Message } from './message.ts'
import type { MessageSource, Waiting } from './message-iterator.ts'
import { ConnectionClosedError } from './connection-closed-error.ts'
import { countMessageMemory } from '../node-internals/young-garbage.ts'

type Taker<Value> = {
  resolve(result: IteratorResult<Value, undefined>): void
  reject(error: Error): void
}
const DONE: IteratorResult<never, undefined> = { done: true, value: undefined }

/** One message: strings where it is text, never cut inside a character; Buffers of their own where it is binary. */
export class MessageStream implements AsyncIterableIterator<Message> {
  readonly binary: boolean
  readonly #source: MessageSource
  readonly #decoder: StringDecoder | undefined
  #pieces: Message[] = []
  /** Bytes of memory of the piece that was taken last. */
  #takenSize = 0
  #takers: Taker<Message>[] = []
  #state: 'coming' | 'complete' | 'cut' | 'unwanted' = 'coming'
  /** Why it is cut. */
  #error: Error | undefined

  /** @internal */
  constructor(opcode: DataOpcode, source: MessageSource) {
    this.binary = opcode === Opcode.binary
    this.#decoder = this.binary ? undefined : new StringDecoder('utf8')
    this.#source = source
  }

  /** @internal One that has come. */
  static of(message: Message, source: MessageSource): MessageStream {
    const stream = new MessageStream(typeof message === 'string' ? Opcode.text : Opcode.binary, source)
    if (message.length > 0) stream.#pieces.push(message)
    stream.end()
    return stream
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @internal Bytes of memory of the pieces that wait, and of the one that a loop is at. */
  get size(): number {
    return this.#pieces.reduce((sum, piece) => sum + memoryOf(piece, false), this.#takenSize)
  }

  /** The next piece. Rejects with a ConnectionClosedError where the message will not be complete. */
  next(): Promise<IteratorResult<Message, undefined>> {
    const piece = this.#pieces.shift()
    this.#takenSize = piece === undefined ? 0 : memoryOf(piece, false)
    this.#source.resized()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#state !== 'coming') return Promise.resolve(DONE)
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject })
      this.#source.release()
    })
  }

  /** The rest of the message is thrown away as it comes. */
  return(): Promise<IteratorResult<Message, undefined>> {
    this.#pieces = []
    this.#takenSize = 0
    this.#source.resized()
    if (this.#state === 'coming') {
      this.#state = 'unwanted'
      this.#settleTakers()
      this.#source.release()
    }
    return Promise.resolve(DONE)
  }

  /** @internal */
  push(bytes: Buffer, start: number, end: number): void {
    if (this.#state !== 'coming') return
    const decoder = this.#decoder
    const view = bytes.subarray(start, end)
    if (decoder === undefined) countMessageMemory(end - start)
    // What was compressed is one piece, however long.
    const piece = decoder === undefined ? Buffer.from(view) : asString(() => decoder.write(view))
    // Only the beginning of a character.
    if (piece.length === 0) return
    const taker = this.#takers.shift()
    if (taker === undefined) {
      this.#pieces.push(piece)
    } else {
      this.#takenSize = memoryOf(piece, false)
      taker.resolve({ done: false, value: piece })
    }
    this.#source.hold()
  }

  /** @internal It is complete, or will never be. */
  end(error?: Error): void {
    if (this.#state !== 'coming') return
    this.#state = error === undefined ? 'complete' : 'cut'
    this.#error = error
    this.#settleTakers()
  }

  #settleTakers(): void {
    for (const taker of this.#takers) {
      if (this.#error === undefined) taker.resolve(DONE)
      else taker.reject(this.#error)
    }
    this.#takers = []
  }
}

export class MessageStreams implements AsyncIterableIterator<MessageStream> {
  readonly #source: MessageSource
  /** Whole messages that had come before, and are next. */
  #whole: Waiting[]
  /** The message whose pieces come now. */
  #current: MessageStream | undefined
  /** The last one that was handed over. */
  #taken: MessageStream | undefined
  #waiting: MessageStream[] = []
  #takers: Taker<MessageStream>[] = []
  #ended = false
  /** What the loop is to throw when all that waited has been taken. */
  #error: Error | undefined

  /** @internal */
  constructor(source: MessageSource, whole: Waiting[] = []) {
    this.#source = source
    this.#whole = whole
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @internal Bytes of memory of all that waits. */
  get size(): number {
    const waiting = [...this.#whole, ...this.#waiting].map(({ size }) => size)
    return waiting.reduce((sum, size) => sum + size, this.#taken?.size ?? 0)
  }

  /** @internal The messages that had come before and that nobody has taken. */
  takeWhole(): Waiting[] {
    const whole = this.#whole
    this.#whole = []
    return whole
  }

  /** The next message, as soon as it begins; what was not read of the one before is thrown away. */
  async next(): Promise<IteratorResult<MessageStream, undefined>> {
    await this.#taken?.return()
    const whole = this.#whole.shift()
    const message = whole === undefined ? this.#waiting.shift() : MessageStream.of(whole.message, this.#source)
    if (message !== undefined) {
      this.#taken = message
      return { done: false, value: message }
    }
    if (this.#error !== undefined) throw this.#takeError()
    if (this.#ended) return DONE
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject })
      this.#source.release()
    })
  }

  /**
   * The loop was left: the message under way is thrown away, later ones go to the `message` callback again. Where a client
   * has none they wait for the next loop, and so do those that had come before this one.
   */
  async return(): Promise<IteratorResult<MessageStream, undefined>> {
    for (const message of this.#waiting) await message.return()
    await this.#taken?.return()
    this.#waiting = []
    this.end()
    this.#source.detach(this)
    return DONE
  }

  /** @internal */
  push(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void {
    if (!this.#ended) this.#begun(opcode).push(bytes, start, end)
  }

  /** @internal */
  endMessage(opcode: DataOpcode): void {
    if (!this.#ended) this.#begun(opcode).end()
    this.#current = undefined
  }

  /** @internal No more will come; the loop ends or throws, once. */
  end(error?: Error): void {
    if (!this.#ended) this.#error = error
    this.#ended = true
    // A message under way is cut whichever way the connection ended.
    this.#current?.end(error ?? new ConnectionClosedError())
    this.#current = undefined
    for (const taker of this.#takers.splice(0)) {
      if (this.#error === undefined) taker.resolve(DONE)
      else taker.reject(this.#takeError())
    }
  }

  /** An iterator that has thrown is done. */
  #takeError(): Error {
    const error = this.#error as Error
    this.#error = undefined
    return error
  }

  #begun(opcode: DataOpcode): MessageStream {
    if (this.#current !== undefined) return this.#current
    const message = new MessageStream(opcode, this.#source)
    this.#current = message
    const taker = this.#takers.shift()
    if (taker === undefined) {
      this.#waiting.push(message)
      this.#source.hold()
    } else {
      this.#taken = message
      taker.resolve({ done: false, value: message })
    }
    return message
  }
}

/** Messages pulled with `for await`: while nobody takes them, the peer is slowed down instead of being buffered. */
import type { Message } from './message.ts'

/** Messages that were read together may wait here, up to so many, or so many bytes of memory of them. */
const MAX_WAITING = 16
const MAX_WAITING_SIZE = 64 * 1024

/** Where the messages come from. */
export interface MessageSource {
  hold(): void
  release(): void
  /** The loop of a lasting iterator was left. */
  left(): void
  /** What the iterator holds has changed. */
  resized(): void
  /** This iterator wants no more; what another one reads by now stays with that one. */
  detach(iterator: object): void
}

/** A message that waits, and the bytes of memory that it takes. */
export interface Waiting {
  readonly message: Message
  readonly size: number
}

export class MessageIterator implements AsyncIterableIterator<Message> {
  readonly #source: MessageSource
  readonly #lasting: boolean
  #waiting: Waiting[] = []
  #size = 0
  /** Bytes of memory of the message that was taken last: the loop has it until it asks for the next. */
  #taken = 0
  #takers: { resolve(result: IteratorResult<Message, undefined>): void; reject(error: Error): void }[] = []
  #ended = false
  /** What the loop is to throw when all that waited has been taken. */
  #error: Error | undefined
  #looping = false

  /** @param lasting whether a loop that is left may be followed by another, for which messages wait meanwhile */
  constructor(source: MessageSource, lasting = false) {
    this.#source = source
    this.#lasting = lasting
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Bytes of memory of the messages that wait, and of the one that a loop is at. */
  get size(): number {
    return this.#size + this.#taken
  }

  /** Whether nobody is in a loop of a lasting one, so that what waits may do so for ever. */
  get isIdle(): boolean {
    return this.#lasting && !this.#looping
  }

  /** @param size bytes of memory that the message takes */
  push(message: Message, size: number): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      this.#taken = size
      taker.resolve({ done: false, value: message })
      return
    }
    this.#waiting.push({ message, size })
    this.#size += size
    if (this.#waiting.length >= MAX_WAITING || this.#size >= MAX_WAITING_SIZE) this.#source.hold()
  }

  /** As if it was being asked already: somebody will. */
  claim(): this {
    this.#looping = true
    return this
  }

  /** Ends a lasting one in favour of another reader, who gets what waits; undefined where somebody is in a loop. */
  handOver(): Waiting[] | undefined {
    const over = this.#ended && this.#waiting.length === 0
    if (!this.#lasting || (this.#looping && !over)) return undefined
    const waiting = this.#waiting
    this.#waiting = []
    this.#size = 0
    this.end()
    return waiting
  }

  /** No more messages will come; those that wait are still handed over, then the loop ends or throws, once. */
  end(error?: Error): void {
    if (!this.#ended) this.#error = error
    this.#ended = true
    this.#sendAway()
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#looping = true
    const before = this.size
    this.#taken = 0
    const next = this.#waiting.shift()
    if (next !== undefined) {
      this.#size -= next.size
      this.#taken = next.size
      if (this.#waiting.length === 0) this.#source.release()
      return Promise.resolve({ done: false, value: next.message })
    }
    if (before > 0) this.#source.resized()
    if (this.#error !== undefined) return Promise.reject(this.#takeError())
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
  }

  /**
   * The loop was left: messages that still wait are dropped, and later ones go to the `message` callback again. Of a
   * lasting iterator they stay for the next loop.
   */
  return(): Promise<IteratorResult<Message, undefined>> {
    this.#taken = 0
    if (this.#lasting) {
      this.#looping = false
      this.#source.resized()
      this.#sendAway()
      this.#source.left()
    } else {
      this.#waiting = []
      this.#size = 0
      this.end()
      this.#source.detach(this)
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  #sendAway(): void {
    for (const taker of this.#takers.splice(0)) {
      if (this.#error === undefined) taker.resolve({ done: true, value: undefined })
      else taker.reject(this.#takeError())
    }
  }

  /** An iterator that has thrown is done. */
  #takeError(): Error {
    const error = this.#error as Error
    this.#error = undefined
    return error
  }
}

/** Messages pulled with `for await`: while nobody takes them, the peer is slowed down instead of being buffered. */
import type { Message } from './message.ts'

/** Messages that were read together may wait here, up to so many, or so many bytes or characters of them. */
const MAX_WAITING = 16
const MAX_WAITING_SIZE = 64 * 1024

/** Where the messages come from. */
export interface MessageSource {
  hold(): void
  release(): void
  /** The loop of a lasting iterator was left. */
  left(): void
  /** This iterator wants no more; what another one reads by now stays with that one. */
  detach(iterator: object): void
}

export class MessageIterator implements AsyncIterableIterator<Message> {
  readonly #source: MessageSource
  readonly #lasting: boolean
  #waiting: Message[] = []
  #waitingSize = 0
  #takers: ((result: IteratorResult<Message, undefined>) => void)[] = []
  #ended = false
  #looping = false

  /** @param lasting whether a loop that is left may be followed by another, for which messages wait meanwhile */
  constructor(source: MessageSource, lasting = false) {
    this.#source = source
    this.#lasting = lasting
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Bytes or characters of the messages that wait. */
  get size(): number {
    return this.#waitingSize
  }

  /** Whether nobody is in a loop of a lasting one, so that what waits may do so for ever. */
  get isIdle(): boolean {
    return this.#lasting && !this.#looping
  }

  push(message: Message): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker({ done: false, value: message })
      return
    }
    this.#waiting.push(message)
    this.#waitingSize += message.length
    if (this.#waiting.length >= MAX_WAITING || this.#waitingSize >= MAX_WAITING_SIZE) this.#source.hold()
  }

  /** As if it was being asked already: somebody will. */
  claim(): this {
    this.#looping = true
    return this
  }

  /** Ends a lasting one in favour of another reader, who gets what waits; undefined where somebody is in a loop. */
  handOver(): Message[] | undefined {
    const over = this.#ended && this.#waiting.length === 0
    if (!this.#lasting || (this.#looping && !over)) return undefined
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingSize = 0
    this.end()
    return waiting
  }

  /** No more messages will come; those that wait are still handed over. */
  end(): void {
    this.#ended = true
    this.#sendAway()
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#looping = true
    const message = this.#waiting.shift()
    if (message !== undefined) {
      this.#waitingSize -= message.length
      if (this.#waiting.length === 0) this.#source.release()
      return Promise.resolve({ done: false, value: message })
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise(resolve => this.#takers.push(resolve))
  }

  /**
   * The loop was left: messages that still wait are dropped, and later ones go to the `message` callback again. Of a
   * lasting iterator they stay for the next loop.
   */
  return(): Promise<IteratorResult<Message, undefined>> {
    if (this.#lasting) {
      this.#looping = false
      this.#sendAway()
      this.#source.left()
    } else {
      this.#waiting = []
      this.#waitingSize = 0
      this.end()
      this.#source.detach(this)
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  #sendAway(): void {
    for (const taker of this.#takers) taker({ done: true, value: undefined })
    this.#takers = []
  }
}

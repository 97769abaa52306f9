/** One budget for all that a server's connections hold: near it the largest are not read, over it they are dropped. */
import type { Diagnostics } from '../diagnostics.ts'
import { Deadline } from './deadlines.ts'

/** A connection or a handshake, as the budget sees it. None of the calls may throw. */
export interface Holder {
  /** Tells of changes that nothing has told of. */
  recount(): void
  /** What it holds should not grow: it is not to read until `resumeReading`. */
  stopReading(): void
  resumeReading(): void
  /** It is to let go of what it holds, and reports nothing any more. */
  dropHeld(): void
}

/** Changes of fewer bytes are not worth a report, unless nothing is held any more. */
export const GRANULARITY = 1024

/** From this part of the budget on, the largest holders are not read ... */
const HIGH = 3 / 4
/** ... so many of them that the others hold no more than this part together ... */
const OTHERS = 1 / 4
/** ... until all hold no more than this part ... */
const LOW = 5 / 8
/** ... or for so many milliseconds: what is not read is never complete, and might be held for ever. */
const PATIENCE = 10_000
/** What nothing has told of is looked for again after growth by this part. */
const RECOUNT = 1 / 16

/** Holders by the power of two of what they hold: the largest is found, within a factor of two, without sorting. */
class Ranking {
  /** What they hold together, in bytes. */
  bytes = 0
  count = 0
  readonly #buckets: Map<Holder, number>[] = []

  /** The power of two of what the largest holds; -1 for nobody. */
  get rank(): number {
    const buckets = this.#buckets
    while (buckets.at(-1)?.size === 0) buckets.pop()
    return buckets.length - 1
  }

  get holders(): Holder[] {
    return this.#buckets.flatMap(bucket => [...bucket.keys()])
  }

  add(holder: Holder, bytes: number): void {
    const rank = rankOf(bytes)
    while (this.#buckets.length <= rank) this.#buckets.push(new Map())
    this.#buckets[rank].set(holder, bytes)
    this.bytes += bytes
    this.count++
  }

  /** Whether it was there, with so many bytes. */
  delete(holder: Holder, bytes: number): boolean {
    // 0 has no bucket.
    if (this.#buckets[rankOf(bytes)]?.delete(holder) !== true) return false
    this.bytes -= bytes
    this.count--
    return true
  }

  /** Somebody who holds more than half of what the largest does; there is one. */
  takeLargest(): [holder: Holder, bytes: number] {
    const [[holder, bytes]] = this.#buckets[this.rank]
    this.delete(holder, bytes)
    return [holder, bytes]
  }
}

function rankOf(bytes: number): number {
  return Math.floor(Math.log2(bytes))
}

export class MemoryBudget {
  /** The most bytes that may be held. */
  readonly limit: number
  readonly #diagnostics: Diagnostics | undefined
  readonly #reading = new Ranking()
  readonly #stopped = new Ranking()
  readonly #deadline = new Deadline(this)
  #recountAt: number
  /** Room is being made: reports that come of that are seen when it is done. */
  #makingRoom = false

  constructor(limit: number, diagnostics?: Diagnostics) {
    this.limit = limit
    this.#diagnostics = diagnostics
    this.#recountAt = HIGH * limit
  }

  /** What is held, in bytes, as far as it was reported. */
  get bytes(): number {
    return this.#reading.bytes + this.#stopped.bytes
  }

  /** Whether less that is held has to be told at once: it may let somebody be read again. */
  get isTight(): boolean {
    return this.bytes > LOW * this.limit
  }

  /** How many are not read for the budget's sake. */
  get stopped(): number {
    return this.#stopped.count
  }

  /** How many hold something. */
  get holders(): number {
    return this.#reading.count + this.#stopped.count
  }

  /**
   * What somebody holds has changed. May stop or drop any holder, this one too.
   *
   * @param before what it has reported last, 0 at first
   */
  report(holder: Holder, before: number, now: number): void {
    const stopped = this.#stopped.delete(holder, before)
    if (!stopped) this.#reading.delete(holder, before)
    if (now > 0) (stopped ? this.#stopped : this.#reading).add(holder, now)
    else if (stopped) holder.resumeReading()
    if (now > before) this.#grown()
    else this.#shrunk()
  }

  /** @internal Nothing gets complete: room is made for those who could go on. */
  onDeadline(): void {
    this.#makeRoom(() => this.#dropWhile(() => this.#stopped.count > 0 && this.bytes > LOW * this.limit))
  }

  #grown(): void {
    if (this.bytes <= HIGH * this.limit || this.#makingRoom) return
    this.#makeRoom(() => {
      if (this.bytes >= this.#recountAt) this.#recount()
      if (this.bytes > HIGH * this.limit) this.#stopLargest()
      this.#dropWhile(() => this.bytes > this.limit)
    })
  }

  #makeRoom(how: () => void): void {
    this.#makingRoom = true
    how()
    this.#makingRoom = false
    this.#shrunk()
  }

  #shrunk(): void {
    if (this.bytes <= LOW * this.limit) {
      this.#recountAt = HIGH * this.limit
      while (this.#stopped.count > 0) {
        const [holder, bytes] = this.#stopped.takeLargest()
        this.#reading.add(holder, bytes)
        holder.resumeReading()
      }
    }
    if (this.#stopped.count === 0) this.#deadline.clear()
  }

  #recount(): void {
    for (const holder of [...this.#reading.holders, ...this.#stopped.holders]) holder.recount()
    this.#recountAt = this.bytes + RECOUNT * this.limit
  }

  #stopLargest(): void {
    if (this.#stopped.count === 0) this.#deadline.set(PATIENCE)
    while (this.#reading.bytes > OTHERS * this.limit) {
      const [holder, bytes] = this.#reading.takeLargest()
      this.#stopped.add(holder, bytes)
      holder.stopReading()
    }
  }

  #dropWhile(isTooMuch: () => boolean): void {
    // Callbacks of those that are dropped may make others hold more.
    while (isTooMuch()) {
      const [holder] = (this.#stopped.rank >= this.#reading.rank ? this.#stopped : this.#reading).takeLargest()
      this.#diagnostics?.limitReached('memory', holder)
      holder.dropHeld()
    }
  }
}

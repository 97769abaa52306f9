/** One budget for all that a server's connections hold: near it the largest are not read, over it they are dropped. */
import type { Diagnostics } from '../diagnostics.ts'
import { Deadline } from './deadlines.ts'
import { callEach, callOne } from './each.ts'

/** A connection or a handshake, as the budget sees it. */
export interface Holder {
  /** The connection that it is, for those who are told of limits; null for handshakes. */
  readonly connection: object | null
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
/** Milliseconds between two looks at what holds more without a word. */
const LOOK = 1000
/** Connections have at least this part, however much the application keeps: small messages still pass. */
const PASSAGE = 1 / 16

/** Where a holder stands in a Ranking. */
interface Place {
  bytes: number
  /** The power of two of its bytes. */
  rank: number
  /** In the list of its rank. */
  index: number
}

/**
 * Holders by the power of two of what they hold: the largest is found, within a factor of two, without sorting. Lists
 * and not Maps: the first entry of a Map from which many were deleted is found only behind all the places of those.
 */
class Ranking {
  /** What they hold together, in bytes. */
  bytes = 0
  readonly #lists: Holder[][] = []
  readonly #places = new Map<Holder, Place>()

  get count(): number {
    return this.#places.size
  }

  /** The power of two of what the largest holds; -1 where the ranking is empty. */
  get rank(): number {
    const lists = this.#lists
    while (lists.at(-1)?.length === 0) lists.pop()
    return lists.length - 1
  }

  get holders(): Iterable<Holder> {
    return this.#places.keys()
  }

  add(holder: Holder, bytes: number): void {
    const rank = Math.floor(Math.log2(bytes))
    while (this.#lists.length <= rank) this.#lists.push([])
    const index = this.#lists[rank].push(holder) - 1
    this.#places.set(holder, { bytes, rank, index })
    this.bytes += bytes
  }

  /** @returns the bytes that it held; 0 for a holder that is not in the ranking */
  delete(holder: Holder): number {
    const place = this.#places.get(holder)
    if (place === undefined) return 0
    this.#places.delete(holder)
    this.#fill(place)
    this.bytes -= place.bytes
    return place.bytes
  }

  /** A holder of more than half of what the largest holds; the ranking is not empty. */
  takeLargest(): [holder: Holder, bytes: number] {
    const holder = this.#lists[this.rank].at(-1) as Holder
    return [holder, this.delete(holder)]
  }

  /** The last of the list moves to the place that is free now. */
  #fill({ rank, index }: Place): void {
    const list = this.#lists[rank]
    const last = list.pop() as Holder
    if (index === list.length) return
    list[index] = last
    ;(this.#places.get(last) as Place).index = index
  }
}

export class MemoryBudget {
  /** The most bytes that may be held. */
  readonly limit: number
  readonly #diagnostics: Diagnostics | undefined
  readonly #reading = new Ranking()
  readonly #stopped = new Ranking()
  readonly #deadline = new Deadline(this)
  #kept = 0
  /** Those that hold more without a word. */
  readonly #watched = new Set<Holder>()
  readonly #look = new Deadline({ onDeadline: () => this.#lookAtWatched() })
  /** Holders are asked again where this much is held; 0: at the next crossing of HIGH. */
  #recountAt = 0
  /** Room is being made: reports that come of that are seen when it is done. */
  #makingRoom = false

  constructor(limit: number, diagnostics?: Diagnostics) {
    this.limit = limit
    this.#diagnostics = diagnostics
  }

  /** What is held, in bytes, as far as it was reported. */
  get bytes(): number {
    return this.#reading.bytes + this.#stopped.bytes + this.#kept
  }

  /** Bytes that the application has got and not finished with: no connection that is dropped gives them back. */
  get kept(): number {
    return this.#kept
  }

  /** Whether the application keeps the whole budget: input of 1 KiB and more is refused. */
  get isFull(): boolean {
    return this.#kept > 0 && this.#kept >= this.limit
  }

  /** Whether the application keeps so much that new connections are refused. */
  get isScarce(): boolean {
    return this.#kept > 0 && this.#kept >= HIGH * this.limit
  }

  /** Whether less that is held has to be told at once: it may let somebody be read again. */
  get isTight(): boolean {
    return this.#held > LOW * this.#room
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
   * What a holder holds has changed. May stop or drop any holder, this one too.
   *
   * @param before what it has reported last, 0 at first
   */
  report(holder: Holder, before: number, now: number): void {
    const stopped = this.#stopped.delete(holder) > 0
    if (!stopped) this.#reading.delete(holder)
    if (now > 0) (stopped ? this.#stopped : this.#reading).add(holder, now)
    else if (stopped) callOne(holder, resumeReading)
    if (now > before) this.#grown()
    else this.#shrunk()
  }

  /** The holder may hold more without a word from now on: a stream that is paused reads ahead. */
  watch(holder: Holder): void {
    this.#watched.add(holder)
    if (this.#watched.size === 1) this.#look.set(LOOK)
  }

  /** Without effect on a holder that is not watched. */
  unwatch(holder: Holder): void {
    if (this.#watched.delete(holder) && this.#watched.size === 0) this.#look.clear()
  }

  /** What the application keeps has changed by so many bytes. May stop or drop any holder. */
  keep(change: number): void {
    this.#kept += change
    if (change > 0) this.#grown()
    else this.#shrunk()
  }

  /** @internal Nothing gets complete: room is made for those who could go on. */
  onDeadline(): void {
    this.#makeRoom(() => this.#dropWhile(() => this.#stopped.count > 0 && this.#held > LOW * this.#room))
  }

  /** Bytes that connections hold, and give back where they are dropped. */
  get #held(): number {
    return this.#reading.bytes + this.#stopped.bytes
  }

  /** Bytes that connections may hold. */
  get #room(): number {
    return Math.max(this.limit - this.#kept, PASSAGE * this.limit)
  }

  #grown(): void {
    if (this.#held <= HIGH * this.#room || this.#makingRoom) return
    this.#makeRoom(() => {
      if (this.#held >= this.#recountAt) this.#recount()
      if (this.#held > HIGH * this.#room) this.#stopLargest()
      this.#dropWhile(() => this.#held > this.#room)
    })
  }

  #makeRoom(how: () => void): void {
    this.#makingRoom = true
    try {
      how()
    } finally {
      this.#makingRoom = false
    }
    this.#shrunk()
  }

  #shrunk(): void {
    if (this.#makingRoom) return
    if (this.#held <= LOW * this.#room) {
      this.#recountAt = 0
      while (this.#stopped.count > 0) {
        const [holder, bytes] = this.#stopped.takeLargest()
        this.#reading.add(holder, bytes)
        callOne(holder, resumeReading)
      }
    }
    if (this.#stopped.count === 0) this.#deadline.clear()
  }

  #lookAtWatched(): void {
    callEach(this.#watched, recount)
    if (this.#watched.size > 0) this.#look.setFromTurn(LOOK)
  }

  #recount(): void {
    callEach([...this.#reading.holders, ...this.#stopped.holders], recount)
    this.#recountAt = this.#held + RECOUNT * this.limit
  }

  #stopLargest(): void {
    if (this.#stopped.count === 0) this.#deadline.set(PATIENCE)
    // Some give up what they can do without when they are stopped: that may be enough.
    while (this.#reading.bytes > OTHERS * this.#room && this.#held > HIGH * this.#room) {
      const [holder, bytes] = this.#reading.takeLargest()
      this.#stopped.add(holder, bytes)
      callOne(holder, stopReading)
    }
  }

  #dropWhile(isTooMuch: () => boolean): void {
    // Callbacks of those that are dropped may make others hold more.
    while (isTooMuch()) {
      const [holder] = (this.#stopped.rank >= this.#reading.rank ? this.#stopped : this.#reading).takeLargest()
      this.#diagnostics?.limitReached('memory', holder.connection)
      callOne(holder, dropHeld)
    }
  }
}

function recount(holder: Holder): void {
  holder.recount()
}

function stopReading(holder: Holder): void {
  holder.stopReading()
}

function resumeReading(holder: Holder): void {
  holder.resumeReading()
}

function dropHeld(holder: Holder): void {
  holder.dropHeld()
}

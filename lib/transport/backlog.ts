/** What waits in front of a transport that takes no more, message by message, so that whole ones can be skipped. */
import { ownMemory } from './pieces.ts'

/** One message, or what may not be skipped. */
interface Entry {
  readonly pieces: Buffer[]
  /** Bytes of all pieces. */
  size: number
  /** Not once a part of it has been taken. */
  droppable: boolean
  next: Entry | undefined
  previous: Entry | undefined
}

/** In the order in which it was sent. A list of links, because messages leave it at its head and from its middle. */
export class Backlog {
  /** Bytes of all that waits. */
  size = 0
  /** Bytes of what may be skipped. */
  droppableSize = 0
  /** How many messages, and parts in between. */
  count = 0
  /** Bytes of the first message that were taken already: what is left of it keeps them in memory. */
  taken = 0
  /** The same of a message of which the last part was taken: that part keeps them in memory, until the caller sets it to 0. */
  tail = 0
  #first: Entry | undefined
  #last: Entry | undefined
  /** The first that may be skipped. */
  #oldest: Entry | undefined

  push(pieces: Buffer[], size: number, droppable: boolean): void {
    const entry: Entry = { pieces, size, droppable, next: undefined, previous: this.#last }
    if (this.#last === undefined) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
    this.#count(entry, 1)
    if (droppable) this.#oldest ??= entry
  }

  /**
   * Takes the first bytes, to be sent: so many, unless there are fewer.
   *
   * @param whole a message of up to so many bytes is not parted: there may be more of it than there is room for
   */
  take(most: number, whole = 0): Buffer[] {
    const taken: Buffer[] = []
    let room = most
    for (let entry = this.#first; entry !== undefined && room > 0; entry = this.#first) {
      if (entry.size <= Math.max(room, whole)) {
        taken.push(...entry.pieces)
        room -= entry.size
        this.tail = Math.max(this.tail, this.taken)
        this.taken = 0
        this.#remove(entry)
      } else {
        taken.push(...this.#takePart(entry, room))
        room = 0
      }
    }
    return taken
  }

  /** Gives the pieces memory of their own, where they would pin much more. */
  ownPieces(): void {
    for (let entry = this.#first; entry !== undefined; entry = entry.next) {
      for (const [at, piece] of entry.pieces.entries()) entry.pieces[at] = ownMemory(piece)
    }
  }

  /** Skips the oldest message that may be skipped; its bytes, 0 where there is none. */
  skip(): number {
    const entry = this.#oldest
    if (entry === undefined) return 0
    this.#remove(entry)
    return entry.size
  }

  #takePart(entry: Entry, size: number): Buffer[] {
    const part: Buffer[] = []
    for (let room = size; room > 0; ) {
      const [piece] = entry.pieces
      part.push(piece.subarray(0, room))
      if (piece.length > room) entry.pieces[0] = piece.subarray(room)
      else entry.pieces.shift()
      room -= Math.min(room, piece.length)
    }
    this.#count(entry, -1)
    if (entry.droppable) {
      entry.droppable = false
      if (entry === this.#oldest) this.#oldest = nextDroppable(entry)
    }
    entry.size -= size
    this.#count(entry, 1)
    this.taken += size
    return part
  }

  #remove(entry: Entry): void {
    const { next, previous } = entry
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    this.#count(entry, -1)
    if (entry === this.#oldest) this.#oldest = nextDroppable(entry)
  }

  #count({ size, droppable }: Entry, sign: 1 | -1): void {
    this.count += sign
    this.size += sign * size
    if (droppable) this.droppableSize += sign * size
  }
}

function nextDroppable({ next }: Entry): Entry | undefined {
  let entry = next
  while (entry?.droppable === false) entry = entry.next
  return entry
}

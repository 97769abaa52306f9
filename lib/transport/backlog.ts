/** What waits in front of a transport that takes no more, message by message, so that whole ones can be skipped. */

/** One message, or what may not be skipped. */
interface Entry {
  readonly pieces: readonly Buffer[]
  /** Bytes of all pieces. */
  readonly size: number
  readonly droppable: boolean
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
  #first: Entry | undefined
  #last: Entry | undefined
  /** The first that may be skipped. */
  #oldest: Entry | undefined

  push(pieces: readonly Buffer[], size: number, droppable: boolean): void {
    const entry: Entry = { pieces, size, droppable, next: undefined, previous: this.#last }
    if (this.#last === undefined) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
    this.#count(entry, 1)
    if (droppable) this.#oldest ??= entry
  }

  /** Takes the first, to be sent; undefined where nothing waits. */
  shift(): { readonly pieces: readonly Buffer[]; readonly size: number } | undefined {
    const entry = this.#first
    if (entry !== undefined) this.#remove(entry)
    return entry
  }

  /** Skips the oldest message that may be skipped; its bytes, 0 where there is none. */
  skip(): number {
    const entry = this.#oldest
    if (entry === undefined) return 0
    this.#remove(entry)
    return entry.size
  }

  #remove(entry: Entry): void {
    const { next, previous } = entry
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    this.#count(entry, -1)
    if (entry !== this.#oldest) return
    let oldest = next
    while (oldest?.droppable === false) oldest = oldest.next
    this.#oldest = oldest
  }

  #count({ size, droppable }: Entry, sign: 1 | -1): void {
    this.count += sign
    this.size += sign * size
    if (droppable) this.droppableSize += sign * size
  }
}

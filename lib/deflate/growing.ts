/** Memory for the output of a message, as large as what has come of it lets expect. */

/** How much larger than expected it is made. */
const MARGIN = 1.125
/** How much larger than what was full it is made at least, so that little is copied twice, and at most. */
const MIN_GROWTH = 2
const MAX_GROWTH = 8

const EMPTY = Buffer.alloc(0)

/**
 * How large memory that is full is made for a message: as if the rest were like what has been read.
 *
 * @param length of the output so far, in bytes
 * @param read how many bytes of the input have become that
 * @param size of the input
 */
export function grownSize(length: number, read: number, size: number): number {
  const expected = Math.ceil(((MARGIN * length) / read) * size)
  return Math.max(Math.min(expected, MAX_GROWTH * length), MIN_GROWTH * length)
}

/** A copy of what is full, with room behind it: `size` bytes in all. */
export function enlarged(full: Buffer, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  full.copy(larger)
  return larger
}

/** The first bytes of `memory`, a copy where they would pin more than twice their size. */
export function trimmed(memory: Buffer, length: number): Buffer {
  const used = memory.subarray(0, length)
  return 2 * length < memory.buffer.byteLength ? Buffer.from(used) : used
}

/** The output of a message that comes in pieces. */
export class GrowingOutput {
  readonly #limit: number
  #memory: Buffer = EMPTY
  #length = 0

  /** @param limit the most bytes that will come */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many bytes have come. */
  get length(): number {
    return this.#length
  }

  /** The memory that it takes, in bytes. */
  get capacity(): number {
    return this.#memory.buffer.byteLength
  }

  /**
   * Takes the next piece; the first is kept as it is, so a message of one piece is not copied.
   *
   * @param read how many bytes of the input have become what has come with this piece
   * @param size of the input
   * @throws RangeError where there is no memory
   */
  append(piece: Buffer, read: number, size: number): void {
    if (this.#length === 0) {
      this.#memory = piece
      this.#length = piece.length
      return
    }
    const length = this.#length + piece.length
    if (length > this.#memory.length) {
      const larger = read === size ? length : grownSize(length, read, size)
      this.#memory = enlarged(this.#memory.subarray(0, this.#length), Math.min(larger, this.#limit))
    }
    piece.copy(this.#memory, this.#length)
    this.#length = length
  }

  /** The last bytes, from `start` on; good until the next `append`. */
  from(start: number): Buffer {
    return this.#memory.subarray(start, this.#length)
  }

  /** All that has come, as memory of its own; nothing is kept. */
  take(): Buffer {
    const message = trimmed(this.#memory, this.#length)
    this.clear()
    return message
  }

  clear(): void {
    this.#memory = EMPTY
    this.#length = 0
  }
}

/** The sliding window of a direction with context takeover (RFC 7692, section 7.1.1), kept outside of zlib. */

/** What a stored block begins with: three bits of header, its length, and its length inverted (RFC 1951, 3.2.4). */
const HEADER_SIZE = 5
/** What the memory is at first, in bytes, where little has been appended. */
const FIRST_SIZE = 256

const EMPTY = Buffer.alloc(0)

/**
 * The last bytes of all messages so far, which the next one may refer back to. A context of zlib that inflates them as
 * a stored block, or gets them as its dictionary, goes on as if it had seen those messages: so a connection needs no
 * context of its own, which would take some 30 KiB more.
 */
export class History {
  readonly #size: number
  /** A stored block: its header and the bytes, with room behind them. */
  #memory: Buffer = EMPTY
  #length = 0

  /** @param size the most bytes kept; at most 32 KiB */
  constructor(size: number) {
    this.#size = size
  }

  /** How many bytes are kept. */
  get length(): number {
    return this.#length
  }

  /** The memory that it takes, in bytes. */
  get capacity(): number {
    return this.#memory.length
  }

  /** The bytes; good until the next `append`. */
  get bytes(): Buffer {
    return this.#memory.subarray(HEADER_SIZE, HEADER_SIZE + this.#length)
  }

  /** The bytes as a stored block of a DEFLATE stream; good until the next `append`. */
  get block(): Buffer {
    return this.#memory.subarray(0, HEADER_SIZE + this.#length)
  }

  /** `bytes[start, end)` have come behind the rest. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const added = Math.min(end - start, this.#size)
    const kept = Math.min(this.#length, this.#size - added)
    const old = this.bytes.subarray(this.#length - kept)
    this.#length = kept + added
    if (HEADER_SIZE + this.#length > this.#memory.length) {
      const room = Math.min(Math.max(2 * this.#length, FIRST_SIZE), this.#size)
      this.#memory = Buffer.allocUnsafeSlow(HEADER_SIZE + room)
    }
    // Also where the old bytes are in the new memory already: they may have to move to its beginning.
    this.#memory.set(old, HEADER_SIZE)
    this.#memory.set(bytes.subarray(end - added, end), HEADER_SIZE + kept)
    this.#writeHeader()
  }

  /** Gives up what memory is not needed. */
  trim(): void {
    if (this.block.length < this.#memory.length) {
      const trimmed = Buffer.allocUnsafeSlow(this.block.length)
      this.block.copy(trimmed)
      this.#memory = trimmed
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#memory = EMPTY
    this.#length = 0
  }

  #writeHeader(): void {
    this.#memory[0] = 0
    this.#memory.writeUInt16LE(this.#length, 1)
    this.#memory.writeUInt16LE(this.#length ^ 0xffff, 3)
  }
}

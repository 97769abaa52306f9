/** The sliding window of a direction with context takeover (RFC 7692, section 7.1.1), kept outside of zlib. */

/** What a stored block begins with: three bits of header, its length, and its length inverted (RFC 1951, 3.2.4). */
const HEADER_SIZE = 5
/** What the memory is at first, in bytes, where little has been appended. */
const FIRST_SIZE = 256
/**
 * Room behind what is kept, as a part of it: only when that is full do the kept bytes move to the beginning. So each byte
 * that is appended moves eight, and not all there are.
 */
const SLACK = 1 / 8

const EMPTY = Buffer.alloc(0)

/**
 * The last bytes of all messages so far, which the next one may refer back to. A context of zlib that inflates them as
 * a stored block, or gets them as its dictionary, goes on as if it had seen those messages: so a connection needs no
 * context of its own, which would take some 30 KiB more.
 */
export class History {
  readonly #size: number
  /** A stored block, its header and the bytes, with room around it. */
  #memory: Buffer = EMPTY
  /** Where the bytes begin in it. */
  #start = HEADER_SIZE
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
    return this.#memory.subarray(this.#start, this.#start + this.#length)
  }

  /** The bytes as a stored block of a DEFLATE stream; good until the next `append`. */
  get block(): Buffer {
    return this.#memory.subarray(this.#start - HEADER_SIZE, this.#start + this.#length)
  }

  /** `bytes[start, end)` have come behind the rest. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const added = Math.min(end - start, this.#size)
    if (added === 0) return
    const kept = Math.min(this.#length, this.#size - added)
    const old = this.bytes.subarray(this.#length - kept)
    this.#start += this.#length - kept
    this.#length = kept + added
    if (this.#start + this.#length > this.#memory.length) this.#moveToBeginning(old)
    this.#memory.set(bytes.subarray(end - added, end), this.#start + kept)
    this.#writeHeader()
  }

  /** Gives up what memory is not needed. */
  trim(): void {
    if (this.block.length < this.#memory.length) {
      const trimmed = Buffer.allocUnsafeSlow(this.block.length)
      this.block.copy(trimmed)
      this.#memory = trimmed
      this.#start = HEADER_SIZE
    }
  }

  /** Makes room for `#length` bytes, of which `old` are the first. */
  #moveToBeginning(old: Uint8Array): void {
    const full = Math.ceil(this.#size * (1 + SLACK))
    const room = this.#length === this.#size ? full : Math.min(Math.max(2 * this.#length, FIRST_SIZE), this.#size)
    if (this.#memory.length < HEADER_SIZE + room) this.#memory = Buffer.allocUnsafeSlow(HEADER_SIZE + room)
    this.#start = HEADER_SIZE
    this.#memory.set(old, HEADER_SIZE)
  }

  /** Forgets all. */
  clear(): void {
    this.#memory = EMPTY
    this.#start = HEADER_SIZE
    this.#length = 0
  }

  #writeHeader(): void {
    const at = this.#start - HEADER_SIZE
    this.#memory[at] = 0
    this.#memory.writeUInt16LE(this.#length, at + 1)
    this.#memory.writeUInt16LE(this.#length ^ 0xffff, at + 3)
  }
}

/** Fragments and pieces of frames to one message (RFC 6455, section 5.4), in a buffer that grows with what came. */
import { allocateForMessage } from './message-memory.ts'
import { Opcode, type DataOpcode } from './opcode.ts'
import { Utf8Validator } from './utf8.ts'
import { Violation, type ViolationName } from './violation.ts'

/**
 * The buffer grows by this factor, so that it is never more than 4 times what the peer has really sent, or what its
 * last message had.
 */
const GROWTH = 4
/** What the pieces of a message are handed to. */
export interface MessageBuilder {
  readonly opcode: DataOpcode
  /** Whether RSV1 marked it: its pieces are not the message itself but what it was compressed to (RFC 7692, 6.1). */
  readonly compressed: boolean
  /** The most bytes that may come. */
  readonly limit: number
  /** How many bytes have come so far. */
  readonly length: number
  /** How many bytes of memory it takes. */
  readonly memory: number
  /** Throws a Violation, `message-too-big` or `too-much-retained`, where `more` bytes would pass the limit. */
  expect(more: number): void
  append(bytes: Buffer, start: number, end: number, ascii: boolean, most: number, likely: number): void
}

/** What the buffer starts with, in bytes, where the first piece is small. */
const FIRST_SIZE = 256

export class MessageAssembler implements MessageBuilder {
  readonly opcode: DataOpcode
  readonly compressed: boolean
  readonly limit: number
  readonly #utf8: Utf8Validator | undefined
  /** What is broken where the limit is passed. */
  readonly #excess: ViolationName
  #buffer: Buffer = EMPTY
  #length = 0
  #ascii = true

  /**
   * @param limit the most bytes that the message may have
   * @param retained the most bytes of memory for it: its buffer never has more
   */
  constructor(opcode: DataOpcode, limit: number, compressed = false, retained = Infinity) {
    this.opcode = opcode
    this.limit = Math.min(limit, retained)
    this.#excess = retained < limit ? 'too-much-retained' : 'message-too-big'
    this.compressed = compressed
    this.#utf8 = opcode === Opcode.text && !compressed ? new Utf8Validator() : undefined
  }

  /** Whether all bytes so far are plain ASCII; only known for text. */
  get ascii(): boolean {
    return this.#utf8 !== undefined && this.#ascii
  }

  expect(more: number): void {
    if (more > this.limit - this.#length) throw new Violation(this.#excess)
  }

  get length(): number {
    return this.#length
  }

  /** The bytes of memory that are taken for it. */
  get memory(): number {
    return this.#buffer.length
  }

  /**
   * Copies a piece that `expect` has let pass.
   *
   * @param ascii whether the piece is known to be plain ASCII, which spares the check
   * @param most the length that the message can't pass: the buffer need never be larger
   * @param likely bytes that the peer is trusted to send after those that have come
   */
  append(bytes: Buffer, start: number, end: number, ascii: boolean, most: number, likely: number): void {
    if (this.#utf8 !== undefined && !(ascii && this.#utf8.complete)) {
      this.#ascii = false
      if (!this.#utf8.push(bytes, start, end)) throw new Violation('invalid-utf8')
    }
    const length = this.#length + (end - start)
    if (length > this.#buffer.length) this.#grow(length, most, likely)
    bytes.copy(this.#buffer, this.#length, start, end)
    this.#length = length
  }

  /** The message, in memory of its own. */
  finish(): Buffer {
    if (this.#utf8 !== undefined && !this.#utf8.complete) throw new Violation('invalid-utf8')
    const message = this.#buffer.subarray(0, this.#length)
    // What is kept as bytes should not pin much more than itself; what gets decoded or inflated is given up at once.
    const wasteful = this.#utf8 === undefined && !this.compressed && 2 * this.#length < this.#buffer.length
    return wasteful ? Buffer.from(message) : message
  }

  #grow(needed: number, most: number, likely: number): void {
    const grown = allocateForMessage(Math.min(Math.max(GROWTH * needed, FIRST_SIZE, likely), most))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

const EMPTY = Buffer.alloc(0)

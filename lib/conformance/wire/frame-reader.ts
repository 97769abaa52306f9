/** Bytes to frames (RFC 6455, section 5.2): any opcode and bits, but lengths and masking have to be as they must. */
import { FIN, OPCODE_BITS } from '../../protocol/opcode.ts'
import { mask } from './mask.ts'

const LENGTH_16 = 126
const LENGTH_64 = 127
const LENGTH_BITS = 0x7f
const MASK_BIT = 0x80
const KEY_LENGTH = 4
const RSV_SHIFT = 4
const RSV_BITS = 7
const LONGEST_HEADER = 14
/** Twice the longest message that a case sends: no more than this is taken from a peer that has lost its mind. */
const MAX_LENGTH = 32 * 1024 * 1024

export interface ReceivedFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Buffer
}

export class FrameReader {
  readonly #masked: boolean
  readonly #onFrame: (frame: ReceivedFrame) => void
  readonly #onError: (sentence: string) => void
  /** The bytes of a header that has not come whole. */
  readonly #head = Buffer.alloc(LONGEST_HEADER)
  #headLength = 0
  /** The payload under way; `#filled` bytes of it are there. */
  #payload: Buffer | undefined
  #filled = 0
  #stopped = false

  /**
   * @param masked whether frames have to be masked (from a client) or must not be (from a server)
   * @param onError the stream can't be read on
   */
  constructor(masked: boolean, onFrame: (frame: ReceivedFrame) => void, onError: (sentence: string) => void) {
    this.#masked = masked
    this.#onFrame = onFrame
    this.#onError = onError
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#stopped = true
  }

  /** The memory of `chunk` is the reader's from now on. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#stopped)
      at = this.#payload === undefined ? this.#readHead(chunk, at) : this.#readPayload(chunk, at)
  }

  /** Returns where it stopped: behind the header, or at the end of the chunk. */
  #readHead(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length) {
      this.#head[this.#headLength++] = chunk[at++]
      if (this.#headLength >= 2 && this.#headLength === this.#headEnd()) {
        const length = this.#lengthOf()
        if (this.#check(length)) return this.#begin(chunk, at, length)
        return chunk.length
      }
    }
    return at
  }

  #headEnd(): number {
    const second = this.#head[1]
    const length = second & LENGTH_BITS
    return 2 + (length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0) + (second & MASK_BIT ? KEY_LENGTH : 0)
  }

  #lengthOf(): number {
    const length = this.#head[1] & LENGTH_BITS
    if (length === LENGTH_16) return this.#head.readUInt16BE(2)
    return length === LENGTH_64 ? Number(this.#head.readBigUInt64BE(2)) : length
  }

  #check(length: number): boolean {
    const second = this.#head[1]
    const form = second & LENGTH_BITS
    const isMasked = (second & MASK_BIT) !== 0
    const wrong =
      isMasked !== this.#masked
        ? `a frame that is ${isMasked ? '' : 'not '}masked`
        : (form === LENGTH_16 && length < LENGTH_16) || (form === LENGTH_64 && length < 65_536)
          ? 'a length in more bytes than it needs'
          : length > MAX_LENGTH
            ? `a frame of ${length} bytes`
            : undefined
    if (wrong === undefined) return true
    this.#stopped = true
    this.#onError(wrong)
    return false
  }

  /** A payload that lies whole in the chunk is not copied. */
  #begin(chunk: Buffer, at: number, length: number): number {
    const end = at + length
    if (end <= chunk.length) {
      this.#finish(chunk.subarray(at, end))
      return end
    }
    this.#payload = Buffer.allocUnsafe(length)
    this.#filled = 0
    return at
  }

  #readPayload(chunk: Buffer, at: number): number {
    const payload = this.#payload
    if (payload === undefined) return at
    const copied = chunk.copy(payload, this.#filled, at)
    this.#filled += copied
    if (this.#filled === payload.length) this.#finish(payload)
    return at + copied
  }

  #finish(payload: Buffer): void {
    const first = this.#head[0]
    if (this.#masked) mask(payload, 0, payload.length, this.#head, this.#headEnd() - KEY_LENGTH)
    this.#headLength = 0
    this.#payload = undefined
    const fin = (first & FIN) !== 0
    this.#onFrame({ opcode: first & OPCODE_BITS, fin, rsv: (first >> RSV_SHIFT) & RSV_BITS, payload })
  }
}

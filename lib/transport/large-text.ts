/**
 * Large text that is not ASCII, decoded in pieces and, where that takes long, in several turns of the event loop. A string
 * of one piece takes new memory from the system, and most of its time is the first touch of that memory's pages.
 */
import buffer from 'node:buffer'
import { Violation } from '../protocol/violation.ts'

/** Bytes of UTF-8 for one piece: below 128 KiB of UTF-16, the limit of V8's ordinary pages ... */
const PIECE = 48 * 1024
/** ... or, of much text, so many that V8 keeps the string outside of its heap, and no collection copies it. */
const HUGE_PIECE = 3.25 * 1024 * 1024
const SAMPLE = Buffer.from('aé€😀')

/** Node's own decoding is as fast from this release on, unless the text is very large. */
const FAST_MAJOR = 24
/** Bytes from which pieces pay; a receiver that looks into the text joins them. */
export const LARGE_TEXT = Number.parseInt(process.versions.node, 10) < FAST_MAJOR ? 64 * 1024 : 2 * 1024 * 1024

/** Builds of Node without ICU have no `transcode`, and other runtimes have one that throws. */
const canTranscode = ((): boolean => {
  try {
    return buffer.transcode(SAMPLE, 'utf8', 'utf16le').toString('utf16le') === SAMPLE.toString()
  } catch {
    return false
  }
})()

export class LargeText {
  readonly bytes: Buffer
  /** What has been decoded. */
  text = ''
  #at: number
  readonly #end: number

  /** @param bytes valid UTF-8 in `bytes[start, end)` */
  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.#at = start
    this.#end = end
  }

  get isWhole(): boolean {
    return this.#at === this.#end
  }

  /** Bytes of memory that the text takes at most. */
  get memory(): number {
    return 2 * this.text.length
  }

  /**
   * Decodes the next piece.
   *
   * @returns its bytes
   * @throws Violation `message-too-big` where V8 has no strings of that length
   */
  decodePiece(): number {
    const start = this.#at
    const size = this.#end - start > HUGE_PIECE ? HUGE_PIECE : PIECE
    this.#at = canTranscode ? characterEnd(this.bytes, start + size, this.#end) : this.#end
    const piece = decoded(this.bytes, start, this.#at)
    checkLength(this.text.length + piece.length)
    this.text += piece
    return this.#at - start
  }
}

/** @throws Violation `message-too-big` for more UTF-16 code units than V8 has strings of */
export function checkLength(length: number): void {
  if (length > buffer.constants.MAX_STRING_LENGTH) throw new Violation('message-too-big')
}

/** The string of `bytes[start, end)`, valid UTF-8, at once. @throws Violation as `decodePiece` */
export function decodeLargeText(bytes: Buffer, start: number, end: number): string {
  const text = new LargeText(bytes, start, end)
  while (!text.isWhole) text.decodePiece()
  return text.text
}

function decoded(bytes: Buffer, start: number, end: number): string {
  const piece = bytes.subarray(start, end)
  // Latin-1 takes half of the memory.
  if (!canTranscode) return asString(() => piece.toString())
  return buffer.isAscii(piece) ? piece.toString('latin1') : buffer.transcode(piece, 'utf8', 'utf16le').toString('utf16le')
}

/** What `decode` makes of bytes. @throws Violation `message-too-big` where V8 has no strings of that length */
export function asString(decode: () => string): string {
  try {
    return decode()
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ERR_STRING_TOO_LONG') throw new Violation('message-too-big')
    throw error
  }
}

/** The last boundary between two characters up to `index`. */
function characterEnd(bytes: Buffer, index: number, end: number): number {
  if (index >= end) return end
  let boundary = index
  while ((bytes[boundary] & 0xc0) === 0x80) boundary--
  return boundary
}

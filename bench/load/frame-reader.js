/** Reads the replies of one connection where they differ in length: frame by frame, each of them as a whole. */

/**
 * @typedef {object} Replies what a connection must get, again and again
 * @property {(number: number, bytes: Buffer, at: number, end: number) => number} sizeOf of the frame that begins at
 *   `at`, which must be reply number `number`; 0 where its end has not come yet. Throws a WrongReply
 */

export class FrameReader {
  #replies
  #number = 0
  /** The beginning of a frame, which the last read cut. @type {Buffer | undefined} */
  #rest

  /** @param {Replies} replies */
  constructor(replies) {
    this.#replies = replies
  }

  /**
   * @param {Buffer} bytes @param {number} end how many of them were read
   * @returns {number} how many replies are whole now
   */
  read(bytes, end) {
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, bytes.subarray(0, end)])
      end = bytes.length
    }
    const before = this.#number
    let at = 0
    while (at < end) {
      const size = this.#replies.sizeOf(this.#number, bytes, at, end)
      if (size === 0) break
      at += size
      this.#number++
    }
    this.#rest = at < end ? Buffer.from(bytes.subarray(at, end)) : undefined
    return this.#number - before
  }
}

/** Of an unmasked or masked frame of under 4 GiB: where its payload begins and ends; undefined where that is not known yet. */
export function boundsOf(bytes, at, end) {
  if (at + 2 > end) return undefined
  const small = bytes[at + 1] & 127
  const extended = small === 126 ? 2 : small === 127 ? 8 : 0
  const key = (bytes[at + 1] & 0x80) === 0 ? 0 : 4
  const from = at + 2 + extended + key
  if (from > end) return undefined
  const length = extended === 0 ? small : extended === 2 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6)
  return { from, to: from + length }
}

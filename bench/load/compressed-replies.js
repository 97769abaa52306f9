/**
 * Compressed replies (RFC 7692, section 7.2). What a server makes of a message without context takeover is nearly always
 * the same: so its bytes are inflated once and compared with the message, and every later reply is compared with bytes
 * that were found right. None goes unchecked, and the price is that of a comparison.
 */
import { constants, inflateRawSync } from 'node:zlib'
import { RSV1, TEXT } from './frames.js'
import { boundsOf } from './frame-reader.js'
import { describe, WrongReply } from './reply-reader.js'

const FIN = 0x80
const FIRST = FIN | RSV1 | TEXT
/** What a sender leaves away (section 7.2.1). */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])
/** Of one message so many different right replies are remembered; a server with more costs time, and not truth. */
const MOST_KNOWN = 8
/** What can't be compressed gets longer by a little. */
const LONGER = 64

/** @implements {import('./frame-reader.js').Replies} */
export class CompressedReplies {
  #messages
  /** By slot: whole frames that were found right. @type {Buffer[][]} */
  #known

  /** @param {Buffer[]} messages */
  constructor(messages) {
    this.#messages = messages
    this.#known = messages.map(() => [])
  }

  /** The mean of the frames that were found right, in bytes. */
  get meanSize() {
    const all = this.#known.flat()
    return all.reduce((sum, { length }) => sum + length, 0) / all.length
  }

  /** @param {number} number @param {Buffer} bytes @param {number} at @param {number} end */
  sizeOf(number, bytes, at, end) {
    const slot = number % this.#messages.length
    for (const frame of this.#known[slot]) {
      const to = at + frame.length
      if (to <= end && bytes.compare(frame, 0, frame.length, at, to) === 0) return frame.length
    }
    return this.#inspect(slot, bytes, at, end)
  }

  #inspect(slot, bytes, at, end) {
    const message = this.#messages[slot]
    if (bytes[at] !== FIRST || (at + 1 < end && bytes[at + 1] >= 0x80)) refuse(message, bytes, at, end)
    const bounds = boundsOf(bytes, at, end)
    if (bounds === undefined) return 0
    const { from, to } = bounds
    if (to - from > message.length + LONGER) refuse(message, bytes, at, end)
    if (to > end) return 0
    checkInflated(bytes.subarray(from, to), message)
    const known = this.#known[slot]
    if (known.length < MOST_KNOWN) known.push(Buffer.from(bytes.subarray(at, to)))
    return to - at
  }
}

function checkInflated(payload, message) {
  let inflated
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: message.length + 1 }
    inflated = inflateRawSync(Buffer.concat([payload, TAIL]), options)
  } catch (error) {
    throw new WrongReply(`a compressed reply can't be inflated (${error.code}): damaged, too long, or it refers back to another one`)
  }
  if (!inflated.equals(message)) {
    throw new WrongReply('a compressed reply inflates to something else: a message was lost, swapped or damaged')
  }
}

/** @returns {never} */
function refuse(message, bytes, at, end) {
  throw new WrongReply(`expected compressed text of ${message.length} bytes, and got ${describe(bytes, at, end)}`)
}

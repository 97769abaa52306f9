/** What a client sends, masked with keys of its choice (RFC 6455, section 5.3): every byte of it is compared. */
import { boundsOf } from './frame-reader.js'
import { frameHeader, TEXT } from './frames.js'
import { describe, WrongReply } from './reply-reader.js'

/** @implements {import('./frame-reader.js').Replies} */
export class MaskedReplies {
  #messages
  #headers

  /** @param {Buffer[]} messages texts */
  constructor(messages) {
    this.#messages = messages
    this.#headers = messages.map(({ length }) => frameHeader(TEXT, length, true))
  }

  /** @param {number} number @param {Buffer} bytes @param {number} at @param {number} end */
  sizeOf(number, bytes, at, end) {
    const slot = number % this.#messages.length
    const message = this.#messages[slot]
    const header = this.#headers[slot]
    for (let i = 0; i < header.length && at + i < end; i++) {
      if (bytes[at + i] !== header[i]) refuse(header, bytes, at, end)
    }
    const key = at + header.length
    const from = key + 4
    if (from + message.length > end) return 0
    for (let i = 0; i < message.length; i++) {
      if ((bytes[from + i] ^ bytes[key + (i & 3)]) !== message[i]) throw wrongByte(i, bytes, at, end)
    }
    return from + message.length - at
  }
}

function wrongByte(index, bytes, at, end) {
  const { from, to } = boundsOf(bytes, at, end)
  const text = Buffer.from(bytes.subarray(from, to).map((byte, i) => byte ^ bytes[from - 4 + (i & 3)])).toString('latin1')
  return new WrongReply(`byte ${index} of a message of the client is wrong: ${JSON.stringify(text.slice(0, 60))}`)
}

/** @returns {never} */
function refuse(header, bytes, at, end) {
  const masked = at + 1 < end && bytes[at + 1] < 0x80 ? 'unmasked ' : ''
  throw new WrongReply(`expected ${describe(header, 0, header.length)}, and got ${masked}${describe(bytes, at, end)}`)
}

/** Reads the replies of one connection: the header of every frame, and every so often all bytes of a read. */
import { RSV1 } from './frames.js'

/** One read of so many is compared to the last byte. */
const SAMPLE = 8

const OPCODES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }

/** A server that answers wrongly. */
export class WrongReply extends Error {}

export class ReplyReader {
  #ring
  /** Where the next byte lies in its frame, and in the ring. */
  #inFrame = 0
  #inRing = 0
  #reads = 0

  /** @param {import('./frames.js').ReplyRing} ring */
  constructor(ring) {
    this.#ring = ring
  }

  /**
   * @param {Buffer} bytes @param {number} end how many of them were read
   * @returns {number} how many replies are whole now
   * @throws {WrongReply}
   */
  read(bytes, end) {
    const ring = this.#ring
    const { frameSize } = ring
    this.#checkHeaders(bytes, end)
    if (this.#reads++ % SAMPLE === 0) this.#compare(bytes, end)
    const total = this.#inFrame + end
    const whole = Math.floor(total / frameSize)
    this.#inFrame = total - whole * frameSize
    this.#inRing = (this.#inRing + end) % ring.size
    return whole
  }

  #checkHeaders(bytes, end) {
    const { header, frameSize } = this.#ring
    const inFrame = this.#inFrame
    const [first, second] = header
    const size = header.length
    if (inFrame > 0 && inFrame < size) this.#checkRest(bytes, 0, end, inFrame)
    let at = inFrame === 0 ? 0 : frameSize - inFrame
    for (; at + size <= end; at += frameSize) {
      if (bytes[at] !== first || bytes[at + 1] !== second) this.#refuse(bytes, at, end)
      if (size > 2) this.#checkRest(bytes, at + 2, end, 2)
    }
    if (at < end) this.#checkRest(bytes, at, end, 0)
  }

  /** The bytes of a header from its byte number `from` on. */
  #checkRest(bytes, at, end, from) {
    const { header } = this.#ring
    for (let i = from; i < header.length && at < end; i++, at++) {
      if (bytes[at] !== header[i]) this.#refuse(bytes, at - i, end)
    }
  }

  #compare(bytes, end) {
    const from = this.#inRing
    if (bytes.compare(this.#ring.bytes, from, from + end, 0, end) === 0) return
    let at = 0
    while (bytes[at] === this.#ring.bytes[from + at]) at++
    const inReply = (this.#inFrame + at) % this.#ring.frameSize
    throw new WrongReply(`byte ${inReply} of a reply is wrong: a message was lost, swapped or damaged`)
  }

  /** @returns {never} */
  #refuse(bytes, at, end) {
    const { header } = this.#ring
    throw new WrongReply(`expected ${describe(header, 0, header.length)}, and got ${describe(bytes, at, end)}`)
  }
}

/** A frame's header in words. @param {Buffer} bytes @param {number} at @param {number} end */
export function describe(bytes, at, end) {
  if (at < 0 || at + 2 > end) return 'another header, cut by the end of a read'
  const opcode = bytes[at] & 15
  const fragment = (bytes[at] & 0x80) === 0 ? 'a fragment, ' : ''
  const compressed = (bytes[at] & RSV1) === 0 ? '' : 'compressed '
  const kind = `${fragment}${compressed}${OPCODES[opcode] ?? `opcode ${opcode}`}`
  const small = bytes[at + 1] & 127
  const extended = small === 126 ? 2 : small === 127 ? 8 : 0
  if (at + 2 + extended > end) return kind
  const length =
    extended === 0 ? small : extended === 2 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
  const code = opcode === 8 && length >= 2 && at + 4 <= end ? `, code ${bytes.readUInt16BE(at + 2)}` : ''
  return `${kind} of ${length} bytes${code}`
}

/** Frames as the load generator writes them and as a server must answer them: built once, before a run. */
import { randomBytes } from 'node:crypto'

export const TEXT = 1
export const BINARY = 2
/** Compressed, of permessage-deflate (RFC 7692, section 6); goes with an opcode. */
export const RSV1 = 0x40
const FIN = 0x80
const MASKED = 0x80
const KEY_SIZE = 4

/** How many bytes of one read are looked at together; the memory behind a ring of replies is longer by as much. */
export const READ_SIZE = 256 * 1024

/**
 * @param {number} opcode
 * @param {number} length of the payload
 * @param {boolean} masked whether the mask bit is set; the key itself is not part of it
 */
export function frameHeader(opcode, length, masked) {
  const maskBit = masked ? MASKED : 0
  if (length < 126) return Buffer.from([FIN | opcode, maskBit | length])
  if (length < 65536) return Buffer.from([FIN | opcode, maskBit | 126, length >> 8, length & 255])
  const header = Buffer.alloc(10)
  header[0] = FIN | opcode
  header[1] = maskBit | 127
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

/** @param {number} opcode @param {Buffer} payload */
export function plainFrame(opcode, payload) {
  return Buffer.concat([frameHeader(opcode, payload.length, false), payload])
}

/** A frame with a random masking key. @param {number} opcode @param {Buffer} payload */
export function maskedFrame(opcode, payload) {
  const key = randomBytes(KEY_SIZE)
  const masked = Buffer.from(payload)
  for (let i = 0; i < masked.length; i++) masked[i] ^= key[i & 3]
  return Buffer.concat([frameHeader(opcode, payload.length, true), key, masked])
}

const FILLER = 'The quick brown fox jumps over the lazy dog, {"number":12345}. '

/** The payload of one slot of a ring: no two are alike, so that a lost or swapped message shows. */
export function slotPayload(slot, size, opcode) {
  const number = Buffer.from(`${String(slot).padStart(4, '0')} `, 'latin1')
  const rest = size - number.length
  if (opcode === BINARY) return Buffer.concat([number, randomBytes(rest)])
  return Buffer.concat([number, Buffer.from(FILLER.repeat(Math.ceil(rest / FILLER.length)).slice(0, rest), 'latin1')])
}

/** What the server of the workload `burst` answers: so many messages, each of 20 bytes. The servers make them alike. */
export function burstMessages(count) {
  return Array.from({ length: count }, (_, i) => `message ${String(i).padStart(4, '0')} of ${count}`)
}

/** Frames that are written again and again, any `most` of them in one write. */
export class RequestRing {
  #bytes
  /** Where each frame begins, and where the last one ends. */
  #starts = [0]
  #slots
  /** Views by slot and count, made when first needed: a view for each write would cost more than the frames. */
  #views
  #most

  /** @param {Buffer[]} frames @param {number} most */
  constructor(frames, most) {
    const again = Array.from({ length: most }, (_, i) => frames[i % frames.length])
    this.#bytes = Buffer.concat([...frames, ...again])
    for (const { length } of [...frames, ...again]) this.#starts.push(this.#starts[this.#starts.length - 1] + length)
    this.#slots = frames.length
    this.#most = most
    this.#views = new Array(frames.length * (most + 1))
  }

  /** The bytes of `count` messages, of which the first is number `from` of its connection. */
  take(from, count) {
    const slot = from % this.#slots
    const index = slot * (this.#most + 1) + count
    return (this.#views[index] ??= this.#bytes.subarray(this.#starts[slot], this.#starts[slot + count]))
  }
}

/** The replies that a connection must get, again and again: frames of equal length and equal header. */
export class ReplyRing {
  /** @param {Buffer[]} frames @param {number} opcode @param {number} length of each payload @param {boolean} masked */
  constructor(frames, opcode, length, masked) {
    this.header = frameHeader(opcode, length, masked)
    this.frameSize = frames[0].length
    this.size = this.frameSize * frames.length
    this.bytes = Buffer.alloc(this.size + READ_SIZE)
    this.bytes.fill(Buffer.concat(frames))
  }
}

// @ts-check
/** Frames (RFC 6455, section 5.2) for the conversations: right and wrong ones to send, received ones as text. */
import { createHash } from 'node:crypto'

export const TEXT = 0x1
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

const FIN = 0x80
const MASKED = 0x80
const KEY = '37fa213d'
/** Bytes of a payload that are written out. */
const SHOWN = 32

/** @type {Record<number, string>} */
const NAMES = {
  0: 'continuation',
  [TEXT]: 'text',
  [BINARY]: 'binary',
  [CLOSE]: 'close',
  [PING]: 'ping',
  [PONG]: 'pong',
}

/** @typedef {{ fin?: boolean, rsv?: number, key?: string | null, form?: 'short' | '16 bits' | '64 bits' }} Shape */

/**
 * A client's frame. `shape` makes it wrong: not the last of its message, reserved bits, no mask, another length form.
 *
 * @param {number} opcode
 * @param {string | Buffer} [payload]
 * @param {Shape} [shape]
 */
export function frame(opcode, payload = '', { fin = true, rsv = 0, key = KEY, form } = {}) {
  const body = Buffer.from(payload)
  const head = Buffer.concat([Buffer.of((fin ? FIN : 0) | (rsv << 4) | opcode), lengthField(body.length, form)])
  if (key === null) return Buffer.concat([head, body])
  head[1] |= MASKED
  const keyBytes = Buffer.from(key, 'hex')
  return Buffer.concat([head, keyBytes, body.map((byte, i) => byte ^ keyBytes[i % 4])])
}

/**
 * A close frame.
 *
 * @param {number} code
 * @param {string | Buffer} [reason]
 */
export function close(code, reason = '') {
  return frame(CLOSE, Buffer.concat([bigEndian(code, 2), Buffer.from(reason)]))
}

/**
 * The first bytes of a frame that claims `length` and has no payload yet.
 *
 * @param {number} opcode
 * @param {bigint} length
 */
export function longHeader(opcode, length) {
  const field = Buffer.alloc(8)
  field.writeBigUInt64BE(length)
  return Buffer.concat([Buffer.of(FIN | opcode, MASKED | 127), field, Buffer.from(KEY, 'hex')])
}

/**
 * @param {number} length
 * @param {Shape['form']} [form] by default the shortest
 */
function lengthField(length, form = length < 126 ? 'short' : length < 65_536 ? '16 bits' : '64 bits') {
  if (form === 'short') return Buffer.of(length)
  const [code, size] = form === '16 bits' ? [126, 2] : [127, 8]
  return Buffer.concat([Buffer.of(code), bigEndian(length, size)])
}

/**
 * @param {number} value
 * @param {number} size
 */
function bigEndian(value, size) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes.subarray(8 - size)
}

/** @typedef {{ opcode: number, payload: Buffer, head: Buffer, size: number }} Received */

/**
 * The frame at the beginning of `bytes`; undefined where it is not all there yet.
 *
 * @param {Buffer} bytes
 * @returns {Received | undefined}
 */
export function readFrame(bytes) {
  if (bytes.length < 2) return undefined
  const short = bytes[1] & 0x7f
  const start = (short < 126 ? 2 : short === 126 ? 4 : 10) + (bytes[1] & MASKED ? 4 : 0)
  if (bytes.length < start) return undefined
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const size = start + length
  if (bytes.length < size) return undefined
  return { opcode: bytes[0] & 0xf, head: bytes.subarray(0, start), payload: bytes.subarray(start, size), size }
}

/**
 * One line: the header and the payload in hex, and what they mean.
 *
 * @param {Received} received
 */
export function describe({ opcode, head, payload }) {
  const shown = payload.length > SHOWN ? shorten(payload) : hex(payload)
  const bytes = [hex(head.subarray(0, 1)), hex(head.subarray(1)), shown]
  return `< ${bytes.filter(Boolean).join(' ')} (${NAMES[opcode] ?? 'reserved'}${meaning(opcode, payload)})`
}

/**
 * @param {number} opcode
 * @param {Buffer} payload
 */
function meaning(opcode, payload) {
  if (opcode === CLOSE && payload.length >= 2) {
    return ` ${payload.readUInt16BE(0)} ${JSON.stringify(payload.toString('utf8', 2))}`
  }
  return payload.length > SHOWN ? ` of ${payload.length} bytes` : ` ${JSON.stringify(payload.toString('latin1'))}`
}

/** @param {Buffer} payload */
function shorten(payload) {
  return `${hex(payload.subarray(0, 4))}… sha1 ${createHash('sha1').update(payload).digest('hex').slice(0, 8)}`
}

/** @param {Buffer} bytes */
function hex(bytes) {
  return bytes.toString('hex')
}

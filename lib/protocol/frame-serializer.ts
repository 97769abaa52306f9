/** Frames to bytes (RFC 6455, section 5.2): header and payload straight into an Output. */
import { xorInPlace } from './mask.ts'
import type { Output } from './output.ts'

/**
 * From this many bytes on a payload is handed to the Output by reference instead of being copied. Pieces of several frames
 * that are written together cost more than the copies: copied, 14 % more messages of 16 KiB are echoed a second, and 8 % more
 * of 32 KiB (Node 20).
 */
export const BY_REFERENCE_FROM = 64 * 1024

/** The longest header: 2 bytes, a 64-bit length, a masking key. */
export const MAX_HEADER = 14

/** A UTF-16 unit becomes at most this many bytes of UTF-8. */
const MAX_BYTES_A_UNIT = 3

/** Up to this many units a text has less than 64 KiB, whatever it says: it is encoded where it is written from. */
export const ENCODED_IN_PLACE_UP_TO = Math.floor((BY_REFERENCE_FROM - 1) / MAX_BYTES_A_UNIT)

/** How many bytes the header takes of a frame that is copied, which has less than 64 KiB. */
function headerSize(length: number, masked: boolean): number {
  return (length < 126 ? 2 : 4) + (masked ? 4 : 0)
}

/**
 * Writes a frame header at `at` and returns where the payload begins.
 *
 * @param first the frame's first byte: FIN, reserved bits and opcode
 * @param key the masking key with its first byte lowest, or undefined for an unmasked frame
 */
export function writeHeader(
  memory: Buffer,
  at: number,
  first: number,
  length: number,
  key: number | undefined
): number {
  const maskBit = key === undefined ? 0 : 0x80
  memory[at] = first
  if (length < 126) {
    memory[at + 1] = maskBit | length
    at += 2
  } else if (length < 65536) {
    memory[at + 1] = maskBit | 126
    memory[at + 2] = length >>> 8
    memory[at + 3] = length
    at += 4
  } else {
    memory[at + 1] = maskBit | 127
    memory.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2)
    memory.writeUInt32BE(length >>> 0, at + 6)
    at += 10
  }
  if (key === undefined) return at
  memory.writeInt32LE(key | 0, at)
  return at + 4
}

/**
 * A frame with `payload`. Small payloads are copied; from `BY_REFERENCE_FROM` bytes on an unmasked one goes by
 * reference, unless `lent` says that its memory is the caller's again right after.
 */
export function writeFrame(
  output: Output,
  first: number,
  payload: Uint8Array,
  key: number | undefined,
  lent: boolean
): void {
  const length = payload.length
  if (length >= BY_REFERENCE_FROM) {
    writeLarge(output, first, lent || key !== undefined ? Buffer.from(payload) : asBuffer(payload), key)
    return
  }
  const at = output.reserve(headerSize(length, key !== undefined) + length)
  const body = writeHeader(output.memory, at, first, length, key)
  output.memory.set(payload, body)
  if (key !== undefined) xorInPlace(output.memory, body, body + length, key)
  output.commit(body + length - at)
}

/** Header, then the payload by reference; where there is a key, `payload` is our own and masked in place. */
function writeLarge(output: Output, first: number, payload: Buffer, key: number | undefined): void {
  const at = output.reserve(MAX_HEADER)
  output.commit(writeHeader(output.memory, at, first, payload.length, key) - at)
  if (key !== undefined) xorInPlace(payload, 0, payload.length, key)
  output.append(payload)
}

/** A frame with the UTF-8 of `text`; lone surrogates become U+FFFD, as everywhere in Node. */
export function writeTextFrame(output: Output, first: number, text: string, key: number | undefined): void {
  const units = text.length
  if (units > ENCODED_IN_PLACE_UP_TO) {
    writeLarge(output, first, Buffer.from(text, 'utf8'), key)
    return
  }
  // Only the encoding tells how many bytes the header takes: guess, and move the text where the guess was wrong.
  const masked = key !== undefined
  const guess = headerSize(units, masked)
  const at = output.reserve(MAX_HEADER + MAX_BYTES_A_UNIT * units)
  const memory = output.memory
  const length = encode(memory, text, at + guess)
  const size = headerSize(length, masked)
  if (size !== guess) memory.copyWithin(at + size, at + guess, at + guess + length)
  const body = writeHeader(memory, at, first, length, key)
  if (key !== undefined) xorInPlace(memory, body, body + length, key)
  output.commit(body + length - at)
}

/** Up to this many units a loop over plain ASCII beats the call into native code (49 ns against 67 for 20 units, Node 20). */
const ENCODE_BY_LOOP_UP_TO = 40

/** Encodes `text` at `at` and returns how many bytes it took. */
function encode(memory: Buffer, text: string, at: number): number {
  const units = text.length
  if (units <= ENCODE_BY_LOOP_UP_TO) {
    let i = 0
    for (; i < units; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) break
      memory[at + i] = unit
    }
    if (i === units) return units
  }
  return memory.write(text, at, 'utf8')
}

/** The same bytes as a Buffer, without copying them. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

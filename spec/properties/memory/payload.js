/** Payloads: each call makes memory of its own, since what two connections share is counted twice. */
import { randomFillSync } from 'node:crypto'

const NOISE = randomFillSync(Buffer.allocUnsafeSlow(64 * 1024))

const MAKE = {
  zeros: size => Buffer.alloc(size),
  noise(size) {
    const bytes = Buffer.allocUnsafeSlow(size)
    for (let at = 0; at < size; at += NOISE.length) NOISE.copy(bytes, at)
    return bytes
  },
  ascii: size => 'x'.repeat(size),
  /** In memory a byte for a character, on the wire two. */
  latin: size => 'é'.repeat(Math.ceil(size / 2)),
  /** In memory two bytes for a character, on the wire three. */
  wide: size => '☃'.repeat(Math.ceil(size / 3)),
}

export const KINDS = Object.keys(MAKE)

/** @param {keyof typeof MAKE} kind @param {number} size bytes on the wire, about @returns {string | Buffer} */
export function payloadOf(kind, size) {
  return MAKE[kind](size)
}

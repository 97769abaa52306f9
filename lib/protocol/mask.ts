/** The masking kernel (RFC 6455, section 5.3): xor with a 4-byte key, in place. */
import { createSimdMemory, type SimdXor } from './simd-xor.ts'

/** Below this many bytes a plain loop beats setting up a view of 32-bit words. */
const WORDWISE_FROM = 64

/** Below this many bytes a loop beats the call into WebAssembly. */
const SIMD_FROM = 32
/** What one step of the SIMD kernel takes. */
const SIMD_BLOCK = 16
/** Bits of 0x80808080: some byte is not ASCII. */
const NOT_ASCII = 0x80

/**
 * From this many bytes on it pays to carry what WebAssembly can't reach into memory where it can, and back: at 1 KiB 4.5
 * GB/s become 6.8, at 2 KiB 5 become 10.6, at 64 KiB 6 become 15 (Node 20).
 */
const CARRY_FROM = 1024
/** How many bytes are carried at a time: with 4 KiB, and with 64, it is slower (Node 20). */
const CARRIED = 16 * 1024

/** The memory that the SIMD kernel reaches, once there is one. */
let simdMemory: ArrayBufferLike | undefined
let simdXor: SimdXor | undefined

/** From now on bytes in `memory` are masked by `kernel`; without parameters none are. */
export function useSimd(memory?: ArrayBufferLike, kernel?: SimdXor): void {
  simdMemory = memory
  simdXor = kernel
}

/**
 * Masks or unmasks (the two are one operation) `bytes[start, end)` in place.
 *
 * @param key the masking key with its first byte lowest, to be applied to the byte at `start`
 * @returns the bitwise or of all resulting bytes, folded into 32 bits: no bit of 0x80808080 set means that the result
 *   is plain ASCII, which spares text a second look
 */
export function xorInPlace(bytes: Uint8Array, start: number, end: number, key: number): number {
  if (end - start >= SIMD_FROM) {
    if (simdXor !== undefined && bytes.buffer === simdMemory) return xorBlocks(simdXor, bytes, start, end, key)
    if (end - start >= CARRY_FROM) {
      carrier ??= createCarrier()
      if (carrier !== 'none') return xorCarried(carrier, bytes, start, end, key)
    }
    if (end - start >= WORDWISE_FROM) return xorWords(bytes, start, end, key)
  }
  const k0 = key & 0xff
  const k1 = (key >>> 8) & 0xff
  const k2 = (key >>> 16) & 0xff
  const k3 = key >>> 24
  let seen = 0
  let at = start
  for (const whole = end - 3; at < whole; at += 4) {
    seen |=
      (bytes[at] ^= k0) | (bytes[at + 1] ^= k1) | (bytes[at + 2] ^= k2) | (bytes[at + 3] ^= k3)
  }
  if (at < end) seen |= bytes[at] ^= k0
  if (at + 1 < end) seen |= bytes[at + 1] ^= k1
  if (at + 2 < end) seen |= bytes[at + 2] ^= k2
  return seen
}

function xorBlocks(kernel: SimdXor, bytes: Uint8Array, start: number, end: number, key: number): number {
  // The key turns every 4 bytes, so it fits behind whole blocks as it is.
  const rest = endOfBlocks(start, end)
  const offset = bytes.byteOffset
  const seen = kernel(offset + start, offset + rest, key) === 0 ? 0 : NOT_ASCII
  return seen | xorInPlace(bytes, rest, end, key)
}

/** Where the last whole block ends. */
function endOfBlocks(start: number, end: number): number {
  return end - ((end - start) & (SIMD_BLOCK - 1))
}

/** Where bytes are carried to, and the kernel that masks them there. */
interface Carrier {
  readonly room: Uint8Array
  readonly xor: SimdXor
}

let carrier: Carrier | 'none' | undefined

function createCarrier(): Carrier | 'none' {
  try {
    const { buffer, xor } = createSimdMemory(CARRIED)
    return { room: new Uint8Array(buffer, 0, CARRIED), xor }
  } catch {
    return 'none'
  }
}

function xorCarried({ room, xor }: Carrier, bytes: Uint8Array, start: number, end: number, key: number): number {
  const rest = endOfBlocks(start, end)
  let seen = 0
  for (let at = start; at < rest; at += CARRIED) {
    const size = Math.min(CARRIED, rest - at)
    const piece = new Uint8Array(bytes.buffer, bytes.byteOffset + at, size)
    room.set(piece)
    if (xor(0, size, key) !== 0) seen = NOT_ASCII
    piece.set(size === CARRIED ? room : room.subarray(0, size))
  }
  return seen | xorInPlace(bytes, rest, end, key)
}

function xorWords(bytes: Uint8Array, start: number, end: number, key: number): number {
  const lead = -(bytes.byteOffset + start) & 3
  let seen = xorInPlace(bytes, start, start + lead, key)
  const turned = rotateKey(key, lead)
  const body = start + lead
  const count = (end - body) >>> 2
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + body, count)
  let at = 0
  // Eight words a turn: 6 GB/s against 2.4 word by word (Node 20).
  for (const whole = count - 7; at < whole; at += 8) {
    seen |=
      (words[at] ^= turned) |
      (words[at + 1] ^= turned) |
      (words[at + 2] ^= turned) |
      (words[at + 3] ^= turned) |
      (words[at + 4] ^= turned) |
      (words[at + 5] ^= turned) |
      (words[at + 6] ^= turned) |
      (words[at + 7] ^= turned)
  }
  for (; at < count; at++) seen |= words[at] ^= turned
  return seen | xorInPlace(bytes, body + 4 * count, end, turned)
}

/** The key as it applies `by` bytes further on (section 5.3: byte i of the payload meets byte i modulo 4 of the key). */
export function rotateKey(key: number, by: number): number {
  const bits = (by & 3) << 3
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits))
}

/** Whether what `xorInPlace` returned means plain ASCII. */
export function isPlainAscii(seen: number): boolean {
  return (seen & 0x80808080) === 0
}

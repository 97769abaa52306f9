/** Masking (RFC 6455, section 5.3), the tester's own: what it tests must not be what it tests with. */
import { randomFillSync } from 'node:crypto'

const KEY_LENGTH = 4
/** Below this many bytes, finding the alignment costs more than it saves. */
const WORDS_FROM = 32

const pool = Buffer.alloc(16_384)
let used = pool.length

const turnedBytes = new Uint8Array(KEY_LENGTH)
const turnedWord = new Int32Array(turnedBytes.buffer)

/** Writes a random key to `target[at, at + 4)`. */
export function writeKey(target: Buffer, at: number): void {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  pool.copy(target, at, used, used + KEY_LENGTH)
  used += KEY_LENGTH
}

/** XORs `bytes[from, to)` with the key in `keys[at, at + 4)`, in place. */
export function mask(bytes: Buffer, from: number, to: number, keys: Buffer, at: number): void {
  let next = from
  if (to - from >= WORDS_FROM) {
    const aligned = from + ((4 - ((bytes.byteOffset + from) & 3)) & 3)
    xorBytes(bytes, from, aligned, from, keys, at)
    next = xorWords(bytes, aligned, to, turnedKey(keys, at, aligned - from))
  }
  xorBytes(bytes, next, to, from, keys, at)
}

function xorBytes(bytes: Buffer, from: number, to: number, start: number, keys: Buffer, at: number): void {
  for (let i = from; i < to; i++) bytes[i] = bytes[i] ^ keys[at + ((i - start) & 3)]
}

/** Whole words from an aligned index on; returns where it stopped. */
function xorWords(bytes: Buffer, from: number, to: number, key: number): number {
  const count = (to - from) >>> 2
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, count)
  for (let i = 0; i < count; i++) words[i] = words[i] ^ key
  return from + 4 * count
}

/** The key as a word in this machine's byte order, as it is for the byte `turn` places on. */
function turnedKey(keys: Buffer, at: number, turn: number): number {
  for (let i = 0; i < KEY_LENGTH; i++) turnedBytes[i] = keys[at + ((i + turn) & 3)]
  return turnedWord[0]
}

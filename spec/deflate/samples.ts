/** What the specs of compression share: messages of all kinds, compressed ones that are special, what went wrong. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Test } from 'tap'
import { Violation } from '../../lib/protocol/violation.ts'
import { random } from '../helpers/random.ts'

const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_SYNC_FLUSH } = constants
const WORDS = 'id type price "note": {"ok":true}, [1, 2, 3], trade order cancel ünïcödé 0.25 null\n'.split(' ')

export interface Samples {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number
  /** A message of `size` bytes: text-like, random or zeros. */
  message(size: number): Buffer
  /** A text of `size` bytes. */
  text(size: number): Buffer
  /** Up to 300 KiB, mostly small. */
  size(): number
  /** The message as a compressor of Node's makes it, with any of zlib's settings, without its tail. */
  compressed(message: Buffer, dictionary?: Buffer): Buffer
}

export function samples(t: Test): Samples {
  const below = random(t)
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item
  const text = (size: number): Buffer => {
    let text = ''
    while (text.length < size) text += `${pick(WORDS)} `
    return Buffer.from(text).subarray(0, size)
  }
  const message = (size: number): Buffer => {
    const kind = below(4)
    if (kind === 0) return Buffer.alloc(size)
    if (kind === 1) return Buffer.from(Array.from({ length: size }, () => below(256)))
    return text(size)
  }
  const compressed = (message: Buffer, dictionary?: Buffer): Buffer => {
    const options = { level: below(10), memLevel: 1 + below(9), windowBits: 9 + below(7), finishFlush: Z_SYNC_FLUSH }
    const strategy = pick([Z_DEFAULT_STRATEGY, Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE])
    return deflateRawSync(message, { ...options, strategy, dictionary }).subarray(0, -4)
  }
  return { below, message, text, size: () => below(pick([2, 20, 300, 5000, 70_000, 300 * 1024])), compressed }
}

/** What Node's own function makes of a message without its tail. */
export function inflated(compressed: Buffer, dictionary?: Buffer): Buffer {
  const whole = Buffer.concat([compressed, Buffer.from('0000ffff', 'hex')])
  return inflateRawSync(whole, { finishFlush: Z_SYNC_FLUSH, dictionary })
}

/** `size` zeros, compressed some thousand times. */
export function bomb(size: number): Buffer {
  return deflateRawSync(Buffer.alloc(size), { level: 9, finishFlush: Z_SYNC_FLUSH }).subarray(0, -4)
}

/** The result as hex; or the code of the Violation that was thrown instead. */
export function outcome(work: () => Uint8Array | Violation): string {
  try {
    const result = work()
    return result instanceof Violation ? result.code : Buffer.from(result).toString('hex')
  } catch (error) {
    if (error instanceof Violation) return error.code
    throw error
  }
}

const HELLO = '48656c6c6f'

/** RFC 7692, section 7.2.3: compressed messages, each on its own, and what they say. */
export const EXAMPLES: readonly (readonly [name: string, compressed: string, message: string])[] = [
  ['7.2.3.1: one block', 'f248cdc9c90700', HELLO],
  ['7.2.3.3: a block with no compression', '000500faff48656c6c6f00', HELLO],
  ['7.2.3.4: a block with BFINAL set', 'f348cdc9c9070000', HELLO],
  ['7.2.3.5: two blocks', 'f248050000' + '00ffff' + 'cac9c90700', HELLO],
  ['7.2.3.6: empty', '00', ''],
  ['an empty block more', 'f248cdc9c907000000ffff00', HELLO],
  ['stored blocks only', '000000ffff' + '000100feff48' + '000000ffff' + '000400fbff656c6c6f' + '00', HELLO],
  ['an empty block of fixed codes', '0200', ''],
  ['the tail is of a final block', '01', ''],
  ['two blocks with BFINAL set', 'f348cdc9c90700' + 'f348cdc9c90700' + '00', HELLO + HELLO],
  ['data behind a final block refers back over it', 'f348cdc9c90700' + 'f200110000', HELLO + HELLO],
  ['a final block refers back over a final block', 'f348cdc9c90700' + 'f3001100' + '00', HELLO + HELLO],
  ['a stored block with BFINAL set', '010500faff48656c6c6f' + '00', HELLO],
  ['sixteen empty final blocks', '0300'.repeat(16) + '00', ''],
  ['data like what is added', '000900f6ff0000ffff010000ffff00', '0000ffff010000ffff'],
  ['the same behind more', '000a00f5ff610000ffff010000ffff00', '610000ffff010000ffff'],
]

/** Messages that are no DEFLATE, or not whole. */
export const INVALID: readonly (readonly [name: string, compressed: string])[] = [
  ['nothing at all: an empty message has a byte', ''],
  ['a reserved block type', '06'],
  ['a reserved block type and more', '0600000000'],
  ['a stored block whose length and its inverse differ', '000500fbff48656c6c6f00'],
  ['a distance beyond all that was said', 'f200110000'],
  ['the end behind a final block is missing', 'f348cdc9c90700'],
  ['a byte behind the end', 'f248cdc9c90700ff'],
  ['a zero behind the end', 'f248cdc9c9070000'],
  ['the tail was not removed', 'f248cdc9c907000000ffff'],
  ['bytes behind the end', 'f248cdc9c9070048656c6c6f'],
  ['a code that there is none for', 'ffffffffffff'],
  ['lengths of codes that make no tree', '04ffffffffffffffffff'],
  ['a final block that lacks as many bytes as are added', '010900f6ff'],
  ['the same with data', '010d00f2ff61626364'],
  ['a final block that lacks fewer', '010600f9ff'],
  ['a block that lacks as many and is not final', '000900f6ff'],
  ['seventeen empty final blocks', '0300'.repeat(17) + '00'],
]

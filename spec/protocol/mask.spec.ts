import { extname } from 'node:path'
import t from 'tap'
import { isPlainAscii, rotateKey, useSimd, xorInPlace } from '../../lib/protocol/mask.ts'
import { createSimdMemory } from '../../lib/protocol/simd-xor.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { random } from '../helpers/random.ts'

const LENGTHS = Array.from({ length: 201 }, (_, length) => length)
const ALIGNMENTS = [0, 1, 2, 3, 4, 5, 6, 7]
const KEYS = [0x3d21fa37, -1, 0, 0x80000001 | 0, 0x01020304]

/** Section 5.3 to the letter: byte i of the payload meets byte i modulo 4 of the key. */
function naive(source: Uint8Array, start: number, end: number, key: number): Uint8Array {
  return source.map((byte, i) => (i < start || i >= end ? byte : byte ^ ((key >>> (8 * ((i - start) % 4))) & 0xff)))
}

const simd = createSimdMemory(4096)

/** Memory of either kind, of which each test has all there is. */
const KERNELS: Readonly<Record<string, (size: number) => ArrayBuffer>> = {
  plain: size => new ArrayBuffer(size),
  simd: () => simd.buffer,
}

t.before(() => useSimd(simd.buffer, simd.xor))

/** Memory filled with noise, as a view that begins at `alignment`. */
function noise(below: (limit: number) => number, memory: (size: number) => ArrayBuffer, alignment: number, size: number): Uint8Array {
  const view = new Uint8Array(memory(alignment + size), alignment, size)
  for (let i = 0; i < size; i++) view[i] = below(256)
  return view
}

t.test('5.3: the example of section 5.7', async t => {
  const payload = bytes('7f9f4d5158')
  xorInPlace(payload, 0, 5, bytes('37fa213d').readInt32LE())
  t.equal(payload.toString(), 'Hello')
})

for (const [kernel, memory] of Object.entries(KERNELS)) {
  t.test(`${kernel}: 5.3: every length, alignment and key as the naive loop does it, and not a byte more`, async t => {
    const below = random(t)
    for (const alignment of ALIGNMENTS) {
      const wrong = LENGTHS.filter(length => {
        const view = noise(below, memory, alignment, length + 6)
        const key = KEYS[length % KEYS.length]
        const start = 3
        const expected = naive(view, start, start + length, key)
        xorInPlace(view, start, start + length, key)
        return hex(view) !== hex(expected)
      })
      t.strictSame(wrong, [], `alignment ${alignment}`)
    }
  })
}

for (const [kernel, memory] of Object.entries(KERNELS)) {
  t.test(`${kernel}: 5.3: cut anywhere, with the key rotated by what went before`, async t => {
    const below = random(t)
    for (const alignment of ALIGNMENTS) {
      const wrong = LENGTHS.filter(cut => {
        const view = noise(below, memory, alignment, 200)
        const expected = naive(view, 0, 200, KEYS[0])
        xorInPlace(view, 0, cut, KEYS[0])
        xorInPlace(view, cut, 200, rotateKey(KEYS[0], cut))
        return hex(view) !== hex(expected)
      })
      t.strictSame(wrong, [], `alignment ${alignment}`)
    }
  })
}

t.test('5.3: a rotated key begins with the byte that is due', async t => {
  for (const key of KEYS) {
    for (let by = 0; by < 12; by++) {
      const due = [0, 1, 2, 3].map(i => (key >>> (8 * ((i + by) % 4))) & 0xff)
      const rotated = rotateKey(key, by)
      t.strictSame([0, 1, 2, 3].map(i => (rotated >>> (8 * i)) & 0xff), due, `${key} by ${by}`)
    }
  }
})

for (const [kernel, memory] of Object.entries(KERNELS)) {
  t.test(`${kernel}: what it returns tells plain ASCII from all else, wherever the one other byte is`, async t => {
    for (const alignment of ALIGNMENTS) {
      const wrong = LENGTHS.flatMap(length => {
        const places = Array.from({ length: length + 1 }, (_, place) => place)
        return places.filter(place => isPlainAscii(xorOfText(memory, alignment, length, place)) !== (place === length))
      })
      t.strictSame(wrong, [], `alignment ${alignment}`)
    }
  })
}

t.test('memory that the kernel does not reach is masked all the same, and without a kernel so is its own', async t => {
  useSimd()
  const view = new Uint8Array(simd.buffer, 1, 100).fill(1)
  xorInPlace(view, 0, 100, 0x01010101)
  t.strictSame([...view], Array(100).fill(0))
})

t.test('5.3: long payloads in plain memory: every rest and alignment, and not a byte more', async t => {
  const below = random(t)
  for (const length of [...LENGTHS.slice(0, 40).map(more => 1010 + more), 16_383, 16_384, 16_400, 32_768, 50_001]) {
    for (const alignment of [0, 1, 7]) {
      const view = noise(below, KERNELS.plain, alignment, length + 6)
      const key = KEYS[length % KEYS.length]
      const expected = naive(view, 3, length + 3, key)
      xorInPlace(view, 3, length + 3, key)
      if (Buffer.compare(view, expected) !== 0) t.fail(`${length} bytes at ${alignment}`)
    }
  }
  t.pass('all as the naive loop does it')
})

t.test('long payloads in plain memory: one byte that is not ASCII is seen, wherever it is', async t => {
  for (const length of [1024, 1031, 16_384 + 17, 40_000]) {
    for (const place of [0, 15, 16, 1023, length - 17, length - 16, length - 1]) {
      t.notOk(isPlainAscii(xorOfText(KERNELS.plain, 1, length, place)), `${place} of ${length}`)
    }
    t.ok(isPlainAscii(xorOfText(KERNELS.plain, 1, length, length)), `none of ${length}`)
  }
})

t.test('without WebAssembly long payloads are masked all the same', async t => {
  let asked = 0
  // Loaded anew: the kernel is looked for once.
  const url = new URL(`../../lib/protocol/mask${extname(import.meta.url)}?anew`, import.meta.url)
  const mask = (await import(url.href)) as typeof import('../../lib/protocol/mask.ts')
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly')
  t.teardown(() => void Object.defineProperty(globalThis, 'WebAssembly', { ...own }))
  Object.defineProperty(globalThis, 'WebAssembly', { configurable: true, get: () => void asked++ })
  for (const length of [1023, 1024, 20_000]) {
    const view = new Uint8Array(length).fill(1)
    mask.xorInPlace(view, 0, length, 0x01010101)
    t.ok(view.every(byte => byte === 0), `${length} bytes`)
  }
  t.equal(asked, 1, 'asked once, when there is need')
})

t.test('8.1: 0x7f is ASCII and 0x80 is not, in each of the four bytes', async t => {
  for (const shift of [0, 8, 16, 24]) {
    t.ok(isPlainAscii(0x7f << shift))
    t.notOk(isPlainAscii(0x80 << shift))
  }
})

/** Unmasks a text of `length` bytes that has one byte over 0x7f at `place`, where that is inside. */
function xorOfText(memory: (size: number) => ArrayBuffer, alignment: number, length: number, place: number): number {
  const view = new Uint8Array(memory(alignment + length), alignment, length).fill(0x7f)
  if (place < length) view[place] = 0x80
  view.set(naive(view, 0, length, KEYS[0]))
  return xorInPlace(view, 0, length, KEYS[0])
}

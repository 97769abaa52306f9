import t from 'tap'
import { createSimdMemory } from '../../lib/protocol/simd-xor.ts'
import { random } from '../helpers/random.ts'

const PAGE = 65536

t.test('the memory has whole pages', async t => {
  t.equal(createSimdMemory(1).buffer.byteLength, PAGE)
  t.equal(createSimdMemory(PAGE).buffer.byteLength, PAGE)
  t.equal(createSimdMemory(PAGE + 1).buffer.byteLength, 2 * PAGE)
})

t.test('masks whole blocks at every alignment, and nothing around them', async t => {
  const { buffer, xor } = createSimdMemory(PAGE)
  const bytes = new Uint8Array(buffer)
  const below = random(t)
  for (let start = 1; start <= 33; start++) {
    for (const blocks of [0, 1, 2, 3, 8, 65]) {
      const end = start + 16 * blocks
      const before = Uint8Array.from({ length: end + 17 }, () => below(256))
      const key = below(2 ** 32)
      const expected = before.map((byte, at) =>
        at < start || at >= end ? byte : byte ^ (key >>> (8 * ((at - start) & 3)))
      )
      bytes.set(before)
      xor(start, end, key | 0)
      t.ok(Buffer.from(expected).equals(bytes.subarray(0, expected.length)), `${blocks} blocks at ${start}`)
    }
  }
})

t.test('leaves what is less than a block', async t => {
  const { buffer, xor } = createSimdMemory(PAGE)
  xor(0, 31, 0x01010101)
  t.same([...new Uint8Array(buffer, 0, 32)], [...Array(16).fill(1), ...Array(16).fill(0)])
})

t.test('tells whether a byte of the result is not ASCII, wherever it is', async t => {
  const { buffer, xor } = createSimdMemory(PAGE)
  const bytes = new Uint8Array(buffer)
  bytes.fill(0x7f, 0, 64)
  t.equal(xor(0, 64, 0), 0)
  for (let at = 0; at < 64; at++) {
    bytes[at] = 0x80
    t.not(xor(0, 64, 0), 0, `byte ${at}`)
    bytes[(at + 16) % 64] = 0x80
    t.not(xor(0, 64, 0), 0, `and the same one of the next block`)
    bytes[at] = bytes[(at + 16) % 64] = 0x7f
  }
  bytes.fill(0xff, 0, 64)
  t.equal(xor(0, 64, 0x80808080 | 0), 0, 'it is the result that counts')
})

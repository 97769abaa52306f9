import t from 'tap'
import { gather, ownMemory } from '../../lib/transport/pieces.ts'

const SMALL = 4 * 1024

/** So many bytes, in memory that others share. */
function shared(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(100_000), 16, size).fill(size % 251)
}

t.test('small neighbours become one piece, large ones stay as they are, all in order', async t => {
  const [a, b, c, large, d] = [1, SMALL, 3, SMALL + 1, 4].map(shared)
  const parts = gather([a, b, c, large, d])
  t.strictSame(parts.map(({ length }) => length), [1 + SMALL + 3, SMALL + 1, 4])
  t.ok(Buffer.concat(parts).equals(Buffer.concat([a, b, c, large, d])))
  t.equal(parts[1], large)
  t.equal(parts[2], d, 'one alone is not copied')
})

t.test('nothing from nothing', async t => {
  t.strictSame(gather([]), [])
})

t.test('a small piece of shared memory gets its own, of just its size', async t => {
  const piece = shared(SMALL - 1)
  const own = ownMemory(piece)
  t.ok(own.equals(piece))
  t.equal(own.buffer.byteLength, SMALL - 1)
  t.not(own.buffer, piece.buffer)
})

t.test('what is large, or has its memory to itself, is not copied', async t => {
  for (const piece of [shared(SMALL), Buffer.allocUnsafeSlow(10)]) t.equal(ownMemory(piece), piece)
})

import t from 'tap'
import { gather, ownMemory, pinsOthers } from '../../lib/transport/pieces.ts'

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

t.test('a piece that pins more than twice its size gets memory of its own, of just its size', async t => {
  for (const size of [1, SMALL, 49_999]) {
    const piece = shared(size)
    t.equal(pinsOthers(piece), true)
    const own = ownMemory(piece)
    t.ok(own.equals(piece))
    t.equal(own.buffer.byteLength, size)
    t.not(own.buffer, piece.buffer)
  }
})

t.test('one that is most of its memory, or has it to itself, is not copied', async t => {
  for (const piece of [shared(50_000), Buffer.allocUnsafeSlow(10)]) {
    t.equal(pinsOthers(piece), false)
    t.equal(ownMemory(piece), piece)
  }
})

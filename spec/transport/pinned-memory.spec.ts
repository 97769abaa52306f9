import t from 'tap'
import { mayPin, pin, pinned, unpin } from '../../lib/transport/pinned-memory.ts'

const MOST = 32
const writer = (hasWaiting = true): { hasWaiting: boolean } => ({ hasWaiting })
/** A piece of a slab of its own. */
const piece = (): Buffer => Buffer.alloc(1000).subarray(0, 10)

t.test('a piece that is most of its memory pins nothing', async t => {
  const one = writer()
  t.equal(pin(one, [Buffer.allocUnsafeSlow(10), Buffer.allocUnsafeSlow(10).subarray(0, 5)]), false)
  t.equal(pinned(), 0)
  unpin(one)
  t.equal(pinned(), 0)
})

t.test('nor is a part of larger memory counted, which the application has sent by reference', async t => {
  t.equal(pin(writer(), [Buffer.alloc(200_000).subarray(0, 70_000)]), false)
  t.equal(pinned(), 0)
})

t.test('slabs are counted, not writers: one stays pinned until the last writer lets go', async t => {
  const slab = piece()
  const [one, other] = [writer(), writer()]
  t.equal(pin(one, [slab, piece()]), true)
  pin(other, [slab])
  t.equal(pinned(), 2)
  unpin(one)
  unpin(one)
  t.equal(pinned(), 1)
  unpin(other)
  t.equal(pinned(), 0)
})

t.test('32 slabs may be pinned at a time', async t => {
  const writers = Array.from({ length: MOST }, () => writer())
  for (const each of writers) {
    t.equal(mayPin(), true)
    pin(each, [piece()])
  }
  t.equal(mayPin(), false)
  unpin(writers[0])
  t.equal(mayPin(), true)
  for (const each of writers) unpin(each)
})

t.test('writers whose bytes were taken meanwhile are noticed once there is no room', async t => {
  const writers = Array.from({ length: MOST }, () => writer())
  for (const each of writers) pin(each, [piece()])
  for (const each of writers.slice(1)) each.hasWaiting = false
  let refusals = 0
  while (!mayPin()) refusals++
  t.ok(refusals <= 64, `${refusals}`)
  t.equal(pinned(), 1)
  unpin(writers[0])
  t.equal(pinned(), 0)
})

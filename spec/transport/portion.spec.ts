import t, { type Test } from 'tap'
import { FIRST_PORTION, Portion } from '../../lib/transport/portion.ts'

const KIB = 1024

/** A clock that moves when it is told to. */
function clock(t: Test): (milliseconds: number) => void {
  let now = 1000
  t.intercept(performance, 'now', { value: () => now })
  return milliseconds => {
    now += milliseconds
  }
}

t.test('portions double for a peer that takes them at once, up to 2 MiB', async t => {
  const pass = clock(t)
  const portion = new Portion()
  const sizes = [0, 99, 0, 0].map(time => {
    portion.waits()
    pass(time)
    portion.taken()
    return portion.size / KIB
  })
  t.strictSame([FIRST_PORTION / KIB, ...sizes], [512, 1024, 2048, 2048, 2048])
})

t.test('portions halve for a peer that takes long, down to 64 KiB, and stay as they are in between', async t => {
  const pass = clock(t)
  const portion = new Portion()
  const sizes = [501, 100, 500, 10_000, 501, 501].map(time => {
    portion.waits()
    pass(time)
    portion.taken()
    return portion.size / KIB
  })
  t.strictSame(sizes, [256, 256, 256, 128, 64, 64])
})

t.test('the time counts from when the first part of it waits, and only where something waits', async t => {
  const pass = clock(t)
  const portion = new Portion()
  portion.taken()
  t.equal(portion.size, FIRST_PORTION, 'taken without a word')
  portion.waits()
  pass(400)
  portion.waits()
  pass(400)
  portion.taken()
  portion.taken()
  t.equal(portion.size, FIRST_PORTION / 2)
})

import t from 'tap'
import { ConnectionCounts } from '../../lib/transport/connection-counts.ts'

/** Runs `body` with a clock of its own, which it moves on by so many milliseconds. */
function clocked(body: (pass: (time: number) => void) => void): void {
  const { now } = performance
  let time = 5000
  performance.now = () => time
  try {
    body(passed => void (time += passed))
  } finally {
    performance.now = now
  }
}

/** How many of `count` control frames keep the limit. */
function kept(counts: ConnectionCounts, count: number, limit: number): number {
  let within = 0
  while (within < count && counts.countControlFrame(limit)) within++
  return within
}

t.test('so many control frames a second as the limit says, and no more', async t => {
  clocked(pass => {
    const counts = new ConnectionCounts()
    t.equal(kept(counts, 10, 3), 3)
    pass(999)
    t.equal(kept(counts, 10, 3), 0, 'still the same second')
    pass(1)
    t.equal(kept(counts, 10, 3), 3, 'the next one')
  })
})

t.test('a second begins with its first frame', async t => {
  clocked(pass => {
    const counts = new ConnectionCounts()
    t.equal(kept(counts, 2, 3), 2)
    pass(900)
    t.equal(kept(counts, 1, 3), 1)
    pass(100)
    t.equal(kept(counts, 3, 3), 3)
    pass(999)
    t.equal(kept(counts, 1, 3), 0)
  })
})

t.test('no frame where none is allowed, any number where there is no limit', async t => {
  clocked(pass => {
    const none = new ConnectionCounts()
    t.equal(kept(none, 1, 0), 0)
    pass(1000)
    t.equal(kept(none, 1, 0), 0, 'nor later')
    t.equal(kept(new ConnectionCounts(), 100_000, Infinity), 100_000)
  })
})

t.test('begins with nothing', async t => {
  const { dropped, queuedBefore, roundTripTime } = new ConnectionCounts()
  t.strictSame([dropped, queuedBefore, roundTripTime], [0, 0, undefined])
})

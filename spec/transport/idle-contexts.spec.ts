import t, { type Test } from 'tap'
import { coarseNow, RESOLUTION } from '../../lib/transport/deadlines.ts'
import { forgetContexts, KEPT_FOR, SWEPT_EVERY, watchContexts } from '../../lib/transport/idle-contexts.ts'
import { connected } from '../helpers/connected.ts'
import { handCompression } from '../helpers/hand-codec.ts'

/** Time as the wheel of deadlines sees it: a clock and an interval that the test drives. */
let now = 0
let tick: (() => void) | undefined
let intervals = 0
let afterReading: (() => void) | undefined

function clocked(name: string, body: (t: Test) => void): void {
  t.test(name, async t => {
    const { setInterval, clearInterval, setImmediate } = globalThis
    const { now: realNow } = performance
    let unreferenced = true
    const fake = (callback: () => void): { unref(): void } => {
      tick = callback
      intervals++
      unreferenced = false
      return { unref: () => void (unreferenced = true) }
    }
    const stop = (): void => {
      tick = undefined
    }
    performance.now = () => now
    const later = (callback: () => void): void => void (afterReading = callback)
    Object.assign(globalThis, { setInterval: fake, clearInterval: stop, setImmediate: later })
    try {
      body(t)
      for (const owner of owners.splice(0)) forgetContexts(owner)
      advance(2 * RESOLUTION)
    } finally {
      performance.now = realNow
      Object.assign(globalThis, { setInterval, clearInterval, setImmediate })
    }
    t.ok(unreferenced, 'the timer does not keep the process alive')
    t.equal(tick, undefined, 'it stops when nobody is left')
  })
}

function advance(milliseconds: number): void {
  const end = now + milliseconds
  while (now < end) {
    now = Math.min(end, now + RESOLUTION)
    tick?.()
  }
}

const owners: Owner[] = []

class Owner {
  activeAt = coarseNow()
  /** Milliseconds since it was last active, at each release. */
  readonly released: number[] = []

  constructor() {
    owners.push(this)
    watchContexts(this)
  }

  use(): void {
    this.activeAt = coarseNow()
  }

  releaseContexts(): void {
    this.released.push(coarseNow() - this.activeAt)
  }
}

clocked('contexts are released once, when there was no traffic for so long', t => {
  const owner = new Owner()
  advance(KEPT_FOR - RESOLUTION)
  t.strictSame(owner.released, [])
  advance(SWEPT_EVERY + 2 * RESOLUTION)
  t.equal(owner.released.length, 1)
  t.ok(owner.released[0] >= KEPT_FOR && owner.released[0] <= KEPT_FOR + SWEPT_EVERY)
  advance(20 * KEPT_FOR)
  t.equal(owner.released.length, 1, 'there is nothing to release again')
})

clocked('and again, when there was traffic in between', t => {
  const owner = new Owner()
  advance(3 * KEPT_FOR)
  owner.use()
  advance(KEPT_FOR - RESOLUTION)
  t.equal(owner.released.length, 1)
  advance(KEPT_FOR)
  t.equal(owner.released.length, 2)
  t.ok(owner.released[1] >= KEPT_FOR)
})

clocked('never while there is traffic', t => {
  const [busy, idle] = [new Owner(), new Owner()]
  for (let i = 0; i < 100; i++) {
    advance(KEPT_FOR / 10)
    busy.use()
  }
  t.strictSame([busy.released.length, idle.released.length], [0, 1])
})

clocked('each by its own traffic, none missed between two sweeps', t => {
  const all = Array.from({ length: 60 }, () => {
    advance(1700)
    return new Owner()
  })
  advance(2 * KEPT_FOR)
  for (const { released } of all) {
    t.equal(released.length, 1)
    t.ok(released[0] >= KEPT_FOR && released[0] < KEPT_FOR + SWEPT_EVERY + 2 * RESOLUTION, `${released[0]}`)
  }
})

clocked('a thread that was busy for long: the sweep comes late, and misses nobody', t => {
  const [owner, other] = [new Owner(), new Owner()]
  advance(SWEPT_EVERY)
  other.use()
  now += 10 * KEPT_FOR
  tick?.()
  afterReading?.()
  advance(KEPT_FOR)
  t.strictSame([owner.released.length, other.released.length], [1, 1])
})

clocked('one that is forgotten is not released; nor is it held', t => {
  const [gone, stays] = [new Owner(), new Owner()]
  forgetContexts(gone)
  forgetContexts(gone)
  advance(2 * KEPT_FOR)
  t.strictSame([gone.released.length, stays.released.length], [0, 1])
})

clocked('one timer for all, and none without any', t => {
  const before = intervals
  forgetContexts({ activeAt: 0, releaseContexts() {} })
  t.equal(intervals, before)
  const all = Array.from({ length: 10 }, () => new Owner())
  t.equal(intervals, before + 1)
  for (const each of all.slice(1)) forgetContexts(each)
  advance(SWEPT_EVERY)
  t.not(tick, undefined)
  forgetContexts(all[0])
  advance(2 * RESOLUTION)
  t.equal(tick, undefined)
})

clocked('one may be forgotten, or come, while others are released', t => {
  const second = { activeAt: coarseNow(), released: 0, releaseContexts: () => void second.released++ }
  const first = { activeAt: coarseNow(), releaseContexts: () => forgetContexts(second) }
  watchContexts(first)
  watchContexts(second)
  advance(2 * KEPT_FOR)
  t.equal(second.released, 0)
  forgetContexts(first)
})

clocked('a connection with contexts gives them up when idle, until it is over; one without is left alone', t => {
  const limits = { closingTime: Infinity }
  const [idle, over, shared] = [true, true, false].map(contexts => {
    const compression = handCompression(0, { contexts })
    const { connection } = connected(t, {}, { compression, limits })
    return { connection, calls: [compression.compressor.calls, compression.decompressor.calls] }
  })
  over.connection.fail(1001, '')
  advance(KEPT_FOR + 2 * SWEPT_EVERY)
  t.strictSame(idle.calls, [['release'], ['release']])
  t.strictSame(over.calls, [['close'], ['close']])
  t.strictSame(shared.calls, [[], []])
  idle.connection.fail(1001, '')
})

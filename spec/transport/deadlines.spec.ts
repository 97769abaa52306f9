import t, { type Test } from 'tap'
import { coarseNow, Deadline, RESOLUTION } from '../../lib/transport/deadlines.ts'

/** Time as the wheel sees it: a clock and an interval that the test drives. One for all tests, as there is one wheel. */
let now = 0
let tick: (() => void) | undefined
let started = 0
/** What waits until sockets have been read. */
const immediates: (() => void)[] = []

/** A test that runs in one go with time faked; afterwards no deadline is left, and so no timer may be. */
function clocked(name: string, body: (t: Test, log: Log) => void): void {
  t.test(name, async t => {
    const { setInterval, clearInterval, setImmediate } = globalThis
    const { now: realNow } = performance
    const intervals: number[] = []
    let unreferenced = true
    const fake = (callback: () => void, delay: number): { unref(): void } => {
      intervals.push(delay)
      started++
      unreferenced = false
      tick = callback
      return { unref: () => void (unreferenced = true) }
    }
    const stop = (): void => {
      tick = undefined
    }
    performance.now = () => now
    const later = (callback: () => void): void => void immediates.push(callback)
    Object.assign(globalThis, { setInterval: fake, clearInterval: stop, setImmediate: later })
    try {
      body(t, new Log())
      advance(10 * 60_000)
    } finally {
      performance.now = realNow
      Object.assign(globalThis, { setInterval, clearInterval, setImmediate })
    }
    t.ok(unreferenced, 'the timer does not keep the process alive')
    t.ok(intervals.every(delay => delay === RESOLUTION), 'the timer turns the wheel')
    t.equal(tick, undefined, 'it stops when no deadline is left')
  })
}

/** Lets time pass, with the timer as punctual as timers are. */
function advance(milliseconds: number): void {
  const end = now + milliseconds
  while (now < end) {
    now = Math.min(end, now + RESOLUTION)
    tick?.()
    read()
  }
}

/** The thread is held up; then its timers run, and after them `meanwhile`, where sockets are read. */
function stall(milliseconds: number, meanwhile: () => void = () => {}): void {
  now += milliseconds
  tick?.()
  meanwhile()
  read()
}

function read(): void {
  for (const callback of immediates.splice(0)) callback()
}

class Log {
  readonly entries: string[] = []
  readonly #start = now

  deadline(name: string, then: () => void = () => {}): Deadline {
    return new Deadline({
      onDeadline: () => {
        this.entries.push(`${name} ${now - this.#start}`)
        then()
      },
    })
  }
}

clocked('deadlines come in the order of their time, within one turn', (t, log) => {
  log.deadline('c').set(300)
  log.deadline('a').set(100)
  log.deadline('d').set(301)
  log.deadline('b').set(200)
  advance(1000)
  t.strictSame(log.entries, ['a 100', 'b 200', 'c 300', 'd 400'])
})

clocked('a deadline comes once', (t, log) => {
  log.deadline('a').set(100)
  advance(200_000)
  t.strictSame(log.entries, ['a 100'])
})

for (const cleared of ['a', 'b', 'c']) {
  clocked(`one that is cleared does not come, its neighbours do: ${cleared} of a, b and c`, (t, log) => {
    const deadlines = new Map(['a', 'b', 'c'].map(name => [name, log.deadline(name)]))
    for (const deadline of deadlines.values()) deadline.set(500)
    advance(200)
    deadlines.get(cleared)?.clear()
    deadlines.get(cleared)?.clear()
    advance(1000)
    const left = ['a', 'b', 'c'].filter(name => name !== cleared).map(name => `${name} 500`)
    t.strictSame([...log.entries].sort(), left)
  })
}

clocked('those that are cleared one after the other, and set again, take nobody with them', (t, log) => {
  for (const order of ['abcd', 'dcba', 'bdac', 'cadb']) {
    log.entries.length = 0
    const deadlines = new Map(['a', 'b', 'c', 'd', 'stays'].map(name => [name, log.deadline(name)]))
    for (const [name, deadline] of deadlines) {
      deadline.set(500)
      // Somewhere in the middle.
      if (name === 'b') log.deadline('other').set(500)
    }
    for (const name of order) {
      deadlines.get(name)?.clear()
      deadlines.get(name)?.set(1000)
    }
    advance(2000)
    const names = log.entries.map(entry => entry.split(' ')[0])
    t.strictSame(names.slice(0, 2).sort(), ['other', 'stays'], order)
    t.strictSame(names.slice(2).sort(), ['a', 'b', 'c', 'd'], order)
  }
})

clocked('setting it again replaces what was set, to earlier or later', (t, log) => {
  const [sooner, later] = [log.deadline('sooner'), log.deadline('later')]
  sooner.set(800)
  later.set(200)
  advance(100)
  sooner.set(200)
  later.set(600)
  advance(2000)
  t.strictSame(log.entries, ['sooner 300', 'later 700'])
})

clocked('it can be set again when it has come, even while it comes', (t, log) => {
  let rest = 2
  const again = log.deadline('again', () => {
    if (rest-- > 0) again.set(100)
  })
  again.set(100)
  advance(1000)
  t.strictSame(log.entries, ['again 100', 'again 200', 'again 300'])
  again.set(100)
  advance(1000)
  t.equal(log.entries.length, 4)
})

clocked('one that comes may clear or set others that are due with it', (t, log) => {
  // The newest in a slot comes first; only that each of the other two comes at its own time is asked here.
  const cleared = log.deadline('cleared')
  const moved = log.deadline('moved')
  const first = log.deadline('first', () => {
    cleared.clear()
    moved.set(300)
  })
  cleared.set(100)
  moved.set(100)
  first.set(100)
  advance(1000)
  t.strictSame(log.entries, ['first 100', 'moved 400'])
})

clocked('Infinity sets none, and takes back what was set', (t, log) => {
  const deadline = log.deadline('a')
  const before = started
  deadline.set(Infinity)
  t.equal(started, before, 'no timer for nothing')
  deadline.set(200)
  deadline.set(Infinity)
  advance(1000)
  t.strictSame(log.entries, [])
})

clocked('0 comes with the next turn, not at once', (t, log) => {
  log.deadline('a').set(0)
  t.strictSame(log.entries, [])
  advance(RESOLUTION)
  t.strictSame(log.entries, ['a 100'])
})

clocked('delays of more than a whole turn of the wheel, next to short ones in the same slot', (t, log) => {
  const wheel = 512 * RESOLUTION
  log.deadline('three turns').set(100 + 3 * wheel)
  log.deadline('short').set(100)
  log.deadline('one turn').set(100 + wheel)
  advance(4 * wheel)
  t.strictSame(log.entries, ['short 100', `one turn ${100 + wheel}`, `three turns ${100 + 3 * wheel}`])
})

clocked('one timer for all, started with the first deadline and stopped after the last', (t, log) => {
  const before = started
  const [a, b] = [log.deadline('a'), log.deadline('b')]
  a.set(300)
  b.set(500)
  t.equal(started, before + 1)
  advance(400)
  t.not(tick, undefined)
  b.clear()
  advance(RESOLUTION)
  t.equal(tick, undefined)
  a.set(100)
  t.equal(started, before + 2)
})

clocked('a clock that jumps: all that is due comes, in order', (t, log) => {
  log.deadline('b').set(700)
  log.deadline('a').set(300)
  log.deadline('not yet').set(100_000)
  stall(60_000)
  t.strictSame(log.entries, ['a 60000', 'b 60000'])
})

clocked('work that keeps the thread busy does not count against what is set after it', (t, log) => {
  log.deadline('other').set(60_000)
  advance(200)
  now += 5000
  log.deadline('a').set(1000)
  stall(0)
  t.strictSame(log.entries, [])
  advance(1200)
  t.equal(log.entries.length, 1)
})

clocked('the coarse clock goes with the wheel', (t, log) => {
  log.deadline('a').set(2000)
  const start = coarseNow()
  advance(1000)
  t.equal(coarseNow() - start, 1000)
})

clocked('a turn that is late lets sockets be read before anything expires', (t, log) => {
  const heard = log.deadline('heard')
  heard.set(RESOLUTION)
  log.deadline('silent').set(RESOLUTION)
  stall(1.6 * RESOLUTION, () => {
    t.strictSame(log.entries, [])
    heard.clear()
  })
  t.strictSame(log.entries, ['silent 160'])
})

clocked('one that is on time does not', (t, log) => {
  log.deadline('a').set(RESOLUTION)
  log.deadline('b').set(3 * RESOLUTION)
  stall(1.5 * RESOLUTION, () => t.strictSame(log.entries, ['a 150']))
  stall(1.5 * RESOLUTION, () => t.strictSame(log.entries, ['a 150', 'b 300']))
})

clocked('what comes late is done in the same turn of the loop, however busy the thread is', (t, log) => {
  for (const time of [500, 1000, 1500]) log.deadline(`${time}`).set(time)
  for (let i = 0; i < 4; i++) stall(500)
  t.strictSame(log.entries, ['500 500', '1000 1000', '1500 1500'])
})

clocked('a turn that is late by more than a tick counts as one tick on the coarse clock, but not for deadlines', (t, log) => {
  log.deadline('a').set(60_000)
  log.deadline('b').set(61_000)
  log.deadline('c').set(90_000)
  const start = coarseNow()
  stall(60_000, () => t.equal(coarseNow() - start, RESOLUTION, 'what is read then has this time'))
  t.strictSame(log.entries, ['a 60000'])
  advance(1000)
  t.strictSame(log.entries, ['a 60000', 'b 61000'])
  t.equal(coarseNow() - start, RESOLUTION + 1000)
  stall(2 * RESOLUTION)
  t.equal(coarseNow() - start, RESOLUTION + 1000 + 2 * RESOLUTION, 'timers lag a little, and that is made up for')
})

import t from 'tap'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { Deadline } from '../../lib/transport/deadlines.ts'
import { MemoryBudget, type Holder } from '../../lib/transport/memory-budget.ts'
import { watchBudgets } from '../helpers/budget-watch.ts'
import { random } from '../helpers/random.ts'

const LIMIT = 80_000
const [HIGH, LOW, OTHERS] = [60_000, 50_000, 20_000]

class FakeHolder implements Holder {
  readonly connection = this
  readonly budget: MemoryBudget
  readonly name: string
  readonly calls: string[] = []
  reading = true
  dropped = false
  /** What it has reported. */
  held = 0
  /** What it really holds, where that is something else. */
  really: number | undefined
  onDrop: () => void = () => {}

  constructor(budget: MemoryBudget, name = '') {
    this.budget = budget
    this.name = name
  }

  hold(bytes: number): void {
    const before = this.held
    this.held = bytes
    this.budget.report(this, before, bytes)
  }

  recount(): void {
    this.calls.push('recount')
    const { really } = this
    this.really = undefined
    if (really !== undefined) this.hold(really)
  }

  stopReading(): void {
    this.calls.push('stop')
    this.reading = false
  }

  resumeReading(): void {
    this.calls.push('resume')
    this.reading = true
  }

  dropHeld(): void {
    this.calls.push('drop')
    this.held = 0
    this.dropped = true
    this.onDrop()
  }
}

function made(limit = LIMIT): { budget: MemoryBudget; diagnostics: Diagnostics; holder(bytes?: number): FakeHolder } {
  const diagnostics = new Diagnostics()
  const budget = new MemoryBudget(limit, diagnostics)
  const holder = (bytes = 0): FakeHolder => {
    const made = new FakeHolder(budget)
    if (bytes > 0) made.hold(bytes)
    return made
  }
  return { budget, diagnostics, holder }
}

/** Only what changed something. */
function calls({ calls }: FakeHolder): string {
  return calls.filter(call => call !== 'recount').join(' ')
}

t.test('what is held is the sum of what was reported last', async t => {
  const { budget, holder } = made()
  t.strictSame([budget.limit, budget.bytes, budget.holders, budget.stopped], [LIMIT, 0, 0, 0])
  const [a, b] = [holder(5000), holder(3000)]
  t.strictSame([budget.bytes, budget.holders], [8000, 2])
  a.hold(1)
  b.hold(4096)
  t.strictSame([budget.bytes, budget.holders], [4097, 2])
  a.hold(0)
  t.strictSame([budget.bytes, budget.holders], [4096, 1])
  b.hold(0)
  a.hold(0)
  t.strictSame([budget.bytes, budget.holders], [0, 0])
  t.strictSame([calls(a), calls(b)], ['', ''])
})

t.test('at three quarters nothing happens; above it the largest are not read until the others hold a quarter', async t => {
  const { budget, holder } = made()
  const small = [holder(3000), holder(2000), holder(1000)]
  const middle = holder(9000)
  const large = holder(HIGH - 15_000)
  t.equal(budget.bytes, HIGH)
  t.equal(budget.stopped, 0)
  holder(1)
  t.strictSame([large, middle, ...small].map(calls), ['stop', '', '', '', ''])
  t.strictSame([budget.bytes, budget.stopped], [HIGH + 1, 1])
  middle.hold(9000 + (OTHERS - 15_001))
  t.equal(budget.stopped, 1, 'the others hold just a quarter')
  middle.hold(middle.held + 1)
  t.strictSame([large, middle, ...small].map(calls), ['stop', 'stop', '', '', ''])
})

t.test('one that is stopped and holds more stays stopped, and one that holds nothing any more goes on', async t => {
  const { budget, holder } = made()
  const [a, b] = [holder(32_000), holder(30_000)]
  t.strictSame([calls(a), calls(b)].sort(), ['stop', 'stop'])
  a.hold(33_000)
  t.equal(calls(a), 'stop')
  t.equal(budget.stopped, 2)
  const c = holder(10_000)
  a.hold(0)
  t.equal(calls(a), 'stop resume')
  b.hold(b.held)
  t.strictSame([budget.stopped, calls(b), calls(c)], [0, 'stop resume', ''], 'and so all are below')
})

t.test('reading goes on for all once no more than five eighths are held', async t => {
  const { budget, holder } = made()
  const [a, b] = [holder(30_000), holder(30_001)]
  t.equal(budget.stopped, 2)
  a.hold(30_001 - (HIGH - LOW))
  t.strictSame([budget.bytes, budget.stopped], [LOW + 2, 2])
  b.hold(30_000)
  t.equal(budget.stopped, 2)
  b.hold(29_999)
  t.strictSame([budget.bytes, budget.stopped], [LOW, 0])
  t.strictSame([calls(a), calls(b)], ['stop resume', 'stop resume'])
  t.equal(a.reading && b.reading, true)
  holder(HIGH - LOW)
  t.equal(budget.stopped, 0)
  holder(1)
  t.ok(budget.stopped > 0, 'and stops again')
})

t.test('over the budget the largest are dropped until it is kept, within a factor of two', async t => {
  const { budget, holder, diagnostics } = made()
  const small = Array.from({ length: 20 }, () => holder(1000))
  const large = holder(40_000)
  const middle = holder(LIMIT - 60_000)
  t.equal(budget.bytes, LIMIT)
  t.equal(diagnostics.limitsReached.size, 0)
  small[0].hold(1001)
  t.equal(calls(large), 'stop drop')
  t.equal(middle.dropped, false)
  t.strictSame([budget.bytes, budget.holders], [40_001, 21])
  t.strictSame([...diagnostics.limitsReached], [['memory', 1]])
  const huge = holder(10 * LIMIT)
  t.equal(huge.dropped, true, 'the one that has just come, where it is the largest')
  t.equal(budget.bytes, 40_001)
  t.ok(small.every(each => !each.dropped))
})

t.test('the largest is found among those that are read too', async t => {
  const { budget, holder } = made()
  const all = Array.from({ length: 5 }, () => holder(12_100))
  const stopped = all.filter(each => !each.reading)
  const [last] = all.filter(each => each.reading)
  t.equal(stopped.length, 4)
  last.hold(19_000)
  for (const each of stopped.slice(1)) each.hold(16_300)
  t.strictSame([budget.bytes, last.reading, last.dropped], [LIMIT, true, false])
  stopped[0].hold(12_101)
  t.strictSame([budget.bytes, last.dropped], [LIMIT - 18_999, true])
  t.notOk(stopped.some(each => each.dropped))
})

t.test('dropping may make others hold more, deep inside, and is not done twice at a time', async t => {
  const { budget, holder } = made()
  const all = Array.from({ length: 100 }, () => holder(500))
  let depth = 0
  let deepest = 0
  for (const each of all) {
    each.onDrop = () => {
      depth++
      deepest = Math.max(deepest, depth)
      for (const other of all) if (!other.dropped) other.hold(other.held + 500)
      depth--
    }
  }
  all[0].hold(31_000)
  t.ok(budget.bytes <= LIMIT)
  t.equal(deepest, 1)
  const kept = all.filter(each => !each.dropped)
  t.equal(kept.length, budget.holders)
  t.equal(kept.reduce((sum, { held }) => sum + held, 0), budget.bytes)
  for (const each of kept) each.hold(0)
  t.strictSame([budget.bytes, budget.holders, budget.stopped], [0, 0, 0])
})

t.test('what was not told is looked for before anybody is stopped, and not at each report', async t => {
  const { budget, holder } = made()
  const [a, b] = [holder(30_000), holder(30_000)]
  a.really = 5000
  const c = holder(1)
  t.equal(budget.bytes, 35_001)
  t.strictSame([calls(a), calls(b), calls(c)], ['', '', ''])
  t.strictSame(b.calls, ['recount'])
  c.hold(HIGH - 35_000)
  t.equal(budget.bytes, HIGH)
  b.hold(30_001)
  const counts = b.calls.length
  t.ok(counts <= 3, `${b.calls}`)
  for (let i = 2; i < 1000; i++) b.hold(30_000 + i)
  t.equal(b.calls.length, counts, 'growth of a sixteenth has to come first')
  b.hold(30_000 + LIMIT / 16 + 1000)
  t.ok(b.calls.length > counts)
})

t.test('what holders tell while room is made passes the limit, until the report that made them tell is dealt with', async t => {
  const { budget, holder } = made()
  const [a, b] = [holder(25_000), holder(25_000)]
  let asked = 0
  b.recount = () => {
    b.hold(45_000)
    asked = budget.bytes
  }
  const watch = watchBudgets(t)
  a.hold(40_000)
  t.equal(asked, 85_000)
  t.ok(asked > LIMIT && budget.bytes <= LIMIT)
  t.strictSame([watch.most, watch.budget], [budget.bytes, budget])
  t.equal([a, b].filter(each => each.dropped).length, 1)
})

t.test('it is looked for again once there was room, and only once at a time', async t => {
  const { budget, holder } = made()
  const [a, b] = [holder(HIGH - 20_000), holder(20_000)]
  b.really = 20_500
  holder(1)
  t.equal(budget.bytes, HIGH + 501)
  t.strictSame([a.calls.filter(call => call === 'recount').length, b.calls.filter(call => call === 'recount').length], [1, 1])
  a.hold(20_000)
  t.equal(budget.stopped, 0)
  a.hold(HIGH - 20_501)
  t.equal(a.calls.filter(call => call === 'recount').length, 1)
  a.hold(HIGH - 20_500)
  t.equal(a.calls.filter(call => call === 'recount').length, 2)
})

t.test('where nothing gets complete for 10 seconds, the largest of those that are not read are dropped', async t => {
  const { budget, holder, diagnostics } = made()
  const large = holder(30_000)
  const middle = holder(20_000)
  const small = holder(10_001)
  t.ok(!large.reading && !middle.reading)
  budget.onDeadline()
  t.strictSame([large.dropped, middle.dropped, small.dropped], [true, false, false])
  t.strictSame([budget.bytes, budget.stopped, middle.reading], [30_001, 0, true])
  t.strictSame([...diagnostics.limitsReached], [['memory', 1]])
  budget.onDeadline()
  small.hold(HIGH - 20_000)
  budget.onDeadline()
  t.strictSame([budget.bytes, budget.holders], [HIGH, 2], 'and nobody where nobody is stopped')
})

t.test('the 10 seconds begin with the first that is stopped, and end when all go on', async t => {
  const times: number[] = []
  const { set, clear } = Deadline.prototype
  Deadline.prototype.set = function (delay) {
    times.push(delay)
    set.call(this, delay)
  }
  t.teardown(() => Object.assign(Deadline.prototype, { set, clear }))
  let isSet = false
  Deadline.prototype.clear = function () {
    isSet = this.due !== 0
    clear.call(this)
  }
  const { holder } = made()
  const a = holder(50_000)
  const b = holder(5000)
  t.strictSame(times, [])
  b.hold(10_001)
  t.strictSame(times, [10_000])
  b.hold(25_000)
  t.ok(!a.reading && !b.reading)
  t.strictSame(times, [10_000])
  b.hold(LOW - 50_000)
  t.ok(a.reading)
  t.equal(isSet, true, 'it was taken back')
  b.hold(10_001)
  t.strictSame(times, [10_000, 10_000])
  a.hold(0)
  t.equal(isSet, true)
})

t.test('a budget of nothing lets nobody hold anything', async t => {
  const { budget, holder } = made(0)
  t.equal(holder(1).dropped, true)
  t.strictSame([budget.bytes, budget.holders], [0, 0])
})

t.test('without diagnostics nothing is told', async t => {
  const budget = new MemoryBudget(10)
  const holder = new FakeHolder(budget)
  holder.hold(11)
  t.equal(holder.dropped, true)
})

t.test('whatever is reported, the books are right and the budget is kept', async t => {
  const next = random(t)
  for (let round = 0; round < 30; round++) {
    const { budget, holder } = made()
    const all = Array.from({ length: 1 + next(60) }, () => holder())
    const wrong: string[] = []
    for (let i = 0; i < 400; i++) {
      const live = all.filter(each => !each.dropped)
      if (live.length === 0) break
      const one = live[next(live.length)]
      if (next(20) === 0) one.really = next(3000)
      else if (next(100) === 0) budget.onDeadline()
      else one.hold(next(3) === 0 ? 0 : next(2 ** next(16)))
      check(budget, all, wrong)
    }
    t.strictSame(wrong, [])
    for (const each of all) if (!each.dropped) each.hold(0)
    t.strictSame([budget.bytes, budget.holders, budget.stopped], [0, 0, 0])
    t.ok(all.every(each => each.reading || each.dropped))
  }
})

function check(budget: MemoryBudget, all: readonly FakeHolder[], wrong: string[]): void {
  const live = all.filter(each => !each.dropped)
  const sum = (list: readonly FakeHolder[]): number => list.reduce((sum, { held }) => sum + held, 0)
  const stopped = live.filter(each => !each.reading)
  if (sum(live) !== budget.bytes) wrong.push(`${budget.bytes} bytes, not ${sum(live)}`)
  if (stopped.length !== budget.stopped) wrong.push(`${budget.stopped} stopped, not ${stopped.length}`)
  if (budget.bytes > LIMIT) wrong.push(`${budget.bytes} is over the budget`)
  if (budget.bytes <= LOW && stopped.length > 0) wrong.push('stopped for nothing')
  const others = live.filter(each => each.reading)
  if (budget.bytes > HIGH && sum(others) > OTHERS) wrong.push(`the others hold ${sum(others)}`)
}

t.test('what the application keeps counts, and leaves less room to the holders', async t => {
  const { budget, holder } = made()
  const a = holder(30_000)
  budget.keep(39_000)
  t.strictSame([budget.bytes, budget.kept, budget.stopped], [69_000, 39_000, 0])
  budget.keep(1001)
  t.strictSame([budget.stopped, calls(a)], [1, 'stop'], 'three quarters of what is left')
  budget.keep(20_000)
  t.strictSame([calls(a), budget.bytes], ['stop drop', 60_001], 'more than what is left')
})

t.test('a sixteenth is left to holders, whatever the application keeps', async t => {
  const { budget, holder } = made()
  budget.keep(2 * LIMIT)
  const small = [holder(1000), holder(1000), holder(1000)]
  t.strictSame(small.map(calls), ['', '', ''])
  const large = holder(3000)
  t.strictSame(calls(large), 'stop drop')
  t.notOk(small.some(({ dropped }) => dropped))
  t.equal(budget.stopped, 0)
})

t.test('as the application lets go, holders are read again', async t => {
  const { budget, holder } = made()
  budget.keep(LIMIT / 2)
  const a = holder(35_000)
  t.equal(calls(a), 'stop')
  budget.keep(-LIMIT / 4)
  t.equal(calls(a), 'stop resume')
  budget.keep(-LIMIT / 4)
  t.strictSame([budget.kept, budget.bytes], [0, 35_000])
})

t.test('from three quarters on memory is scarce, and with the whole budget it is full', async t => {
  const { budget } = made()
  const cases: [change: number, scarce: boolean, full: boolean][] = [
    [HIGH - 1, false, false],
    [1, true, false],
    [LIMIT - HIGH - 1, true, false],
    [1, true, true],
    [1000, true, true],
    [-1001, true, false],
    [-LIMIT, false, false],
  ]
  for (const [change, scarce, full] of cases) {
    budget.keep(change)
    t.strictSame([budget.isScarce, budget.isFull], [scarce, full], `${budget.kept}`)
  }
})

t.test('a holder that gives something up when it is stopped keeps others from being stopped', async t => {
  const { budget, holder } = made()
  const a = holder(30_000)
  const b = holder(25_000)
  for (const each of [a, b]) {
    each.stopReading = () => {
      each.calls.push('stop')
      each.hold(5000)
    }
  }
  holder(8000)
  t.strictSame([a, b].map(calls), ['', 'stop resume'])
  t.equal(budget.bytes, 43_000)
})

t.test('a holder that throws leaves the budget at work, and is ended', async t => {
  const { budget, holder } = made()
  const a = holder(40_000)
  const failure = new Error('as expected')
  const ends: unknown[] = []
  Object.assign(a, { broken: (error: unknown) => void ends.push(error) })
  a.stopReading = () => {
    throw failure
  }
  t.doesNotThrow(() => holder(25_000))
  t.strictSame(ends, [failure])
  t.doesNotThrow(() => holder(30_000))
  t.ok(budget.bytes <= LIMIT)
})

t.test('equal holders by the thousand: each is stopped once, dropped once, and none is lost', async t => {
  const COUNT = 20_000
  const budget = new MemoryBudget(COUNT * 1000)
  const holders = Array.from({ length: COUNT }, () => new FakeHolder(budget))
  for (const each of holders) each.hold(1000)
  t.equal(budget.bytes, COUNT * 1000)
  t.equal(budget.holders, COUNT)
  new FakeHolder(budget).hold(COUNT * 100)
  t.ok(budget.bytes <= budget.limit)
  const counts = holders.map(({ calls }) => calls.filter(call => call === 'drop').length)
  t.ok(counts.every(count => count <= 1))
  t.equal(budget.bytes, (COUNT - counts.reduce((sum, count) => sum + count, 0)) * 1000 + budget.bytes % 1000)
})

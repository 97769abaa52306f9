import t, { type Test } from 'tap'
import { Deadline } from '../../lib/transport/deadlines.ts'
import { Drain } from '../../lib/transport/drain.ts'
import { callEach, callOne } from '../../lib/transport/each.ts'
import { flushAtEndOfTick } from '../../lib/transport/flush-queue.ts'
import { Heartbeat } from '../../lib/transport/heartbeat.ts'
import { Journal, turn, within } from '../helpers/journal.ts'
import { isOfNode } from '../helpers/warnings.ts'

const failure = new Error('as expected')

const NAMES = ['a', 'b', 'c']

function fail(): never {
  throw failure
}

/** Messages of process warnings from now on. */
function warned(t: Test): Journal {
  const warnings = new Journal()
  const onWarning = (warning: Error): void => {
    if (!isOfNode(warning)) warnings.add(warning.message)
  }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  return warnings
}

t.test('each is called with its turn, whatever the others throw, and those that can be ended are', async t => {
  const warnings = warned(t)
  const calls: unknown[] = []
  const items = ['a', 'b', 'c', 'd'].map(name => ({ name, broken: (error: unknown) => calls.push([name, error]) }))
  callEach(items, ({ name }) => {
    calls.push(name)
    if (name === 'a' || name === 'c') fail()
  })
  t.strictSame(calls, ['a', ['a', failure], 'b', 'c', ['c', failure], 'd'])
  await turn()
  t.strictSame(warnings.lines, [], 'it was told to whom it belongs')
})

t.test('of one that can not be ended it is a process warning', async t => {
  const warnings = warned(t)
  const calls: string[] = []
  const items: { name: string; broken?: unknown }[] = [{ name: 'a' }, { name: 'b', broken: true }, { name: 'c' }]
  callEach(items, ({ name }) => {
    calls.push(name)
    throw new Error(`${name} is broken`)
  })
  t.strictSame(calls, ['a', 'b', 'c'])
  t.strictSame(await warnings.reach(3), ['a is broken', 'b is broken', 'c is broken'])
})

t.test('a broken that is inherited counts, and is called on its item', async t => {
  class Item {
    ended: unknown
    broken(error: unknown): void {
      this.ended = error
    }
  }
  const item = new Item()
  callOne(item, fail)
  t.equal(item.ended, failure)
})

t.test('where nothing throws, nobody is ended', async t => {
  const calls: string[] = []
  callOne({ broken: () => void calls.push('broken') }, () => void calls.push('called'))
  t.strictSame(calls, ['called'])
})

/** What is called for several in one turn, in whatever order. */
const TURNS: Readonly<Record<string, (t: Test, call: (name: string) => void) => void>> = {
  'a flush'(_, call) {
    for (const name of NAMES) flushAtEndOfTick({ flush: () => call(name) })
  },
  'a turn of the wheel of deadlines'(_, call) {
    for (const name of NAMES) new Deadline({ onDeadline: () => call(name) }).set(0)
  },
  'a turn of the heartbeat'(t, call) {
    const heartbeat = new Heartbeat({ interval: 100, timeout: 100 })
    for (const name of NAMES) {
      const beating = { countSilence: () => (call(name), 0), beat() {}, terminate() {} }
      heartbeat.add(beating)
      t.teardown(() => heartbeat.delete(beating))
    }
  },
  'the beginning of a drain'(_, call) {
    new Drain(NAMES.map(name => ({ close: () => call(name), closeWithin() {}, terminate() {} })), []).start(undefined, 1001)
  },
  'the beginning of one that has a time'(_, call) {
    new Drain(NAMES.map(name => ({ close() {}, closeWithin: () => call(name), terminate() {} })), []).start(60_000, 1001)
  },
  'the end of its time'(_, call) {
    new Drain(NAMES.map(name => ({ close() {}, closeWithin() {}, terminate: () => call(name) })), []).start(0, 1001)
  },
}

for (const [what, begin] of Object.entries(TURNS)) {
  t.test(`${what}: the first of three throws, and the others have their turn`, async t => {
    const warnings = warned(t)
    const called = new Journal()
    begin(t, name => {
      called.add(name)
      if (called.lines.length === 1) fail()
    })
    t.strictSame((await called.reach(3)).slice(0, 3).sort(), NAMES)
    await warnings.until('as expected')
  })
}

t.test('a drain of which one could not be closed is done when all are gone', async t => {
  warned(t)
  const draining = ['a', 'b'].map((_, i) => ({ close: () => void (i === 0 && fail()), closeWithin() {}, terminate() {} }))
  const drain = new Drain(draining, []).start(undefined, 1001)
  for (const [i, each] of draining.entries()) {
    drain.ended(each, i === 0 ? 1006 : 1001)
    drain.gone(each)
  }
  t.strictSame(await within(drain.done, 'the end'), { closed: 1, dropped: 1, refused: 0 })
})

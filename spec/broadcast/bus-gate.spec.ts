import t from 'tap'
import { BusGate } from '../../lib/broadcast/bus-gate.ts'
import type { Bus } from '../../lib/broadcast/bus.ts'
import { turn } from '../helpers/journal.ts'

const plain: Bus = { publish() {}, subscribe: () => () => {} }

function names(log: string[], ...all: string[]): { passGate(): void }[] {
  return all.map(name => ({ passGate: () => void log.push(name) }))
}

t.test('closed while the bus is congested; a bus that says nothing never is', async t => {
  t.equal(new BusGate(plain).closed, false)
  const bus = { ...plain, congested: false }
  const gate = new BusGate(bus)
  t.equal(gate.closed, false)
  bus.congested = true
  t.equal(gate.closed, true)
})

t.test('those that wait pass once it is drained, in the order in which they came, but for those that are over', async t => {
  const drains: (() => void)[] = []
  const gate = new BusGate({ ...plain, congested: true, drained: () => new Promise<void>(resolve => drains.push(resolve)) })
  const log: string[] = []
  const [a, b, c] = names(log, 'a', 'b', 'c')
  for (const each of [a, b, c, a]) gate.wait(each)
  gate.leave(b)
  await turn()
  t.strictSame([log, drains.length], [[], 1], 'asked once')
  drains[0]()
  await turn()
  t.strictSame(log, ['a', 'c'])
  gate.wait(b)
  t.equal(drains.length, 2, 'and again')
  drains[1]()
  await turn()
  t.strictSame(log, ['a', 'c', 'b'])
})

t.test('a bus that fails, or can’t say when, holds nobody for ever', async t => {
  const broken = (): never => {
    throw new Error('broken')
  }
  const log: string[] = []
  for (const drained of [undefined, broken, () => Promise.reject(new Error('late'))]) {
    const gate = new BusGate({ ...plain, congested: true, ...(drained && { drained }) })
    gate.wait(names(log, 'passed')[0])
    await turn()
  }
  t.strictSame(log, ['passed', 'passed', 'passed'])
})

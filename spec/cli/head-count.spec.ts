import { mock } from 'node:test'
import t from 'tap'
import type { Bus } from '../../lib/broadcast/bus.ts'
import { HeadCount } from '../../lib/cli/head-count.ts'

/** A bus whose other end is the test. */
class TestBus implements Bus {
  readonly listeners = new Set<(bytes: Buffer) => void>()
  readonly published: number[] = []

  publish(_: string, bytes: Uint8Array): void {
    this.published.push(Buffer.from(bytes).readUInt32BE(4))
  }

  subscribe(_: string, listener: (bytes: Buffer) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Another process tells its number. */
  hear(process: number, count: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(process, 0)
    bytes.writeUInt32BE(count, 4)
    for (const listener of this.listeners) listener(bytes)
  }
}

t.beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }))
t.afterEach(() => mock.timers.reset())

t.test('adds up its own and the others, and tells the others its own', async t => {
  const bus = new TestBus()
  const totals: number[] = []
  const count = new HeadCount(bus, total => totals.push(total))
  count.add(1)
  count.add(1)
  count.add(-1)
  t.equal(count.total, 1)
  t.same(bus.published, [], 'nothing is told yet')
  mock.timers.tick(50)
  t.same(bus.published, [1], 'several changes are told once')
  bus.hear(7, 3)
  bus.hear(8, 2)
  t.equal(count.total, 6)
  bus.hear(7, 0)
  t.equal(count.total, 3)
  t.same(totals, [1, 4, 6, 3])
  count.close()
  mock.timers.tick(10_000)
  t.same(bus.published, [1], 'nothing is told any more')
  t.equal(bus.listeners.size, 0, 'the bus is let go')
})

t.test('a total that stays is not told again', async t => {
  const bus = new TestBus()
  const totals: number[] = []
  const count = new HeadCount(bus, total => totals.push(total))
  bus.hear(7, 3)
  bus.hear(7, 3)
  t.same(totals, [3])
  count.close()
})

t.test('a process that falls silent is forgotten', async t => {
  const bus = new TestBus()
  const totals: number[] = []
  const count = new HeadCount(bus, total => totals.push(total))
  bus.hear(7, 3)
  bus.hear(8, 1)
  mock.timers.tick(4000)
  bus.hear(8, 1)
  mock.timers.tick(4000)
  t.same(totals, [3, 4, 1])
  count.close()
})

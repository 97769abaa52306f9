import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { BYTES_CHANNEL, clusterBus, relayBroadcasts } from '../../lib/broadcast/cluster-bus.ts'
import type { Order } from '../fixtures/bus-worker.ts'
import { Journal } from '../helpers/journal.ts'

// The worker is this project's TypeScript, or what it was compiled to: the same kind of file as this spec.
const WORKER = fileURLToPath(import.meta.url).replace(/broadcast\/cluster-bus\.spec\.(ts|js)$/, 'fixtures/bus-worker.$1')

interface Process {
  readonly worker: Worker
  readonly journal: Journal
  /** Has an order carried out. */
  tell(order: Order['order'], channel: string, hex?: string): Promise<void>
}

async function fork(t: Test, serialization: 'json' | 'advanced'): Promise<Process> {
  // A worker needs nothing of what the test runner loads but the way to read TypeScript.
  const execArgv = process.execArgv.filter(each => each.includes('typescript'))
  cluster.setupPrimary({ exec: WORKER, serialization, execArgv })
  const worker = cluster.fork(serialization === 'advanced' ? { [BYTES_CHANNEL]: '1' } : {})
  const journal = new Journal()
  worker.on('message', (message: { line?: string }) => void (message.line !== undefined && journal.add(message.line)))
  t.teardown(async () => {
    if (worker.isDead()) return
    worker.process.kill('SIGKILL')
    await once(worker, 'exit')
  })
  await journal.until(`${worker.id} ready`, 20_000)
  let orders = 0
  return {
    worker,
    journal,
    async tell(order, channel, hex) {
      orders++
      worker.send({ order, channel, ...(hex !== undefined && { hex }) })
      const isDone = (): boolean => journal.lines.filter(line => line.endsWith('done')).length >= orders
      while (!isDone()) await journal.reach(journal.lines.length + 1)
    },
  }
}

const heard = ({ journal }: Process): string[] => journal.lines.filter(line => line.includes('heard'))

t.test('in a process that is no worker nobody else is on the bus', async t => {
  const bus = clusterBus()
  t.equal(clusterBus(), bus)
  const seen: Buffer[] = []
  const before = process.listenerCount('message')
  const end = bus.subscribe('a', bytes => seen.push(bytes))
  bus.publish('a', Buffer.from('x'))
  end()
  end()
  t.strictSame(seen, [])
  t.equal(process.listenerCount('message'), before, 'and its messages are not listened to')
})

t.test('from each worker to all others, whether forked before the relay begins or after', async t => {
  const forked = [fork(t, 'advanced')]
  relayBroadcasts()
  relayBroadcasts()
  t.equal(cluster.listenerCount('fork'), 1, 'once is enough')
  forked.push(fork(t, 'advanced'), fork(t, 'advanced'))
  const [first, second, third] = await Promise.all(forked)
  const id = second.worker.id
  for (const each of [first, second, third]) await each.tell('subscribe', 'room')
  await second.tell('subscribe', 'room')
  await third.tell('subscribe', 'other')

  await first.tell('publish', 'room', '00ff80')
  await second.journal.until(`${id} heard`)
  await third.journal.until(`${third.worker.id} heard`)
  // What was relayed before is heard before the answer to this.
  for (const each of [first, second, third]) await each.tell('publish', 'nobody', '')
  t.strictSame(heard(first), [], 'not by who published')
  t.strictSame(heard(second), [`${id} heard true 00ff80 on room`, `${id} heard true 00ff80 on room`], 'each listener once')
  t.strictSame(heard(third), [`${third.worker.id} heard true 00ff80 on room`], 'by channel')

  for (let i = 100; i < 200; i++) await first.tell('publish', 'room', i.toString(16))
  await first.tell('publish', 'room', 'ee'.repeat(100_000))
  await third.journal.until(`${third.worker.id} heard true eeee`)
  await second.journal.until(`${id} heard true eeee`)
  const order = heard(third).slice(1).map(line => line.split(' ')[3].slice(0, 2))
  t.strictSame(order, [...Array.from({ length: 100 }, (_, i) => (100 + i).toString(16)), 'ee'], 'in order')
  t.ok(heard(third).at(-1)?.includes('ee'.repeat(100_000)), 'whole')

  await second.tell('unsubscribe', 'room')
  const before = heard(second).length
  await first.tell('raw', '', JSON.stringify({ 'kore-ws': 'something else', channel: 'other', bytes: 'aaaa' }))
  await first.tell('publish', 'room', '01')
  await third.journal.until(`${third.worker.id} heard true 01`)
  await second.tell('publish', 'nobody', '')
  t.equal(heard(second).length, before, 'no more after the end of the subscription')
  t.notOk(heard(third).some(line => line.endsWith('other')), 'and other messages are nobody’s business')

  third.worker.process.kill('SIGKILL')
  await once(third.worker, 'exit')
  await second.tell('subscribe', 'room')
  await first.tell('publish', 'room', '02')
  await second.journal.until(`${id} heard true 02`)
  t.pass('a worker that died does no harm')
})

t.test('over a channel that carries no bytes', async t => {
  relayBroadcasts()
  const [first, second] = await Promise.all([fork(t, 'json'), fork(t, 'json')])
  await second.tell('subscribe', 'room')
  await first.tell('publish', 'room', '00ff80')
  t.strictSame((await second.journal.until(`${second.worker.id} heard`)).at(-1), `${second.worker.id} heard true 00ff80 on room`)
})

t.test('a worker that is alone sends nothing to nobody; as soon as there is another, it does', async t => {
  relayBroadcasts()
  const first = await fork(t, 'advanced')
  const published: unknown[] = []
  first.worker.on('message', (message: object) => void ('bytes' in message && published.push(message)))
  // Who listens to the bus hears of others; the answer to the second order is behind that.
  await first.tell('subscribe', 'room')
  await first.tell('subscribe', 'other')
  await first.tell('publish', 'room', '01')
  t.equal(published.length, 0)
  const second = await fork(t, 'advanced')
  await second.tell('subscribe', 'room')
  await first.tell('publish', 'room', '02')
  t.equal((await second.journal.until(`${second.worker.id} heard`)).at(-1), `${second.worker.id} heard true 02 on room`)
  t.equal(published.length, 1)
  second.worker.process.kill('SIGKILL')
  await once(second.worker, 'exit')
  await first.tell('publish', 'room', '03')
  t.equal(published.length, 1, 'alone again')
  const [third, fourth] = await Promise.all([fork(t, 'advanced'), fork(t, 'advanced')])
  await third.tell('subscribe', 'room')
  await fourth.tell('publish', 'room', '04')
  await third.journal.until(`${third.worker.id} heard true 04`)
  await first.journal.until(`${first.worker.id} heard true 04`)
})

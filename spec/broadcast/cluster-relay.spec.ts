import cluster, { type Worker } from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { BYTES_CHANNEL, relayBroadcasts } from '../../lib/broadcast/cluster-bus.ts'
import type { Figures, Order } from '../fixtures/bus-flood.ts'
import { transpiled } from '../helpers/transpiled.ts'

const WORKER = transpiled(t, 'spec/fixtures/bus-flood.ts')
const PATIENCE = 30_000
const KIBIBYTE = 1024
const MEBIBYTE = 1024 * 1024

interface Process {
  readonly worker: Worker
  /** How many messages of the bus it has sent to this process. */
  envelopes(): number
  /** Has an order carried out, and resolves to how things stand then. */
  tell(order: Order['order'], what?: Partial<Order>): Promise<Figures>
  stop(): void
  goOn(): void
}

async function fork(t: Test): Promise<Process> {
  cluster.setupPrimary({ exec: WORKER, serialization: 'advanced', execArgv: [] })
  const worker = cluster.fork({ [BYTES_CHANNEL]: '1', NODE_OPTIONS: '' })
  // What is sent to one that was killed may find its channel broken.
  worker.on('error', () => {})
  let envelopes = 0
  const answers: Figures[] = []
  const came = new EventEmitter()
  worker.on('message', (message: object) => {
    if ('bytes' in message) envelopes++
    if ('ready' in message) came.emit('ready')
    if ('answer' in message) {
      answers.push(message as Figures)
      came.emit('answer')
    }
  })
  t.teardown(async () => {
    if (worker.isDead()) return
    worker.process.kill('SIGKILL')
    await once(worker, 'exit')
  })
  await once(came, 'ready', { signal: AbortSignal.timeout(PATIENCE) })
  let orders = 0
  return {
    worker,
    envelopes: () => envelopes,
    async tell(order, { count = 1, size = KIBIBYTE, waits = false } = {}) {
      const at = orders++
      worker.send({ order, count, size, waits } satisfies Order)
      const signal = AbortSignal.timeout(PATIENCE)
      while (answers.length <= at) await once(came, 'answer', { signal })
      return answers[at]
    },
    stop: () => void worker.process.kill('SIGSTOP'),
    goOn: () => void worker.process.kill('SIGCONT'),
  }
}

/** Whoever does not keep up is waited for without end. */
function beEndlesslyPatient(t: Test): void {
  const { setTimeout } = globalThis
  t.teardown(() => Object.assign(globalThis, { setTimeout }))
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, time: number, ...rest: []) => setTimeout(callback, time === 1000 ? 2 ** 31 - 1 : time, ...rest),
  })
}

relayBroadcasts()

t.test('what is published in one tick is few messages between processes, and comes in order', async t => {
  const [a, b] = await Promise.all([fork(t), fork(t)])
  await a.tell('publish', { count: 1000, size: 20 })
  await a.tell('figures')
  t.equal(a.envelopes(), 1)
  t.match(await b.tell('figures'), { heard: 1000, last: 1000, inOrder: true })
  await a.tell('publish', { count: 20, size: 50_000 })
  await a.tell('publish', { count: 2, size: 200_000 })
  await a.tell('figures')
  t.match(await b.tell('figures'), { heard: 1022, inOrder: true, missed: 0 })
})

t.test('what a process publishes in its last tick arrives', async t => {
  const [a, b] = await Promise.all([fork(t), fork(t)])
  const gone = once(a.worker, 'disconnect')
  a.worker.send({ order: 'leave', count: 3, size: 20, waits: false } satisfies Order)
  await gone
  t.match(await b.tell('figures'), { heard: 3, inOrder: true })
})

t.test('whoever publishes more than the channel takes is congested until it has', async t => {
  const [a, b] = await Promise.all([fork(t), fork(t)])
  const before = await a.tell('publish', { count: 1, size: 20 })
  t.match(before, { congested: false })
  const { congested, queued } = await a.tell('publish', { count: 100, size: 100 * KIBIBYTE })
  t.equal(congested, true)
  t.ok(queued > MEBIBYTE && queued < 11 * MEBIBYTE, `${queued} bytes`)
  t.match(await a.tell('drained'), { congested: false })
  t.match(await b.tell('figures'), { heard: 101, inOrder: true, missed: 0 })
  t.match(await a.tell('figures'), { queued: 0 })
})

t.test('a worker that does not keep up is waited for, and misses nothing', async t => {
  beEndlesslyPatient(t)
  const [a, b] = await Promise.all([fork(t), fork(t)])
  b.stop()
  await a.tell('publish', { count: 12, size: MEBIBYTE })
  // Behind its answer nothing is left in its own channel.
  await a.tell('figures')
  t.match(await a.tell('figures'), { congested: true, queued: 0 }, 'asked to wait')
  b.goOn()
  t.match(await a.tell('drained'), { congested: false })
  t.match(await b.tell('figures'), { heard: 12, inOrder: true, missed: 0 })
})

t.test('a worker that ends is not waited for', async t => {
  beEndlesslyPatient(t)
  const [a, b, c] = await Promise.all([fork(t), fork(t), fork(t)])
  b.stop()
  await a.tell('publish', { count: 12, size: MEBIBYTE })
  const drained = a.tell('drained')
  b.worker.process.kill('SIGKILL')
  t.match(await drained, { congested: false })
  t.match(await c.tell('figures'), { heard: 12, inOrder: true, missed: 0 })
})

t.test('nor one that ends with a client on its way to it: what Node keeps behind that is never said to be taken', async t => {
  beEndlesslyPatient(t)
  const [a, b] = await Promise.all([fork(t), fork(t), fork(t)])
  const client = createServer().listen(0, '127.0.0.1')
  await once(client, 'listening')
  t.teardown(() => client.close())
  b.stop()
  b.worker.send({ order: 'none' }, client)
  await a.tell('publish', { count: 12, size: MEBIBYTE })
  const drained = a.tell('drained')
  b.worker.process.kill('SIGKILL')
  t.match(await drained, { congested: false })
})

t.test('one that comes while others wait, waits as well', async t => {
  beEndlesslyPatient(t)
  const [a, b] = await Promise.all([fork(t), fork(t)])
  b.stop()
  await a.tell('publish', { count: 12, size: MEBIBYTE })
  const c = await fork(t)
  t.match(await c.tell('figures'), { congested: true })
  b.goOn()
  t.match(await c.tell('drained'), { congested: false })
})

t.test('a stopped worker stops nobody: it misses what there is no room for, in whole messages, and is told', async t => {
  const [a, b, c] = await Promise.all([fork(t), fork(t), fork(t)])
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  b.stop()
  const count = 400
  await a.tell('publish', { count, size: 256 * KIBIBYTE, waits: true })
  t.match(await a.tell('drained'), { congested: false }, 'nobody waits for it any more')
  t.match(await c.tell('figures'), { heard: count, inOrder: true, missed: 0 }, 'another worker has it all')
  t.match(warnings, [{ code: 'KORE_WS_MISSED', message: `worker ${b.worker.id} (process ${b.worker.process.pid})` }], 'once')
  b.goOn()
  // The answer comes when it has heard all that waited; what it missed it is told behind that.
  await b.tell('figures')
  const { heard, missed, inOrder, last } = await b.tell('figures')
  t.ok(inOrder)
  t.equal(heard + missed, count)
  t.ok(heard > 200 && heard <= 256, `${heard} of them waited: 64 MiB`)
  t.equal(last, heard, 'the first ones')
  await a.tell('publish', { count: 1, size: 20 })
  await a.tell('figures')
  t.match(await b.tell('figures'), { last: count + 1, missed }, 'and is on the bus as before')
})

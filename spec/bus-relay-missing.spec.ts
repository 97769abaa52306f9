/** What workers say where their primary relays no broadcasts, as under a process manager of somebody else's. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { Note, Order } from './fixtures/relay.ts'
import { PATIENCE } from './helpers/pool-program.ts'
import { transpiled } from './helpers/transpiled.ts'

// Other processes take their time where the machine is busy.
t.setTimeout(180_000)

const PROGRAM = transpiled(t, 'spec/fixtures/relay.ts')

interface Cluster {
  readonly notes: readonly Note[]
  order(order: Order): void
  /** Resolves when so many notes fit. */
  told(fits: (note: Note) => boolean, count: number): Promise<readonly Note[]>
}

async function start(t: Test, workers: number, relay: 'at once' | 'when told', clock: 'rung' | 'real' = 'rung'): Promise<Cluster> {
  const child = fork(PROGRAM, [String(workers), relay, clock], { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const notes: Note[] = []
  child.on('message', note => notes.push(note as Note))
  t.teardown(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  })
  const told: Cluster['told'] = async (fits, count) => {
    const signal = AbortSignal.timeout(PATIENCE)
    while (notes.filter(fits).length < count) await once(child, 'message', { signal })
    return notes.filter(fits)
  }
  const started: Cluster = { notes, told, order: order => void child.send(order) }
  await told(({ ready }) => ready === true, workers)
  started.order('subscribe')
  await told(({ timers }) => timers !== undefined, workers)
  return started
}

const isWarning = ({ warned }: Note): boolean => warned !== undefined
const codes = ({ notes }: Cluster): (string | undefined)[] => notes.filter(isWarning).map(({ warned }) => warned)
const isRung = ({ rung }: Note): boolean => rung === true

/** Resolves when the primary has said something to each of so many workers. */
async function answered({ notes, told }: Cluster, workers: number): Promise<void> {
  const isAnswer = ({ heard }: Note): boolean => heard === 'company'
  while (new Set(notes.filter(isAnswer).map(({ worker }) => worker)).size < workers) {
    await told(isAnswer, notes.filter(isAnswer).length + 1)
  }
}

t.test('each worker warns once, within a second, that nobody relays', async t => {
  const cluster = await start(t, 2, 'when told')
  for (const { timers = [] } of cluster.notes.filter(({ timers }) => timers !== undefined)) {
    t.equal(timers.length, 1, 'one timer, however many are on the bus')
    t.ok(timers[0] <= 1000, `${timers[0]} ms`)
  }
  t.strictSame(codes(cluster), [], 'not before it is over')
  cluster.order('ring')
  await cluster.told(isRung, 2)
  t.strictSame(codes(cluster), ['KORE_WS_NO_RELAY', 'KORE_WS_NO_RELAY'])
  t.strictSame(new Set(cluster.notes.filter(isWarning).map(({ worker }) => worker)).size, 2)
})

t.test('the timer rings by itself, in a worker that is alone as well', async t => {
  const cluster = await start(t, 1, 'when told', 'real')
  const [{ warned }] = await cluster.told(isWarning, 1)
  t.equal(warned, 'KORE_WS_NO_RELAY')
})

for (const workers of [1, 2, 3]) {
  t.test(`a primary that relays has answered: ${workers} of ${workers} warn of nothing`, async t => {
    const cluster = await start(t, workers, 'at once')
    await answered(cluster, workers)
    cluster.order('ring')
    await cluster.told(isRung, workers)
    t.strictSame(codes(cluster), [])
  })

  t.test(`a primary that begins to relay behind the question answers it: to ${workers}`, async t => {
    const cluster = await start(t, workers, 'when told')
    cluster.order('relay')
    await answered(cluster, workers)
    cluster.order('ring')
    await cluster.told(isRung, workers)
    t.strictSame(codes(cluster), [])
    cluster.order('publish')
    const heard = await cluster.told(({ message }) => message !== undefined, workers * (workers - 1))
    t.equal(heard.filter(({ worker, message }) => message === `from ${worker}`).length, 0, 'and the broadcasts go to the others')
  })
}

t.test('what comes from the primary and is no batch is dropped, and warned of once', async t => {
  const cluster = await start(t, 2, 'at once')
  cluster.order('garbage')
  cluster.order('garbage')
  cluster.order('publish')
  const heard = await cluster.told(({ message }) => message !== undefined, 2)
  t.strictSame(heard.map(({ worker, message }) => `${worker} ${message}`).sort(), ['1 from 2', '2 from 1'], 'what is one still comes')
  await cluster.told(isWarning, 2)
  cluster.order('ring')
  await cluster.told(isRung, 2)
  t.strictSame(codes(cluster), ['KORE_WS_MALFORMED', 'KORE_WS_MALFORMED'], 'each worker once')
})

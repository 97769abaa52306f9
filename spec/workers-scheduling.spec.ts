/** What startWorkers sets of node:cluster, which is of the whole process, and what comes of it. */
import { fork } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { startWorkers } from '../lib/broadcast/workers.ts'
import type { Note } from './fixtures/scheduling.ts'
import { PATIENCE } from './helpers/pool-program.ts'
import { transpiled } from './helpers/transpiled.ts'

// Other processes take their time where the machine is busy.
t.setTimeout(180_000)

const PROGRAM = transpiled(t, 'spec/fixtures/scheduling.ts')

/** What the program tells once each worker listens and a client has come. */
async function run(t: Test, count: number, policy: string | undefined): Promise<Note> {
  const { NODE_CLUSTER_SCHED_POLICY: _, ...env } = process.env
  const child = fork(PROGRAM, [String(count)], {
    execArgv: [],
    env: { ...env, NODE_OPTIONS: '', ...(policy !== undefined && { NODE_CLUSTER_SCHED_POLICY: policy }) },
  })
  t.teardown(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  })
  const signal = AbortSignal.timeout(PATIENCE)
  let told: Note = {}
  let listening = 0
  // Several may come at once: whoever listens for one at a time may miss the next.
  child.on('message', (note: Note) => {
    told = { ...told, ...note }
    if (note.port !== undefined && ++listening === count) connect(note.port, '127.0.0.1').on('error', () => {})
  })
  while (told.accepted === undefined) await once(child, 'message', { signal })
  const { port, ...rest } = told
  t.type(port, 'number')
  return rest
}

const ITSELF: Note = { policy: 'none', serialization: 'advanced', accepted: 'by itself' }
const DEALT: Note = { policy: 'round robin', serialization: 'advanced', accepted: 'dealt out' }

const ROWS: readonly [what: string, count: number, policy: string | undefined, expected: Note][] = [
  ['a worker that is alone accepts its clients itself', 1, undefined, ITSELF],
  ['several get them dealt out', 2, undefined, DEALT],
  ['NODE_CLUSTER_SCHED_POLICY wins: dealt out to one', 1, 'rr', DEALT],
  ['NODE_CLUSTER_SCHED_POLICY wins: several that accept by themselves', 2, 'none', ITSELF],
]

for (const [what, count, policy, expected] of ROWS) {
  t.test(what, async t => {
    t.strictSame(await run(t, count, policy), expected)
  })
}

t.test('a call that is refused sets nothing', async t => {
  const { schedulingPolicy } = cluster
  const listeners = (): number[] => ['fork', 'exit', 'disconnect', 'listening'].map(event => cluster.listenerCount(event))
  const before = listeners()
  const refused: [count: unknown, main: unknown, options: unknown][] = [
    [0, () => {}, {}],
    [1, undefined, {}],
    [1, () => {}, null],
    [1, () => {}, { readyTime: -1 }],
    [1, () => {}, { endingTime: '5' }],
  ]
  for (const [count, main, options] of refused) {
    t.throws(() => startWorkers(count as number, main as () => void, options as object), { name: 'MisuseError' })
    t.strictSame([cluster.schedulingPolicy, cluster.settings, listeners()], [schedulingPolicy, {}, before])
  }
})

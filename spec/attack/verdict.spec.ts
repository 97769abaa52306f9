import t from 'tap'

// What the attacks are judged by: percentiles, the machine's noise, and memory that is held beside what is counted.

interface Sample {
  readonly real: number
  readonly counted: number | undefined
  readonly connections: number
}

interface Seen {
  readonly asked: number
  readonly lost: boolean
  readonly median: number
  readonly p99: number
  readonly late: number
  readonly worst: number
}

interface Result {
  readonly peak: number
  readonly seen: Seen
  readonly memory?: Sample | undefined
  readonly noise: number
  readonly newcomer?: { time: number; refused: boolean } | undefined
  readonly got: readonly (readonly [string, number])[]
  readonly left?: number | undefined
  readonly ended?: string | undefined
}

interface Verdict {
  percentile(sorted: readonly number[], percent: number): number
  p99Of(sorted: readonly number[]): number
  promptLimit(noise: number): number
  excessOf(sample: Sample): number
  faultsOf(result: Result, limits: { resident: number }): string[]
  slownessOf(result: Result, attack?: { crowd?: boolean; exhausts?: boolean }): string[]
}

const name = './harness/verdict.js'
const { percentile, p99Of, promptLimit, excessOf, faultsOf, slownessOf } = (await import(name)) as Verdict

const MIBI = 1024 * 1024
const WELL: Result = {
  peak: 60 * MIBI,
  seen: { asked: 100, lost: false, median: 1, p99: 5, late: 0, worst: 10 },
  noise: 4,
  newcomer: { time: 2, refused: false },
  got: [['open', 5]],
  left: 1,
}
const LIMITS = { resident: 512 }

function seen(change: Partial<Seen>): Result {
  return { ...WELL, seen: { ...WELL.seen, ...change } }
}

t.test('a percentile is the nearest rank', async t => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  t.equal(percentile(hundred, 99), 99)
  t.equal(percentile(hundred, 50), 50)
  t.equal(percentile([7, 8], 99), 8)
  t.equal(percentile([7], 50), 7)
  t.equal(percentile([], 99), 0)
})

t.test('p99 is of many; of few, five may be late and no more', async t => {
  const words = (count: number, late: number): number[] =>
    Array.from({ length: count }, (_, i) => (i < count - late ? 1 : 300))
  t.strictSame([p99Of(words(158, 5)), p99Of(words(158, 6))], [1, 300])
  t.strictSame([p99Of(words(24, 5)), p99Of(words(24, 6))], [1, 300])
  t.strictSame([p99Of(words(1000, 10)), p99Of(words(1000, 11))], [1, 300])
  t.strictSame([p99Of(words(6, 3)), p99Of(words(6, 4))], [1, 300], 'the median of very few')
  t.strictSame([p99Of([7]), p99Of([])], [7, 0])
})

t.test('where all is well there is no fault', async t => {
  t.strictSame(faultsOf(WELL, LIMITS), [])
  t.strictSame(slownessOf(WELL), [])
})

t.test('p99 is judged unless peers come in a crowd, by a limit that grows with the noise of the machine', async t => {
  t.equal(promptLimit(0), 100)
  t.equal(promptLimit(33), 100)
  t.equal(promptLimit(50), 150)
  const late = seen({ p99: 101, worst: 200 })
  t.strictSame(slownessOf(late), ['somebody else waited 101 ms in p99, more than 100'])
  t.strictSame(slownessOf(late, { crowd: true }), [])
  t.strictSame(slownessOf({ ...late, noise: 40 }), [])
})

t.test('others may not wait for long, and somebody new has to be served', async t => {
  t.strictSame(slownessOf(seen({ worst: 2504 })), [])
  t.strictSame(slownessOf(seen({ worst: 2505 })), ['somebody else waited 2505 ms'])
  t.strictSame(slownessOf({ ...WELL, newcomer: undefined }), ['nobody new was served within 2504 ms'])
  const refused = { ...WELL, newcomer: { time: 2, refused: true } }
  t.strictSame(slownessOf(refused), ['somebody new was refused'])
  t.strictSame(slownessOf(refused, { exhausts: true }), [])
})

t.test('what is held may be twice what is counted, and 16 MiB', async t => {
  const sample = { real: 36 * MIBI, counted: 10 * MIBI, connections: 0 }
  t.equal(excessOf(sample), 0)
  t.strictSame(faultsOf({ ...WELL, memory: sample }, LIMITS), [])
  const more = { ...sample, real: 37 * MIBI }
  t.equal(excessOf(more), MIBI)
  t.strictSame(faultsOf({ ...WELL, memory: more }, LIMITS), ['37 MiB held, and only 10 counted'])
})

t.test('an open connection may take 5 KiB besides, and no more', async t => {
  const sample = { real: 16 * MIBI + 1000 * 5 * 1024, counted: 0, connections: 1000 }
  t.equal(excessOf(sample), 0)
  t.equal(excessOf({ ...sample, connections: 999 }), 5 * 1024)
})

t.test('a server that counts nothing is not judged by it', async t => {
  t.strictSame(faultsOf({ ...WELL, memory: { real: 900 * MIBI, counted: undefined, connections: 0 } }, LIMITS), [])
})

t.test('each other fault is told', async t => {
  t.strictSame(faultsOf({ ...WELL, peak: 513 * MIBI }, LIMITS), ['513 MiB resident, more than 512'])
  t.strictSame(faultsOf(seen({ lost: true }), LIMITS), ['the connection of somebody else was lost'])
  t.strictSame(faultsOf(seen({ asked: 0 }), LIMITS), ['nobody was asked'])
  t.strictSame(faultsOf({ ...WELL, left: undefined }, LIMITS), ['the server does not answer any more'])
  t.strictSame(faultsOf({ ...WELL, left: 3 }, LIMITS), ['2 connections were left behind'])
  t.strictSame(faultsOf({ ...WELL, got: [['attack not over in time', 1]] }, LIMITS), ['attack not over in time'])
})

t.test('of a process that ended nothing else is told', async t => {
  const ended = { ...seen({ p99: 9000, worst: 9000, lost: true }), ended: 'exit code 1' }
  t.strictSame(faultsOf(ended, LIMITS), ['the process ended (exit code 1)'])
  t.strictSame(slownessOf(ended), [])
})

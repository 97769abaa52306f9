import t from 'tap'
import { allowanceOf, firstLevelFor, levelFor, LevelQueue, type Job } from '../../lib/deflate/level-queue.ts'

const KIB = 1024
const MIB = KIB * KIB

/** Jobs that end when they are told to; what happens to them is written down. */
class Jobs {
  readonly queue = new LevelQueue()
  /** `a0`: job a has been started on level 0; `-a`: it has been stopped. */
  readonly events: string[] = []
  readonly #ends = new Map<string, (next?: number) => void>()

  add(name: string, level: number): () => void {
    const job: Job = {
      start: (at, ended) => {
        this.events.push(`${name}${at}`)
        this.#ends.set(name, ended)
      },
      failed: error => void this.events.push(`!${name}: ${error}`),
      stop: () => void this.events.push(`-${name}`),
    }
    return this.queue.add(job, level)
  }

  end(name: string, next?: number): void {
    const end = this.#ends.get(name)
    if (end === undefined) throw new Error(`${name} is not at work`)
    this.#ends.delete(name)
    end(next)
  }

  /** Ends what is at work, the longest first, until nothing is; returns what was started meanwhile. */
  endAll(): string[] {
    const from = this.events.length
    for (;;) {
      const [name] = this.#ends.keys()
      if (name === undefined) return this.events.slice(from)
      this.end(name)
    }
  }
}

t.test('levels', async t => {
  t.strictSame([0, 1, 2, 3].map(allowanceOf), [128 * KIB, MIB, 8 * MIB, 64 * MIB])
  for (const [bytes, level] of [
    [0, 0],
    [128 * KIB, 0],
    [128 * KIB + 1, 1],
    [MIB, 1],
    [MIB + 1, 2],
    [2 ** 32, 5],
    [Infinity, 5],
  ] as const) {
    t.equal(levelFor(bytes), level, `${bytes}`)
  }
})

t.test('the level to begin on is the lowest, unless that is too low by two', async t => {
  t.strictSame([0, 128 * KIB + 1, MIB, MIB + 1, 9 * MIB, Infinity].map(firstLevelFor), [0, 0, 0, 2, 3, 5])
})

t.test('four are at work at a time, the first come first', async t => {
  const jobs = new Jobs()
  for (const name of 'abcdef') jobs.add(name, 0)
  t.strictSame(jobs.events, ['a0', 'b0', 'c0', 'd0'])
  jobs.end('c')
  t.strictSame(jobs.events.slice(4), ['e0'])
  jobs.end('a')
  t.strictSame(jobs.events.slice(5), ['f0'])
  jobs.end('b')
  jobs.add('g', 0)
  t.strictSame(jobs.events.slice(6), ['g0'])
})

t.test('two of them at most are of a level above 0: the next small one begins at once', async t => {
  const jobs = new Jobs()
  for (const name of 'abcd') jobs.add(name, 3)
  t.strictSame(jobs.events, ['a3', 'b3'])
  jobs.add('s', 0)
  jobs.add('t', 0)
  t.strictSame(jobs.events.slice(2), ['s0', 't0'])
  jobs.end('s')
  t.equal(jobs.events.length, 4, 'a place for small ones is kept')
  jobs.end('b')
  t.strictSame(jobs.events.slice(4), ['c3'])
})

t.test('one that turns out larger begins anew, behind those of lower levels', async t => {
  const jobs = new Jobs()
  for (let bomb = 0; bomb < 200; bomb++) jobs.add(`bomb ${bomb} on `, 0)
  jobs.add('honest ', 0)
  for (let bomb = 0; bomb < 200; bomb++) jobs.end(`bomb ${bomb} on `, 2)
  t.ok(jobs.events.includes('honest 0'))
  const again = jobs.events.filter(event => event.endsWith(' on 2'))
  t.strictSame(again, ['bomb 0 on 2', 'bomb 1 on 2'], 'no more than two of the bombs have begun anew')
})

t.test('lower levels come first, and let one of the next pass after eight', async t => {
  const jobs = new Jobs()
  for (let i = 0; i < 4; i++) jobs.add(`first ${i} on `, 0)
  for (let i = 0; i < 2; i++) jobs.add(`huge ${i} on `, 3)
  for (let i = 0; i < 3; i++) jobs.add(`large ${i} on `, 1)
  for (let i = 0; i < 12; i++) jobs.add(`small ${i} on `, 0)
  const order = jobs.endAll().map(event => event.slice(0, 1))
  t.equal(order.join(''), 'ssssssss' + 'l' + 'ssss' + 'll' + 'hh')
})

t.test('a higher level is not passed by for ever', async t => {
  const jobs = new Jobs()
  for (let i = 0; i < 4; i++) jobs.add(`first ${i} on `, 0)
  jobs.add('huge on ', 2)
  for (let i = 0; i < 30; i++) jobs.add(`large ${i} on `, 1)
  for (let i = 0; i < 800; i++) jobs.add(`small ${i} on `, 0)
  const started = jobs.endAll()
  const before = started.slice(0, started.indexOf('huge on 2'))
  t.equal(before.filter(event => event.endsWith('1')).length, 8)
  t.equal(before.filter(event => event.endsWith('0')).length, 8 * 8)
  t.equal(started.length, 831)
})

t.test('a level with none between it and the lower one waits as long: it gets as much done as that, and no more', async t => {
  const jobs = new Jobs()
  for (let i = 0; i < 4; i++) jobs.add(`first ${i} on `, 0)
  for (let i = 0; i < 3; i++) jobs.add(`huge ${i} on `, 2)
  for (let i = 0; i < 200; i++) jobs.add(`small ${i} on `, 0)
  const started = jobs.endAll()
  const at = [0, 1, 2].map(i => started.indexOf(`huge ${i} on 2`))
  t.strictSame(at, [64, 129, 194])
})

t.test('a level that has had nothing to do for long has nothing to make up for', async t => {
  for (const [busy, idle] of [
    [0, 1],
    [1, 0],
  ]) {
    const jobs = new Jobs()
    for (let i = 0; i < 1000; i++) jobs.add(`before ${i} on `, busy)
    jobs.endAll()
    for (let i = 0; i < 4; i++) jobs.add(`first ${i} on `, 0)
    for (let i = 0; i < 30; i++) jobs.add(`busy ${i} on `, busy)
    for (let i = 0; i < 30; i++) jobs.add(`idle ${i} on `, idle)
    const order = jobs.endAll().filter(event => !event.startsWith('first')).map(event => event.at(-1))
    t.equal(order.slice(0, 18).join(''), '000000001'.repeat(2), `${busy} was busy`)
  }
})

t.test('what is taken back is not started, or stopped; its place is free when it has ended', async t => {
  const jobs = new Jobs()
  const cancels = 'abcdef'.split('').map(name => jobs.add(name, 0))
  for (const cancel of cancels.slice(4)) cancel()
  t.equal(jobs.events.length, 4)
  cancels[0]()
  t.strictSame(jobs.events.slice(4), ['-a'])
  jobs.add('g', 0)
  t.equal(jobs.events.length, 5, 'a thread is still at work')
  jobs.end('a')
  t.strictSame(jobs.events.slice(5), ['g0'])
  jobs.end('b', 1)
  t.strictSame(jobs.events.slice(6), ['b1'])
  cancels[1]()
  t.strictSame(jobs.events.slice(7), ['-b'], 'when it has begun anew')
})

t.test('a job that throws where it starts is told so later, and takes no place from others', async t => {
  const jobs = new Jobs()
  const events: string[] = []
  const broken = (name: string): Job => ({
    start() {
      throw new RangeError('no memory')
    },
    failed: error => void events.push(`${name} failed: ${error}`),
    stop() {},
  })
  for (let i = 0; i < 5; i++) jobs.queue.add(broken(`${i}`), 0)
  t.strictSame(events, [], 'not inside of add')
  await new Promise(resolve => setImmediate(resolve))
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(events, ['0', '1', '2', '3', '4'].map(name => `${name} failed: RangeError: no memory`))
  for (const name of ['a', 'b', 'c', 'd', 'e']) jobs.add(name, 0)
  t.strictSame(jobs.events, ['a0', 'b0', 'c0', 'd0'])
})

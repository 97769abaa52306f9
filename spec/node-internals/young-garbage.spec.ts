import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { countMessageMemory, findCollect, YoungGarbage, type Collect } from '../../lib/node-internals/young-garbage.ts'
import { turn } from '../helpers/journal.ts'
import { transpiled } from '../helpers/transpiled.ts'

const run = promisify(execFile)

const MIB = 1024 * 1024
const LEAST = 6 * MIB
const MOST = 128 * MIB

/** The variable, and the flag's `gc`, as they are set here, until the test is over. */
function setting(t: Test, portable: string | undefined, gc: unknown): void {
  const before = { gc: globalThis.gc, portable: process.env.KORE_WS_PORTABLE }
  const set = (value: string | undefined): void => {
    if (value === undefined) delete process.env.KORE_WS_PORTABLE
    else process.env.KORE_WS_PORTABLE = value
  }
  set(portable)
  Object.assign(globalThis, { gc })
  t.teardown(() => {
    set(before.portable)
    Object.assign(globalThis, { gc: before.gc })
  })
}

function real(t: Test): Collect {
  setting(t, undefined, undefined)
  const collect = findCollect()
  if (typeof collect !== 'function') throw new Error('this engine has no gc')
  return collect
}

/** With `collect`, after the trial. */
async function tried(collect: Collect): Promise<YoungGarbage> {
  // The clock stands still: a collection takes no time.
  const garbage = new YoungGarbage(() => collect, () => 0)
  for (let i = 0; i < 5 && garbage.state === 'untried'; i++) {
    garbage.add(LEAST)
    t.equal(garbage.state, 'trying')
    await turn()
  }
  return garbage
}

t.test('V8 has a call that collects the young: it works, here and now', async t => {
  const garbage = await tried(real(t))
  t.equal(garbage.state, 'works')
  for (let i = 0; i < 10; i++) garbage.add(LEAST)
  t.equal(garbage.state, 'works')
})

t.test('the flag is set only meanwhile', async t => {
  real(t)
  const { runInNewContext } = await import('node:vm')
  t.equal(runInNewContext('typeof gc'), 'undefined')
})

t.test("a process that has V8's gc anyway: that is taken", async t => {
  const gc = (): void => {}
  setting(t, undefined, gc)
  t.equal(findCollect(), gc)
})

t.test('KORE_WS_PORTABLE=1, or an engine that has no such call: none is made', async t => {
  setting(t, '1', () => t.fail('called'))
  t.equal(findCollect(), undefined)
  setting(t, undefined, undefined)
  const refusing = (): never => {
    throw new ReferenceError('gc is not defined')
  }
  t.equal(findCollect(refusing), undefined)
  let asked = 0
  const garbage = new YoungGarbage(() => void asked++ as undefined)
  for (let i = 0; i < 5; i++) {
    garbage.add(MOST)
    await turn()
  }
  t.strictSame([garbage.state, asked], ['fails', 1])
})

t.test('a call that collects everything, or nothing, is not made again', async t => {
  const collect = real(t)
  let calls = 0
  const everything = (): void => {
    calls++
    ;(collect as () => void)()
  }
  const nothing = (): void => void calls++
  for (const wrong of [everything, nothing]) {
    calls = 0
    const garbage = await tried(wrong)
    t.equal(garbage.state, 'fails')
    for (let i = 0; i < 5; i++) garbage.add(MOST)
    t.equal(calls, 15, 'three calls for each of five trials')
  }
})

t.test('nothing is asked for, and nothing collected, before so many bytes', async t => {
  const collect = real(t)
  const log: unknown[] = []
  const counting: Collect = options => {
    log.push(options)
    collect(options)
  }
  const garbage = new YoungGarbage(() => {
    log.push('asked')
    return counting
  }, () => 0)
  garbage.add(LEAST - 1)
  t.strictSame([garbage.state, log], ['untried', []])
  garbage.add(1)
  garbage.add(LEAST)
  t.strictSame([garbage.state, log.shift()], ['trying', 'asked'])
  while (garbage.state !== 'works' && log.length < 20) {
    await turn()
    garbage.add(LEAST)
  }
  t.equal(garbage.state, 'works')
  log.splice(0, log.length, ...log.filter(entry => entry !== 'asked'))
  t.ok(log.every(options => JSON.stringify(options) === '{"type":"minor"}'), 'asked once, and called for the young only')
  log.length = 0
  garbage.add(LEAST - 1)
  t.strictSame(log, [])
  garbage.add(1)
  t.strictSame(log, [{ type: 'minor' }])
  garbage.add(LEAST - 1)
  t.strictSame(log, [{ type: 'minor' }])
})

t.test('where much that is young lives, it comes less and less often; and as often as before when there is little again', async t => {
  const collect = real(t)
  const living: number[][] = []
  let lives = 0
  const garbage = await tried(options => {
    for (let i = 0; i < lives; i++) living.push(new Array<number>(100).fill(i))
    collect(options)
  })
  lives = 2500
  for (const due of [12, 24, 48, 96, 128, 128]) {
    garbage.add(garbage.due)
    t.equal(garbage.due, due * MIB)
  }
  lives = 0
  // Those of the last time may be young until they have survived twice.
  for (let i = 0; i < 2; i++) collect({ type: 'minor' })
  for (const due of [64, 32, 16, 8, 6, 6]) {
    garbage.add(garbage.due)
    t.equal(garbage.due, due * MIB)
  }
  t.equal(living.length, 15_000)
})

t.test('beyond the usual, collections take no more than a fiftieth of the time: what takes long comes less often', async t => {
  let now = 0
  let calls = 0
  let cost = 0
  const collect = real(t)
  const garbage = new YoungGarbage(() => options => {
    calls++
    now += cost
    collect(options)
  }, () => now)
  for (let i = 0; i < 10 && garbage.state !== 'works'; i++) {
    garbage.add(LEAST)
    await turn()
  }
  t.equal(garbage.state, 'works')
  for (const each of [1, 10, 3, 0.4]) {
    cost = each
    calls = 0
    const began = now
    for (let i = 0; i < 5000; i++) {
      now += 1
      garbage.add(garbage.due)
    }
    const excess = Math.max(0, cost - 0.5)
    t.ok(calls > 0)
    t.ok(calls * excess <= (now - began) / 50 + 20 + 2 * cost, `${calls} of ${cost} ms in ${now - began} ms`)
    if (excess === 0) t.ok(calls > 4000, 'as often as ever')
  }
})

t.test('a program with flags that must not change is left alone: V8 would end it', async t => {
  const program = transpiled(t, 'spec/fixtures/collect.ts')
  const { KORE_WS_PORTABLE: _, NODE_OPTIONS: __, ...env } = process.env
  const outcome = async (...flags: string[]): Promise<string> => (await run(process.execPath, [...flags, program], { env })).stdout
  t.equal(await outcome('--freeze-flags-after-init'), 'left alone\n')
  t.equal(await outcome(), 'used\n')
})

t.test('what messages take is counted by one for all', async t => {
  setting(t, undefined, undefined)
  // On a busy machine collections take long, and would come less often.
  t.intercept(performance, 'now', { value: () => 0 })
  const { memoryUsage } = process
  const before = memoryUsage().arrayBuffers
  const most: number[] = []
  for (let i = 0; i < 20_000; i++) {
    Buffer.allocUnsafeSlow(MIB / 16)
    countMessageMemory(MIB / 16)
    if (i % 50 !== 0) continue
    most.push(memoryUsage().arrayBuffers - before)
    await delay(0)
  }
  const median = most.sort((a, b) => a - b)[most.length / 2]
  t.ok(median < 32 * MIB, `of 1,250 MiB, most is free again: ${median}`)
})

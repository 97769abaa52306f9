import { spawnSync } from 'node:child_process'
import { totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { getHeapStatistics } from 'node:v8'
import t from 'tap'
import { requestSize, resolveLimits, type LimitOptions } from '../lib/limits.ts'
import { MisuseError } from '../lib/protocol/misuse-error.ts'

const QUARTER = Math.floor(
  Math.min(getHeapStatistics().heap_size_limit, process.constrainedMemory() || Infinity, totalmem()) / 4
)
/** Half of the memory, at 48 KiB each. */
function handshakesIn(memory: number): number {
  return Math.min(10_000, Math.floor(memory / 2 / (48 * 1024)))
}

const DEFAULTS = {
  messageBytes: 16 * 1024 * 1024,
  retainedBytes: 18 * 1024 * 1024 + 1024,
  queuedBytes: 16 * 1024 * 1024,
  pendingMessages: 16,
  controlFrames: 1000,
  topics: 10_000,
  handshakeBytes: 16 * 1024,
  handshakeTime: 10_000,
  closingTime: 10_000,
  lifetime: Infinity,
  idleTime: Infinity,
  connections: Math.min(100_000, Math.floor(QUARTER / 5120)),
  connectionsPerAddress: 1000,
  handshakes: handshakesIn(QUARTER),
  memory: QUARTER,
}
const NAMES = Object.keys(DEFAULTS) as (keyof LimitOptions)[]
const UNITS: Partial<Record<keyof LimitOptions, string>> = {
  pendingMessages: 'messages',
  controlFrames: 'control frames a second',
  lifetime: 'milliseconds',
  connections: 'connections',
  connectionsPerAddress: 'connections',
  handshakes: 'handshakes',
  topics: 'topics',
}

t.test('what is left out, or undefined, has its default', async t => {
  t.strictSame(resolveLimits(), DEFAULTS)
  t.strictSame(resolveLimits(undefined), DEFAULTS)
  t.strictSame(resolveLimits({}), DEFAULTS)
  for (const name of NAMES) t.strictSame(resolveLimits({ [name]: undefined }), DEFAULTS, name)
})

t.test('whole numbers and Infinity are allowed, for each limit', async t => {
  for (const name of NAMES) {
    for (const value of [0, 1, 12_345, Number.MAX_SAFE_INTEGER, Infinity]) {
      const { retainedBytes, handshakes, ...rest } = resolveLimits({ [name]: value })
      const { retainedBytes: retained, handshakes: waiting, ...others } = { ...DEFAULTS, [name]: value }
      t.strictSame(rest, others, `${name} ${value}`)
      if (name !== 'messageBytes') t.equal(retainedBytes, retained, `${name} ${value}`)
      if (name !== 'memory' && name !== 'handshakeBytes') t.equal(handshakes, waiting, `${name} ${value}`)
    }
  }
})

t.test('retainedBytes follows messageBytes, so that a message within that always fits', async t => {
  for (const [messageBytes, retainedBytes] of [
    [0, 1024],
    [1, 1026],
    [8, 1033],
    [9, 1035],
    [1_000_000, 1_126_024],
    [Number.MAX_SAFE_INTEGER, Infinity],
    [Infinity, Infinity],
  ]) {
    t.equal(resolveLimits({ messageBytes }).retainedBytes, retainedBytes, `${messageBytes}`)
    t.equal(resolveLimits({ messageBytes, retainedBytes: undefined }).retainedBytes, retainedBytes, `${messageBytes}`)
    t.equal(resolveLimits({ messageBytes, retainedBytes: 5 }).retainedBytes, 5, 'unless it is given')
  }
})

t.test('handshakes follow the memory and what a request may have: together they take half of it at most', async t => {
  const MIB = 2 ** 20
  for (const [memory, handshakeBytes, handshakes] of [
    [96 * MIB, undefined, 1024],
    [96 * MIB, 0, 1536],
    [96 * MIB, 64 * 1024, 512],
    [96 * MIB, Infinity, 1024],
    [70_000, undefined, 1],
    [0, undefined, 1],
    [Infinity, undefined, handshakesIn(QUARTER)],
    [Infinity, Infinity, handshakesIn(QUARTER)],
  ]) {
    const limits = resolveLimits({ memory, handshakeBytes })
    t.equal(limits.handshakes, handshakes, `${memory} ${handshakeBytes}`)
    if (handshakes !== 1) t.ok(limits.handshakes * requestSize(limits) <= limits.memory / 2)
  }
  t.equal(resolveLimits({ memory: 0, handshakes: 7 }).handshakes, 7, 'unless it is given')
})

t.test('anything else is misuse that names the limit, its unit and the value', async t => {
  const wrong: [value: unknown, shown: string][] = [
    [NaN, 'NaN'],
    [-1, '-1'],
    [-Infinity, '-Infinity'],
    [1.5, '1.5'],
    [Number.MAX_SAFE_INTEGER + 1, '9007199254740992'],
    ['100', '"100"'],
    [null, 'null'],
    [true, 'true'],
    [10n, '10'],
    [{}, '{}'],
  ]
  for (const name of NAMES) {
    const unit = UNITS[name] ?? (name.endsWith('Time') ? 'milliseconds' : 'bytes')
    for (const [value, shown] of wrong) {
      const sentence = `limits.${name} must be a whole number of ${unit}, 0 or more, or Infinity, and not ${shown}`
      t.throws(() => resolveLimits({ [name]: value }), new MisuseError('invalid-option', sentence))
    }
  }
})

t.test('a name that is no limit is misuse that lists those there are', async t => {
  for (const name of ['whatever', 'toString', '__proto__x']) {
    const sentence = `limits.${name} is no limit; there are ${NAMES.join(', ')}`
    t.throws(() => resolveLimits({ [name]: 1 } as LimitOptions), new MisuseError('invalid-option', sentence))
  }
})

t.test('names of elsewhere, and those that are mistyped, are told what is meant', async t => {
  const cases: [name: string, message: RegExp][] = [
    ['maxPayload', /^limits\.maxPayload is no limit: write limits: \{ messageBytes \}$/],
    ['messagebytes', /^limits\.messagebytes is no limit, messageBytes is; there are messageBytes, /],
    ['handshakes_', /^limits\.handshakes_ is no limit, handshakes is; there are /],
  ]
  for (const [name, message] of cases) t.throws(() => resolveLimits({ [name]: 1 } as LimitOptions), { code: 'invalid-option', message })
})

t.test('limits that are no object are misuse', async t => {
  for (const value of [null, 5, 'text', true]) {
    t.throws(() => resolveLimits(value as LimitOptions), { name: 'MisuseError', code: 'invalid-option', message: /^limits\b/ }, String(value))
  }
})

t.test('the defaults that follow the memory: a quarter of the heap limit, and what fits into it', async t => {
  const heap = 200 * 2 ** 20
  const limits = new URL('../lib/limits.ts', import.meta.url)
  const script = `
    const { getHeapStatistics } = require('node:v8')
    import(${JSON.stringify(limits.href)}).then(({ resolveLimits }) => {
      console.log(JSON.stringify([getHeapStatistics().heap_size_limit, resolveLimits()]))
    })`
  // What loads TypeScript here does so there.
  const args = [...process.execArgv, '--max-old-space-size=200', '-e', script]
  const { stdout } = spawnSync(process.execPath, args, { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' })
  const [limit, resolved] = JSON.parse(stdout) as [number, Record<string, number>]
  t.ok(limit >= heap && limit < 3 * heap, `${limit}`)
  const quarter = Math.floor(limit / 4)
  t.match(resolved, {
    memory: quarter,
    connections: Math.floor(quarter / 5120),
    handshakes: handshakesIn(quarter),
    connectionsPerAddress: 1000,
  })
})

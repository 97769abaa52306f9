import * as zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { GrowingOutput } from '../../lib/deflate/growing.ts'
import { History } from '../../lib/deflate/history.ts'
import * as inflation from '../../lib/deflate/inflation.ts'
import { Violation } from '../../lib/protocol/violation.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { bomb, EXAMPLES, INVALID, outcome, samples } from './samples.ts'

const KIB = 1024
const MIB = KIB * KIB
const HIGHEST = 5

interface Options {
  readonly level?: number
  readonly limit?: number
  readonly history?: History
  /** When the message is taken back; with the bytes of memory that have been told. */
  readonly stopAt?: (told: number) => boolean
  readonly Inflation?: typeof inflation.Inflation
}

/** What becomes of a message, begun anew wherever it says so: `levels` on which it began, memory that it told. */
async function run(compressed: Buffer, options: Options = {}): Promise<{
  readonly result: Buffer | Violation | undefined
  readonly levels: number[]
  readonly told: number[]
}> {
  const { level = 0, limit = Infinity, history, stopAt, Inflation = inflation.Inflation } = options
  const levels: number[] = []
  const told: number[] = []
  let result: Buffer | Violation | undefined
  const done = (made: Buffer | Violation): void => {
    if (result !== undefined) throw new Error('done twice')
    result = made
  }
  const grown = (bytes: number): void => {
    told.push(bytes)
    if (stopAt?.(bytes) === true) job.stop()
  }
  const job = new Inflation(compressed, limit, history, done, grown)
  let next: number | undefined = level
  while (next !== undefined) {
    const at: number = next
    levels.push(at)
    next = await new Promise<number | undefined>(resolve => {
      let inside = true
      job.start(at, next => {
        if (inside) throw new Error('it ended inside of the call')
        resolve(next)
      })
      inside = false
      if (stopAt?.(0) === true) job.stop()
    })
    if (next !== undefined && next <= at) throw new Error(`from level ${at} to ${next}`)
  }
  return { result, levels, told }
}

async function runHex(compressed: Buffer, options?: Options): Promise<string> {
  const { result } = await run(compressed, options)
  // A module that was loaded anew has a class of its own.
  if (result !== undefined && 'code' in result) return String(result.code)
  return outcome(() => result ?? Buffer.from('nothing'))
}

function historyOf(said: Buffer): History {
  const history = new History(32768)
  history.append(said, 0, said.length)
  return history
}

t.test('RFC 7692, 7.2.3: examples; and what is not DEFLATE', async t => {
  for (const [name, compressed, message] of EXAMPLES) t.equal(await runHex(bytes(compressed)), message, name)
  for (const [name, compressed] of INVALID) t.equal(await runHex(bytes(compressed)), 'invalid-deflate', name)
  const history = historyOf(Buffer.from('Hello'))
  t.equal(await runHex(bytes('f3001100f200110000'), { history }), hex(Buffer.from('HelloHello')))
})

t.test('any message, on whatever level it begins, is the same', async t => {
  const { below, compressed, message, size } = samples(t)
  for (let round = 0; round < 60; round++) {
    const original = message(size())
    const before = message(1 + below(40_000))
    const small = compressed(original, before)
    const { result, levels } = await run(small, { level: below(3), limit: original.length, history: historyOf(before) })
    if (!original.equals(result as Buffer)) t.fail(`${original.length} bytes behind ${before.length}: ${levels.join()}`)
  }
  t.pass('all of them')
})

t.test('a message that is too large for its level goes on where it will fit', async t => {
  const levelsOf = async (compressed: Buffer, limit?: number): Promise<number[]> => {
    const { result, levels } = await run(compressed, limit === undefined ? {} : { limit })
    t.ok(result !== undefined)
    return levels
  }
  t.strictSame(await levelsOf(bomb(128 * KIB)), [0])
  t.strictSame(await levelsOf(bomb(128 * KIB + 1)), [0, 1])
  t.strictSame(await levelsOf(bomb(5 * MIB)), [0, 2], 'by what has been read of it')
  t.strictSame(await levelsOf(bomb(20 * MIB)), [0, 3])
  t.strictSame(await levelsOf(bomb(20 * MIB), 4 * MIB), [0, 2], 'the limit bounds it')
  // Nothing said of what follows.
  const noise = Buffer.from(Array.from({ length: 150 * KIB }, (_, at) => (at * at * 2654435761) >>> 24))
  const stored = zlib.deflateRawSync(noise, { level: 0, finishFlush: zlib.constants.Z_SYNC_FLUSH })
  t.strictSame(await levelsOf(Buffer.concat([stored, bomb(2 * MIB)])), [0, 1, 2])
})

t.test('a limit between two levels holds, and one more is too big', async t => {
  for (const size of [128 * KIB, 300_000, 3 * MIB]) {
    t.equal(((await run(bomb(size), { limit: size })).result as Buffer).length, size)
    t.equal(await runHex(bomb(size), { limit: size - 1 }), 'message-too-big')
    t.equal(await runHex(bomb(size), { limit: size - 1, level: HIGHEST }), 'message-too-big')
  }
})

t.test('memory is told as it grows, and that what was made is given up', async t => {
  // Of two letters: each byte is an eighth of what it was.
  const SIZE = 900 * KIB
  const message = zlib.deflateRawSync(Buffer.from(Array.from({ length: SIZE }, (_, i) => 97 + ((i * i * 7919 + (i >> 3)) >> 5) % 2)))
  const { told, levels } = await run(message, { limit: SIZE })
  t.strictSame(levels, [0, 1])
  const input = message.length + 9
  const back = told.indexOf(input)
  t.ok(back > 0, 'while it waits for its next turn it takes its input')
  t.strictSame(told.slice(0, back), [64 * KIB + input, 128 * KIB + input], 'what this level allows')
  const rest = told.slice(back + 1)
  t.ok(rest.length > 1)
  t.strictSame(rest, [...rest].sort((a, b) => a - b))
  t.equal(rest.at(-1), SIZE + input, 'never more than the limit')
  for (let at = 1; at < told.length; at++) t.ok(Math.abs(told[at] - told[at - 1]) >= 64 * KIB)
  t.strictSame((await run(bomb(1000))).told, [64 * KIB + bomb(1000).length + 9], 'a piece has all its memory')
})

t.test('a bomb shows with its first piece, and begins anew on the level that it needs', async t => {
  const { told, levels } = await run(bomb(5 * MIB), { limit: 5 * MIB })
  t.strictSame(levels, [0, 2])
  t.ok(told.every((bytes, i) => i === 0 || bytes > told[i - 1]), 'nothing of the first attempt was told')
})

t.test('a message of one piece is that piece', async t => {
  const { result } = await run(bomb(60_000))
  t.equal((result as Buffer).buffer.byteLength, inflation.CHUNK_SIZE)
})

t.test('final blocks have the same allowance on each level', async t => {
  const front = Buffer.concat([bomb(200 * KIB), bytes('0000ffff')])
  const finals = (count: number): Buffer => Buffer.concat([front, bytes('0300'.repeat(count) + '00')])
  for (const level of [0, 1]) {
    t.equal(((await run(finals(4), { level })).result as Buffer).length, 200 * KIB)
    t.equal(await runHex(finals(5), { level }), 'invalid-deflate')
  }
})

t.test('taken back it ends, and nothing more is told', async t => {
  const finals = Buffer.concat([bytes('0300'), bomb(MIB)])
  for (const message of [bytes('f248cdc9c90700'), bytes('00'), bytes('06'), bomb(MIB), bomb(20 * MIB), finals]) {
    const { result, levels, told } = await run(message, { stopAt: () => true })
    t.equal(result, undefined)
    t.strictSame([levels, told], [[0], []])
  }
  for (const when of [100 * KIB, MIB]) {
    const { result, told } = await run(bomb(20 * MIB), { stopAt: told => told >= when })
    t.equal(result, undefined)
    t.ok((told.at(-1) as number) >= when, 'from inside of a call')
    t.ok(told.slice(0, -1).every(bytes => bytes < when))
  }
})

/** Inflation, where zlib or memory is not as it should be. */
async function without(t: Test, mocks: Record<string, unknown>): Promise<typeof inflation.Inflation> {
  return (await t.mockImport<typeof inflation>('../../lib/deflate/inflation.ts', mocks)).Inflation
}

t.test('without memory for a context, at first or behind a final block', async t => {
  for (const [good, message] of [
    [0, 'f248cdc9c90700'],
    [1, 'f348cdc9c90700' + 'f248cdc9c90700'],
  ] as const) {
    let made = 0
    const createInflateRaw = (options: zlib.ZlibOptions): zlib.InflateRaw => {
      if (made++ === good) throw new Error('Initialization failed')
      return zlib.createInflateRaw(options)
    }
    const Inflation = await without(t, { 'node:zlib': { ...zlib, createInflateRaw } })
    t.equal(await runHex(bytes(message), { Inflation }), 'too-much-retained')
  }
})

t.test('without memory while it is inflated', async t => {
  const createInflateRaw = (options: zlib.ZlibOptions): zlib.InflateRaw => {
    const stream = zlib.createInflateRaw(options)
    setImmediate(() => stream.destroy(Object.assign(new Error('Zlib error'), { code: 'Z_MEM_ERROR' })))
    return stream
  }
  const Inflation = await without(t, { 'node:zlib': { ...zlib, createInflateRaw } })
  t.equal(await runHex(bomb(64 * MIB), { Inflation, level: HIGHEST }), 'too-much-retained')
})

t.test('without memory for what has been made', async t => {
  for (const method of ['append', 'take'] as const) {
    const value = (): never => {
      throw new RangeError('Array buffer allocation failed')
    }
    const { restore } = t.intercept(GrowingOutput.prototype, method, { value })
    t.equal(await runHex(bytes('f248cdc9c90700')), 'too-much-retained', method)
    restore()
    t.equal(await runHex(bytes('f248cdc9c90700')), '48656c6c6f')
  }
})

t.test('where its start has thrown it tells so, unless it has been taken back', async t => {
  const told: unknown[] = []
  for (const stops of [false, true]) {
    const job = new inflation.Inflation(bytes('f248cdc9c90700'), 100, undefined, result => told.push(result), () => {})
    if (stops) job.stop()
    job.failed(new RangeError('Array buffer allocation failed'))
  }
  t.match(told, [{ code: 'too-much-retained' }])
  t.equal(told.length, 1)
})

import { createHook } from 'node:async_hooks'
import * as zlib from 'node:zlib'
import t, { type Test } from 'tap'
import type { Engine } from '../../lib/deflate/engine.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import { History } from '../../lib/deflate/history.ts'
import * as later from '../../lib/deflate/later.ts'
import type { Violation } from '../../lib/protocol/violation.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { held } from '../helpers/memory.ts'
import { bomb, EXAMPLES, INVALID, inflated, outcome, samples } from './samples.ts'

const PLAIN = { level: 1, windowBits: 15, memLevel: 8 }
const MIB = 2 ** 20

/** Makes no context of its own to look at a message. */
const engine = createFastEngine(zlib) as Engine

function inflate(compressed: Buffer, limit = Infinity, history?: History): Promise<Buffer | Violation> {
  return new Promise(resolve => later.inflateLater(engine, compressed, limit, history, resolve, () => {}))
}

function deflate(payload: Uint8Array, settings = PLAIN): Promise<Buffer | undefined> {
  return new Promise(resolve => later.deflateLater(payload, settings, resolve))
}

/** The result as hex, or the code of the Violation. */
async function inflateHex(compressed: Buffer, limit?: number, history?: History): Promise<string> {
  const result = await inflate(compressed, limit, history)
  return outcome(() => result)
}

function historyOf(said: string | Buffer): History {
  const history = new History(32768)
  history.append(Buffer.from(said as string), 0, said.length)
  return history
}

t.test('RFC 7692, 7.2.3: examples', async t => {
  for (const [name, compressed, message] of EXAMPLES) t.equal(await inflateHex(bytes(compressed)), message, name)
  t.equal(hex((await deflate(Buffer.from('Hello'))) ?? bytes('')), 'f248cdc9c90700')
  t.equal(hex((await deflate(bytes(''))) ?? bytes('')), '00', '7.2.3.6')
})

t.test('what is not DEFLATE is refused', async t => {
  for (const [name, compressed] of INVALID) t.equal(await inflateHex(bytes(compressed)), 'invalid-deflate', name)
})

t.test('7.2.3.2: what has been said before may be referred back to, also behind final blocks', async t => {
  const history = historyOf('Hello')
  t.equal(await inflateHex(bytes('f200110000'), 5, history), hex(Buffer.from('Hello')))
  t.equal(await inflateHex(bytes('f3001100f200110000'), 10, history), hex(Buffer.from('HelloHello')))
  t.equal(await inflateHex(bytes('0300' + 'f200110000'), 5, history), hex(Buffer.from('Hello')))
  t.equal(String(history.bytes), 'Hello', 'to add to it is the caller`s')
  t.equal(await inflateHex(bytes('f200110000'), 5, new History(32768)), 'invalid-deflate')
})

t.test('any message there and back', async t => {
  const { below, compressed, message, size } = samples(t)
  for (let round = 0; round < 60; round++) {
    const original = message(size())
    const settings = { level: 1 + below(9), windowBits: 9 + below(7), memLevel: 1 + below(9) }
    const deflated = await deflate(original, settings)
    if (!deflated || !inflated(deflated).equals(original)) t.fail(`deflated: ${original.length} bytes`)
    const before = message(1 + below(40_000))
    const result = await inflate(compressed(original, before), original.length, historyOf(before))
    if (!original.equals(result as Buffer)) t.fail(`inflated: ${original.length} bytes behind ${before.length}`)
  }
  t.pass('all of them')
})

t.test('a message may have as many bytes as the limit says, and not one more', async t => {
  const { compressed, message } = samples(t)
  for (const size of [1, 1000, 65_535, 65_536, 65_537, 300_000]) {
    const original = message(size)
    const small = compressed(original)
    t.ok(original.equals((await inflate(small, size)) as Buffer), `${size}`)
    t.equal(await inflateHex(small, size - 1), 'message-too-big', `${size} - 1`)
  }
  t.equal(await inflateHex(bytes('00'), 0), '')
  const both = bytes('f348cdc9c90700f200110000')
  t.equal(await inflateHex(both, 10), hex(Buffer.from('HelloHello')))
  for (const limit of [0, 4, 5, 9]) t.equal(await inflateHex(both, limit), 'message-too-big', 'over a final block')
})

t.test('a bomb is stopped at the limit, not behind it', async t => {
  const small = bomb(64 * MIB)
  for (const limit of [1000, MIB]) {
    const { arrayBuffers } = process.memoryUsage()
    t.equal(await inflateHex(small, limit), 'message-too-big')
    const allocated = process.memoryUsage().arrayBuffers - arrayBuffers
    t.ok(allocated <= 3 * limit + small.length + 512 * 1024, `${allocated} bytes were allocated for ${limit}`)
  }
  const within = await inflate(bomb(5 * MIB), 5 * MIB)
  t.ok(Buffer.alloc(5 * MIB).equals(within as Buffer), 'within the limit it is a message')
})

t.test('a message full of final blocks takes no memory to speak of', async t => {
  // A thousand streams of one byte: the piece of 64 KiB that each might keep would be 64 MiB.
  const front = Buffer.concat([bytes('00ffff0000'), Buffer.alloc(65_535)])
  const message = Buffer.concat([...new Array<Buffer>(16).fill(front), bytes('010100feff41'.repeat(1000) + '00')])
  const before = held()
  const during = await new Promise<number>(resolve => {
    const done = (result: Buffer | Violation): void => {
      t.equal((result as Buffer).length, 16 * 65_535 + 1000)
      resolve(held() - before)
    }
    later.inflateLater(engine, message, Infinity, undefined, done, () => {})
  })
  t.ok(during < 8 * MIB, `${during} bytes`)
})

t.test('large messages around final blocks', async t => {
  const { compressed, message } = samples(t)
  const large = Buffer.concat([message(200_000), Buffer.from('the end')])
  const front = Buffer.concat([compressed(large), bytes('0000ffff0300')])
  const both = Buffer.concat([front, front, compressed(large)])
  t.ok(Buffer.concat([large, large, large]).equals((await inflate(both)) as Buffer))
  t.equal(await inflateHex(both, 3 * large.length - 1), 'message-too-big')
  const stored = Buffer.concat([bytes('00002cffd3'), Buffer.alloc(0x2c00)])
  const finals = (count: number): Buffer => Buffer.concat([stored, bytes('0300'.repeat(count)), bytes('00')])
  t.equal(((await inflate(finals(43))) as Buffer).length, 0x2c00, 'as many as a message of 11 KiB may have')
  t.equal(await inflateHex(finals(44)), 'invalid-deflate')
})

t.test('done is called once, and never from inside of the call', async t => {
  const calls: string[] = []
  const all = new Promise<void>(resolve => {
    const done = (name: string) => () => {
      calls.push(name)
      if (calls.length === 4) setTimeout(resolve, 10)
    }
    later.inflateLater(engine, bytes('f248cdc9c90700'), 10, undefined, done('good'), () => {})
    later.inflateLater(engine, bytes('06'), 10, undefined, done('bad'), () => {})
    later.inflateLater(engine, bomb(MIB), 10, undefined, done('too big'), () => {})
    later.deflateLater(Buffer.from('Hello'), PLAIN, done('deflated'))
    t.strictSame(calls, [])
  })
  await all
  t.strictSame(calls.sort(), ['bad', 'deflated', 'good', 'too big'])
})

t.test('the bytes to be inflated may be used again at once; results are the caller`s own', async t => {
  const message = bytes('f248cdc9c90700')
  const result = inflate(message)
  message.fill(0xff)
  t.equal(String(await result), 'Hello')
  const [one, two] = await Promise.all([deflate(Buffer.from('Hello')), deflate(Buffer.from('Hello'))])
  t.equal(hex(one ?? bytes('')), 'f248cdc9c90700')
  one?.fill(0)
  t.equal(hex(two ?? bytes('')), 'f248cdc9c90700')
})

/** How many contexts of zlib have been made since the call. */
function countContexts(t: Test): () => number {
  let made = 0
  const hook = createHook({ init: (_id, type) => void (type === 'ZLIB' && made++) }).enable()
  t.teardown(() => hook.disable())
  return () => made
}

t.test('four messages are at work at a time', async t => {
  const [good, bad] = [bomb(100_000), bytes('06')]
  const begun = countContexts(t)
  const order: number[] = []
  const atWork: number[] = []
  await new Promise<void>(resolve => {
    for (let index = 0; index < 12; index++) {
      const done = (): void => {
        order.push(index)
        // What is done has made room before it says so.
        atWork.push(begun() - order.length)
        if (order.length === 12) resolve()
      }
      if (index % 3 === 0) later.deflateLater(Buffer.alloc(10_000), PLAIN, done)
      else later.inflateLater(engine, index % 3 === 1 ? good : bad, MIB, undefined, done, () => {})
      t.equal(begun(), Math.min(index + 1, 4))
    }
  })
  t.equal(begun(), 12)
  t.strictSame(atWork, [4, 4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0], 'as many as there are, and never more')
})

t.test('what shows itself as large begins as such, and takes no turn of a small one', async t => {
  const { inflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {})
  const [bombs, halves] = [bomb(16 * MIB), bomb(MIB / 2)]
  const begun = countContexts(t)
  const add = (message: Buffer): (() => void) => inflateLater(engine, message, Infinity, undefined, () => {}, () => {})
  const large = Array.from({ length: 20 }, () => add(bombs))
  t.equal(begun(), 2)
  for (const cancel of large) cancel()
  const small = Array.from({ length: 2 }, () => add(halves))
  t.equal(begun(), 4, 'somewhat large: begins as a small one')
  for (const cancel of small) cancel()
})

t.test('a message that can become no more than its limit is as small as that', async t => {
  const { inflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {})
  const large = bomb(16 * MIB)
  const begun = countContexts(t)
  const cancels = Array.from({ length: 4 }, () => inflateLater(engine, large, MIB, undefined, () => {}, () => {}))
  t.equal(begun(), 4)
  for (const cancel of cancels) cancel()
})

t.test('a small message passes bombs that came before it', async t => {
  const large = bomb(64 * MIB)
  const told: string[] = []
  const cancels = Array.from({ length: 20 }, (_, i) =>
    later.inflateLater(engine, large, Infinity, undefined, () => told.push(`bomb ${i}`), () => {})
  )
  t.equal(((await inflate(bomb(60_000))) as Buffer).length, 60_000)
  t.strictSame(told, [], 'none of them is done')
  for (const cancel of cancels) cancel()
})

t.test('two messages at most are deflated that are large; a small one finds its place', async t => {
  // With a queue of its own: nothing is left in it of what was taken back.
  const { deflateLater, inflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {})
  const begun = countContexts(t)
  const deflated = (size: number): Promise<unknown> =>
    new Promise(resolve => deflateLater(Buffer.alloc(size), PLAIN, resolve))
  const large = Array.from({ length: 6 }, () => deflated(16 * 1024 + 1))
  t.equal(begun(), 2)
  const small = new Promise(resolve => inflateLater(engine, bytes('f248cdc9c90700'), 5, undefined, resolve, () => {}))
  t.equal(begun(), 3)
  const other = deflated(16 * 1024)
  t.equal(begun(), 4)
  await Promise.all([small, other, ...large])
  t.equal(begun(), 8)
})

t.test('what is taken back is not done, nothing is told of it, and others have its turn', async t => {
  const zeros = bomb(8 * MIB)
  const told: string[] = []
  const cancels = Array.from({ length: 12 }, (_, i) =>
    later.inflateLater(engine, zeros, Infinity, undefined, () => told.push(`in ${i}`), () => told.push('grown'))
  )
  for (const cancel of cancels) cancel()
  for (const cancel of cancels) cancel()
  const inputs = Array.from({ length: 12 }, () => Buffer.alloc(MIB))
  const more = inputs.map((input, i) => later.deflateLater(input, PLAIN, () => told.push(`out ${i}`)))
  for (const cancel of more) cancel()
  t.equal(((await inflate(bomb(1000))) as Buffer).length, 1000)
  t.equal(inflated((await deflate(Buffer.alloc(MIB))) ?? bytes('')).length, MIB)
  t.strictSame(told, [])
})

t.test('what waits for its turn and is taken back holds no memory', async t => {
  const running = Array.from({ length: 4 }, () => inflate(bomb(4 * MIB)))
  const before = held()
  const never = (): void => void t.fail('never')
  const cancels = Array.from({ length: 20 }, () => later.inflateLater(engine, Buffer.alloc(MIB), Infinity, undefined, never, never))
  t.ok(held() - before > 15 * MIB)
  for (const cancel of cancels.splice(0)) cancel()
  t.ok(held() - before < 10 * MIB, `${held() - before}`)
  await Promise.all(running)
})

t.test('zlib without memory: told by Node in one way or another', async t => {
  const ways = [
    (_payload: unknown, _options: unknown, done: (error: Error) => void): void => {
      setImmediate(done, new Error('Init error'))
    },
    (): never => {
      throw new Error('Initialization failed')
    },
  ]
  for (const deflateRaw of ways) {
    const { deflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {
      'node:zlib': { ...zlib, deflateRaw },
    })
    const results: unknown[] = []
    let inside = true
    const oneMore = (): Promise<void> =>
      new Promise(resolve => {
        const done = (result: unknown): void => {
          results.push(result, inside)
          resolve()
        }
        deflateLater(Buffer.from('Hello'), PLAIN, done)
      })
    const all = Array.from({ length: 9 }, oneMore)
    const stop = deflateLater(Buffer.from('Hello'), PLAIN, () => t.fail('it was taken back'))
    inside = false
    stop()
    await Promise.all(all)
    t.strictSame(results, new Array(9).fill([undefined, false]).flat(), 'and the next has its turn')
  }
})

t.test('what comes first is begun first', async t => {
  const begun: number[] = []
  const waiting: (() => void)[] = []
  const deflateRaw = (payload: Buffer, _options: unknown, done: (error: null, compressed: Buffer) => void): void => {
    begun.push(payload.length)
    waiting.push(() => done(null, Buffer.alloc(10)))
  }
  const { deflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {
    'node:zlib': { ...zlib, deflateRaw },
  })
  for (let index = 0; index < 8; index++) deflateLater(Buffer.alloc(10 + index), PLAIN, () => {})
  // Whichever of them is done first.
  for (const index of [2, 0, 3, 4]) waiting[index]()
  t.strictSame(begun, [10, 11, 12, 13, 14, 15, 16, 17])
})

t.test('a deflation that is taken back while it is at work keeps its place until zlib is done', async t => {
  const waiting: ((error: Error | null, compressed: Buffer) => void)[] = []
  const deflateRaw = (_payload: unknown, _options: unknown, done: () => void): void => void waiting.push(done)
  const { deflateLater } = await t.mockImport<typeof later>('../../lib/deflate/later.ts', {
    'node:zlib': { ...zlib, deflateRaw },
  })
  const told: number[] = []
  const cancels = [0, 1, 2, 3, 4].map(index => deflateLater(Buffer.alloc(10), PLAIN, () => told.push(index)))
  cancels[0]()
  t.equal(waiting.length, 4)
  waiting[0](null, Buffer.alloc(10))
  t.equal(waiting.length, 5)
  for (const done of waiting.slice(1)) done(null, Buffer.alloc(10))
  t.strictSame(told, [1, 2, 3, 4])
})

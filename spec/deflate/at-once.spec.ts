import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { inflateAtOnce, INFLATED_TO_AT_ONCE } from '../../lib/deflate/at-once.ts'
import { chooseEngine } from '../../lib/deflate/codec.ts'
import type { Engine } from '../../lib/deflate/engine.ts'
import { History } from '../../lib/deflate/history.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { Violation } from '../../lib/protocol/violation.ts'

const KIB = 1024

/** "Inflates" to as many bytes as said; the limits that it was given are written down. */
class Inflater implements Engine {
  readonly limits: number[] = []
  readonly histories: unknown[] = []
  size = 0
  readonly createDeflater = portableEngine.createDeflater

  inflate(_bytes: Buffer, _start: number, _end: number, limit: number, history: History | undefined): Buffer {
    this.limits.push(limit)
    this.histories.push(history)
    if (this.size > limit) throw new Violation('message-too-big')
    if (this.size < 0) throw new Violation('invalid-deflate')
    return Buffer.alloc(this.size)
  }

  expectedSize(): number {
    throw new Error('not expected')
  }

  /** A message of so many bytes, compressed, that becomes so many. */
  atOnce(compressed: number, size: number, limit = Infinity, history?: History): number | string | undefined {
    this.size = size
    try {
      return inflateAtOnce(this, Buffer.alloc(compressed + 20), 10, 10 + compressed, limit, history)?.length
    } catch (error) {
      return error instanceof Violation ? error.code : String(error)
    }
  }
}

t.beforeEach(() => nextTurn())

t.test('a message is inflated to 256 KiB at most', async t => {
  const inflater = new Inflater()
  t.equal(INFLATED_TO_AT_ONCE, 256 * KIB)
  t.equal(inflater.atOnce(100, 256 * KIB), 256 * KIB)
  t.equal(inflater.atOnce(100, 256 * KIB + 1), undefined)
  t.equal(inflater.atOnce(100, 256 * KIB + 1, 256 * KIB + 1), undefined, 'it may be that large')
  t.strictSame(inflater.limits, [256 * KIB, 256 * KIB, 256 * KIB])
})

t.test('the limit of the message holds', async t => {
  const inflater = new Inflater()
  t.equal(inflater.atOnce(100, 1000, 1000), 1000)
  t.equal(inflater.atOnce(100, 1001, 1000), 'message-too-big')
  t.equal(inflater.atOnce(100, 1, 0), 'message-too-big')
  t.equal(inflater.atOnce(100, 256 * KIB + 1, 256 * KIB), 'message-too-big')
  t.equal(inflater.atOnce(100, -1), 'invalid-deflate')
  t.strictSame(inflater.limits.slice(0, 4), [1000, 1000, 0, 256 * KIB])
})

t.test('the history is what the message may refer back to', async t => {
  const inflater = new Inflater()
  const history = new History(512)
  inflater.atOnce(1, 1, 1, history)
  inflater.atOnce(1, 1)
  t.strictSame(inflater.histories, [history, undefined])
})

t.test('of bombs no more than 1 MiB come in a turn of the event loop, however many messages they are', async t => {
  for (const size of [1000, 64 * KIB, 256 * KIB]) {
    await nextTurn()
    const inflater = new Inflater()
    let all = 0
    for (let made = inflater.atOnce(10, size); made !== undefined; made = inflater.atOnce(10, size)) all += size - 160
    t.ok(all <= KIB * KIB && all > KIB * KIB - size, `${all} bytes of ${size} each`)
    t.equal(inflater.atOnce(10, 160), 160, 'ordinary messages come all the same')
    t.equal(inflater.atOnce(10, 161), undefined)
    t.equal(inflater.atOnce(8 * KIB, 128 * KIB), 128 * KIB)
    await nextTurn()
    t.equal(inflater.atOnce(10, size), size, 'in the next turn there may be more')
  }
})

t.test('what was made in vain counts as well', async t => {
  const inflater = new Inflater()
  for (let round = 0; round < 5; round++) t.equal(inflater.atOnce(0, 512 * KIB), undefined)
  t.strictSame(inflater.limits.map(limit => limit / KIB), [256, 256, 256, 256, 0])
  await nextTurn()
  for (let round = 0; round < 4; round++) t.equal(inflater.atOnce(0, 512 * KIB, 256 * KIB), 'message-too-big')
  t.equal(inflater.atOnce(0, 1), undefined)
})

t.test('messages that become up to sixteen times as large are no bombs', async t => {
  const inflater = new Inflater()
  for (let round = 0; round < 100; round++) t.equal(inflater.atOnce(4 * KIB, 64 * KIB), 64 * KIB)
  t.equal(inflater.atOnce(10, 256 * KIB), 256 * KIB)
})

t.test('final blocks count by the window that zlib is given again', async t => {
  const engine = chooseEngine(true)
  for (const chosen of [engine, portableEngine]) {
    await nextTurn()
    const history = new History(32768)
    history.append(Buffer.alloc(32768), 0, 32768)
    const final = Buffer.from('f348cdc9c9070000', 'hex')
    const inflate = (said?: History): string | undefined =>
      inflateAtOnce(chosen, final, 0, final.length, 5, said)?.toString()
    for (let round = 0; round < 31; round++) t.equal(inflate(history), 'Hello')
    for (let round = 0; round < 4; round++) t.equal(inflate(), 'Hello', 'without a window it counts 8 KiB')
    t.equal(inflate(history), undefined)
    t.equal(inflate(), undefined)
    const plain = Buffer.from('f248cdc9c90700', 'hex')
    t.equal(String(inflateAtOnce(chosen, plain, 0, plain.length, 5, history)), 'Hello', 'other messages come all the same')
    await nextTurn()
    t.equal(inflate(history), 'Hello', 'in the next turn there may be more')
  }
})

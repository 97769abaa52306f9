/** What every Engine has to do: run by the spec of each. */
import { constants, deflateRawSync } from 'node:zlib'
import type { Test } from 'tap'
import type { Engine } from '../../lib/deflate/engine.ts'
import { History } from '../../lib/deflate/history.ts'
import { OWN_MEMORY_FROM } from '../../lib/protocol/message-codec.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { bomb, EXAMPLES, INVALID, inflated, outcome, samples } from './samples.ts'

const PLAIN = { level: 6, windowBits: 15, memLevel: 8 }
const MIB = 2 ** 20
const AROUND = Buffer.alloc(3000, 0xff)

export function engineContract(t: Test, engine: Engine): void {
  const inflate = (message: Buffer, limit = Infinity, history?: History): Buffer => {
    // What is around it must not be looked at.
    const around = Buffer.concat([AROUND, message, bytes('00')])
    const copy = Buffer.from(around)
    try {
      return engine.inflate(around, AROUND.length, AROUND.length + message.length, limit, history)
    } finally {
      if (!around.equals(copy)) throw new Error('the input was changed')
    }
  }

  t.test('RFC 7692, 7.2.3: examples, inflated', async t => {
    for (const [name, compressed, message] of EXAMPLES) {
      t.equal(outcome(() => inflate(bytes(compressed))), message, name)
    }
  })

  t.test('7.2.3.1: an example, deflated at every level', async t => {
    for (let level = 1; level <= 9; level++) {
      const deflater = engine.createDeflater({ ...PLAIN, level }, false)
      t.equal(hex(deflater.deflate(Buffer.from('Hello'))), 'f248cdc9c90700')
      t.equal(hex(deflater.deflate(Buffer.from('Hello'))), 'f248cdc9c90700', 'nothing is left of the last one')
      deflater.close()
    }
  })

  t.test('7.2.3.2: the window is shared where context is taken over', async t => {
    const deflater = engine.createDeflater(PLAIN, true)
    t.equal(hex(deflater.deflate(Buffer.from('Hello'))), 'f248cdc9c90700')
    t.equal(hex(deflater.deflate(Buffer.from('Hello'))), 'f200110000')
    deflater.close()
    const history = new History(32768)
    history.append(Buffer.from('Hello'), 0, 5)
    t.equal(String(inflate(bytes('f200110000'), 5, history)), 'Hello')
    t.equal(String(inflate(bytes('f348cdc9c90700f200110000'), 10, history)), 'HelloHello')
    t.equal(String(inflate(bytes('f300110000'), 5, history)), 'Hello', 'a final block refers back')
    t.equal(String(inflate(bytes('f3001100f200110000'), 10, history)), 'HelloHello', 'and what is behind it')
  })

  t.test('what a message becomes is expected by its beginning', async t => {
    const large = bomb(16 * MIB)
    const size = engine.expectedSize(large, undefined)
    t.ok(size > 2 * MIB && size < 64 * MIB, `a bomb of 16 MiB: ${size}`)
    t.ok(engine.expectedSize(large.subarray(0, 8192), undefined) < size, 'by as much as there is')
    const stored = Buffer.concat([bytes('00ffff0000'), Buffer.alloc(65_535), bytes('00')])
    t.ok(engine.expectedSize(stored, undefined) < 70_000, 'a stored block')
    t.ok(engine.expectedSize(bytes('f248cdc9c90700'), undefined) <= 10, 'Hello')
    for (const [name, compressed] of INVALID) {
      const size = engine.expectedSize(bytes(compressed), undefined)
      t.ok(size >= 0 && size < 1000, `${name}: ${size}`)
    }
    t.equal(engine.expectedSize(bytes(''), undefined), 0, 'nothing')
    t.equal(outcome(() => inflate(bytes('f248cdc9c90700'))), '48656c6c6f', 'the next')
  })

  t.test('a message that refers back is expected to do so', async t => {
    const history = new History(32768)
    history.append(Buffer.from('Hello'), 0, 5)
    const back = bytes('f200110000')
    const size = engine.expectedSize(back, history)
    t.ok(size >= 5 && size <= 10, `${size}`)
    t.equal(String(history.bytes), 'Hello')
    t.equal(String(inflate(back, 5, history)), 'Hello')
  })

  t.test('what is lent is left as it is where the next message is looked at', async t => {
    const message = inflate(bytes('f248cdc9c90700'))
    engine.expectedSize(bomb(MIB), undefined)
    t.equal(String(message), 'Hello')
  })

  t.test('what is not DEFLATE is refused, and the next message is not', async t => {
    for (const [name, compressed] of INVALID) {
      t.equal(outcome(() => inflate(bytes(compressed))), 'invalid-deflate', name)
      t.equal(outcome(() => inflate(bytes('f248cdc9c90700'))), '48656c6c6f', 'the next')
    }
  })

  // Not with random ones: now and then what is left of one is a message with its tail, by chance.
  t.test('a message that is cut anywhere is refused', async t => {
    // Each with the lengths at which it is whole with its tail: "He"; nothing; "H" and the four bytes of the tail.
    const messages: [compressed: Buffer, whole: number[]][] = [
      [bytes('f248cdc9c90700'), []],
      [bytes('f248050000' + '00ffff' + 'cac9c90700'), [4]],
      [bytes('000500faff48656c6c6f00'), [1, 6]],
      [bytes('f348cdc9c9070000'), []],
    ]
    for (const [compressed, whole] of messages) {
      const accepted: number[] = []
      for (let length = 0; length < compressed.length; length++) {
        if (outcome(() => inflate(compressed.subarray(0, length))) !== 'invalid-deflate') accepted.push(length)
      }
      t.strictSame(accepted, whole, hex(compressed).slice(0, 40))
    }
  })

  t.test('whatever Node deflates is inflated', async t => {
    const { below, compressed, message, size } = samples(t)
    for (let round = 0; round < 150; round++) {
      const original = message(size())
      const before = message(below(2) * below(40_000))
      const history = new History(32768)
      history.append(before, 0, before.length)
      const dictionary = before.length === 0 ? undefined : before
      const deflated = compressed(original, dictionary)
      const result = inflate(deflated, original.length, below(2) || dictionary ? history : undefined)
      if (!result.equals(original)) t.fail(`round ${round}: ${original.length} bytes behind ${before.length}`)
    }
    t.pass('all of them')
  })

  t.test('Node inflates whatever is deflated, with and without context', async t => {
    const { below, message, size } = samples(t)
    for (let level = 1; level <= 9; level++) {
      const settings = { level, windowBits: 9 + below(7), memLevel: 1 + below(9) }
      const alone = engine.createDeflater(settings, false)
      const takeover = engine.createDeflater(settings, true)
      let said = Buffer.alloc(0)
      for (let round = 0; round < 12; round++) {
        const original = message(1 + size())
        const name = `${JSON.stringify(settings)}, round ${round}: ${original.length} bytes`
        const deflated = alone.deflate(original)
        if (!inflated(deflated).equals(original)) t.fail(`alone, ${name}`)
        const dictionary = said.length === 0 ? undefined : said.subarray(-(2 ** settings.windowBits))
        if (!inflated(takeover.deflate(original), dictionary).equals(original)) t.fail(name)
        said = Buffer.concat([said, original])
      }
      alone.close()
      takeover.close()
    }
    t.pass('all of them')
  })

  t.test('the settings are those that were given', async t => {
    const { below, message } = samples(t)
    for (let round = 0; round < 40; round++) {
      const settings = { level: 1 + below(9), windowBits: 9 + below(7), memLevel: 1 + below(9) }
      const original = message(1 + below(20_000))
      const deflater = engine.createDeflater(settings, below(2) === 1)
      const deflated = hex(deflater.deflate(original))
      // In one go, as ours: where zlib has to stop for want of room it may choose its blocks otherwise.
      const options = { ...settings, chunkSize: 128 * 1024, finishFlush: constants.Z_SYNC_FLUSH }
      const reference = deflateRawSync(original, options).subarray(0, -4)
      if (deflated !== hex(reference)) t.fail(`${JSON.stringify(settings)}: ${original.length} bytes`)
      deflater.close()
    }
    t.pass('all of them')
  })

  t.test('the window is as small as agreed', async t => {
    const { message } = samples(t)
    const noise = Buffer.concat([Buffer.from('once upon a time'), bytes('00'.repeat(3))])
    for (let windowBits = 9; windowBits <= 15; windowBits++) {
      const deflater = engine.createDeflater({ ...PLAIN, windowBits }, true)
      const first = Buffer.concat([noise, message(2 ** windowBits)])
      deflater.deflate(first)
      const second = deflater.deflate(noise)
      t.ok(inflated(second, first.subarray(-(2 ** windowBits))).equals(noise), `${windowBits}: reaches no further back`)
      deflater.close()
    }
  })

  t.test('a message may have as many bytes as the limit says, and not one more', async t => {
    const { compressed, message } = samples(t)
    for (const size of [1, 2, 1000, 65_534, 65_535, 65_536, 65_537, 131_072, 300_000]) {
      const original = message(size)
      const small = compressed(original)
      t.ok(inflate(small, size).equals(original), `${size}`)
      t.ok(inflate(small, size + 1).equals(original), `${size} + 1`)
      t.equal(outcome(() => inflate(small, size - 1)), 'message-too-big', `${size} - 1`)
      t.equal(outcome(() => inflate(small, 0)), 'message-too-big')
    }
    t.equal(outcome(() => inflate(bytes('00'), 0)), '', 'nothing is within any limit')
    t.equal(outcome(() => inflate(bytes('f348cdc9c90700f200110000'), 10)), '48656c6c6f48656c6c6f')
    for (const limit of [1, 4, 5, 6, 9]) {
      t.equal(outcome(() => inflate(bytes('f348cdc9c90700f200110000'), limit)), 'message-too-big', 'over a final block')
    }
  })

  t.test('a bomb is stopped at the limit, not behind it', async t => {
    const small = bomb(64 * MIB)
    for (const limit of [1000, MIB]) {
      const { arrayBuffers } = process.memoryUsage()
      t.equal(outcome(() => inflate(small, limit)), 'message-too-big')
      const allocated = process.memoryUsage().arrayBuffers - arrayBuffers
      t.ok(allocated <= 3 * limit + small.length + 512 * 1024, `${allocated} bytes were allocated for ${limit}`)
    }
    t.equal(String(inflate(bytes('f248cdc9c90700'))), 'Hello')
    t.ok(inflate(bomb(5 * MIB), 5 * MIB).equals(Buffer.alloc(5 * MIB)), 'within the limit it is a message')
  })

  t.test('there may be more final blocks in larger messages, and fewer where more was said before them', async t => {
    const finals = (size: number, count: number): Buffer => {
      const header = Buffer.from([0, size & 0xff, size >> 8, ~size & 0xff, ~(size >> 8) & 0xff])
      return Buffer.concat([header, Buffer.alloc(size), bytes('0300'.repeat(count)), bytes('00')])
    }
    // 128 KiB and 32 bytes of window for each of the message; a final block takes what is before it, or 8 KiB.
    for (const [size, most] of [
      [0, 16],
      [1024, 20],
      [11 * 1024, 43],
      [40 * 1024, 44],
    ] as const) {
      t.equal(inflate(finals(size, most)).length, size, `${size}: ${most}`)
      t.equal(outcome(() => inflate(finals(size, most + 1))), 'invalid-deflate', `${size}: ${most} and one more`)
    }
    const history = new History(32768)
    history.append(Buffer.alloc(32768), 0, 32768)
    t.equal(inflate(finals(0, 4), 0, history).length, 0, 'four windows')
    t.equal(outcome(() => inflate(finals(0, 5), 0, history)), 'invalid-deflate', 'five windows')
    // 83 bytes in all: this once had its window of 32 KiB read sixteen times.
    const front = deflateRawSync(Buffer.alloc(32768), { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
    t.equal(outcome(() => inflate(Buffer.concat([front, bytes('0300'.repeat(16) + '00')]))), 'invalid-deflate')
  })

  t.test('final blocks take of the turn of the event loop, and what is over it leaves the next message alone', async t => {
    const taken: number[] = []
    const turn = { take: (bytes: number) => taken.push(bytes) <= 2 }
    const [final, plain] = [bytes('f348cdc9c9070000'), bytes('f248cdc9c90700')]
    const inTurn = (message: Buffer): string => String(engine.inflate(message, 0, message.length, 5, undefined, turn))
    for (let round = 0; round < 2; round++) t.equal(inTurn(final), 'Hello')
    t.throws(() => inTurn(final), { name: 'TurnIsOver' })
    t.strictSame(taken, [8192, 8192, 8192])
    t.equal(inTurn(plain), 'Hello')
    t.equal(String(inflate(final)), 'Hello', 'without a budget')
  })

  t.test('a large message behind a final block, and one in front of it', async t => {
    const { compressed, message } = samples(t)
    const large = Buffer.concat([message(200_000), Buffer.from('the end')])
    // A message with its tail ends on a whole byte, so that a final block can follow.
    const front = Buffer.concat([compressed(large), bytes('0000ffff')])
    const both = Buffer.concat([front, bytes('0300'), front, bytes('0300'), compressed(large)])
    t.ok(inflate(both, 3 * large.length).equals(Buffer.concat([large, large, large])))
    t.equal(outcome(() => inflate(both, 3 * large.length - 1)), 'message-too-big')
  })

  t.test('large results are the caller`s own, and large messages leave nothing large behind', async t => {
    const deflater = engine.createDeflater(PLAIN, false)
    const random = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at * 2654435761) >>> 24))
    const deflated = deflater.deflate(random)
    t.ok(deflated.length >= OWN_MEMORY_FROM, 'it does not get smaller')
    const copy = Buffer.from(deflated)
    const large = inflate(deflated)
    t.ok(deflated.equals(copy))
    deflater.deflate(Buffer.from('another'))
    inflate(bytes('f248cdc9c90700'))
    t.ok(deflated.equals(copy), 'deflated')
    t.ok(large.equals(random), 'inflated')
    const small = inflate(bytes('f248cdc9c90700'))
    // Where results are cut from Node's pool, that is what they hold: Node 26 adds 64 bytes to `Buffer.poolSize`.
    const most = Math.max(OWN_MEMORY_FROM, Buffer.allocUnsafe(1).buffer.byteLength)
    t.ok(small.buffer.byteLength <= most)
    t.ok(deflater.deflate(Buffer.from('another')).buffer.byteLength <= most)
    const even = inflate(bomb(OWN_MEMORY_FROM))
    inflate(bytes('f248cdc9c90700'))
    t.ok(even.equals(Buffer.alloc(OWN_MEMORY_FROM)), 'from 64 KiB on')
    // Zeros, then noise: what has been read says nothing about the rest.
    const uneven = Buffer.concat([Buffer.alloc(100_000), random.subarray(0, 60_000)])
    for (const message of [Buffer.alloc(70_000), uneven]) {
      const result = inflate(Buffer.from(deflater.deflate(message)))
      t.ok(result.equals(message))
      t.ok(result.buffer.byteLength <= 2 * message.length, `${message.length} bytes pin ${result.buffer.byteLength}`)
    }
    deflater.close()
  })

  t.test('what has been lent may be what is compressed next', async t => {
    const deflater = engine.createDeflater(PLAIN, true)
    const { message } = samples(t)
    for (let round = 0; round < 20; round++) {
      const original = message(20_000)
      const deflated = Buffer.from(deflater.deflate(original))
      const fresh = engine.createDeflater(PLAIN, false)
      const again = fresh.deflate(inflate(fresh.deflate(original)))
      t.ok(inflate(again).equals(original))
      t.ok(deflated.length > 0)
      fresh.close()
    }
    deflater.close()
  })

  t.test('messages may be any Uint8Array', async t => {
    const deflater = engine.createDeflater(PLAIN, false)
    const wide = new Uint8Array([0, ...Buffer.from('Hello'), 0])
    t.equal(hex(deflater.deflate(wide.subarray(1, 6))), 'f248cdc9c90700')
    deflater.close()
  })
}

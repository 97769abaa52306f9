import * as zlib from 'node:zlib'
import t, { type Test } from 'tap'
import type { Engine } from '../../lib/deflate/engine.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { SharedCompressor, SharedDecompressor } from '../../lib/deflate/shared-codec.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { compressLater, decompress, decompressAnyhow, decompressLater } from './codec-helpers.ts'
import { bomb, EXAMPLES, INVALID, outcome, samples } from './samples.ts'

const PLAIN = { level: 1, windowBits: 15, memLevel: 8 }
const MIB = 2 ** 20

t.test('fast', async t => codec(t, createFastEngine(zlib) as Engine))
t.test('portable', async t => codec(t, portableEngine))

function codec(t: Test, engine: Engine): void {
  t.test('RFC 7692, 7.2.3: examples', async t => {
    const compressor = new SharedCompressor(PLAIN, engine)
    const decompressor = new SharedDecompressor(engine)
    for (const [name, compressed, message] of EXAMPLES) {
      t.equal(outcome(() => decompress(decompressor, bytes(compressed), 100)), message, name)
      t.equal(hex((await decompressLater(decompressor, bytes(compressed), 100)) as Buffer), message, `${name}, later`)
    }
    for (let round = 0; round < 2; round++) {
      t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700', '7.2.3.1')
      t.equal(hex(compressor.compress(bytes(''))), '00', '7.2.3.6')
      t.equal(hex(await compressLater(compressor, Buffer.from('Hello'))), 'f248cdc9c90700', '7.2.3.1, later')
      t.equal(hex(await compressLater(compressor, bytes(''))), '00', '7.2.3.6, later')
    }
  })

  t.test('no message refers back to another, of whatever connection', async t => {
    const compressor = new SharedCompressor(PLAIN, engine)
    const decompressor = new SharedDecompressor(engine)
    t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'), 5)), 'Hello')
    t.equal(outcome(() => decompress(decompressor, bytes('f200110000'), 5)), 'invalid-deflate')
    t.match(await decompressLater(decompressor, bytes('f200110000'), 5), { code: 'invalid-deflate' })
    const { message } = samples(t)
    const original = message(1000)
    const first = Buffer.from(compressor.compress(original))
    t.ok(first.equals(compressor.compress(original)))
    t.ok(first.equals(await compressLater(compressor, original)), 'later is no other')
  })

  t.test('any message there and back, at once and later', async t => {
    const { below, message, size } = samples(t)
    const decompressor = new SharedDecompressor(engine)
    for (let round = 0; round < 60; round++) {
      const settings = { level: 1 + below(9), windowBits: 9 + below(7), memLevel: 1 + below(9) }
      const compressor = new SharedCompressor(settings, engine)
      const original = message(size())
      const later = await compressLater(compressor, original)
      const compressed = Buffer.from(compressor.compress(original))
      const anyhow = await decompressAnyhow(decompressor, compressed, original.length)
      if (!original.equals(anyhow as Buffer)) t.fail(`${original.length} bytes`)
      const result = await decompressLater(decompressor, later, original.length)
      if (!original.equals(result as Buffer)) t.fail(`${original.length} bytes, later`)
    }
    t.pass('all of them')
  })

  t.test('a message that is refused leaves the next one alone', async t => {
    const decompressor = new SharedDecompressor(engine)
    for (const [name, compressed] of INVALID) {
      t.equal(outcome(() => decompress(decompressor, bytes(compressed), 100)), 'invalid-deflate', name)
      const later = await decompressLater(decompressor, bytes(compressed), 100)
      t.match(later, { code: 'invalid-deflate' }, `${name}, later`)
      t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'), 5)), 'Hello')
    }
    t.equal(outcome(() => decompress(decompressor, bomb(MIB), 1000)), 'message-too-big')
    t.match(await decompressAnyhow(decompressor, bomb(MIB), MIB - 1), { code: 'message-too-big' })
    t.match(await decompressLater(decompressor, bomb(MIB), MIB - 1), { code: 'message-too-big' })
    t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'), 5)), 'Hello')
  })

  t.test('it is nobody`s: to release and close it changes nothing', async t => {
    const compressor = new SharedCompressor(PLAIN, engine)
    const decompressor = new SharedDecompressor(engine)
    for (let round = 0; round < 2; round++) {
      t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700')
      t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'), 5)), 'Hello')
      for (const codec of [compressor, decompressor]) {
        codec.release()
        codec.close()
      }
    }
  })

  t.test('what is done at once', async t => {
    t.equal(new SharedCompressor(PLAIN, engine).atOnceUpTo, 64 * 1024)
    t.equal(new SharedCompressor({ ...PLAIN, level: 6 }, engine).atOnceUpTo, 16 * 1024)
    t.equal(new SharedDecompressor(engine).atOnceUpTo, 8 * 1024)
  })
}

t.test('a context is made at the first message, once', async t => {
  const made: unknown[] = []
  const compressor = new SharedCompressor(PLAIN, {
    ...portableEngine,
    createDeflater: (settings, takeover) => {
      made.push([settings, takeover])
      return portableEngine.createDeflater(settings, takeover)
    },
  })
  t.strictSame(made, [])
  for (let round = 0; round < 3; round++) compressor.compress(Buffer.from('Hello'))
  t.strictSame(made, [[PLAIN, false]])
})

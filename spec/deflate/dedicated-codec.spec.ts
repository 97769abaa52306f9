import { randomBytes } from 'node:crypto'
import * as zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { DedicatedCompressor, DedicatedDecompressor } from '../../lib/deflate/dedicated-codec.ts'
import type { Engine } from '../../lib/deflate/engine.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { retainedBy } from '../helpers/memory.ts'
import { compressLater, decompress, decompressAnyhow, decompressLater } from './codec-helpers.ts'
import { bomb, EXAMPLES, INVALID, outcome, samples } from './samples.ts'

const PLAIN = { level: 6, windowBits: 15, memLevel: 8 }
const KIB = 1024
const MIB = KIB * KIB

t.test('fast', async t => codec(t, createFastEngine(zlib) as Engine))
t.test('portable', async t => codec(t, portableEngine))

/** What a peer has that uses zlib as it comes: one context for all messages. */
class Peer {
  readonly #inflate = zlib.createInflateRaw()
  readonly #deflate: zlib.DeflateRaw

  constructor(windowBits: number) {
    this.#deflate = zlib.createDeflateRaw({ windowBits })
  }

  compress(message: Buffer): Promise<Buffer> {
    return this.#through(this.#deflate, message, 4)
  }

  decompress(compressed: Buffer): Promise<Buffer> {
    return this.#through(this.#inflate, Buffer.concat([compressed, bytes('0000ffff')]), 0)
  }

  /** All that comes out of the stream for `input`, but for the last bytes. */
  async #through(stream: zlib.DeflateRaw | zlib.InflateRaw, input: Buffer, cut: number): Promise<Buffer> {
    const outputs: Buffer[] = []
    const listener = (chunk: Buffer): void => void outputs.push(chunk)
    stream.on('data', listener)
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject)
      stream.write(input)
      stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve)
    })
    stream.removeAllListeners('error').removeListener('data', listener)
    const output = Buffer.concat(outputs)
    return output.subarray(0, output.length - cut)
  }
}

function codec(t: Test, engine: Engine): void {
  t.test('RFC 7692, 7.2.3: examples', async t => {
    for (const [name, compressed, message] of EXAMPLES) {
      const decompressor = new DedicatedDecompressor(15, engine)
      t.equal(outcome(() => decompress(decompressor, bytes(compressed), 100)), message, name)
      const other = new DedicatedDecompressor(15, engine)
      t.equal(hex((await decompressLater(other, bytes(compressed), 100)) as Buffer), message, `${name}, later`)
    }
    const compressor = new DedicatedCompressor(PLAIN, engine)
    t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700', '7.2.3.1')
    t.equal(hex(compressor.compress(bytes(''))), '00', '7.2.3.6')
    t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f200110000', '7.2.3.2')
    compressor.close()
  })

  t.test('7.2.3.2: a message may refer back to any before it, in whatever way that was decompressed', async t => {
    const decompressor = new DedicatedDecompressor(15, engine)
    t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'))), 'Hello')
    t.equal(String(await decompressLater(decompressor, bytes('f200110000'))), 'Hello')
    t.equal(String(decompress(decompressor, bytes('f200110000'))), 'Hello')
    t.equal(String(decompress(decompressor, bytes('00'))), '')
    t.equal(String(await decompressLater(decompressor, bytes('f300110000'))), 'Hello')
    t.equal(String(await decompressLater(decompressor, bytes('f3001100' + 'f200110000'))), 'HelloHello')
    const other = new DedicatedDecompressor(15, engine)
    t.equal(outcome(() => decompress(other, bytes('f200110000'))), 'invalid-deflate', 'of the same connection')
  })

  t.test('a peer with a context of zlib, and messages of all kinds', async t => {
    const { below, message, size } = samples(t)
    for (let windowBits = 9; windowBits <= 15; windowBits++) {
      const peer = new Peer(windowBits)
      const settings = { level: 1 + below(9), windowBits, memLevel: 1 + below(9) }
      const compressor = new DedicatedCompressor(settings, engine)
      const decompressor = new DedicatedDecompressor(windowBits, engine)
      let last = message(size())
      for (let round = 0; round < 30; round++) {
        const original = below(3) === 0 ? last : message(size())
        last = original
        const name = `${JSON.stringify(settings)}, round ${round}: ${original.length} bytes`
        const [later, release] = [below(4) === 0, below(6) === 0]
        if (release) {
          compressor.release()
          decompressor.release()
        }
        const atOnce = (): Buffer => Buffer.from(compressor.compress(original))
        const ours = later ? await compressLater(compressor, original) : atOnce()
        if (!(await peer.decompress(ours)).equals(original)) t.fail(`compressed, ${name}`)
        const theirs = await peer.compress(original)
        const compressed = original.length === 0 ? bytes('00') : theirs
        const result = await (later ? decompressLater : decompressAnyhow)(decompressor, compressed)
        if (!original.equals(result as Buffer)) t.fail(`decompressed, ${name}`)
      }
      compressor.close()
    }
    t.pass('all of them')
  })

  t.test('after release the peer may refer back, and we do not', async t => {
    const compressor = new DedicatedCompressor(PLAIN, engine)
    const decompressor = new DedicatedDecompressor(15, engine)
    compressor.compress(Buffer.from('Hello'))
    t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'))), 'Hello')
    for (let round = 0; round < 2; round++) {
      compressor.release()
      compressor.release()
      decompressor.release()
      decompressor.release()
      t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700')
      t.equal(String(decompress(decompressor, bytes('f200110000'))), 'Hello')
    }
    compressor.close()
  })

  t.test('a large message begins the context anew', async t => {
    const compressor = new DedicatedCompressor(PLAIN, engine)
    compressor.compress(Buffer.from('Hello'))
    t.equal(hex(await compressLater(compressor, Buffer.from('Hello'))), 'f248cdc9c90700')
    t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700')
    // What is compressed while it is under way may go out in front of it.
    const later = compressLater(compressor, Buffer.from('Hello'))
    t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f200110000')
    t.equal(hex(await later), 'f248cdc9c90700')
    t.equal(hex(compressor.compress(Buffer.from('Hello'))), 'f248cdc9c90700')
    compressor.close()
  })

  t.test('a message that is refused leaves the next one alone', async t => {
    const decompressor = new DedicatedDecompressor(15, engine)
    decompress(decompressor, bytes('f248cdc9c90700'))
    for (const [name, compressed] of INVALID) {
      if (compressed === 'f200110000') continue
      t.equal(outcome(() => decompress(decompressor, bytes(compressed), 100)), 'invalid-deflate', name)
      const later = await decompressLater(decompressor, bytes(compressed), 100)
      t.match(later, { code: 'invalid-deflate' }, `${name}, later`)
      t.equal(String(decompress(decompressor, bytes('f200110000'), 5)), 'Hello')
    }
    t.equal(outcome(() => decompress(decompressor, bomb(MIB), 1000)), 'message-too-big')
    t.match(await decompressAnyhow(decompressor, bomb(MIB), MIB - 1), { code: 'message-too-big' })
    t.match(await decompressLater(decompressor, bomb(MIB), MIB - 1), { code: 'message-too-big' })
    t.equal(String(decompress(decompressor, bytes('f200110000'), 5)), 'Hello')
  })

  t.test('no message refers back beyond the window', async t => {
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      const decompressor = new DedicatedDecompressor(windowBits, engine)
      const window = 2 ** windowBits
      decompress(decompressor, bomb(window))
      decompress(decompressor, bytes('f248cdc9c90700'))
      // 'Hello' is as far away as can be: a match of five, and `window` back.
      decompress(decompressor, bomb(window - 5))
      const hello = Buffer.concat([Buffer.from('Hello'), Buffer.alloc(window - 5)])
      const far = zlib.deflateRawSync(Buffer.from('Hello'), {
        dictionary: hello,
        finishFlush: zlib.constants.Z_SYNC_FLUSH,
      })
      t.equal(String(decompress(decompressor, far.subarray(0, -4))), 'Hello', `${windowBits} bits`)
    }
  })

  t.test('a message that is not done at once is done later, and may be referred back to once', async t => {
    const decompressor = new DedicatedDecompressor(15, engine)
    const message = Buffer.concat([Buffer.from('Hello'), Buffer.alloc(MIB), Buffer.from('goodbye')])
    const compressed = zlib.deflateRawSync(message, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)
    t.equal(decompressor.decompress(compressed, 0, compressed.length, Infinity), undefined)
    t.ok(message.equals((await decompressLater(decompressor, compressed)) as Buffer))
    const next = zlib.deflateRawSync(Buffer.from('goodbye'), {
      dictionary: message.subarray(-32 * KIB),
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
    })
    t.equal(String(decompress(decompressor, next.subarray(0, -4))), 'goodbye')
  })

  t.test('close while a large message is under way', async t => {
    const compressor = new DedicatedCompressor(PLAIN, engine)
    const decompressor = new DedicatedDecompressor(15, engine)
    const compressed = new Promise(resolve => compressor.compressLater(Buffer.alloc(MIB), resolve))
    const decompressed = decompressLater(decompressor, bomb(MIB))
    compressor.close()
    compressor.close()
    decompressor.close()
    t.equal(await compressed, undefined)
    t.ok(Buffer.alloc(MIB).equals((await decompressed) as Buffer))
  })

  t.test('a connection takes memory when it has had a message, and as much as was said', async t => {
    const make = (count: number, used: (decompressor: DedicatedDecompressor) => void): number =>
      retainedBy(() =>
        Array.from({ length: count }, () => {
          const decompressor = new DedicatedDecompressor(15, engine)
          used(decompressor)
          return decompressor
        })
      ) / count
    decompress(new DedicatedDecompressor(15, engine), bytes('00'))
    // Some KiB are the engine's own.
    t.ok(make(200, () => {}) < 8 * KIB, 'none')
    t.ok(make(200, decompressor => void decompress(decompressor, bytes('f248cdc9c90700'))) < 8 * KIB, 'five bytes')
    const large = zlib.deflateRawSync(randomBytes(20 * KIB), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)
    const held = make(100, decompressor => void decompress(decompressor, large))
    t.ok(held > 19 * KIB && held < 40 * KIB, `20 KiB: ${held}`)
    const released = make(100, decompressor => {
      decompress(decompressor, large)
      decompressor.release()
    })
    t.ok(released > 19 * KIB && released < 28 * KIB, `20 KiB, released: ${released}`)
    const closed = make(100, decompressor => {
      decompress(decompressor, large)
      decompressor.close()
    })
    t.ok(closed < 8 * KIB, `closed: ${closed}`)
  })

  t.test('what is done at once', async t => {
    t.equal(new DedicatedCompressor({ ...PLAIN, level: 1 }, engine).atOnceUpTo, 64 * KIB)
    t.equal(new DedicatedCompressor(PLAIN, engine).atOnceUpTo, 16 * KIB)
    t.equal(new DedicatedDecompressor(12, engine).atOnceUpTo, 8 * KIB)
  })
}

t.test('a context is made at the first message, and closed when it is given up', async t => {
  const events: unknown[] = []
  const compressor = new DedicatedCompressor(PLAIN, {
    ...portableEngine,
    createDeflater: (settings, takeover) => {
      events.push(settings, takeover)
      const deflater = portableEngine.createDeflater(settings, takeover)
      return { deflate: payload => deflater.deflate(payload), close: () => events.push('closed') }
    },
  })
  compressor.release()
  compressor.compress(Buffer.alloc(0))
  t.strictSame(events, [])
  compressor.compress(Buffer.from('Hello'))
  compressor.compress(Buffer.from('Hello'))
  t.strictSame(events.splice(0), [PLAIN, true])
  compressor.release()
  t.strictSame(events.splice(0), ['closed'])
  compressor.compress(Buffer.from('Hello'))
  compressor.close()
  t.strictSame(events, [PLAIN, true, 'closed'])
})

t.test('the memory of a context: none before the first message and once it is released, more for a larger window', async t => {
  const sizes = [9, 12, 15].map(windowBits => {
    const compressor = new DedicatedCompressor({ level: 1, windowBits, memLevel: 5 }, portableEngine)
    t.equal(compressor.memory, 0)
    compressor.compress(Buffer.from('hello'))
    const { memory } = compressor
    compressor.release()
    t.equal(compressor.memory, 0)
    return memory
  })
  t.ok(sizes[0] > 80 * 1024 && sizes[2] < 400 * 1024, sizes.join())
  t.ok(sizes[0] < sizes[1] && sizes[1] < sizes[2], sizes.join())
})

t.test('the memory of what messages may refer back to', async t => {
  const decompressor = new DedicatedDecompressor(12, portableEngine)
  t.equal(decompressor.memory, 0)
  decompressor.decompress(bytes('f248cdc9c90700'), 0, 7, 5)
  t.ok(decompressor.memory > 5 && decompressor.memory < 8192, `${decompressor.memory}`)
  decompressor.close()
  t.equal(decompressor.memory, 0)
})

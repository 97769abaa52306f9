import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import * as zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { chooseEngine, Codecs, threadCodecs } from '../../lib/deflate/codec.ts'
import type { Engine } from '../../lib/deflate/engine.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import type { Agreement } from '../../lib/deflate/negotiation.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { resolveDeflateSettings, type DeflateSettings } from '../../lib/deflate/settings.ts'
import type { Compressor } from '../../lib/protocol/message-codec.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { decompress } from './codec-helpers.ts'
import { outcome } from './samples.ts'

const SHARED = resolveDeflateSettings()
const DEDICATED = resolveDeflateSettings({ mode: 'dedicated' })
const NEITHER: Agreement = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}
const SERVER: Agreement = { ...NEITHER, serverNoContextTakeover: false, serverMaxWindowBits: 9 }
const CLIENT: Agreement = { ...NEITHER, clientNoContextTakeover: false, clientMaxWindowBits: 9 }
const HELLO = Buffer.from('Hello')

t.test('fast', async t => codec(t, createFastEngine(zlib) as Engine))
t.test('portable', async t => codec(t, portableEngine))

function codec(t: Test, engine: Engine): void {
  /** Not undefined, as it is for one window only. */
  const compressorOf = (codecs: Codecs, ...terms: Parameters<Codecs['createCompressor']>): Compressor => {
    const compressor = codecs.createCompressor(...terms)
    if (compressor === undefined) throw new Error('there is no compressor')
    return compressor
  }

  t.test('who takes over context, and who does not', async t => {
    const codecs = new Codecs(engine)
    const table: [Agreement, server: boolean, client: boolean][] = [
      [NEITHER, false, false],
      [SERVER, true, false],
      [CLIENT, false, true],
      [{ ...SERVER, clientNoContextTakeover: false }, true, true],
    ]
    for (const [agreement, server, client] of table) {
      for (const [role, peer, takeover] of [
        ['server', 'client', server],
        ['client', 'server', client],
      ] as const) {
        const name = `${JSON.stringify(agreement)}: ${role}`
        const compressor = compressorOf(codecs, role, agreement, DEDICATED)
        compressor.compress(HELLO)
        t.equal(hex(compressor.compress(HELLO)), takeover ? 'f200110000' : 'f248cdc9c90700', `${name} compresses`)
        const decompressor = codecs.createDecompressor(peer, agreement)
        decompress(decompressor, bytes('f248cdc9c90700'))
        const back = outcome(() => decompress(decompressor, bytes('f200110000')))
        t.equal(back, takeover ? hex(HELLO) : 'invalid-deflate', `${peer} decompresses`)
        compressor.close()
      }
    }
  })

  t.test('the window is that of the one who sends', async t => {
    const codecs = new Codecs(engine)
    // 600 bytes apart: further than 2^9, and nearer than 2^15.
    const message = Buffer.from(`once upon a time${noise(600)}once upon a time`)
    for (const [agreement, role, windowBits] of [
      [SERVER, 'server', 9],
      [SERVER, 'client', 15],
      [CLIENT, 'server', 15],
      [CLIENT, 'client', 9],
      [{ ...NEITHER, serverMaxWindowBits: 9 }, 'server', 9],
      [{ ...NEITHER, serverMaxWindowBits: 9 }, 'client', 15],
      [{ ...NEITHER, clientMaxWindowBits: 9 }, 'client', 9],
    ] as const) {
      const compressor = compressorOf(codecs, role, agreement, SHARED)
      const { length } = compressor.compress(message)
      const reference = zlib.deflateRawSync(message, { level: 1, windowBits, finishFlush: zlib.constants.Z_SYNC_FLUSH })
      t.equal(length, reference.length - 4, `${JSON.stringify(agreement)}: ${role}`)
      compressor.close()
    }
    const [small, large] = [9, 15].map(windowBits => zlib.deflateRawSync(message, { level: 1, windowBits }).length)
    t.ok((large as number) < (small as number), 'it makes a difference')
  })

  t.test('section 7.1.2.2: a client that may have 8 bits can not compress', async t => {
    const codecs = new Codecs(engine)
    for (const agreement of [NEITHER, CLIENT]) {
      t.equal(codecs.createCompressor('client', { ...agreement, clientMaxWindowBits: 8 }, SHARED), undefined)
      t.not(codecs.createCompressor('server', { ...agreement, clientMaxWindowBits: 8 }, SHARED), undefined)
      t.not(codecs.createCompressor('client', { ...agreement, serverMaxWindowBits: 8 }, SHARED), undefined)
    }
    const decompressor = codecs.createDecompressor('client', { ...SERVER, serverMaxWindowBits: 8 })
    t.equal(String(decompress(decompressor, bytes('f248cdc9c90700'))), 'Hello')
    t.equal(String(decompress(decompressor, bytes('f200110000'))), 'Hello')
  })

  t.test('what is shared is made once for each window and setting, and what is not for each connection', async t => {
    const codecs = new Codecs(engine)
    const make = (agreement: Agreement, settings: DeflateSettings): Compressor =>
      compressorOf(codecs, 'server', agreement, settings)
    const shared = make(NEITHER, SHARED)
    t.equal(make(NEITHER, SHARED), shared)
    t.equal(make({ ...NEITHER, clientMaxWindowBits: 9 }, { ...SHARED, windowBits: 12 }), shared)
    t.equal(compressorOf(codecs, 'client', NEITHER, SHARED), shared)
    const others = [
      make({ ...NEITHER, serverMaxWindowBits: 14 }, SHARED),
      make(NEITHER, { ...SHARED, level: 5 }),
      make(NEITHER, { ...SHARED, memLevel: 1 }),
      new Codecs(engine).createCompressor('server', NEITHER, SHARED),
    ]
    t.equal(new Set([shared, ...others]).size, 5)
    t.not(make(SERVER, DEDICATED), make(SERVER, DEDICATED))
    t.equal(codecs.createDecompressor('server', NEITHER), codecs.createDecompressor('client', NEITHER))
    t.equal(codecs.createDecompressor('server', SERVER), codecs.createDecompressor('server', NEITHER))
    t.not(codecs.createDecompressor('server', CLIENT), codecs.createDecompressor('server', CLIENT))
  })

  t.test('the settings are those of the compressor', async t => {
    const codecs = new Codecs(engine)
    for (const agreement of [NEITHER, SERVER]) {
      t.equal(compressorOf(codecs, 'server', agreement, { ...SHARED, level: 6 }).atOnceUpTo, 16 * 1024)
      // Level and memLevel tell in the size, where a message has some more blocks.
      const message = Buffer.from(noise(3000).replaceAll(/[m-z]/g, 'a'))
      const sizes = [1, 9].flatMap(level =>
        [1, 9].map(memLevel => {
          const compressor = compressorOf(codecs, 'server', agreement, { ...SHARED, level, memLevel })
          const { length } = compressor.compress(message)
          const windowBits = agreement.serverMaxWindowBits
          const finishFlush = zlib.constants.Z_SYNC_FLUSH
          t.equal(length, zlib.deflateRawSync(message, { level, memLevel, windowBits, finishFlush }).length - 4)
          compressor.close()
          return length
        })
      )
      t.equal(new Set(sizes).size, 4)
    }
  })
}

/** Letters without any order, but always the same. */
function noise(size: number): string {
  let state = 1
  return Array.from({ length: size }, () => {
    state = (Math.imul(state, 48_271) >>> 0) % 0x7fffffff
    return String.fromCharCode(97 + (state % 26))
  }).join('')
}

t.test('without internals there is what Node documents', async t => {
  t.equal(chooseEngine(false), portableEngine)
  t.not(chooseEngine(true), portableEngine)
  t.equal(chooseEngine(true, { ...zlib, deflateRawSync: (() => Buffer.alloc(0)) as never }), portableEngine)
})

t.test('a thread ends with contexts open, idle or at work', async t => {
  const file = fileURLToPath(import.meta.url).replace(/deflate\/codec\.spec\.(ts|js)$/, 'fixtures/deflate-thread.$1')
  for (const [how, code] of [
    ['idle', 0],
    ['exit', 7],
    ['busy', 1],
  ] as const) {
    const thread = new Worker(file, { workerData: how })
    thread.on('error', error => t.fail(`${how}: ${String(error)}`))
    const exit = once(thread, 'exit')
    t.strictSame(await once(thread, 'message'), ['ready'])
    if (how === 'busy') t.equal(await thread.terminate(), code)
    t.strictSame(await exit, [code], how)
  }
})

t.test('the codecs of this thread', async t => {
  const codecs = threadCodecs()
  t.equal(threadCodecs(), codecs)
  const compressor = codecs.createCompressor('server', NEITHER, SHARED)
  t.equal(hex(compressor?.compress(HELLO) ?? bytes('')), 'f248cdc9c90700')
  t.equal(String(decompress(codecs.createDecompressor('client', NEITHER), bytes('f248cdc9c90700'))), 'Hello')
})

import * as zlib from 'node:zlib'
import t from 'tap'
import type { Engine } from '../../lib/deflate/engine.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import { History } from '../../lib/deflate/history.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import type { Zlib } from '../../lib/node-internals/zlib-sync.ts'
import { hex } from '../helpers/frames.ts'
import { engineContract } from './engine-contract.ts'
import { outcome, samples } from './samples.ts'

const PLAIN = { level: 1, windowBits: 15, memLevel: 8 }

const engine = createFastEngine(zlib) as Engine
t.not(engine, undefined, 'it works on every release of Node that is supported')

engineContract(t, engine)

t.test('corrupt messages come out as they do in portable mode', async t => {
  const { below, compressed, message, text } = samples(t)
  const differences: string[] = []
  const compare = (bytes: Buffer, history?: History): void => {
    const [fast, portable] = [engine, portableEngine].map(engine =>
      outcome(() => engine.inflate(bytes, 0, bytes.length, 5000, history))
    )
    if (fast !== portable) differences.push(hex(bytes))
  }
  for (let round = 0; round < 60; round++) {
    const history = new History(2 ** (8 + below(8)))
    const before = text(below(600))
    history.append(before, 0, before.length)
    const bytes = compressed(message(below(200)), before.length === 0 ? undefined : before)
    for (let bit = 0; bit < 8 * bytes.length; bit += 1 + below(8)) {
      const at = bit >> 3
      const flipped = Buffer.from(bytes)
      flipped[at] = (bytes[at] as number) ^ (1 << (bit & 7))
      compare(flipped, history)
    }
    compare(Buffer.from(Array.from({ length: below(30) }, () => below(256))))
    // Blocks that follow final ones.
    compare(Buffer.concat([Buffer.from('f348cdc9c90700', 'hex'), bytes]), history)
  }
  t.strictSame(differences, [])
})

t.test('where Node can not do it, there is no fast engine', async t => {
  const real = zlib.createInflateRaw
  const { constants } = zlib
  const withInflater = (change: (stream: zlib.InflateRaw) => unknown): Partial<Zlib> => ({
    createInflateRaw: (options => {
      const stream = real(options)
      change(stream)
      return stream
    }) as typeof real,
  })
  const releases: [name: string, changes: Partial<Zlib>][] = [
    ['handles are called in another way', { deflateRawSync: (() => Buffer.alloc(0)) as typeof zlib.deflateRawSync }],
    ['streams have no handle', withInflater(stream => Reflect.set(stream, '_handle', null))],
    ['streams can not be created', { createInflateRaw: undefined as unknown as typeof real }],
    ['a full flush keeps the context', { constants: { ...constants, Z_FULL_FLUSH: constants.Z_SYNC_FLUSH } }],
    ['a sync flush does not', { constants: { ...constants, Z_SYNC_FLUSH: constants.Z_FULL_FLUSH } }],
    ['it inflates something else', { createInflateRaw: zlib.createInflate as unknown as typeof real }],
    ['it inflates to something else', withInflater(stream => alterOutput(stream))],
    ['errors are told in another way', withInflater(stream => hideErrors(stream))],
    ['the state tells nothing', withInflater(stream => Reflect.set(stream, '_writeState', Uint32Array.of(9, 0)))],
  ]
  for (const [name, changes] of releases) t.equal(createFastEngine({ ...zlib, ...changes }), undefined, name)
  t.not(createFastEngine({ ...zlib }), undefined)
})

interface Handle {
  writeSync(...args: unknown[]): void
}

/** The handle does as ever, but for what `changed` does instead. */
function changeHandle(stream: zlib.InflateRaw, changed: (handle: Handle) => PropertyDescriptorMap): void {
  const handle = Reflect.get(stream, '_handle') as Handle & { reset(): void; close(): void }
  const same = { reset: { value: () => handle.reset() }, close: { value: () => handle.close() } }
  Reflect.set(stream, '_handle', Object.create({}, { ...same, ...changed(handle) }))
}

function hideErrors(stream: zlib.InflateRaw): void {
  changeHandle(stream, handle => {
    Reflect.set(handle, 'onerror', () => {})
    return {
      onerror: { value: () => {}, writable: true },
      writeSync: { value: (...args: unknown[]) => handle.writeSync(...args) },
    }
  })
}

function alterOutput(stream: zlib.InflateRaw): void {
  changeHandle(stream, handle => ({
    onerror: { set: onerror => Reflect.set(handle, 'onerror', onerror), get: () => () => {} },
    writeSync: {
      value: (...args: unknown[]) => {
        handle.writeSync(...args)
        const output = args[4] as Buffer
        output[0] = 0
      },
    },
  }))
}

t.test('zlib without memory is an error, and not for ever', async t => {
  const handles: { onerror(message: string, errno: number, code: string): void }[] = []
  const failing = createFastEngine({
    ...zlib,
    createDeflateRaw: (options => {
      const stream = zlib.createDeflateRaw(options)
      handles.push(Reflect.get(stream, '_handle'))
      return stream
    }) as typeof zlib.createDeflateRaw,
  }) as Engine
  const deflater = failing.createDeflater(PLAIN, true)
  deflater.deflate(Buffer.from('Hello'))
  handles.at(-1)?.onerror('Init error', -4, 'Z_MEM_ERROR')
  t.throws(() => deflater.deflate(Buffer.from('Hello')), { message: 'zlib can not compress: Init error' })
  t.equal(hex(deflater.deflate(Buffer.from('Hello'))), 'f248cdc9c90700', 'and without context')
  deflater.close()
})

t.test('a deflater that is closed gives its memory back', async t => {
  const streams: zlib.DeflateRaw[] = []
  const observed = createFastEngine({
    ...zlib,
    createDeflateRaw: (options => {
      const stream = zlib.createDeflateRaw(options)
      streams.push(stream)
      return stream
    }) as typeof zlib.createDeflateRaw,
  }) as Engine
  t.equal(streams.filter(stream => !stream.destroyed).length, 0, 'what the proof has used is')
  const deflater = observed.createDeflater(PLAIN, true)
  t.equal(streams.at(-1)?.destroyed, false)
  deflater.close()
  t.equal(streams.at(-1)?.destroyed, true)
})

t.test('where a full flush does not part messages at some level, no context serves several connections there', async t => {
  const failing = createFastEngine({
    ...zlib,
    createDeflateRaw: (options => {
      const stream = zlib.createDeflateRaw(options)
      if (options?.level === 9) changeHandle(stream, flushesLess)
      return stream
    }) as typeof zlib.createDeflateRaw,
  }) as Engine
  const message = Buffer.from('what one says is not for another one, '.repeat(10))
  for (const level of [1, 9]) {
    const deflater = failing.createDeflater({ ...PLAIN, level }, false)
    const both = [0, 1].map(() => hex(deflater.deflate(message)))
    t.equal(both[0], both[1], `level ${level}: the second does not refer back to the first`)
    deflater.close()
  }
})

/** A full flush keeps the window, as a sync flush does. */
function flushesLess(handle: Handle): PropertyDescriptorMap {
  const { Z_FULL_FLUSH, Z_SYNC_FLUSH } = zlib.constants
  return {
    onerror: { set: onerror => Reflect.set(handle, 'onerror', onerror), get: () => () => {} },
    writeSync: {
      value: (flush: number, ...args: unknown[]) => handle.writeSync(flush === Z_FULL_FLUSH ? Z_SYNC_FLUSH : flush, ...args),
    },
  }
}

import t from 'tap'
import { createCompression, resolveCompression, type CompressionSettings } from '../../lib/deflate/compression.ts'
import { threadCodecs } from '../../lib/deflate/codec.ts'
import type { Agreement } from '../../lib/deflate/negotiation.ts'
import { DEFAULT_MAX_MESSAGE_BYTES } from '../../lib/protocol/endpoint.ts'

const SHARED = { mode: 'shared', level: 1, windowBits: 15, memLevel: 8, threshold: 1024 } as const
const DEDICATED = { mode: 'dedicated', level: 1, windowBits: 12, memLevel: 5, threshold: 1024 } as const

t.test('the option, as it may be', async t => {
  const cases: [option: unknown, settings: CompressionSettings | undefined][] = [
    [false, undefined],
    [true, SHARED],
    ['shared', SHARED],
    ['dedicated', DEDICATED],
    [{}, SHARED],
    [{ mode: undefined, threshold: undefined, level: undefined }, SHARED],
    [{ mode: 'dedicated' }, DEDICATED],
    [{ threshold: 0 }, { ...SHARED, threshold: 0 }],
    [{ threshold: Infinity, level: 9 }, { ...SHARED, threshold: Infinity, level: 9 }],
    [{ mode: 'dedicated', windowBits: 9, memLevel: 1 }, { ...DEDICATED, windowBits: 9, memLevel: 1 }],
  ]
  for (const [option, settings] of cases) t.strictSame(resolveCompression(option), settings, JSON.stringify(option))
})

t.test('the option, wrong: misuse that names it', async t => {
  const misuse = { name: 'MisuseError', code: 'invalid-option' }
  for (const option of [undefined, null, 0, 1, '', 'off', 'gzip', () => {}, 5n, Symbol('x')]) {
    const message = /^compression must be true, false, 'shared', 'dedicated' or an object of choices, and not /
    t.throws(() => resolveCompression(option), { ...misuse, message }, String(option))
  }
  for (const threshold of [-1, 1.5, NaN, '5', null]) {
    t.throws(() => resolveCompression({ threshold }), { ...misuse, message: /^compression\.threshold/ }, String(threshold))
  }
  for (const option of [{ no: 1 }, { constructor: 1 }, { level: 0 }, { mode: 'both' }, { windowBits: 10 }]) {
    t.throws(() => resolveCompression(option), { ...misuse, message: /^compression\./ }, JSON.stringify(option))
  }
})

t.test('names of elsewhere, and those that are mistyped, are told what is meant', async t => {
  const cases: [option: object, message: string][] = [
    [{ zlibDeflateOptions: {} }, "compression.zlibDeflateOptions is no option: write level, or mode: 'dedicated' with windowBits and memLevel"],
    [{ Treshold: 1 }, 'compression.Treshold is no option, threshold is; there are threshold, mode, level, windowBits, memLevel'],
  ]
  for (const [option, message] of cases) t.throws(() => resolveCompression(option), { code: 'invalid-option', message })
})

const agreement = (server: boolean, client: boolean, serverBits = 15, clientBits = 15): Agreement => ({
  serverNoContextTakeover: !server,
  clientNoContextTakeover: !client,
  serverMaxWindowBits: serverBits,
  clientMaxWindowBits: clientBits,
})

t.test('what a connection compresses with: of its own where there is context takeover in that direction', async t => {
  for (const role of ['server', 'client'] as const) {
    for (const [server, client] of [[false, false], [true, false], [false, true], [true, true]] as const) {
      const agreed = agreement(server, client)
      const settings = { ...DEDICATED, threshold: 7 }
      const [one, other] = [createCompression(role, agreed, settings), createCompression(role, agreed, settings)]
      const [own, peers] = role === 'server' ? [server, client] : [client, server]
      const name = `${role}; takeover of the server's: ${server}, of the client's: ${client}`
      t.equal(one.threshold, 7)
      t.equal(one.contexts, server || client, name)
      t.equal(one.compressor?.contextTakeover, own, name)
      t.equal(one.compressor !== other.compressor, own, name)
      t.equal(one.decompressor !== other.decompressor, peers, name)
    }
  }
})

t.test('where the bytes are counted', async t => {
  const tally = { sentPlain: 0, sentCompressed: 0, receivedPlain: 0, receivedCompressed: 0 }
  t.equal(createCompression('server', agreement(false, false), SHARED, tally).tally, tally)
  t.equal(createCompression('server', agreement(false, false), SHARED).tally, undefined)
})

t.test('a client whose messages can not be compressed still understands those of its server', async t => {
  const { compressor, decompressor } = createCompression('client', agreement(false, false, 15, 8), SHARED)
  t.equal(compressor, undefined)
  const { compressor: peers } = createCompression('server', agreement(false, false, 15, 8), SHARED)
  const compressed = Buffer.from(peers?.compress(Buffer.from('Hello')) ?? [])
  t.equal(String(decompressor.decompress(compressed, 0, compressed.length, DEFAULT_MAX_MESSAGE_BYTES)), 'Hello')
})

t.test('each window its own shared compressor', async t => {
  const of = (bits: number): unknown => createCompression('server', agreement(false, false, bits), SHARED).compressor
  t.equal(of(15), of(15))
  t.not(of(15), of(9))
  t.equal(of(9), threadCodecs().createCompressor('server', agreement(false, false, 9), SHARED))
})

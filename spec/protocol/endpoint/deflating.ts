import t from 'tap'
import { createCompression, resolveCompression } from '../../../lib/deflate/compression.ts'
import type { Role } from '../../../lib/protocol/frame-parser.ts'
import type { Compression } from '../../../lib/protocol/message-codec.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { agreementOf, compressionOf, inflated, MODES } from '../../helpers/agreed.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, frame, hex } from '../../helpers/frames.ts'
import { asSentBy, exchange, Observed, ROLES } from '../../helpers/observed.ts'

const [TEXT, BINARY, COMPRESSED_TEXT, COMPRESSED_BINARY] = ['81', '82', 'c1', 'c2']

t.test('RFC 7692, 7.2.3: messages go out as the examples stand there', async t => {
  const [hello, again] = ['c1 07 f2 48 cd c9 c9 07 00', 'c1 05 f2 00 11 00 00']
  for (const role of ROLES) {
    const { endpoint, output } = new Observed(role, { compression: compressionOf(role, 'dedicated') })
    for (let i = 0; i < 2; i++) t.equal(endpoint.send(Opcode.text, 'Hello'), true)
    t.equal(hex(output.take()), asSentBy(role, [hello, again]))
    endpoint.send(Opcode.text, '')
    endpoint.send(Opcode.binary, bytes(''))
    t.equal(hex(output.take()), asSentBy(role, ['c1 01 00', 'c2 01 00']), '7.2.3.6')
    endpoint.transportEnded()
  }
  const { endpoint, output } = new Observed('server', { compression: compressionOf('server') })
  const repeated = 'Hello'.repeat(4)
  for (let i = 0; i < 2; i++) endpoint.send(Opcode.text, repeated)
  const wire = hex(output.take())
  t.equal(wire.slice(0, wire.length / 2), wire.slice(wire.length / 2), 'without context takeover each is the same')
  t.equal(inflated(bytes(wire).subarray(2, wire.length / 4)).toString(), repeated)
})

t.test('from the threshold on, in bytes; `compress` says otherwise', async t => {
  const fake = (threshold: number): FakeCompression => Object.assign(new FakeCompression(), { threshold })
  const rows: [data: string | Uint8Array, compress: boolean | undefined, compressed: boolean][] = [
    ['aaa', undefined, false],
    ['aaaa', undefined, true],
    ['éa', undefined, false],
    ['éé', undefined, true],
    ['€a', undefined, true],
    ['', undefined, false],
    ['aaa', true, true],
    ['aaaaaa', false, false],
    [bytes('616161'), undefined, false],
    [bytes('61616161'), undefined, true],
    [bytes('6161'), true, true],
    [bytes('61616161'), false, false],
  ]
  for (const role of ROLES) {
    for (const opcode of [Opcode.text, Opcode.binary]) {
      for (const [data, compress, compressed] of rows) {
        const { endpoint, output } = new Observed(role, { compression: fake(4) })
        t.equal(endpoint.send(opcode, data, false, compress), true)
        const plain = Buffer.from(data as string)
        const payload = compressed ? plain.filter((_, i) => i % 2 === 0) : plain
        const first = (compressed ? 0xc0 : 0x80) | opcode
        const sent = asSentBy(role, [frame(first.toString(16), payload)])
        t.equal(hex(output.take()), sent, `${String(data)}, ${compress}`)
      }
    }
  }
  const never = new Observed('server', { compression: fake(Infinity) })
  never.endpoint.send(Opcode.text, 'aaaaaaaa')
  never.endpoint.send(Opcode.text, 'aaaaaaaa', false, true)
  t.equal(never.sent(), frame(TEXT, 'aaaaaaaa') + frame(COMPRESSED_TEXT, 'aaaa'))
  const none = new Observed('server')
  none.endpoint.send(Opcode.text, 'aaaaaaaa', false, true)
  t.equal(none.sent(), frame(TEXT, 'aaaaaaaa'), 'without effect where it was not agreed on')
})

t.test('compressorFor tells in advance what `send` would do', async t => {
  const compression = new FakeCompression()
  const { endpoint } = new Observed('server', { compression })
  t.equal(endpoint.compressorFor('aaa', undefined), undefined)
  t.equal(endpoint.compressorFor('aaaa', false), undefined)
  t.equal(endpoint.compressorFor('€a', undefined), compression.compressor)
  t.equal(endpoint.compressorFor('', true), compression.compressor)
  t.equal(new Observed('server').endpoint.compressorFor('aaaa', true), undefined)
})

t.test('what would not get smaller goes as it is, unless later messages may refer back to it', async t => {
  for (const role of ROLES) {
    for (const [made, smaller] of [['zzz', true], ['zzzz', false], ['zzzzz', false]] as const) {
      for (const contextTakeover of [false, true]) {
        const compression = new FakeCompression()
        Object.assign(compression.compressor, { contextTakeover, make: () => Buffer.from(made) })
        const observed = new Observed(role, { compression })
        observed.endpoint.send(Opcode.text, 'aaaa')
        observed.endpoint.send(Opcode.binary, bytes('61616161'))
        const frames = smaller || contextTakeover
          ? [frame(COMPRESSED_TEXT, made), frame(COMPRESSED_BINARY, made)]
          : [frame(TEXT, 'aaaa'), frame(BINARY, 'aaaa')]
        t.equal(observed.sent(), asSentBy(role, frames), `${role}, ${made}, ${contextTakeover}`)
      }
    }
  }
})

const KINDS = [[10, true], [20_000, true], [100_000, true], [10, false], [20_000, false], [80_000, false]] as const

t.test('what stays the caller\'s, what a codec lends and what goes out do not share memory', async t => {
  for (const role of ROLES) {
    for (const lent of [false, true]) {
      for (const [size, smaller] of KINDS) {
        const compression = new FakeCompression()
        Object.assign(compression.compressor, { atOnceUpTo: 200_000 })
        if (!smaller) compression.compressor.make = payload => Buffer.from(payload)
        const observed = new Observed(role, { compression })
        const data = Buffer.alloc(size, 'a')
        observed.endpoint.send(Opcode.binary, data, lent)
        compression.spoil()
        t.ok(data.equals(Buffer.alloc(size, 'a')), 'not changed')
        const byReference = role === 'server' && !lent && !smaller && size >= 64 * 1024
        if (!byReference) data.fill('b')
        const expected = frame(smaller ? COMPRESSED_BINARY : BINARY, Buffer.alloc(smaller ? size / 2 : size, 'a'))
        const name = `${role}, ${size} bytes, lent: ${lent}, smaller: ${smaller}`
        t.ok(observed.sent() === asSentBy(role, [expected]), name)
        observed.endpoint.send(Opcode.binary, data, lent)
        if (byReference) data.fill('b')
        const next = frame(smaller ? COMPRESSED_BINARY : BINARY, Buffer.alloc(smaller ? size / 2 : size, 'b'))
        t.ok(!byReference || observed.sent() === asSentBy(role, [next]), 'by reference')
      }
    }
  }
})

t.test('text is encoded for its codec only: the next text changes nothing that waits', async t => {
  for (const role of ROLES) {
    for (const smaller of [true, false]) {
      for (const size of [10, 16_384, 20_000]) {
        const compression = new FakeCompression()
        Object.assign(compression.compressor, { atOnceUpTo: 200_000 })
        if (!smaller) compression.compressor.make = payload => Buffer.from(payload)
        const observed = new Observed(role, { compression })
        for (const letter of ['a', 'b']) observed.endpoint.send(Opcode.text, letter.repeat(size))
        const first = smaller ? COMPRESSED_TEXT : TEXT
        const frames = ['a', 'b'].map(letter => frame(first, letter.repeat(smaller ? size / 2 : size)))
        t.ok(observed.sent() === asSentBy(role, frames), `${role}, ${smaller}, ${size}`)
      }
    }
  }
})

t.test('a result of 64 KiB or more is its own memory and goes by reference; a smaller one is copied', async t => {
  for (const [size, own] of [[65_535, false], [65_536, true]] as const) {
    const compression = new FakeCompression()
    const made = Buffer.alloc(size, 'z')
    Object.assign(compression.compressor, { atOnceUpTo: 200_000 })
    // Not through `compress`, which copies: this very memory has to be seen.
    compression.compressor.compress = () => made
    const observed = new Observed('server', { compression })
    observed.endpoint.send(Opcode.binary, Buffer.alloc(70_000))
    made.fill('y')
    t.ok(observed.sent() === frame(COMPRESSED_BINARY, Buffer.alloc(size, own ? 'y' : 'z')), `${size}`)
  }
})

t.test('7.4.1: noise within the limit, with a context that grows it most, is not refused by the other end', async t => {
  const settings = resolveCompression({ mode: 'dedicated', memLevel: 1, threshold: 0 })
  if (settings === undefined) throw new Error('no compression')
  const agreement = agreementOf('dedicated')
  const compression = (role: Role): Compression => createCompression(role, agreement, settings)
  const limit = 64 * 1024
  const server = new Observed('server', { compression: compression('server'), maxMessageBytes: limit })
  const client = new Observed('client', { compression: compression('client'), maxMessageBytes: limit })
  let state = 1
  const next = (): number => (state = Math.imul(state, 1664525) + 1013904223) >>> 24
  const noise = Buffer.from(Array.from({ length: limit }, next))
  const done = new Promise<void>(resolve => {
    server.hook = event => {
      if (event === 'ready') server.endpoint.resume()
      if (event.startsWith('binary') || event.startsWith('close')) resolve()
    }
  })
  client.endpoint.send(Opcode.binary, noise)
  exchange(client, server)
  await done
  t.ok(server.events.join() === `busy,ready,binary ${hex(noise)}`, server.events.join().slice(0, 80))
  for (const { endpoint } of [server, client]) endpoint.transportEnded()
})

t.test('8.1: text given as bytes is checked before it is compressed', async t => {
  for (const mode of MODES) {
    const observed = new Observed('server', { compression: compressionOf('server', mode) })
    t.throws(() => observed.endpoint.send(Opcode.text, bytes('c3'), false, true), { code: 'invalid-argument' })
    t.equal(observed.sent(), '')
  }
})

t.test('an idle connection gives up its contexts, where it has some of its own', async t => {
  const fake = new FakeCompression()
  for (const [contexts, own] of [[undefined, false], [false, false], [true, true]] as const) {
    const { endpoint } = new Observed('server', { compression: { ...fake, contexts } })
    t.equal(endpoint.hasContexts, own)
  }
  const { endpoint } = new Observed('server', { compression: fake })
  endpoint.releaseContexts()
  t.strictSame([fake.compressor.released, fake.decompressor.released], [1, 1])
  const inflating = new Observed('client', { compression: { decompressor: fake.decompressor, compressor: undefined, threshold: 0 } })
  inflating.endpoint.releaseContexts()
  t.equal(fake.decompressor.released, 2)
  const { endpoint: plain } = new Observed('server')
  t.equal(plain.hasContexts, false)
  plain.releaseContexts()
})

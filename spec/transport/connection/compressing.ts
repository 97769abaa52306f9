import t from 'tap'
import { encodeShared } from '../../../lib/broadcast/shared-frame.ts'
import { resolveCompression, createCompression } from '../../../lib/deflate/compression.ts'
import type { Agreement } from '../../../lib/deflate/negotiation.ts'
import type { Compression } from '../../../lib/protocol/message-codec.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { connected } from '../../helpers/connected.ts'
import { Takeover, deflated, deflatedFrame, inflated } from '../../helpers/deflated.ts'
import { bytes, closeFrame, frame, hex } from '../../helpers/frames.ts'
import { handCompression } from '../../helpers/hand-codec.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'

const KIB = 1024
const LARGE = 'large '.repeat(500)
const LIMITS = { limits: { queuedBytes: 300 * KIB } }
const AGREEMENT: Agreement = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}

function realCompression(mode: 'shared' | 'dedicated', threshold = 0): Compression {
  const settings = resolveCompression({ mode, threshold })
  if (settings === undefined) throw new Error('no compression')
  const takeover = mode === 'dedicated'
  const agreement = { ...AGREEMENT, serverNoContextTakeover: !takeover, clientNoContextTakeover: !takeover }
  return createCompression('server', agreement, settings)
}

t.test('the extensions are what was agreed on, or empty', async t => {
  t.equal(connected(t).connection.extensions, '')
  t.equal(connected(t, {}, { extensions: 'permessage-deflate' }).connection.extensions, 'permessage-deflate')
})

t.test('from the threshold on, unless `compress` says otherwise', async t => {
  const { connection, transport } = connected(t, {}, { compression: handCompression(10) })
  const text = 'aaaaaaaaaa'
  const sent: [data: string, compress: boolean | undefined, expected: string][] = [
    [text, undefined, deflatedFrame('81', text)],
    [text.slice(1), undefined, frame('81', text.slice(1))],
    ['öööö', undefined, frame('81', 'öööö')],
    ['ööööö', undefined, deflatedFrame('81', 'ööööö')],
    [text.slice(1), true, deflatedFrame('81', text.slice(1))],
    [text, false, frame('81', text)],
  ]
  await turn()
  for (const [data, compress, expected] of sent) {
    connection.send(data, { compress })
    await turn()
    t.equal(transport.written(), expected, `${data}, ${compress}`)
  }
  connection.send(Buffer.alloc(50), { binary: true })
  await turn()
  t.equal(transport.written(), deflatedFrame('82', Buffer.alloc(50)))
})

t.test('without compression `compress` is without effect', async t => {
  const { connection, transport } = connected(t)
  connection.send(LARGE, { compress: true })
  await turn()
  t.equal(transport.written(), frame('81', LARGE))
})

t.test('small messages, broadcasts and the close frame keep behind a large one; pings do not', async t => {
  const compression = handCompression(20)
  const { connection, transport } = connected(t, {}, { compression })
  t.equal(connection.send(LARGE), true)
  connection.send('small')
  t.equal(connection.sendShared(encodeShared(Opcode.text, 'shared'), undefined), true)
  const shared = encodeShared(Opcode.text, 'shared and compressed '.repeat(5))
  connection.sendShared(shared, true)
  connection.ping('p')
  connection.send(LARGE.slice(6))
  connection.send('last')
  connection.close(1000)
  await turn()
  t.equal(transport.written(), frame('89', 'p'))
  compression.compressor.finish()
  await turn()
  const { bytes: memory, start, end } = shared.frameFor(compression.compressor)
  const first = [deflatedFrame('81', LARGE), frame('81', 'small'), frame('81', 'shared'), hex(memory.subarray(start, end))]
  t.equal(transport.written(), first.join(''))
  compression.compressor.finish()
  await turn()
  t.equal(transport.written(), deflatedFrame('81', LARGE.slice(6)) + frame('81', 'last') + closeFrame(1000))
})

t.test('bufferedAmount counts what is being compressed, and what waits for it', async t => {
  const compression = handCompression()
  const { connection, transport } = connected(t, {}, { compression })
  await turn()
  transport.stall()
  connection.send(LARGE)
  t.equal(connection.bufferedAmount, 3000)
  connection.send('12345', { compress: false })
  t.equal(connection.bufferedAmount, 3005)
  connection.sendShared(encodeShared(Opcode.text, '12345'), false)
  t.equal(connection.bufferedAmount, 3012, 'a frame with its header')
  await turn()
  compression.compressor.finish()
  t.equal(connection.bufferedAmount, deflated(LARGE).length + 2 + 7 + 7)
  await turn()
  transport.goOn()
  await eventually('all to be taken', () => connection.bufferedAmount === 0)
})

t.test('send says false from 64 KiB on that are being compressed, and drain comes when they are out', async t => {
  const compression = handCompression()
  const { connection, journal } = connected(t, {}, { compression })
  t.equal(connection.send(Buffer.alloc(64 * KIB - 1)), true)
  t.equal(connection.send('a'), false)
  let drained = false
  const promise = connection.drained().then(() => void (drained = true))
  for (let i = 0; i < 5; i++) await turn()
  t.strictSame([journal.lines, drained], [['open'], false])
  compression.compressor.finish()
  await within(promise, 'drained')
  t.strictSame(journal.lines, ['open', 'drain'])
})

t.test('a transport that drains meanwhile is no drain for what is being compressed', async t => {
  const compression = handCompression()
  const { connection, transport, journal } = connected(t, {}, { compression })
  await turn()
  transport.stall()
  connection.send(Buffer.alloc(30 * KIB), { compress: false })
  connection.send(Buffer.alloc(80 * KIB))
  await turn()
  transport.goOn()
  for (let i = 0; i < 5; i++) await turn()
  t.strictSame(journal.lines, ['open'])
  compression.compressor.finish()
  await journal.until('drain')
  t.equal(journal.lines.length, 2)
})

t.test('limits.queuedBytes holds for what is being compressed', async t => {
  const compression = handCompression()
  const { connection, journal } = connected(t, {}, { compression, ...LIMITS })
  for (let i = 0; i < 3; i++) connection.send(Buffer.alloc(100 * KIB))
  t.equal(connection.readyState, 'open', 'all of it, and not a byte more')
  t.equal(connection.send('a'), false)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 slow-consumer', 'gone'])
  compression.compressor.finish()
  t.equal(connection.bufferedAmount, 0)
})

t.test('one large message over the limit goes where the queue is empty', async t => {
  const compression = handCompression()
  const { connection, transport } = connected(t, {}, { compression, ...LIMITS })
  await turn()
  connection.send(Buffer.alloc(400 * KIB))
  t.equal(connection.readyState, 'open')
  compression.compressor.finish()
  await turn()
  t.equal(transport.written(), deflatedFrame('82', Buffer.alloc(400 * KIB)))
})

t.test('a connection that ends takes what is being compressed along, and those who wait hear of it', async t => {
  const compression = handCompression()
  const { connection, transport, journal } = connected(t, {}, { compression })
  connection.send(Buffer.alloc(80 * KIB))
  connection.send('behind')
  const drained = connection.drained()
  connection.terminate()
  await t.rejects(within(drained, 'the end'), { code: 'connection-closed' })
  compression.compressor.finish()
  await turn()
  t.equal(transport.written(), '')
  t.strictSame(journal.lines, ['open', 'close 1006 terminated', 'gone'])
  t.strictSame([compression.compressor.calls.at(-1), compression.decompressor.calls], ['close', ['close']])
})

const DEFLATED = deflatedFrame('81', randomText(400))
const INFLATED = `text of ${randomText(400).length}`

/** Text that does not compress below 50 bytes. */
function randomText(length: number): string {
  let state = 1
  return Array.from({ length }, () => {
    state = (state * 48271) % 0x7fffffff
    return String.fromCharCode(97 + (state % 26))
  }).join('')
}

t.test('while a large message is inflated nothing is read; then all comes in order', async t => {
  const compression = handCompression()
  const { connection, transport, journal, feed } = connected(t, {}, { compression })
  await turn()
  feed(frame('81', 'a'), DEFLATED, frame('81', 'b'), frame('89', 'p'))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a'])
  t.equal(transport.isPaused(), true)
  feed(frame('81', 'c'))
  await turn()
  t.ok(transport.readableLength > 0, 'it waits where it is')
  compression.decompressor.finish()
  t.strictSame(await journal.reach(5), ['open', 'text a', INFLATED, 'text b', 'text c'])
  t.equal(transport.isPaused(), false)
  await turn()
  t.equal(transport.written(), frame('8a', 'p'))
  t.equal(connection.readyState, 'open')
})

t.test('two large ones in one read: one after the other, with nothing read between', async t => {
  const compression = handCompression()
  const { transport, journal, feed } = connected(t, {}, { compression })
  await turn()
  feed(DEFLATED, DEFLATED, frame('81', 'b'))
  await turn()
  compression.decompressor.finish()
  await turn()
  t.strictSame(journal.lines, ['open', INFLATED])
  t.equal(transport.isPaused(), true)
  compression.decompressor.finish()
  t.strictSame(await journal.reach(4), ['open', INFLATED, INFLATED, 'text b'])
  t.equal(transport.isPaused(), false)
})

t.test('one that came ahead of the connection', async t => {
  const compression = handCompression()
  const early = maskedAll(DEFLATED, frame('81', 'b'))
  const { transport, journal, feed } = connected(t, {}, { compression, early })
  await turn()
  feed(frame('81', 'c'))
  await turn()
  t.strictSame([journal.lines, transport.isPaused()], [['open'], true])
  compression.decompressor.finish()
  t.strictSame(await journal.reach(4), ['open', INFLATED, 'text b', 'text c'])
})

function maskedAll(...frames: string[]): string {
  return frames.map(each => hex(maskedBytes(each))).join('')
}

function maskedBytes(each: string): Buffer {
  const all = bytes(each)
  const small = all[1]
  const header = small < 126 ? 2 : 4
  return Buffer.concat([all.subarray(0, 1), Buffer.from([small | 0x80]), all.subarray(2, header), Buffer.alloc(4), all.subarray(header)])
}

t.test('what handlers send to an inflated message leaves in one write', async t => {
  const compression = handCompression(1000)
  const { transport, feed } = connected(t, { message: (socket, data) => socket.send(data.slice(0, 3)) }, { compression })
  await turn()
  feed(DEFLATED, frame('81', 'bbbb'))
  await turn()
  transport.written()
  const before = transport.writes.length
  compression.decompressor.finish()
  await turn()
  t.equal(transport.written(), frame('81', randomText(3)) + frame('81', 'bbb'))
  t.equal(transport.writes.length, before + 1)
})

t.test('paused while it is inflated: it waits until resume, whichever comes first', async t => {
  for (const first of ['resume', 'inflated'] as const) {
    const compression = handCompression()
    const { connection, transport, journal, feed } = connected(t, {}, { compression })
    await turn()
    feed(DEFLATED, frame('81', 'b'))
    await turn()
    connection.pause()
    if (first === 'resume') connection.resume()
    else compression.decompressor.finish()
    await turn()
    await turn()
    t.strictSame([journal.lines, transport.isPaused()], [['open'], true], `${first} first`)
    if (first === 'resume') compression.decompressor.finish()
    else connection.resume()
    t.strictSame(await journal.reach(3), ['open', INFLATED, 'text b'])
    await turn()
    t.equal(transport.isPaused(), false)
  }
})

t.test('closed while it is inflated: it is handed over still, and the answer is read', async t => {
  const compression = handCompression()
  const { connection, transport, journal, feed } = connected(t, {}, { compression })
  await turn()
  feed(DEFLATED, frame('81', 'b'))
  await turn()
  connection.close(1000)
  await turn()
  t.equal(transport.written(), closeFrame(1000))
  feed(frame('81', 'c'), closeFrame(1000))
  await turn()
  t.strictSame(journal.lines, ['open'])
  compression.decompressor.finish()
  t.strictSame(await journal.reach(5), ['open', INFLATED, 'text b', 'text c', 'close 1000'])
})

t.test('closed while it is inflated and the connection is paused: thrown away, and the answer is read', async t => {
  const compression = handCompression()
  const { connection, journal, feed } = connected(t, {}, { compression })
  await turn()
  feed(DEFLATED, frame('81', 'b'))
  await turn()
  connection.pause()
  connection.close(1000)
  feed(frame('81', 'c'), closeFrame(1000))
  compression.decompressor.finish()
  t.strictSame(await journal.reach(2), ['open', 'close 1000'])
})

t.test('terminated, failed or lost while it is inflated: it does not come any more', async t => {
  for (const [how, end, expected] of [
    ['terminated', peer => peer.connection.terminate(), 'close 1006 terminated'],
    ['failed', peer => peer.connection.fail(1008, 'no'), 'close 1008 no'],
    ['lost', peer => void peer.transport.destroy(Object.assign(new Error('x'), { code: 'ECONNRESET' })), 'close 1006 ECONNRESET'],
  ] as readonly [string, (peer: ReturnType<typeof connected>) => void, string][]) {
    const compression = handCompression()
    const peer = connected(t, {}, { compression })
    await turn()
    peer.feed(DEFLATED, frame('81', 'b'))
    await turn()
    end(peer)
    compression.decompressor.finish()
    peer.transport.push(null)
    await peer.journal.until('gone')
    t.strictSame(peer.journal.lines, ['open', expected, 'gone'], how)
  }
})

t.test('corrupt, too big, or not UTF-8: the code of each', async t => {
  const cases: [wire: string, line: string][] = [
    [frame('c1', bytes('ff')), 'close 1007'],
    [frame('c1', bytes('07'.repeat(20_000))), 'close 1007'],
    [deflatedFrame('81', Buffer.from([0xc3])), 'close 1007'],
    [deflatedFrame('82', Buffer.alloc(200_001)), 'close 1009'],
    [deflatedFrame('82', Buffer.alloc(20_000_000)), 'close 1009'],
  ]
  for (const mode of ['shared', 'dedicated'] as const) {
    for (const [wire, line] of cases) {
      const compression = realCompression(mode)
      const { journal, feed } = connected(t, {}, { compression, limits: { messageBytes: 200_000 } })
      feed(wire, frame('81', 'too late'))
      await journal.until('close')
      t.strictSame(journal.lines.map(each => each.slice(0, line.length)).filter(each => !each.startsWith('failed')), ['open', line])
    }
  }
})

t.test('message data are of their own memory: the next message does not change them', async t => {
  // What Node's pool is: up to Node 24 it is `Buffer.poolSize`, from 26 on 64 bytes more.
  const pool = Buffer.allocUnsafe(1).buffer.byteLength
  for (const mode of ['shared', 'dedicated'] as const) {
    for (const size of [10, 100, 5000, 40_000, 60_000, 70_000, 150_000]) {
      const kept: Buffer[] = []
      const compression = realCompression(mode)
      const { journal, feed } = connected(t, { message: (_, data) => void kept.push(data as Buffer) }, { compression })
      for (const fill of [1, 2, 3]) {
        feed(deflatedFrame('82', Buffer.alloc(size, fill)))
        await journal.reach(fill + 1)
      }
      t.ok(kept.every((each, i) => each.equals(Buffer.alloc(size, i + 1))), `${mode}, ${size} bytes`)
      t.notOk(kept.some(each => each.buffer.byteLength > 4 * size + pool), 'and they hold no more than they need')
    }
  }
})

t.test('and so are those that wait for an iterator', async t => {
  const { connection, feed } = connected(t, {}, { compression: realCompression('shared'), pulled: true })
  const iterator = connection[Symbol.asyncIterator]()
  await turn()
  feed(deflatedFrame('82', Buffer.alloc(40_000, 1)), deflatedFrame('82', Buffer.alloc(20_000, 2)))
  await turn()
  for (const [size, fill] of [[40_000, 1], [20_000, 2]]) {
    const { value } = await within(iterator.next(), 'a message')
    t.ok(Buffer.alloc(size, fill).equals(value as Buffer), `${size} bytes`)
  }
})

t.test('what is sent may be changed at once where it is small, compressed at once or not', async t => {
  const { connection, transport } = connected(t, {}, { compression: realCompression('shared') })
  await turn()
  const data = Buffer.alloc(5000, 'abc')
  connection.send(data)
  data.fill(0)
  await turn()
  t.ok(inflated(bytes(transport.written()).subarray(2)).equals(Buffer.alloc(5000, 'abc')))
})

t.test('broadcasts with context takeover are compressed for each connection, and counted even where it is behind', async t => {
  const { connection, transport } = connected(t, {}, { compression: realCompression('dedicated', 10) })
  await turn()
  const peer = new Takeover()
  const sizes: number[] = []
  for (const _ of [1, 2, 3]) {
    t.equal(connection.sendShared(encodeShared(Opcode.text, randomText(200)), undefined), true)
    await turn()
    const wire = bytes(transport.written())
    const header = wire[1] < 126 ? 2 : 4
    sizes.push(wire.length)
    t.equal(wire[0], 0xc1)
    t.equal(peer.inflate(wire.subarray(header)).toString(), randomText(200))
  }
  t.ok(sizes[1] < sizes[0] / 5, 'it refers back')
  connection.sendShared(encodeShared(Opcode.text, 'short'), undefined)
  connection.sendShared(encodeShared(Opcode.text, randomText(200)), false)
  connection.sendShared(encodeShared(Opcode.ping, 'p'.repeat(100)), true)
  await turn()
  t.equal(transport.written(), frame('81', 'short') + frame('81', randomText(200)) + frame('89', 'p'.repeat(100)))
  transport.stall()
  connection.send(Buffer.alloc(100_000), { compress: false })
  t.equal(connection.sendShared(encodeShared(Opcode.text, randomText(200)), undefined), true, 'it was accepted')
})

t.test('contexts are given up on request, and the peer understands what follows', async t => {
  const compression = realCompression('dedicated')
  const { connection, transport, journal, feed } = connected(t, {}, { compression })
  await turn()
  const peer = new Takeover()
  for (const _ of [1, 2]) {
    connection.send(randomText(200))
    await turn()
    const wire = bytes(transport.written())
    t.equal(peer.inflate(wire.subarray(wire[1] < 126 ? 2 : 4)).toString(), randomText(200))
    t.ok(wire.length > 100, 'as large as the first')
    connection.releaseContexts()
  }
  feed(deflatedFrame('81', 'Hello'))
  await journal.reach(2)
  connection.releaseContexts()
  // RFC 7692, section 7.2.3.2: it refers back to the first.
  feed(frame('c1', bytes('f200110000')))
  t.strictSame(await journal.reach(3), ['open', 'text Hello', 'text Hello'])
})

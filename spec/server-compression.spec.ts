import { randomBytes } from 'node:crypto'
import { constants, deflateRawSync } from 'node:zlib'
import t from 'tap'
import type { CompressionOption } from '../lib/deflate/compression.ts'
import { kore_attach, kore_websocket_handshake } from '../lib/kore.ts'
import { deflated, deflatedFrame, Takeover } from './helpers/deflated.ts'
import { bytes, closeFrame, frame, hex } from './helpers/frames.ts'
import { random } from './helpers/random.ts'
import { clientsOf, running } from './helpers/running.ts'
import type { WireClient } from './helpers/wire-client.ts'

const OFFER = 'permessage-deflate; client_max_window_bits'
const offering = (offer: string | readonly string[]) => ({ headers: { 'sec-websocket-extensions': offer } })
const TAKEOVER = 'server_max_window_bits=12; client_max_window_bits=12'
const NO_TAKEOVER = 'server_no_context_takeover; client_no_context_takeover'
const LONG = 'a message that is worth it '.repeat(100)

t.test('offers and their answers, as they stand in the headers; the connection knows', async t => {
  const cases: [option: CompressionOption, offer: string | readonly string[], answer: string | undefined][] = [
    [false, OFFER, undefined],
    [true, 'permessage-deflate', `permessage-deflate; ${NO_TAKEOVER}`],
    ['shared', OFFER, `permessage-deflate; ${NO_TAKEOVER}`],
    ['shared', 'permessage-deflate; server_max_window_bits=9', `permessage-deflate; ${NO_TAKEOVER}; server_max_window_bits=9`],
    ['dedicated', OFFER, `permessage-deflate; ${TAKEOVER}`],
    ['dedicated', 'permessage-deflate', 'permessage-deflate; server_max_window_bits=12'],
    ['dedicated', `${OFFER}; server_no_context_takeover`, `permessage-deflate; server_no_context_takeover; ${TAKEOVER}`],
    [{ mode: 'dedicated', windowBits: 15 }, OFFER, 'permessage-deflate'],
    [{ mode: 'dedicated', windowBits: 10 }, 'permessage-deflate; client_max_window_bits="9"', 'permessage-deflate; server_max_window_bits=10; client_max_window_bits=9'],
    [true, 'x-webkit-deflate-frame, permessage-deflate', `permessage-deflate; ${NO_TAKEOVER}`],
    [true, ['permessage-deflate; unknown', 'permessage-deflate; server_max_window_bits=10'], `permessage-deflate; ${NO_TAKEOVER}; server_max_window_bits=10`],
    [true, 'permessage-deflate; server_max_window_bits=8', undefined],
    [true, 'permessage-deflate; server_max_window_bits=016', undefined],
    [true, 'permessage-deflate; client_no_context_takeover=1', undefined],
    [true, 'permessage-bzip2', undefined],
  ]
  for (const [compression, offer, answer] of cases) {
    const { dial, journal } = await running(t, { compression, open: socket => void journal.add(`extensions ${socket.extensions}`) })
    const client = await dial()
    const { status, headers } = await client.handshake(offering(offer))
    t.strictSame([status, headers['sec-websocket-extensions']], [101, answer], `${JSON.stringify(compression)}: ${String(offer)}`)
    t.equal((await journal.reach(2))[1], `extensions ${answer ?? ''}`)
  }
})

t.test('a client that offers nothing is served without', async t => {
  const { client } = await running(t, { compression: { threshold: 0 }, message: (socket, data) => void socket.send(data, { compress: true }) })
  const connected = await client()
  connected.send(frame('81', LONG))
  await connected.received(1)
  t.equal(connected.frames[0].first, 0x81)
})

/** A frame's bytes behind the first, masked with a key of zeros. */
function maskedRest(whole: Buffer): Buffer {
  const header = whole[1] < 126 ? 2 : whole[1] === 126 ? 4 : 10
  const lengthField = Buffer.from(whole.subarray(1, header))
  lengthField[0] |= 0x80
  return Buffer.concat([lengthField, Buffer.alloc(4), whole.subarray(header)])
}

for (const mode of ['shared', 'dedicated'] as const) {
  t.test(`${mode}: random messages both ways, small and large, in order`, async t => {
    const below = random(t)
    const { client } = await running(t, {
      compression: { mode, threshold: 100 },
      message: (socket, data) => void socket.send(data),
      // A client that is not read for two seconds gets a ping, which is no echo.
      heartbeat: false,
    })
    const connected = await client(offering(OFFER))
    connected.inflater = new Takeover()
    const word = (): string => 'abcdefghij'.slice(below(8)).slice(0, 1 + below(3))
    const sizes = [0, 10, 99, 100, 2000, 20_000, 80_000, 300_000]
    const messages = Array.from({ length: 40 }, (_, i) => {
      // Chance alone might make too few that are compressed.
      if (i % 6 === 0) return LONG
      const text = Array.from({ length: sizes[below(sizes.length)] / 2 }, word).join('')
      return below(4) === 0 ? randomBytes(text.length) : text
    })
    connected.send(...messages.map(each => frame(typeof each === 'string' ? '81' : '82', each)))
    const frames = await connected.received(messages.length)
    const wrong = messages.findIndex((each, i) => !frames[i].payload.equals(Buffer.from(each as string)))
    t.equal(wrong, -1)
    t.ok(connected.compressed > 5, `${connected.compressed} compressed`)
  })

  t.test(`${mode}: a bomb gets 1009, and takes no memory to speak of`, async t => {
    const { client, journal } = await running(t, { compression: mode, limits: { messageBytes: 1024 * 1024 } })
    const zeros = Buffer.alloc(96 * 1024 * 1024)
    const wires = [zeros.subarray(0, 4 * 1024 * 1024), zeros].map(each => {
      const small = deflateRawSync(each, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
      return frame('c2', small)
    })
    for (const wire of wires) {
      const connected = await client(offering(OFFER))
      const masked = Buffer.concat([bytes(wire).subarray(0, 1), maskedRest(bytes(wire))])
      const before = process.memoryUsage()
      let most = 0
      const watch = setInterval(() => {
        const { external, heapUsed } = process.memoryUsage()
        most = Math.max(most, external + heapUsed - before.external - before.heapUsed)
      }, 1)
      connected.socket.write(masked)
      await connected.journal.until('close 1009')
      clearInterval(watch)
      t.ok(most < 48 * 1024 * 1024, `${most} bytes for ${wire.length / 2}`)
    }
    await journal.until('close 1009')
  })

  t.test(`${mode}: what is corrupt gets 1007, and nobody else notices`, async t => {
    const { client } = await running(t, { compression: mode, message: (socket, data) => void socket.send(data) })
    const other = await client(offering(OFFER))
    for (const wire of [
      frame('c1', bytes('ff')),
      frame('c1', ''),
      frame('c1', deflated(LONG).subarray(0, -3)),
      frame('c1', Buffer.concat([deflated('a'), bytes('ff')])),
      frame('c1', Buffer.alloc(20_000, 0xff)),
      deflatedFrame('81', bytes('c328')),
      frame('41', bytes('ff')) + frame('80', bytes('ff')),
    ]) {
      const connected = await client(offering(OFFER))
      for (const each of wire.startsWith('41') ? [wire.slice(0, 6), wire.slice(6)] : [wire]) connected.send(each)
      t.match((await connected.journal.until('close'))[0], /^close 1007 /, wire.slice(0, 20))
      other.send(deflatedFrame('81', 'fine'))
    }
    t.strictSame(await other.lines(7), Array(7).fill('text fine'))
  })
}

t.test('RSV1 where nothing was agreed on gets 1002, as it does on what is no first frame', async t => {
  const { client } = await running(t, { compression: true })
  const plain = await client()
  plain.send(deflatedFrame('81', 'Hello'))
  t.match((await plain.journal.until('close'))[0], /^close 1002 /)
  for (const frames of [['c9026869'], [frame('01', 'a'), frame('c0', 'b')]]) {
    const agreed = await client(offering(OFFER))
    agreed.send(...frames)
    t.match((await agreed.journal.until('close'))[0], /^close 1002 /, frames.join())
  }
})

t.test('RFC 7692, section 7.2.3: its examples, over the wire', async t => {
  const { client } = await running(t, { compression: 'dedicated', message: (socket, data) => void socket.send(data, { compress: false }) })
  const connected = await client(offering(OFFER))
  const frames = ['c107f248cdc9c90700', '4103f248cd', '8004c9c90700', 'c105f200110000', 'c10b000500faff48656c6c6f00', 'c108f348cdc9c9070000', 'c10df248050000 00ffffcac9c90700']
  connected.send(...frames.map(each => hex(bytes(each))))
  t.strictSame(await connected.lines(6), Array(6).fill('text Hello'))
})

t.test('a broadcast to clients of every kind', async t => {
  const { server, client } = await running(t, { compression: { mode: 'dedicated', threshold: 100 } })
  const clients: WireClient[] = []
  for (const offer of [OFFER, `${OFFER}; server_no_context_takeover`, 'permessage-deflate; server_no_context_takeover; server_max_window_bits=9', undefined]) {
    const connected = await client(offer === undefined ? undefined : offering(offer))
    if (offer !== undefined) connected.inflater = new Takeover()
    clients.push(connected)
  }
  t.equal(server.broadcast(LONG), 4)
  t.equal(server.broadcast(LONG), 4)
  t.equal(server.broadcast('short'), 4)
  for (const [i, connected] of clients.entries()) {
    const frames = await connected.received(3)
    t.strictSame(frames.map(({ payload }) => payload.toString()), [LONG, LONG, 'short'])
    t.equal(connected.compressed, i < 3 ? 2 : 0)
  }
})

t.test('what is sent in open, behind the answer to the handshake, is compressed too', async t => {
  const { dial } = await running(t, {
    compression: true,
    open(socket) {
      socket.send(LONG)
      socket.close(1000)
    },
  })
  const client = await dial()
  client.inflater = new Takeover()
  await client.handshake(offering(OFFER))
  const [first] = await client.received(2)
  t.strictSame([first.payload.toString(), client.compressed], [LONG, 1])
  client.send(closeFrame(1000))
})

t.test("Kore's facade has none", async t => {
  const { createServer } = await import('node:http')
  const http = createServer()
  t.teardown(kore_attach(http, { '/': request => kore_websocket_handshake(request, null, null, null) }))
  await new Promise<void>(resolve => void http.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  const address = http.address()
  const client = await clientsOf(t, typeof address === 'object' && address !== null ? address.port : 0).dial()
  const { status, headers } = await client.handshake(offering(OFFER))
  t.strictSame([status, headers['sec-websocket-extensions']], [101, undefined])
})

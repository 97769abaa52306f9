import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { clientMetrics, connect } from '../lib/client.ts'
import { Diagnostics } from '../lib/diagnostics.ts'
import {
  broadcast,
  disconnect,
  http_response,
  kore_attach,
  kore_onerror,
  kore_websocket_handshake,
  kore_websocket_send,
  koreMetrics,
  WEBSOCKET_OP_PING,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../lib/kore.ts'
import { resolveLimits } from '../lib/limits.ts'
import { takeMetrics, type Metrics } from '../lib/metrics.ts'
import { WebSocketServer } from '../lib/server.ts'
import { arenaState } from '../lib/node-internals/receive-arena.ts'
import { deflated, deflatedFrame } from './helpers/deflated.ts'
import { bytes, closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { clientsOf, running } from './helpers/running.ts'
import { WireClient } from './helpers/wire-client.ts'

const HERE = { port: 0, host: '127.0.0.1' }
/** Gets about half as long by compression; the same with each run. */
const DIGITS = Array.from({ length: 8 }, (_, i) => createHash('sha512').update(String(i)).digest('hex')).join('')
const OFFER = { headers: { 'sec-websocket-extensions': 'permessage-deflate' } }

/** Bytes that frames take on their way from a client. */
function sizeOf(...frames: string[]): number {
  return frames.reduce((sum, each) => sum + bytes(masked(each)).length, 0)
}

/** Bytes that came to a client so far. */
function sizeIn(client: WireClient): number {
  return client.chunks.reduce((sum, size) => sum + size, 0)
}

/** A connection as a snapshot sees it. */
function measured(bufferedAmount: number, retainedBytes: number, roundTripTime: number | undefined) {
  return { data: 0, protocol: '', extensions: '', remoteAddress: '', readyState: 'open' as const, bufferedAmount, retainedBytes, roundTripTime }
}

const NOTHING = {
  connections: { open: 0, opened: 0, closed: {} },
  refused: { total: 0, byStatus: {}, byReason: {} },
  messages: { received: 0, sent: 0, dropped: {} },
  bytes: { received: 0, sent: 0, queued: 0, retained: 0 },
  memory: { held: 0, kept: 0, limit: resolveLimits().memory },
  handshakes: { pending: 0, incomplete: 0, refused: 0 },
  compression: {
    received: { plain: 0, compressed: 0, ratio: null },
    sent: { plain: 0, compressed: 0, ratio: null },
  },
  bus: { queued: 0, missed: 0, malformed: 0 },
  limitsReached: {},
  errors: 0,
  roundTrip: { connections: 0, p50: null, p90: null, p99: null },
}

t.test('before anything has happened', async t => {
  const { uptime, ...rest } = new WebSocketServer().metrics()
  t.strictSame(rest, NOTHING)
  t.ok(Number.isInteger(uptime) && uptime >= 0 && uptime < 10_000, `${uptime} ms`)
})

t.test('every figure has its place, and survives JSON', async t => {
  const diagnostics = new Diagnostics()
  const some = measured(0, 0, undefined)
  for (let i = 0; i < 5; i++) diagnostics.connectionOpened(some)
  diagnostics.connectionClosed(some, 1000, '')
  diagnostics.connectionClosed(some, 1006, '')
  diagnostics.connectionClosed(some, 1006, '')
  diagnostics.refusedBy(503, 'closing')
  diagnostics.refusedBy(undefined, 'late')
  diagnostics.limitReached('idleTime', some)
  diagnostics.messageDropped('drop-newest', some)
  diagnostics.failed(new Error(), null)
  Object.assign(diagnostics, { messagesReceived: 11, messagesSent: 12, bytesReceived: 2 ** 60, bytesSent: 14 })
  Object.assign(diagnostics.compression, { receivedPlain: 100, receivedCompressed: 25, sentPlain: 200, sentCompressed: 20 })
  const metrics = takeMetrics(diagnostics, [measured(1, 2, 3), measured(10, 20, 30)], {
    ending: [measured(100, 200, 300)],
    bus: { queued: 5, missed: 6 },
    malformed: 4,
    memory: { bytes: 7, kept: 8, limit: 9 },
    admission: { pending: 1, incomplete: 2, refused: 3 },
  })
  const { uptime, ...rest } = metrics
  t.strictSame(rest, {
    connections: { open: 2, opened: 5, closed: { 1000: 1, 1006: 2 } },
    refused: { total: 2, byStatus: { 503: 1 }, byReason: { closing: 1, late: 1 } },
    messages: { received: 11, sent: 12, dropped: { 'drop-newest': 1 } },
    bytes: { received: 2 ** 60, sent: 14, queued: 111, retained: 22 },
    memory: { held: 7, kept: 8, limit: 9 },
    handshakes: { pending: 1, incomplete: 2, refused: 3 },
    compression: {
      received: { plain: 100, compressed: 25, ratio: 0.25 },
      sent: { plain: 200, compressed: 20, ratio: 0.1 },
    },
    bus: { queued: 5, missed: 6, malformed: 4 },
    limitsReached: { idleTime: 1 },
    errors: 1,
    roundTrip: { connections: 2, p50: 3, p90: 30, p99: 30 },
  })
  t.strictSame(JSON.parse(JSON.stringify(metrics)), metrics)
  t.type(uptime, 'number')
})

t.test('a snapshot is frozen all through, and stays as it was', async t => {
  const diagnostics = new Diagnostics()
  diagnostics.connectionClosed(measured(0, 0, undefined), 1000, '')
  const metrics = takeMetrics(diagnostics, [])
  const parts = [metrics, ...Object.values(metrics).filter(part => typeof part === 'object')]
  t.equal(parts.length, 11)
  for (const part of [...parts, metrics.connections.closed, metrics.refused.byReason, metrics.compression.sent]) {
    t.ok(Object.isFrozen(part), JSON.stringify(part))
  }
  diagnostics.connectionClosed(measured(0, 0, undefined), 1000, '')
  t.strictSame(metrics.connections.closed, { 1000: 1 })
  t.strictSame(takeMetrics(diagnostics, []).connections.closed, { 1000: 2 })
})

t.test('percentiles of the round trips, by nearest rank', async t => {
  const cases: [times: (number | undefined)[], expected: [number, number | null, number | null, number | null]][] = [
    [[], [0, null, null, null]],
    [[undefined], [0, null, null, null]],
    [[7], [1, 7, 7, 7]],
    [[0, undefined], [1, 0, 0, 0]],
    [[9, 10], [2, 9, 10, 10]],
    [[100, 9, 20], [3, 20, 100, 100]],
    [Array.from({ length: 10 }, (_, i) => 10 - i), [10, 5, 9, 10]],
    [Array.from({ length: 100 }, (_, i) => 100 - i), [100, 50, 90, 99]],
    [Array.from({ length: 1000 }, (_, i) => i + 1), [1000, 500, 900, 990]],
  ]
  for (const [times, [connections, p50, p90, p99]] of cases) {
    const { roundTrip } = takeMetrics(new Diagnostics(), times.map(time => measured(0, 0, time)))
    t.strictSame(roundTrip, { connections, p50, p90, p99 })
  }
})

t.test('closed by code: clean, empty, a violation, dropped, the server’s own', async t => {
  const { server, client, journal } = await running(t)
  const ends: [send: (client: WireClient) => unknown, code: number][] = [
    [client => client.send(closeFrame(1000)), 1000],
    [client => client.send(closeFrame(4000, 'mine')), 4000],
    [client => client.send('88 00'), 1005],
    [client => client.send('83 00'), 1002],
    [client => client.send('81 01 ff'), 1007],
    [client => client.socket.destroy(), 1006],
    [() => [...server.connections][0].terminate(), 1006],
    [() => [...server.connections][0].terminate('again'), 1006],
  ]
  const expected: Record<string, number> = {}
  for (const [end, code] of ends) {
    const one = await client()
    t.equal(server.metrics().connections.open, 1)
    const before = journal.lines.length
    end(one)
    await eventually('the end', () => journal.lines.slice(before).some(line => line.startsWith('close')))
    expected[code] = (expected[code] ?? 0) + 1
    t.match(server.metrics().connections, { open: 0, closed: expected })
    one.socket.destroy()
  }
  const last = await client()
  const closing = server.close({ code: 1012 })
  await last.journal.until('close 1012')
  last.send(closeFrame(1012))
  last.socket.end()
  await closing
  const { connections, errors } = server.metrics()
  t.strictSame(connections, { open: 0, opened: 9, closed: { ...expected, 1012: 1 } })
  t.equal(errors, 2, 'the violations')
})

t.test('in the close callback a connection is over already', async t => {
  const seen: unknown[] = []
  const { server, client, journal } = await running(t, {
    open: () => void seen.push(server.metrics().connections),
    close: () => void seen.push(server.metrics().connections),
  })
  ;(await client()).send(closeFrame(1000))
  await journal.until('close')
  t.strictSame(seen, [
    { open: 1, opened: 1, closed: {} },
    { open: 0, opened: 1, closed: { 1000: 1 } },
  ])
})

t.test('refused: by origin, a bad request, another path, while closing, too slow, by accept', async t => {
  let asked = 0
  const { server, dial, client } = await running(t, {
    path: '/',
    // Each request has to come in that time.
    limits: { handshakeTime: 1000 },
    accept({ url }) {
      if (url !== '/?wait') return undefined
      asked++
      return new Promise<undefined>(() => {})
    },
  })
  const refused = async (parts: object): Promise<number> => (await (await dial()).handshake(parts)).status
  t.equal(await refused({ headers: { origin: 'http://elsewhere.example' } }), 403)
  t.equal(await refused({ headers: { 'sec-websocket-key': 'short' } }), 400)
  t.equal(await refused({ path: '/other' }), 404)
  t.equal(await refused({ path: '/?wait' }), 408)
  const stays = await client()
  const waiting = await dial()
  const answer = waiting.handshake({ path: '/?wait' })
  await eventually('accept to be asked', () => asked === 2)
  const closing = server.close({ timeout: 50 })
  t.equal((await answer).status, 503)
  stays.socket.destroy()
  await closing
  t.strictSame(server.metrics().refused, {
    total: 5,
    byStatus: { 400: 1, 403: 1, 404: 1, 408: 1, 503: 1 },
    byReason: { origin: 1, key: 1, path: 1, timeout: 1, closing: 1 },
  })
  t.equal(server.metrics().connections.opened, 1)
})

/** Talks to an echoing server, and holds what it counts against what went over the wire. */
async function countsExactly(t: Test, client: WireClient, metrics: () => Metrics): Promise<void> {
  const greeting = sizeIn(client)
  t.equal(metrics().bytes.sent, greeting, 'the 101 response')
  t.equal(metrics().bytes.received, 0)
  const rounds: [frames: string[], messages: number, answers: number][] = [
    [[frame('81', 'Hello')], 1, 1],
    [[frame('81', 'a'), frame('82', 'b'), frame('81', '')], 3, 3],
    [[frame('89', 'ping')], 0, 1],
    [[frame('8a', 'pong'), frame('01', 'in '), frame('00', 'three '), frame('80', 'parts')], 1, 1],
    [[frame('82', Buffer.alloc(300_000, 7))], 1, 1],
    [[frame('81', 'x'.repeat(40_000)), frame('81', 'y'.repeat(200))], 2, 2],
  ]
  let [sent, messages, answers] = [0, 0, 0]
  for (const [frames, more, back] of rounds) {
    client.send(...frames)
    sent += sizeOf(...frames)
    messages += more
    answers += back
    await client.received(answers)
    const counted = metrics()
    t.equal(counted.bytes.received, sent)
    t.equal(counted.bytes.sent, sizeIn(client))
    t.match(counted.messages, { received: messages, sent: messages })
  }
  client.send(closeFrame(1000))
  await client.journal.until('end')
  t.equal(metrics().bytes.received, sent + sizeOf(closeFrame(1000)))
  t.equal(metrics().bytes.sent, sizeIn(client))
}

t.test('messages and bytes, as they were on the wire: TCP', async t => {
  // The first connection starts the proof of the arena.
  await (await running(t)).client()
  await eventually('the arena', () => arenaState() === 'works' || arenaState() === 'fails')
  t.equal(arenaState(), process.env.KORE_WS_PORTABLE === '1' ? 'fails' : 'works')
  const { server, client } = await running(t, { message: (socket, data) => void socket.send(data) })
  await countsExactly(t, await client(), () => server.metrics())
})

t.test('messages and bytes, as they were on the wire: TLS', async t => {
  const fixture = (name: string): Buffer => readFileSync(new URL(`./fixtures/${name}.pem`, import.meta.url))
  const cert = fixture('localhost.cert')
  const https = createHttpsServer({ key: fixture('localhost.key'), cert }).listen(HERE)
  await once(https, 'listening')
  const server = new WebSocketServer({ message: (socket, data) => void socket.send(data) }).attach(https)
  t.teardown(async () => {
    await server.close({ timeout: 0 })
    https.close()
  })
  const { port } = https.address() as AddressInfo
  const socket = connectTls({ port, host: HERE.host, ca: cert, servername: 'localhost' })
  await once(socket, 'secureConnect')
  t.teardown(() => socket.destroy())
  const client = new WireClient(socket)
  t.equal((await client.handshake()).status, 101)
  await countsExactly(t, client, () => server.metrics())
})

t.test('what comes along with the request counts, and so does what is not understood', async t => {
  const { server, dial } = await running(t)
  const client = await dial()
  const early = masked(frame('81', 'early')) + masked('8f 00')
  await client.handshake({}, early)
  await client.journal.until('close 1002')
  t.match(server.metrics(), { bytes: { received: bytes(early).length }, messages: { received: 1 }, errors: 1 })
  await client.journal.until('end')
  client.sendRaw('00'.repeat(10))
  await eventually('what follows', () => server.metrics().bytes.received === bytes(early).length + 10)
})

t.test('the client’s side, with streams both ways', async t => {
  const { server, port } = await running(t, {
    async open(socket) {
      for await (const message of socket.messages({ stream: true })) {
        for await (const piece of message) t.ok(piece.length > 0)
      }
    },
  })
  const before = clientMetrics()
  t.equal(before.connections.open, 0)
  const socket = await connect(`ws://127.0.0.1:${port}`)
  const [peer] = server.connections
  const greeting = server.metrics().bytes.sent
  t.ok(greeting > 100, `${greeting} bytes of a 101 response`)
  await socket.sendStream(['one ', 'message'])
  socket.send('two')
  peer.send('three')
  await peer.sendStream([Buffer.alloc(100_000), Buffer.alloc(100_000)])
  const received: number[] = []
  for await (const message of socket) if (received.push(message.length) === 2) break
  t.strictSame(received, [5, 200_000])
  await eventually('both messages', () => server.metrics().messages.received === 2)
  const [ours, theirs] = [clientMetrics(), server.metrics()]
  t.equal(ours.connections.open, 1)
  t.equal(ours.connections.opened, before.connections.opened + 1)
  t.strictSame([ours.messages.sent - before.messages.sent, ours.messages.received - before.messages.received], [2, 2])
  t.match(theirs.messages, { sent: 2, received: 2 })
  t.equal(ours.bytes.sent - before.bytes.sent, theirs.bytes.received)
  t.equal(ours.bytes.received - before.bytes.received, theirs.bytes.sent - greeting)
  socket.close(4001)
  await eventually('the end', () => clientMetrics().connections.open === 0)
  t.equal(clientMetrics().connections.closed[4001], 1)
  t.equal(socket.send('late'), false)
  t.equal(clientMetrics().messages.sent, ours.messages.sent, 'what is not sent does not count')
})

t.test('the client’s side of compression mirrors the server’s', async t => {
  const { server, port } = await running(t, { compression: true, message: (socket, data) => void socket.send(data) })
  const before = clientMetrics().compression
  const socket = await connect(`ws://127.0.0.1:${port}`, { compression: true })
  socket.send(DIGITS.repeat(2))
  for await (const message of socket) if (t.equal(message, DIGITS.repeat(2))) break
  const [ours, theirs] = [clientMetrics().compression, server.metrics().compression]
  const of = ({ plain, compressed }: { plain: number; compressed: number }, from = { plain: 0, compressed: 0 }): number[] => [
    plain - from.plain,
    compressed - from.compressed,
  ]
  t.strictSame(of(ours.sent, before.sent), of(theirs.received))
  t.strictSame(of(ours.received, before.received), of(theirs.sent))
  t.equal(theirs.sent.plain, 2 * DIGITS.length)
  t.ok(theirs.sent.compressed > 0 && theirs.sent.compressed < DIGITS.length, `${theirs.sent.compressed} bytes`)
  socket.terminate()
  await eventually('the end', () => clientMetrics().connections.open === 0)
})

t.test('a client that is refused, and one that finds nobody', async t => {
  const { port } = await running(t, { path: '/here' })
  const before = clientMetrics().refused
  await t.rejects(connect(`ws://127.0.0.1:${port}/there`), { code: 'handshake-refused' })
  const silent = createServer().listen(HERE)
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const late = connect(`ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, { timeout: 20 })
  await t.rejects(late, { code: 'handshake-timeout' })
  await t.rejects(connect('ws://127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const { total, byStatus, byReason } = clientMetrics().refused
  t.equal(total, before.total + 2)
  t.equal(byStatus[404], (before.byStatus[404] ?? 0) + 1)
  t.equal(byReason['handshake-timeout'], (before.byReason['handshake-timeout'] ?? 0) + 1)
})

t.test('a broadcast counts once for each receiver, pings and refused sends not at all', async t => {
  const { server, client } = await running(t, { open: socket => socket.subscribe('all') })
  const clients = [await client(), await client(), await client()]
  const [first] = server.connections
  t.equal(first.publish('all', 'to two'), 2)
  t.equal(server.broadcast('to three'), 3)
  first.ping('ping')
  await clients[0].received(2)
  await clients[1].received(2)
  t.match(server.metrics().messages, { sent: 5, received: 0 })
  t.equal(server.metrics().bytes.sent, await sum(clients, 6))
  first.close()
  t.equal(first.send('late'), false)
  t.equal(server.metrics().messages.sent, 5)
})

/** Bytes that came to all, once there are so many frames in all. */
async function sum(clients: readonly WireClient[], frames: number): Promise<number> {
  await eventually('all frames', () => clients.reduce((all, client) => all + client.frames.length, 0) === frames)
  return clients.reduce((all, client) => all + sizeIn(client), 0)
}

for (const compression of ['shared', 'dedicated'] as const) {
  t.test(`${compression} compression: bytes before and after, both ways`, async t => {
    const { server, client } = await running(t, {
      compression: { mode: compression, threshold: 50 },
      message: (socket, data) => void socket.send(data),
    })
    const one = await client(OFFER)
    const text = 'a message that is worth it '.repeat(20)
    one.sendRaw(masked(deflatedFrame('81', text)))
    one.send(frame('81', 'not worth it'))
    await one.received(2)
    const [{ payload }] = one.frames
    const { received, sent } = server.metrics().compression
    const taken = deflated(text).length
    t.strictSame(received, { plain: text.length, compressed: taken, ratio: taken / text.length })
    t.strictSame(sent, { plain: text.length, compressed: payload.length, ratio: payload.length / text.length })
    // Large: off the main thread, both ways.
    const large = `${text} `.repeat(2000)
    one.sendRaw(masked(deflatedFrame('82', Buffer.from(large))))
    await one.received(3)
    const after = server.metrics().compression
    t.equal(after.received.plain, text.length + large.length)
    t.equal(after.received.compressed, taken + deflated(Buffer.from(large)).length)
    t.equal(after.sent.plain, text.length + large.length)
    t.equal(after.sent.compressed, payload.length + one.frames[2].payload.length)
    // To everybody, in frames with each length of header.
    let [plain, compressed] = [after.sent.plain, after.sent.compressed]
    for (const [i, message] of ['b'.repeat(60), DIGITS].entries()) {
      server.broadcast(message, { compress: true })
      await one.received(4 + i)
      plain += message.length
      compressed += one.frames[3 + i].payload.length
      t.match(server.metrics().compression.sent, { plain, compressed })
    }
    t.ok(one.frames[4].payload.length > 126, 'a longer header')
    server.broadcast('plain'.repeat(20), { compress: false })
    await one.received(6)
    t.match(server.metrics().compression.sent, { plain, compressed })
    t.equal(server.metrics().messages.sent, 6)
    t.equal(server.metrics().bytes.sent, sizeIn(one))
  })
}

t.test('a broadcast that goes compressed counts without its header, of two bytes or four', async t => {
  const { server, client } = await running(t, { compression: { mode: 'shared', threshold: 0 } })
  const one = await client(OFFER)
  for (let length = 180; length < 250; length++) server.broadcast(DIGITS.slice(0, length))
  const frames = await one.received(70)
  const sizes = frames.map(({ payload }) => payload.length)
  t.ok(sizes.includes(125) && sizes.includes(126), `${sizes[0]} to ${sizes[69]}`)
  t.match(server.metrics().compression.sent, {
    plain: ((180 + 249) / 2) * 70,
    compressed: sizes.reduce((sum, size) => sum + size, 0),
  })
})

t.test('what does not get smaller is sent as it is, and does not count', async t => {
  const { server, client } = await running(t, { compression: { mode: 'shared', threshold: 0 } })
  const one = await client(OFFER)
  server.broadcast('x')
  for (const socket of server.connections) socket.send('y')
  await one.received(2)
  t.strictSame(one.frames.map(({ first }) => first), [0x81, 0x81])
  t.strictSame(server.metrics().compression.sent, NOTHING.compression.sent)
  one.sendRaw(masked('c1 01 ff'))
  await one.journal.until('close 1007')
  t.strictSame(server.metrics().compression.received, NOTHING.compression.received, 'nor what is no DEFLATE')
})

t.test('now: retained while a message is not whole, or not read', async t => {
  const { server, client } = await running(t)
  const one = await client()
  one.send(frame('02', Buffer.alloc(1000)))
  const retained = (): number => server.metrics().bytes.retained
  await eventually('a fragment', () => retained() > 0)
  t.ok(retained() >= 1000 && retained() <= 4000, `${retained()} bytes`)
  one.send(frame('80', Buffer.alloc(1)))
  await eventually('the message', () => server.metrics().messages.received === 1)
  t.equal(retained(), 0)
  one.sendRaw(masked(frame('01', 'half')).slice(0, -2))
  await eventually('half a frame', () => retained() > 0)
  one.socket.destroy()
  await eventually('the end', () => server.metrics().connections.open === 0)
  t.equal(retained(), 0)
})

t.test('now: queued for a peer that does not read, and behind a close', async t => {
  const { server, client } = await running(t)
  const one = await client()
  one.socket.pause()
  const [socket] = server.connections
  while (socket.send(Buffer.alloc(1_000_000)) || socket.bufferedAmount < 5_000_000) await turn()
  t.equal(server.metrics().bytes.queued, socket.bufferedAmount)
  one.send(closeFrame(1000))
  await eventually('the close', () => server.metrics().connections.open === 0)
  t.equal(server.connections.size, 0)
  t.equal(server.metrics().bytes.queued, socket.bufferedAmount, 'what is left to be sent still counts')
  t.ok(socket.bufferedAmount > 0)
  one.socket.destroy()
  await eventually('the end', () => server.metrics().bytes.queued === 0)
})

t.test('now: the heartbeat’s round trips', async t => {
  const { server, client } = await running(t, { heartbeat: { interval: 20, timeout: 5000 } })
  const one = await client()
  await client()
  await one.journal.until('ping')
  one.send(frame('8a', one.frames[0].payload))
  await eventually('a measurement', () => server.metrics().roundTrip.connections > 0)
  const [socket] = [...server.connections].filter(({ roundTripTime }) => roundTripTime !== undefined)
  const { roundTripTime = NaN } = socket
  t.strictSame(server.metrics().roundTrip, { connections: 1, p50: roundTripTime, p90: roundTripTime, p99: roundTripTime })
})

t.test('Kore’s connections', async t => {
  const http = createHttpServer().listen(HERE)
  await once(http, 'listening')
  const detach = kore_attach(http, {
    '/echo': request =>
      kore_websocket_handshake(request, null, (c, op, data, length) => void kore_websocket_send(c, op, data, length), null),
    '/no': request => http_response(request, 402),
    '/end': request => kore_websocket_handshake(request, c => disconnect(c), null, null),
    '/throw': () => {
      throw new Error('the handler is broken')
    },
    '/fail': request => {
      const fail = (): never => {
        throw new Error('the callback is broken')
      }
      kore_websocket_handshake(request, null, fail, null)
    },
    '/much': request => {
      const much = (c: KoreConnection): void => {
        kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'x'.repeat(8_000_000))
        disconnect(c)
      }
      kore_websocket_handshake(request, much, null, null)
    },
  })
  t.teardown(() => {
    detach()
    http.close()
  })
  kore_onerror(() => {})
  t.teardown(() => kore_onerror(undefined))
  const { client, dial } = clientsOf(t, (http.address() as AddressInfo).port)
  const one = await client({ path: '/echo' })
  const frames = [frame('81', 'Hello'), frame('82', 'b')]
  one.send(...frames)
  await one.received(2)
  t.match(koreMetrics(), {
    connections: { open: 1, opened: 1, closed: {} },
    messages: { received: 2, sent: 2 },
    bytes: { received: sizeOf(...frames), sent: sizeIn(one), queued: 0, retained: 0 },
  })
  broadcast(null, WEBSOCKET_OP_PING, 'ping', null, 0)
  broadcast(null, WEBSOCKET_OP_TEXT, 'to all', null, 0)
  await one.received(4)
  t.equal(koreMetrics().messages.sent, 3, 'a ping is no message')
  one.send(frame('01', 'half'))
  await eventually('half a message', () => koreMetrics().bytes.retained > 0)
  one.send(closeFrame(1000))
  await one.journal.until('end')
  t.equal((await (await dial()).handshake({ path: '/no' })).status, 402)
  t.equal((await (await dial()).handshake({ path: '/throw' })).status, 500)
  t.equal((await (await dial()).handshake({ path: '/echo', headers: { origin: 'http://elsewhere.example' } })).status, 403)
  const two = await client({ path: '/end' })
  await two.journal.until('close')
  two.send('88 00')
  await eventually('the end', () => koreMetrics().connections.open === 0)
  const { connections, refused, errors } = koreMetrics()
  t.strictSame(connections, { open: 0, opened: 2, closed: { 1000: 1, 1005: 1 } })
  t.strictSame(refused, {
    total: 3,
    byStatus: { 402: 1, 403: 1, 500: 1 },
    byReason: { accept: 1, failure: 1, origin: 1 },
  })
  t.equal(errors, 1)
  const three = await client({ path: '/fail' })
  three.send(frame('81', 'a'))
  await three.journal.until('close 1011')
  t.equal(koreMetrics().errors, 2, 'a callback of a connection, once')
  const four = await dial()
  four.ask({ path: '/much' })
  four.socket.pause()
  await eventually('much to send, for a connection that is told to end', () => koreMetrics().bytes.queued > 1_000_000)
  four.socket.destroy()
  await eventually('the end', () => koreMetrics().connections.open === 0)
})

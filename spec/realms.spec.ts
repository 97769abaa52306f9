/** Values of another realm, as scripts of `node:vm` and tests run by Jest make them: as good as those of this one. */
import { createContext, runInContext } from 'node:vm'
import t from 'tap'
import { connect } from '../lib/client.ts'
import * as kore from '../lib/kore.ts'
import type { Connection } from '../lib/transport/connection.ts'
import type { Message } from '../lib/transport/message.ts'
import type { Payload } from '../lib/transport/payload.ts'
import { failureOf, open, take } from './helpers/client.ts'
import { closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, within } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { RawServer } from './helpers/raw-server.ts'
import { running } from './helpers/running.ts'
import { opened } from './helpers/websocket.ts'
import { Served } from './kore/served.ts'

const realm = createContext({})

function foreign<Value>(code: string): Value {
  return runInContext(code, realm) as Value
}

type Maker = (size: number, value: number) => Payload

/** Bytes of every type, some in the middle of their memory. */
const MAKERS = foreign<Readonly<Record<string, Maker>>>(`({
  ArrayBuffer: (size, value) => new Uint8Array(size).fill(value).buffer,
  Uint8Array: (size, value) => new Uint8Array(size).fill(value),
  Int8Array: (size, value) => new Int8Array(size + 8).fill(value, 4, size + 4).subarray(4, size + 4),
  Uint16Array: (size, value) => new Uint16Array(size / 2).fill(value * 257),
  DataView: (size, value) => new DataView(new Uint8Array(size + 2).fill(value).buffer, 1, size),
  SharedArrayBuffer: (size, value) => {
    const memory = new SharedArrayBuffer(size)
    new Uint8Array(memory).fill(value)
    return memory
  },
  'view of a SharedArrayBuffer': (size, value) => new Uint8Array(new SharedArrayBuffer(size)).fill(value),
})`)

/** vm's contexts have neither: those who make one bring their own, as jsdom does. */
const ForeignURL = foreign<new (href: string) => URL>(`(class URL {
  #href
  constructor(href) { this.#href = href }
  get [Symbol.toStringTag]() { return 'URL' }
  get href() { return this.#href }
  toString() { return this.#href }
})`)

interface ForeignSignal extends AbortSignal {
  readonly listeners: Set<unknown>
  abort(reason: unknown): void
}

const ForeignSignal = foreign<new () => ForeignSignal>(`(class AbortSignal {
  aborted = false
  reason = undefined
  listeners = new Set()
  addEventListener(type, listener) { if (type === 'abort') this.listeners.add(listener) }
  removeEventListener(type, listener) { if (type === 'abort') this.listeners.delete(listener) }
  abort(reason) {
    this.aborted = true
    this.reason = reason
    for (const listener of [...this.listeners]) listener.call(this, { type: 'abort' })
  }
})`)

t.test('the values of this spec are of another realm', async t => {
  for (const [name, make] of Object.entries(MAKERS)) {
    for (const known of [Object, ArrayBuffer, SharedArrayBuffer, Uint8Array, Int8Array, Uint16Array, DataView]) {
      t.notOk(make(2, 1) instanceof known, `${name}: no ${known.name}`)
    }
  }
  t.notOk(new ForeignURL('ws://a') instanceof URL)
  t.notOk(new ForeignSignal() instanceof AbortSignal)
})

for (const compression of [false, true]) {
  t.test(`send and sendStream, of both ends, ${compression ? 'compressed' : 'plain'}`, async t => {
    const received: Buffer[] = []
    const { server, port } = await running(t, { compression, message: (_, data) => void received.push(data as Buffer) })
    const client = await open(t, `ws://127.0.0.1:${port}`, { compression })
    await eventually('the connection', () => server.connections.size === 1)
    const [connection] = server.connections
    t.equal(connection.extensions !== '', compression)
    for (const [name, make] of Object.entries(MAKERS)) {
      // The largest goes out by reference, or is compressed in another thread.
      for (const size of [4, 2000, 300_000]) {
        const expected = Buffer.alloc(size, 7)
        client.send(make(size, 7))
        await client.sendStream([make(size, 7), make(2, 8)])
        await eventually(name, () => received.length === 2)
        const [whole, streamed] = received.splice(0)
        t.ok(whole.equals(expected), `${name} of ${size}: to the server`)
        t.ok(streamed.equals(Buffer.concat([expected, Buffer.alloc(2, 8)])), `${name} of ${size}: as a stream`)
        connection.send(make(size, 7))
        const [back] = await take(client, 1)
        t.ok(expected.equals(back as Buffer), `${name} of ${size}: to the client`)
      }
      client.send(make(4, 0x61), { binary: false })
      await eventually('the text', () => received.length === 1)
      t.strictSame(received.splice(0) as Message[], ['aaaa'], `${name} as text`)
    }
  })
}

t.test('ping, pong and their answers', async t => {
  const { client, server } = await running(t)
  const wire = await client()
  await eventually('the connection', () => server.connections.size === 1)
  const [connection] = server.connections
  for (const [name, make] of Object.entries(MAKERS)) {
    const before = wire.journal.lines.length
    const answered = connection.ping(make(4, 1))
    connection.pong(make(2, 2))
    t.strictSame((await wire.journal.reach(before + 2)).slice(before), ['ping 01010101', 'pong 0202'], name)
    wire.send(frame('8a', Buffer.alloc(4, 1)))
    t.type(await within(answered, 'the pong'), 'number')
    t.throws(() => connection.pong(make(126, 1)), { name: 'MisuseError', code: 'invalid-argument', message: 'payload must be at most 125 bytes, and not 126' })
  }
})

t.test('broadcast and publish, of a server and of a connection', async t => {
  const { server, client } = await running(t, { open: socket => socket.subscribe('room') })
  const wire = await client()
  await client()
  await eventually('both', () => server.connections.size === 2)
  const [first, second] = server.connections
  for (const [name, make] of Object.entries(MAKERS)) {
    const before = wire.journal.lines.length
    t.equal(server.broadcast(make(2, 1), { except: second }), 1)
    t.equal(server.publish('room', make(2, 2)), 2)
    t.equal(second.publish('room', make(2, 3)), 1)
    t.equal(server.broadcast(make(2, 0x61), { binary: false }), 2)
    const expected = ['binary 0101', 'binary 0202', 'binary 0303', 'text aa']
    t.strictSame((await wire.journal.reach(before + 4)).slice(before), expected, name)
  }
  t.equal(first.readyState, 'open')
})

t.test('kore_websocket_send and kore_websocket_broadcast, with every op; the payload of a close frame', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const [name, make] of Object.entries(MAKERS)) {
    for (const op of [kore.WEBSOCKET_OP_TEXT, kore.WEBSOCKET_OP_BINARY, kore.WEBSOCKET_OP_PING, kore.WEBSOCKET_OP_PONG]) {
      kore.kore_websocket_send(c, op, make(4, 0x61), 3)
      kore.kore_websocket_broadcast(null, op, make(4, 0x61), null, kore.WEBSOCKET_BROADCAST_LOCAL)
      const first = (0x80 | op).toString(16)
      const expected = frame(first, 'aaa') + frame(first, 'aaaa')
      t.equal(await client.readAs(expected), expected, `${name}, op ${op}`)
    }
    const { client: other, c: leaving } = await served.pair()
    // 0x0f0f is 3855, a code of applications.
    t.equal(kore.kore_websocket_send(leaving, kore.WEBSOCKET_OP_CLOSE, make(4, 0x0f), 2), true)
    t.equal(await other.readAs(closeFrame(3855)), closeFrame(3855), name)
    other.send(masked(closeFrame(3855)))
    t.equal(await other.rest(), '')
  }
})

t.test('close: a reason is a string, of whichever realm, and no bytes', async t => {
  const { server, port } = await running(t)
  const client = await open(t, `ws://127.0.0.1:${port}`)
  await eventually('the connection', () => server.connections.size === 1)
  const [connection] = server.connections
  for (const make of Object.values(MAKERS)) {
    t.throws(() => connection.close(4000, make(2, 0x61) as string), { name: 'MisuseError', code: 'invalid-argument', message: 'reason must be a string' })
  }
  t.equal(connection.readyState, 'open')
  connection.close(4000, foreign<string>("'by' + 'e'"))
  t.match(await client.closed, { code: 4000, reason: 'bye', clean: true })
})

t.test('the class: bytes are sent, shared memory is refused as the standard has it', async t => {
  const received: Message[] = []
  const { port } = await running(t, { message: (_, data) => void received.push(data) })
  const { socket } = await opened(t, `ws://127.0.0.1:${port}`)
  for (const [name, make] of Object.entries(MAKERS)) {
    const data = make(4, 1) as ArrayBuffer
    if (name === 'view of a SharedArrayBuffer') {
      t.throws(() => socket.send(data), { name: 'TypeError', message: 'data must not be a view of a SharedArrayBuffer' })
      continue
    }
    socket.send(data)
    await eventually(name, () => received.length === 1)
    // No BufferSource, so it becomes a string like any other object.
    const expected = name === 'SharedArrayBuffer' ? '[object SharedArrayBuffer]' : Buffer.alloc(4, 1)
    t.strictSame(received.splice(0), [expected], name)
  }
})

t.test('a URL: of connect, of the class, of a proxy', async t => {
  const { port, server } = await running(t)
  const url = new ForeignURL(`http://127.0.0.1:${port}/a?b=c`)
  const connection: Connection = await open(t, url)
  t.equal(connection.readyState, 'open')
  const { socket } = await opened(t, url)
  t.equal(socket.url, `ws://127.0.0.1:${port}/a?b=c`)
  const proxy = await openProxy(t)
  const through = new ForeignURL(proxy.url)
  await open(t, url, { proxy: through })
  await open(t, url, { proxy: { url: through } })
  t.strictSame(proxy.targets, [`127.0.0.1:${port}`, `127.0.0.1:${port}`])
  await eventually('all of them', () => server.connections.size === 4)
  t.match(await failureOf(connect(new ForeignURL('ftp://127.0.0.1'))), { code: 'invalid-argument', message: /^url must begin with ws:/ })
})

t.test('an AbortSignal: one that was aborted, one that is while the handshake waits, one that is later', async t => {
  const silent = await RawServer.open(t, () => {})
  const reason = foreign<Error>("new Error('enough')")
  const [before, meanwhile, later] = [new ForeignSignal(), new ForeignSignal(), new ForeignSignal()]
  before.abort(reason)
  t.equal(await failureOf(connect(silent.url, { signal: before })), reason)
  t.equal(silent.accepted, 0)

  const attempt = connect(silent.url, { signal: meanwhile })
  const failure = failureOf(attempt)
  await eventually('the request', () => silent.heads.length === 1)
  t.equal(meanwhile.listeners.size, 1)
  meanwhile.abort(reason)
  t.equal(await failure, reason)
  t.equal(meanwhile.listeners.size, 0)
  await silent.left()

  const { port } = await running(t)
  const connection = await open(t, `ws://127.0.0.1:${port}`, { signal: later })
  t.equal(later.listeners.size, 0, 'nobody listens once it is open')
  later.abort(reason)
  t.equal(connection.readyState, 'open')
})

t.test('options and lists, of a client and of a server', async t => {
  const { port } = await running(t, foreign(`({ protocols: ['chat'], limits: { messageBytes: 3 } })`))
  const connection = await open(t, `ws://127.0.0.1:${port}`, foreign(`({ protocols: ['other', 'chat'], headers: { 'x-a': ['b', 'c'] } })`))
  t.equal(connection.protocol, 'chat')
  connection.send('aaaa')
  t.match(await connection.closed, { code: 1009 })
})

t.test('a callback of another realm: its promise is awaited, and its error told', async t => {
  const { client, journal } = await running(t, { message: foreign(`async () => { throw new Error('broken there') }`) })
  const wire = await client()
  wire.send(frame('81', 'a'))
  await wire.journal.until('close 1011')
  await journal.until('close 1011')
  t.ok(journal.lines.some(line => line.endsWith('broken there')), journal.lines.join())
})

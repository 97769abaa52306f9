import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { connect } from '../lib/client.ts'
import { Violation } from '../lib/protocol/violation.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { failureOf, LOOKUP, open, take } from './helpers/client.ts'
import { describeError } from './helpers/connected.ts'
import { bytes, closeFrame, frame, hex, masked } from './helpers/frames.ts'
import { eventually, Journal, turn, within } from './helpers/journal.ts'
import { accepting, headersOf, RawServer } from './helpers/raw-server.ts'
import { running } from './helpers/running.ts'

const TEXT = '81'
const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)
const framed = (messages: readonly string[]): string => messages.map(message => frame(TEXT, message)).join('')

/** The bytes that came to a server behind the head, once there are as many as `expected` has. */
async function received(raw: RawServer, expected: string): Promise<string> {
  const [socket] = raw.sockets
  let all = Buffer.alloc(0)
  socket.on('data', chunk => (all = Buffer.concat([all, chunk])))
  await eventually('the bytes', () => all.length * 2 >= expected.length)
  return hex(all)
}

/** Unmasked again, frame by frame. */
function unmasked(wire: string): string {
  const all = bytes(wire)
  let out = ''
  for (let at = 0; at < all.length; ) {
    const length = all[at + 1] & 0x7f
    const key = all.subarray(at + 2, at + 6)
    const payload = all.subarray(at + 6, at + 6 + length).map((byte, i) => byte ^ key[i % 4])
    out += frame(hex(all.subarray(at, at + 1)), payload)
    at += 6 + length
  }
  return out
}

t.test('messages go both ways, text and binary, of every size', async t => {
  const { port } = await running(t, { message: (socket, data) => void socket.send(data) })
  const socket = await open(t, `ws://127.0.0.1:${port}`)
  t.equal(socket.readyState, 'open')
  const sent = ['a', '', 'ü€\u{1f600}', 'x'.repeat(200_000), Buffer.from([0, 255]), Buffer.alloc(0), Buffer.alloc(300_000, 'y')]
  for (const message of sent) socket.send(message)
  t.strictSame(await take(socket, sent.length), sent)
})

t.test('messages as streams, without a callback: those that came at once are among them', async t => {
  const { port } = await running(t, {
    async open(socket) {
      socket.send('at once')
      await socket.sendStream(['a', 'b'])
      socket.close(1000)
    },
  })
  const socket = await open(t, `ws://127.0.0.1:${port}`)
  await eventually('the messages', () => socket.closeInfo !== undefined)
  const seen: string[] = []
  for await (const message of socket.messages({ stream: true })) {
    let text = ''
    for await (const piece of message) text += piece
    seen.push(text)
  }
  t.strictSame(seen, ['at once', 'ab'])
})

t.test('section 5.3: every frame is masked, with a key that is new each time', async t => {
  const raw = await RawServer.open(t, accepting)
  const socket = await open(t, raw.url)
  const messages = texts(100)
  for (const message of messages) socket.send(message)
  socket.ping('p')
  socket.close(1000, 'bye')
  const expected = [...messages.map(message => frame(TEXT, message)), frame('89', 'p'), closeFrame(1000, 'bye')]
  const wire = await received(raw, expected.map(each => masked(each)).join(''))
  t.equal(unmasked(wire), expected.join(''))
  const keys = new Set<string>()
  for (let at = 0; at < wire.length; at += 12 + 2 * (parseInt(wire.slice(at + 2, at + 4), 16) & 0x7f)) keys.add(wire.slice(at + 4, at + 12))
  t.ok(keys.size > 95, `${keys.size} keys`)
})

/** Of compression as it is by default. */
const OFFER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits'

t.test('the request, as the options and the URL have it', async t => {
  const raw = await RawServer.open(t, accepting)
  const protocols = ['a', 'b']
  const headers = { Cookie: 'c=d', 'x-many': ['1', '2'], 'x-latin': 'ü' }
  await open(t, `ws://user:pass@127.0.0.1:${raw.port}/chat?room=1`, { protocols, origin: 'https://example.org', headers })
  const [head] = raw.heads
  t.match(head, /^GET \/chat\?room=1 HTTP\/1\.1\r\n/)
  const { 'sec-websocket-key': key, ...rest } = headersOf(head)
  t.match(key, /^[A-Za-z0-9+/]{22}==$/)
  t.strictSame(rest, {
    host: `127.0.0.1:${raw.port}`,
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    origin: 'https://example.org',
    'sec-websocket-protocol': 'a, b',
    'sec-websocket-extensions': OFFER,
    authorization: 'Basic dXNlcjpwYXNz',
    cookie: 'c=d',
    'x-many': ['1', '2'],
    'x-latin': 'ü',
  })
})

t.test('the subprotocol agreed on', async t => {
  const { port } = await running(t, { protocols: ['b', 'a'] })
  const rows: [protocols: string | string[] | undefined, agreed: string][] = [
    [undefined, ''],
    [[], ''],
    ['a', 'a'],
    [['a', 'b'], 'b'],
    ['c', ''],
  ]
  for (const [protocols, agreed] of rows) {
    t.equal((await open(t, `ws://127.0.0.1:${port}`, { protocols })).protocol, agreed, String(protocols))
  }
})

t.test('http: means ws:, a name is looked up, and IPv6 needs its brackets in URLs only', async t => {
  const { port, server } = await running(t)
  await open(t, `http://127.0.0.1:${port}`)
  await open(t, new URL(`ws://localhost:${port}/`))
  t.equal(server.connections.size, 2)
  const six = new WebSocketServer()
  t.teardown(() => six.close({ timeout: 0 }))
  try {
    await six.listen({ port: 0, host: '::1' })
  } catch {
    t.comment('no IPv6 here')
    return
  }
  const address = six.address as { port: number }
  await open(t, `ws://[::1]:${address.port}`)
  t.equal(six.connections.size, 1)
})

t.test('a unix socket: the URL says Host and path', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const raw = await RawServer.open(t, head => accepting(head) + 'x', { path })
  const socket = await open(t, 'ws://example.org:81/chat', { socketPath: path })
  t.match(raw.heads[0], /^GET \/chat HTTP\/1\.1\r\nHost: example\.org:81\r\n/)
  socket.terminate()
  await raw.left()
  const missing = await failureOf(connect('ws://a/', { socketPath: join(folder, 'missing') }))
  t.equal(missing.code, 'ENOENT')
})

t.test('errors of the network keep their code', async t => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => closed.once('listening', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise(resolve => closed.close(resolve))
  t.equal((await failureOf(connect(`ws://127.0.0.1:${port}`))).code, 'ECONNREFUSED')
  t.equal((await failureOf(connect(`ws://localhost:${port}`))).code, 'ECONNREFUSED')
  t.match((await failureOf(connect('ws://nowhere.invalid', { timeout: LOOKUP }), LOOKUP)).code, /^(ENOTFOUND|EAI_AGAIN)$/)
})

t.test('messages wait for the loop, however late it begins, in front of a pause, and between two loops', async t => {
  const raw = await RawServer.open(t, head => Buffer.concat([Buffer.from(accepting(head)), bytes(framed(texts(3)))]))
  const socket = await open(t, raw.url)
  const [peer] = raw.sockets
  peer.write(bytes(framed(['3', '4'])))
  for (let i = 0; i < 20; i++) await turn()
  const seen: unknown[] = []
  for await (const message of socket) {
    seen.push(message)
    if (message === '1') break
  }
  for (let i = 0; i < 20; i++) await turn()
  peer.write(bytes(framed(['5'])))
  for await (const message of socket) {
    seen.push(message)
    if (message === '5') break
  }
  peer.end(bytes(framed(['6', '7']) + closeFrame(1000)))
  await eventually('the end', () => socket.closeInfo !== undefined)
  for await (const message of socket) seen.push(message)
  t.strictSame(seen, texts(8))
  t.strictSame(socket.closeInfo, { code: 1000, reason: '', clean: true })
})

t.test('while nobody pulls, the server is slowed down after 16 messages, and pings in front of them are answered', async t => {
  const raw = await RawServer.open(t, accepting)
  const socket = await open(t, raw.url)
  const [peer] = raw.sockets
  peer.write(bytes(frame('89', 'one') + framed(texts(15)) + frame('89', 'two')))
  const pongs = frame('8a', 'one') + frame('8a', 'two')
  t.equal(unmasked(await received(raw, masked(frame('8a', 'one')) + masked(frame('8a', 'two')))), pongs)
  const block = bytes(frame('82', Buffer.alloc(100_000)))
  for (let i = 0; i < 100; i++) peer.write(block)
  await eventually('a server that has to wait', () => peer.writableNeedDrain)
  // The system takes as much as it has room for, and then no more.
  let waiting: number
  do {
    waiting = peer.writableLength
    for (let i = 0; i < 50; i++) await turn()
  } while (peer.writableLength !== waiting)
  t.ok(waiting > 1_000_000, `${waiting} bytes wait`)
  const messages = await take(socket, 115)
  t.strictSame(messages.slice(0, 15), texts(15))
  t.equal(messages.slice(15).reduce((sum, { length }) => sum + length, 0), 10_000_000)
})

t.test('one who sends and never reads closes without waiting', async t => {
  const { port, journal } = await running(t, { open: socket => texts(100).forEach(text => socket.send(text)) })
  const socket = await open(t, `ws://127.0.0.1:${port}`)
  socket.send('a')
  await journal.until('text a')
  socket.close(3000)
  t.strictSame(await journal.until('close'), ['open', 'text a', 'close 3000'])
  await eventually('the end', () => socket.readyState === 'closed')
  t.strictSame(socket.closeInfo, { code: 3000, reason: '', clean: true })
})

t.test('with a message callback nothing is lost, and nothing comes before whoever awaits has gone on', async t => {
  for (const byteByByte of [false, true]) {
    const answer = (head: string): Buffer => Buffer.concat([Buffer.from(accepting(head)), bytes(framed(texts(40)) + closeFrame(1000))])
    const raw = await RawServer.open(t, answer, { byteByByte })
    const journal = new Journal()
    let socket: Connection | undefined
    const wrapped = async (): Promise<Connection> => {
      const inner = async (): Promise<Connection> =>
        connect(raw.url, {
          message: (given, data) => journal.add(`${given === socket} ${String(data)}`),
          close: (given, code) => journal.add(`${given === socket} close ${code}`),
        })
      return await inner()
    }
    socket = await wrapped()
    await journal.until('true close')
    t.strictSame(journal.lines, [...texts(40), 'close 1000'].map(line => `true ${line}`), `byte by byte: ${byteByByte}`)
  }
})

t.test('a message callback that pauses, and a loop in place of the callback', async t => {
  const raw = await RawServer.open(t, head => Buffer.concat([Buffer.from(accepting(head)), bytes(framed(texts(4)))]))
  const seen: unknown[] = []
  const socket = await open(t, raw.url, {
    message(socket, data) {
      seen.push(data)
      if (data === '1') socket.pause()
    },
  })
  await eventually('two messages', () => seen.length === 2)
  for (let i = 0; i < 10; i++) await turn()
  t.strictSame(seen, texts(2))
  const rest = take(socket, 2)
  socket.resume()
  t.strictSame(await rest, ['2', '3'])
  t.strictSame(seen, texts(2))
})

t.test('drain is called after a send that returned false', async t => {
  const raw = await RawServer.open(t, accepting)
  const journal = new Journal()
  const socket = await open(t, raw.url, { drain: given => journal.add(`drain ${given === socket}`) })
  t.equal(socket.send(Buffer.alloc(8_000_000)), false)
  for (const peer of raw.sockets) peer.resume()
  t.strictSame(await journal.until('drain'), ['drain true'])
})

t.test('close is called once, with the code of the server, ours, or 1006', async t => {
  const endings: [how: string, end: (socket: Connection, peer: Connection) => void, expected: string][] = [
    ['by the server', (_, peer) => peer.close(4000, 'bye'), 'close 4000 bye'],
    ['by us', socket => socket.close(3001), 'close 3001'],
    ['without a code', socket => socket.close(), 'close 1005'],
    ['by the server at once', (_, peer) => peer.terminate(), 'close 1006'],
    ['by us at once', socket => socket.terminate(), 'close 1006 terminated'],
  ]
  for (const [how, end, expected] of endings) {
    const { port, server } = await running(t)
    const journal = new Journal()
    const socket = await open(t, `ws://127.0.0.1:${port}`, {
      close: (given, code, reason) => journal.add(`close ${code} ${reason}`.trimEnd() + (given === socket ? '' : ' other')),
    })
    end(socket, [...server.connections][0])
    await journal.until('close')
    await server.close()
    t.strictSame(journal.lines, [expected], how)
  }
})

t.test('section 5.1: a masked frame of the server fails the connection with 1002, and error is told', async t => {
  const raw = await RawServer.open(t, head => Buffer.concat([Buffer.from(accepting(head)), bytes(masked(frame(TEXT, 'a')))]))
  const journal = new Journal()
  await open(t, raw.url, {
    message: () => journal.add('message'),
    error: (socket, error) => journal.add(`error ${describeError(error)} ${error instanceof Violation} ${typeof socket.send}`),
    close: (_, code) => journal.add(`close ${code}`),
  })
  const sentence = 'a server must not mask its frames'
  const expected = masked(closeFrame(1002, sentence))
  t.equal(unmasked(await received(raw, expected)), closeFrame(1002, sentence))
  t.strictSame(journal.lines, ['error [masked-frame] true function', 'close 1002'])
})

t.test('a callback that throws or rejects closes its connection with 1011, and error is told', async t => {
  const ways: [how: string, message: () => unknown][] = [
    ['throws', () => { throw new Error('oops') }],
    ['rejects', () => Promise.reject(new Error('oops'))],
  ]
  for (const [how, message] of ways) {
    const { port, journal } = await running(t, { open: socket => void socket.send('a') })
    const errors: unknown[] = []
    await open(t, `ws://127.0.0.1:${port}`, { message, error: (_, error) => void errors.push(describeError(error)) })
    t.strictSame(await journal.until('close'), ['open', 'close 1011'], how)
    t.strictSame(errors, ['oops'])
  }
})

t.test('without an error callback, what a callback throws is a process warning', async t => {
  const { port } = await running(t, { open: socket => void socket.send('a') })
  const warning = new Promise<Error>(resolve => process.once('warning', resolve))
  await open(t, `ws://127.0.0.1:${port}`, { message() { throw new Error('oops') } })
  const { message, cause } = await within(warning, 'a warning')
  t.equal(message, 'the callback message failed: Error: oops; its connection with 127.0.0.1 is closed with 1011')
  t.match(cause, { message: 'oops' })
})

t.test('section 7.1.1: the server ends TCP first; if it does not, the client does after the closing time', async t => {
  const raw = await RawServer.open(t, head => accepting(head))
  const journal = new Journal()
  let closedAt = 0
  const close = (_: Connection, code: number): void => {
    closedAt = performance.now()
    journal.add(`close ${code}`)
  }
  const socket = await open(t, raw.url, { limits: { closingTime: 200 }, close })
  const [peer] = raw.sockets
  let endedAt = 0
  peer.on('end', () => (endedAt = performance.now()))
  peer.resume()
  peer.write(bytes(closeFrame(1000)))
  await journal.until('close 1000')
  await raw.left()
  const elapsed = endedAt - closedAt
  t.ok(elapsed >= 200, `still there, for ${elapsed} ms`)
  t.equal(socket.readyState, 'closed')
})

t.test('limits are in force', async t => {
  const { port, journal } = await running(t, { message: socket => void socket.send('x'.repeat(11)) })
  const socket = await open(t, `ws://127.0.0.1:${port}`, { limits: { messageBytes: 10, idleTime: 60_000 } })
  t.equal(socket.idleTime, 60_000)
  socket.send('a')
  await journal.until('close 1009')
  t.equal(socket.closeInfo?.code, 1009)
})

t.test('topics are a server\'s, and data is whoever has the connection', async t => {
  const { port } = await running(t)
  const socket = await open(t, `ws://127.0.0.1:${port}`)
  const misuse = { name: 'MisuseError', code: 'invalid-state' }
  t.throws(() => socket.subscribe('topic'), misuse)
  t.throws(() => socket.unsubscribe('topic'), misuse)
  t.throws(() => socket.isSubscribed('topic'), misuse)
  t.throws(() => socket.publish('topic', 'a'), misuse)
  t.equal(socket.data, undefined)
  socket.data = 5
  t.equal(socket.data, 5)
})

t.test('an agent makes the socket, and does not hold it any more', async t => {
  const { port, server } = await running(t, { message: (socket, data) => void socket.send(data) })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const sockets = [await open(t, `ws://127.0.0.1:${port}`, { agent }), await open(t, `ws://127.0.0.1:${port}`, { agent })]
  t.equal(server.connections.size, 2, 'though it allows one')
  t.strictSame([agent.sockets, agent.freeSockets, agent.requests].map(list => Object.keys(list)), [[], [], []])
  for (const socket of sockets) {
    socket.send('a')
    t.strictSame(await take(socket, 1), ['a'])
    socket.close()
  }
  await server.close()
})

t.test("an agent's answer is refused like any other; the socket is the agent's, or gone where the body was not read", async t => {
  const raw = await RawServer.open(t, () => 'HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno')
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  t.match(await failureOf(connect(raw.url, { agent })), { code: 'handshake-refused', status: 403, body: Buffer.from('no') })
  await eventually('a socket that the agent has again', () => Object.values(agent.freeSockets).flat().length === 1)
  t.strictSame(Object.keys(agent.sockets), [])
  const long = await RawServer.open(t, () => `HTTP/1.1 403 No\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(70_000)}`)
  t.match(await failureOf(connect(long.url, { agent })), { body: Buffer.alloc(65_536, 'x') })
  await long.left()
})

t.test("an agent that can't reach the server fails as the network does", async t => {
  const agent = new Agent()
  const attempt = connect('ws://nowhere.invalid', { agent, timeout: LOOKUP })
  t.match((await failureOf(attempt, LOOKUP)).code, /^(ENOTFOUND|EAI_AGAIN)$/)
})

t.test('misuse rejects, and connects to nobody', async t => {
  const raw = await RawServer.open(t, accepting)
  t.match(await failureOf(connect('')), { name: 'MisuseError', code: 'invalid-argument' })
  t.match(await failureOf(connect(`${raw.url}/#a`)), { name: 'MisuseError', code: 'invalid-argument' })
  t.match(await failureOf(connect(raw.url, { timeout: -1 })), { name: 'MisuseError', code: 'invalid-option' })
  t.match(await failureOf(connect(raw.url, { headers: { Host: 'a' } })), { name: 'MisuseError', code: 'invalid-header' })
  t.equal(raw.accepted, 0)
})

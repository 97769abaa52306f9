import { createServer, type Server } from 'node:http'
import { createServer as createNetServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import { closeFrame, frame, hex, masked } from './helpers/frames.ts'
import { eventually, within } from './helpers/journal.ts'
import { clientsOf, observedServer, running } from './helpers/running.ts'
import { plainRequest, WireClient } from './helpers/wire-client.ts'

const HERE = { port: 0, host: '127.0.0.1' }

async function listening(t: Test): Promise<{ http: Server; port: number }> {
  const http = createServer((_, response) => response.end('plain'))
  http.listen(HERE)
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  return { http, port: (http.address() as AddressInfo).port }
}

t.test('listen resolves to where it listens, and address says so too', async t => {
  const { server } = observedServer(t)
  t.equal(server.address, null)
  const address = await server.listen(HERE)
  t.match(address, { address: '127.0.0.1', port: Number, family: 'IPv4' })
  t.strictSame(server.address, address)
  await server.close()
  t.equal(server.address, null)
})

t.test('listen on a unix socket', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { server, journal } = observedServer(t)
  const path = join(folder, 'socket')
  t.equal(await server.listen({ path }), path)
  t.equal(server.address, path)
  const client = await WireClient.to({ path })
  t.teardown(() => client.socket.destroy())
  t.equal((await client.handshake()).status, 101)
  client.send(frame('81', 'a'))
  await journal.until('text a')
  t.equal([...server.connections][0].remoteAddress, undefined)
})

t.test('a port that is taken rejects, and another may be tried', async t => {
  const taken = createNetServer().listen(HERE)
  await once(taken, 'listening')
  t.teardown(() => void taken.close())
  const { server } = observedServer(t)
  await t.rejects(server.listen({ ...HERE, port: (taken.address() as AddressInfo).port }), { code: 'EADDRINUSE' })
  t.equal(server.address, null)
  const { port } = (await server.listen(HERE)) as AddressInfo
  t.equal((await clientsOf(t, port).client()).journal.lines.length, 0)
})

t.test('listen twice, and after close, is misuse', async t => {
  const { server } = await running(t)
  const misuse = { name: 'MisuseError', code: 'invalid-state', message: /listen/ }
  await t.rejects(server.listen(HERE), misuse)
  t.not(server.address, null, 'and it still listens')
  await server.close()
  await t.rejects(server.listen(HERE), misuse)
  const closed = new WebSocketServer()
  await closed.close()
  await t.rejects(closed.listen(HERE), misuse)
})

t.test('a plain HTTP request is answered with 426', async t => {
  const { port } = await running(t)
  const { status, headers, body } = await plainRequest(port)
  t.equal(status, 426)
  t.match(headers, { upgrade: 'websocket', connection: 'upgrade, close', 'content-type': 'text/plain; charset=utf-8' })
  t.equal(body, 'This address speaks WebSocket: ask for an upgrade.\n')
})

t.test('callbacks in order, with the messages and the close', async t => {
  const { server, journal, client } = await running(t, { open: socket => socket.send('hi'), message: (socket, data) => socket.send(data) })
  const one = await client()
  t.strictSame(await one.lines(1), ['text hi'])
  t.equal(server.connections.size, 1)
  one.send(frame('81', 'a'), frame('82', 'b'))
  t.strictSame((await one.lines(3)).slice(1), ['text a', 'binary 62'])
  one.send(closeFrame(1000, 'bye'))
  await one.journal.until('end')
  t.strictSame(journal.lines, ['open', 'text a', 'binary 62', 'close 1000 bye'])
  t.equal(server.connections.size, 0)
})

t.test('the connection is out of connections when close is called', async t => {
  const sizes: number[] = []
  const { server, journal, client } = await running(t, { close: () => void sizes.push(server.connections.size) })
  const [one] = [await client(), await client()]
  one.send(closeFrame(1000))
  await journal.until('close')
  t.strictSame(sizes, [1])
})

t.test('the answer and what open sends are one write', async t => {
  const { dial } = await running(t, { open: socket => socket.send('hi') })
  const client = await dial()
  await client.handshake()
  await client.lines(1)
  t.equal(client.chunks.length, 1)
})

t.test('a path of its own: 404 elsewhere, and the query does not count', async t => {
  const { dial } = await running(t, { path: '/chat' })
  for (const [path, expected] of [
    ['/chat', 101],
    ['/chat?room=1', 101],
    ['/', 404],
    ['/chat/', 404],
    ['/Chat', 404],
  ] as const) {
    const client = await dial()
    t.equal((await client.handshake({ path })).status, expected, path)
  }
})

t.test('attach: several servers on one HTTP server by path, its requests are left to it', async t => {
  const { http, port } = await listening(t)
  const one = observedServer(t, { path: '/one', message: socket => socket.send('one') })
  const other = observedServer(t, { path: '/x', message: socket => socket.send('other') })
  t.equal(one.server.attach(http), one.server)
  other.server.attach(http, { path: '/other' })
  t.equal(one.server.address, null)
  const { client, dial } = clientsOf(t, port)
  for (const name of ['one', 'other']) {
    const connected = await client({ path: `/${name}` })
    connected.send(frame('81', '?'))
    t.strictSame(await connected.lines(1), [`text ${name}`])
  }
  t.equal((await (await dial()).handshake({ path: '/x' })).status, 404)
  t.equal((await plainRequest(port)).body, 'plain')
})

t.test('attach: a path that is taken is misuse, and so is one that no request can have', async t => {
  const { http } = await listening(t)
  const { server } = observedServer(t)
  server.attach(http, { path: '/a' })
  t.throws(() => observedServer(t).server.attach(http, { path: '/a' }), { name: 'MisuseError', code: 'invalid-state' })
  t.throws(() => server.attach(http, { path: 'a' }), { name: 'MisuseError', code: 'invalid-option', message: /^path/ })
})

t.test('attach: one server at several paths and HTTP servers; all are given back on close', async t => {
  const [first, second] = [await listening(t), await listening(t)]
  const { server, journal } = observedServer(t)
  server.attach(first.http, { path: '/a' }).attach(first.http, { path: '/b' }).attach(second.http)
  await clientsOf(t, first.port).client({ path: '/a' })
  await clientsOf(t, first.port).client({ path: '/b' })
  await clientsOf(t, second.port).client({ path: '/any' })
  await journal.reach(3)
  await server.close({ timeout: 0 })
  t.strictSame([first.http.listenerCount('upgrade'), second.http.listenerCount('upgrade')], [0, 0])
  t.equal(first.http.listening, true, 'the HTTP server is somebody else’s')
  t.equal((await plainRequest(first.port)).body, 'plain')
})

t.test("another protocol's upgrade is left alone, and so is a path of somebody else", async t => {
  const { http, port } = await listening(t)
  observedServer(t).server.attach(http, { path: '/ours' })
  http.on('upgrade', (request, socket) => {
    if (request.headers.upgrade !== 'websocket' || request.url === '/theirs') socket.end('HTTP/1.1 299 x\r\n\r\n')
  })
  const { dial } = clientsOf(t, port)
  t.equal((await (await dial()).handshake({ path: '/ours', headers: { upgrade: 'other' } })).status, 299)
  t.equal((await (await dial()).handshake({ path: '/theirs' })).status, 299)
  t.equal((await (await dial()).handshake({ path: '/ours' })).status, 101)
})

t.test('upgrade: answers whatever it is given, and 404 for a path that is not its own', async t => {
  const { http, port } = await listening(t)
  const { server, journal } = observedServer(t, { path: '/ours' })
  http.on('upgrade', (request, socket, head) => server.upgrade(request, socket, head))
  const { dial, client } = clientsOf(t, port)
  t.equal((await (await dial()).handshake({ path: '/theirs' })).status, 404)
  t.equal((await (await dial()).handshake({ path: '/ours', headers: { upgrade: 'other' } })).status, 426)
  await client({ path: '/ours' })
  await journal.until('open')
})

t.test("the HTTP server's timeout is not the connection's", async t => {
  const { http, port } = await listening(t)
  http.timeout = 50_000
  const { server } = observedServer(t)
  const timeouts: unknown[] = []
  http.on('upgrade', (request, socket, head) => {
    timeouts.push(request.socket.timeout)
    server.upgrade(request, socket, head)
    timeouts.push(request.socket.timeout)
  })
  await clientsOf(t, port).client()
  t.strictSame(timeouts, [50_000, 0])
})

t.test('handshakes that are none are refused, and no callback is called', async t => {
  const { dial, journal } = await running(t)
  const cases: [headers: Record<string, string | null>, status: number][] = [
    [{ 'sec-websocket-version': '8' }, 426],
    [{ 'sec-websocket-key': 'short' }, 400],
    [{ 'sec-websocket-key': null }, 400],
    [{ 'sec-websocket-protocol': 'a, a' }, 400],
    [{ origin: 'https://elsewhere.example' }, 403],
  ]
  for (const [headers, expected] of cases) {
    const client = await dial()
    const { status, headers: answer } = await client.handshake({ headers })
    t.equal(status, expected, JSON.stringify(headers))
    t.match(answer['connection'], /close/)
    await client.journal.until('end')
  }
  t.strictSame(journal.lines, [])
})

t.test('what comes in one packet with the handshake is not lost', async t => {
  const { dial, journal } = await running(t, { message: (socket, data) => socket.send(data) })
  const client = await dial()
  const answer = await client.handshake({}, masked(frame('81', 'early')) + masked(frame('81', 'bird')).slice(0, 8))
  t.equal(answer.status, 101)
  client.sendRaw(masked(frame('81', 'bird')).slice(8))
  t.strictSame(await client.lines(2), ['text early', 'text bird'])
  t.strictSame(journal.lines, ['open', 'text early', 'text bird'])
})

t.test('limits are per server: messageBytes, queuedBytes and idleTime reach the connections', async t => {
  const limits = { messageBytes: 3, idleTime: 60_000 }
  const { server, client } = await running(t, { limits })
  const one = await client()
  t.equal([...server.connections][0].idleTime, 60_000)
  one.send(frame('81', 'long'))
  t.match(await one.lines(1), [/^close 1009/])
  const slow = await running(t, { limits: { queuedBytes: 1_000_000 } })
  const { socket } = await slow.client()
  socket.pause()
  await slow.journal.until('open')
  const [connection] = slow.server.connections
  for (let i = 0; i < 100 && connection.readyState === 'open'; i++) connection.send(Buffer.alloc(200_000))
  await slow.journal.until('close 1006 slow-consumer')
})

t.test('errors of callbacks and violations go to error, with the connection; others are unharmed', async t => {
  const errors: unknown[] = []
  const { client, journal } = await running(t, {
    message(_, data) {
      if (data === 'bad') throw new Error('oops')
    },
    error: (socket, error) => errors.push([socket?.readyState, (error as Error).name]),
  })
  const [one, other] = [await client(), await client()]
  one.send(frame('81', 'bad'))
  t.strictSame(await one.lines(1), ['close 1011'])
  other.sendRaw(frame('81', 'unmasked'))
  t.match(await other.lines(1), [/^close 1002/])
  await journal.reach(7)
  t.strictSame(journal.lines.slice(2), [
    'text bad',
    'error: oops',
    'close 1011',
    'error: [unmasked-frame]',
    'close 1002 a client must mask its frames',
  ])
  t.strictSame(errors, [['open', 'Error'], ['closed', 'Violation']])
})

t.test('without an error callback, errors become warnings, violations do not; an error callback that throws does too', async t => {
  const warnings: string[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  for (const error of [undefined, () => { throw new Error('second') }]) {
    const server = new WebSocketServer({ message: () => { throw 'oops' }, ...(error && { error }) })
    t.teardown(() => server.close({ timeout: 0 }))
    const { port } = (await server.listen(HERE)) as AddressInfo
    const { client } = clientsOf(t, port)
    const [one, other] = [await client(), await client()]
    one.send(frame('81', 'a'))
    await one.journal.until('close 1011')
    if (error === undefined) other.sendRaw(frame('81', 'unmasked'))
    await eventually('a warning', () => warnings.length > 0)
  }
  await eventually('both warnings', () => warnings.length >= 2)
  t.strictSame(warnings, [
    'the callback message failed: "oops"; its connection with 127.0.0.1 is closed with 1011',
    'the callback error failed: Error: second; it was told of "oops"',
  ])
})

t.test('slow handshakes are answered with 408: one of which nothing comes, and one that trickles', async t => {
  const { port, journal } = await running(t, { limits: { handshakeTime: 200 } })
  const [silent, trickling] = [await clientsOf(t, port).dial(), await clientsOf(t, port).dial()]
  const answers = Promise.all([silent.answer(), trickling.answer()])
  trickling.socket.write('GET / HTTP/1.1\r\n')
  const timer = setInterval(() => trickling.socket.writable && trickling.socket.write('x-more: 1\r\n'), 50)
  t.teardown(() => clearInterval(timer))
  const statuses = (await within(answers, 'both answers')).map(({ status }) => status)
  t.strictSame(statuses, [408, 408])
  await silent.journal.until('end')
  t.strictSame(journal.lines, [])
})

t.test('handshakeTime is no limit for a connection that is open', async t => {
  // More than a moment in which the machine stands still: the first handshake has to be in time.
  const { client, journal } = await running(t, { limits: { handshakeTime: 1200 } })
  const one = await client()
  const other = await running(t, { limits: { handshakeTime: 1500 } })
  const silent = await other.dial()
  await silent.answer()
  one.send(frame('81', 'still here'))
  await journal.until('text still here')
})

t.test('handshakeTime of Infinity is no limit', async t => {
  const endless = await running(t, { limits: { handshakeTime: Infinity } })
  const limited = await running(t, { limits: { handshakeTime: 200 } })
  const [patient, other] = [await endless.dial(), await limited.dial()]
  await other.answer()
  t.equal((await patient.handshake()).status, 101)
})

t.test('the connection has the address, and the bytes that wait', async t => {
  const { server, client } = await running(t)
  await client()
  const [connection] = server.connections
  t.equal(connection.remoteAddress, '127.0.0.1')
  t.equal(connection.bufferedAmount, 0)
  t.equal(hex(Buffer.from(connection.protocol)), '')
})

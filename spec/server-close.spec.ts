import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import { Takeover } from './helpers/deflated.ts'
import { closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, turn, within } from './helpers/journal.ts'
import { clientsOf, observedServer, running } from './helpers/running.ts'
import { Time } from './helpers/stopped-clock.ts'
import { WireClient } from './helpers/wire-client.ts'

/** Answers the server's close frame as a good client does. */
async function agree(client: WireClient): Promise<void> {
  await client.journal.until('close')
  client.send(closeFrame(1001))
  await client.journal.until('end')
  client.socket.end()
}

/** An HTTP server that is somebody else's. */
async function listening(t: Test): Promise<{ http: Server; port: number }> {
  const http = createServer().listen({ port: 0, host: '127.0.0.1' })
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  return { http, port: (http.address() as AddressInfo).port }
}

t.test('every peer gets 1001, and it resolves when all are gone', async t => {
  const { server, journal, client } = await running(t)
  const clients = [await client(), await client(), await client()]
  let resolved = false
  const closed = server.close().then(counts => {
    resolved = true
    return counts
  })
  await Promise.all([agree(clients[0]), agree(clients[1])])
  for (let i = 0; i < 5; i++) await turn()
  t.equal(resolved, false, 'one is left')
  await agree(clients[2])
  t.strictSame(await within(closed, 'the end of the server'), { closed: 3, dropped: 0, refused: 0 })
  for (const { journal: lines } of clients) t.equal(lines.lines[0], 'close 1001')
  t.strictSame(journal.lines.slice(3), ['close 1001', 'close 1001', 'close 1001'])
  t.equal(server.connections.size, 0)
})

t.test('another code', async t => {
  const { server, client } = await running(t)
  const one = await client()
  const closed = server.close({ code: 1012 })
  await agree(one)
  await closed
  t.equal(one.journal.lines[0], 'close 1012')
})

t.test('a second call gives the same promise', async t => {
  const { server, client } = await running(t)
  const one = await client()
  const closed = server.close()
  t.equal(server.close({ code: 1012 }), closed)
  await agree(one)
  await closed
  t.equal(one.journal.lines[0], 'close 1001')
  t.equal(server.close(), closed)
})

t.test('with nobody there it resolves at once, with a port or without', async t => {
  const counts = await within((await running(t)).server.close(), 'the end of a server')
  t.strictSame(counts, { closed: 0, dropped: 0, refused: 0 })
  await within(new WebSocketServer().close(), 'the end of a server that has begun nothing')
})

t.test('a peer that never answers is dropped after timeout, and close says so', async t => {
  const { server, journal, client } = await running(t)
  const silent = await client()
  const counts = await within(server.close({ timeout: 100 }), 'the end of the server', 2000)
  t.strictSame(counts, { closed: 0, dropped: 1, refused: 0 })
  t.strictSame(journal.lines, ['open', 'close 1006 close-timeout'])
  await silent.journal.until('end')
})

t.test('a peer whose closing handshake had begun before is dropped too', async t => {
  const { server, journal, client } = await running(t, { open: socket => socket.close(4000) })
  const silent = await client()
  await silent.lines(1)
  await within(server.close({ timeout: 100 }), 'the end of the server', 2000)
  t.strictSame(journal.lines, ['open', 'close 1006 close-timeout'])
})

t.test('a peer that has answered but holds on to its socket is dropped too, and no later', async t => {
  const { server, journal, client } = await running(t, { limits: { closingTime: 60_000 } })
  const holding = await client()
  const time = new Time(t)
  let over = false
  const closed = server.close({ timeout: 700 }).finally(() => (over = true))
  await holding.journal.until('close')
  await time.pass(500)
  holding.send(closeFrame(1001))
  await journal.until('close 1001')
  await time.pass(100)
  t.equal(over, false, 'not before the time is over')
  await time.pass(200)
  const counts = await within(closed, 'the end of the server: the time is for both')
  t.strictSame(counts, { closed: 1, dropped: 0, refused: 0 }, 'its closing handshake is complete')
})

t.test('a peer that was closed before, and holds on to its socket, is dropped too, and not counted', async t => {
  const { server, journal, client } = await running(t, { limits: { closingTime: 3000 } })
  const holding = await client()
  holding.send(closeFrame(1000))
  await journal.until('close 1000')
  const counts = await within(server.close({ timeout: 100 }), 'the end of the server', 2000)
  t.strictSame(counts, { closed: 0, dropped: 0, refused: 0 })
})

t.test('one that fails, or is lost, has had no closing handshake', async t => {
  const { server, journal, client } = await running(t, { message: () => Promise.reject(new Error('no')) })
  const [failing, throwing, lost, good] = [await client(), await client(), await client(), await client()]
  const closed = server.close()
  for (const each of [failing, throwing, lost, good]) await each.journal.until('close')
  failing.send('8300')
  throwing.send(frame('81', 'x'))
  lost.socket.destroy()
  await journal.until('close 1002')
  await journal.until('close 1011')
  for (const each of [failing, throwing]) each.socket.destroy()
  await agree(good)
  t.strictSame(await within(closed, 'the end of the server'), { closed: 1, dropped: 3, refused: 0 })
})

t.test('a client whose handshake is refused, and that holds on to its socket, is dropped too', async t => {
  const { server, dial } = await running(t, { accept: () => new Promise<void>(() => {}), limits: { closingTime: 3000 } })
  const holding = await dial()
  const answer = holding.handshake()
  await eventually('accept to be asked', () => server.metrics().handshakes.pending === 1)
  const closed = server.close({ timeout: 100 })
  t.equal((await answer).status, 503)
  t.strictSame(await within(closed, 'the end of the server', 2000), { closed: 0, dropped: 0, refused: 1 })
})

t.test('without a timeout of its own, limits.closingTime counts', async t => {
  const { server, journal, client } = await running(t, { limits: { closingTime: 100 } })
  await client()
  await within(server.close(), 'the end of the server', 2000)
  t.strictSame(journal.lines, ['open', 'close 1006 close-timeout'])
})

t.test('what was sent before still arrives', async t => {
  const { server, client } = await running(t)
  const one = await client()
  server.broadcast('last words')
  for (const connection of server.connections) connection.send(Buffer.alloc(1_000_000))
  const closed = server.close()
  await agree(one)
  await closed
  t.strictSame(one.journal.lines.slice(0, 3), ['text last words', 'binary of 1000000 bytes', 'close 1001'])
})

t.test('messages that come before the answer are still delivered', async t => {
  const { server, journal, client } = await running(t)
  const one = await client()
  const closed = server.close()
  await one.journal.until('close')
  one.send(frame('81', 'last words'), closeFrame(1001))
  one.socket.end()
  await closed
  t.strictSame(journal.lines, ['open', 'text last words', 'close 1001'])
})

t.test('connections that have not asked for anything do not keep it open', async t => {
  const { server, dial } = await running(t)
  const [silent, begun] = [await dial(), await dial()]
  begun.socket.write('GET / HTTP/1.1\r\nHost: ')
  // One that still waits to be accepted would be reset.
  await eventually('both to be there', () => server.metrics().handshakes.incomplete === 2)
  await within(server.close(), 'the end of the server')
  await silent.journal.until('end')
})

t.test('new handshakes get 503 while it closes, and when it has', async t => {
  const { http, port } = await listening(t)
  const { server } = observedServer(t)
  http.on('upgrade', (request, socket, head) => server.upgrade(request, socket, head))
  const { client, dial } = clientsOf(t, port)
  const one = await client()
  const closed = server.close()
  const { status, body } = await (await dial()).handshake()
  t.strictSame([status, body], [503, 'The server is closing.\n'])
  await agree(one)
  t.strictSame(await closed, { closed: 1, dropped: 0, refused: 1 })
  t.equal((await (await dial()).handshake()).status, 503)
})

t.test('nobody can connect any more once it listens no longer', async t => {
  const { server, port } = await running(t)
  await server.close()
  await t.rejects(WireClient.to({ port, host: '127.0.0.1' }), { code: 'ECONNREFUSED' })
})

const misuse = (message: RegExp): { name: string; code: string; message: RegExp } => ({
  name: 'MisuseError',
  code: 'invalid-option',
  message,
})

t.test('a time that is none is misuse that changes nothing', async t => {
  const { server } = await running(t)
  for (const timeout of [-1, 1.5, NaN, '5' as unknown as number]) {
    await t.rejects(async () => server.close({ timeout }), misuse(/^timeout/))
  }
  t.not(server.address, null, 'it still listens')
  await server.close({ timeout: Infinity })
})

t.test('a code that may not travel is misuse that changes nothing, with connections or without', async t => {
  const { http, port } = await listening(t)
  for (const count of [0, 1]) {
    const { server } = observedServer(t)
    server.attach(http, { path: `/${count}` })
    const { client } = clientsOf(t, port)
    const one = count === 0 ? undefined : await client({ path: `/${count}` })
    for (const code of [1005, 1006, 999, 5000, 1000.5, NaN, '1000' as unknown as number]) {
      await t.rejects(async () => server.close({ code }), misuse(/^code/), `${code} with ${count}`)
    }
    t.equal(server.connections.size, count)
    await client({ path: `/${count}` }).then(
      each => each.socket.destroy(),
      () => t.fail('new clients are refused')
    )
    const closed = server.close({ timeout: 100 }).then(() => 'closed', () => 'failed')
    t.equal(await within(closed, 'the end of the server'), 'closed')
    if (one !== undefined) t.equal((await one.journal.until('close'))[0], 'close 1001')
  }
})

t.test('close may be called from inside a callback', async t => {
  const { server, journal, client } = await running(t, { message: () => server.close() })
  const one = await client()
  one.send(frame('81', 'stop'))
  await agree(one)
  await server.close()
  t.strictSame(journal.lines, ['open', 'text stop', 'close 1001'])
})

t.test('attached: 503 until all is over, unless another server takes the path', async t => {
  const { http, port } = await listening(t)
  const { client, dial } = clientsOf(t, port)
  const [old, next, other] = [observedServer(t), observedServer(t), observedServer(t)]
  old.server.attach(http, { path: '/a' }).attach(http, { path: '/b' })
  const one = await client({ path: '/a' })
  const closed = old.server.close()
  for (const path of ['/a', '/b']) t.equal((await (await dial()).handshake({ path })).status, 503, path)
  next.server.attach(http, { path: '/a' })
  t.throws(() => other.server.attach(http, { path: '/a' }), { code: 'invalid-state' }, 'it is taken')
  await client({ path: '/a' })
  t.strictSame(next.journal.lines, ['open'])
  t.equal((await (await dial()).handshake({ path: '/b' })).status, 503)
  await agree(one)
  t.strictSame(await closed, { closed: 1, dropped: 0, refused: 3 })
  await client({ path: '/a' })
  t.equal((await (await dial()).handshake({ path: '/b' })).status, 404, 'nobody serves it any more')
})

t.test('an accept that closes the server refuses its own handshake', async t => {
  const { server, dial } = await running(t, { accept: () => void server.close() })
  t.equal((await (await dial()).handshake()).status, 503)
  t.equal(server.connections.size, 0)
  await server.close()
})

t.test('idle connections of HTTP do not hold it up', async t => {
  const { server, dial } = await running(t)
  const kept = await dial()
  const answer = kept.answer()
  kept.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n')
  t.equal((await answer).status, 426)
  await within(server.close(), 'the end of the server', 2000)
})

// What was sent before

const MIB = 1024 * 1024
const COUNT = 16
const OFFER = 'permessage-deflate; client_max_window_bits'

/** Bytes of which a quarter compresses, other ones for each number. */
function message(at: number): Buffer {
  const bytes = Buffer.alloc(MIB)
  let state = at + 1
  for (let i = 0; i < (3 * MIB) / 4; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes.writeInt32LE(state ^ (state >>> 16), i)
  }
  return bytes
}

/** Reads a little at a time. */
function readSlowly(socket: Duplex, pause: number): void {
  const listeners = socket.listeners('data') as ((chunk: Buffer) => void)[]
  socket.removeAllListeners('data')
  socket.on('data', chunk => {
    for (const listener of listeners) listener.call(socket, chunk)
    socket.pause()
    setTimeout(() => socket.resume(), pause)
  })
}

for (const compression of [false, { mode: 'shared', threshold: 0 }, { mode: 'dedicated', threshold: 0 }] as const) {
  t.test(`16 MiB queued for a slow reader arrive in order, in front of the close frame: ${JSON.stringify(compression)}`, async t => {
    const { server, journal } = await running(t, { compression, limits: { queuedBytes: 64 * MIB } })
    const { port } = server.address as AddressInfo
    const client = await clientsOf(t, port).client({ headers: { 'sec-websocket-extensions': OFFER } })
    if (compression !== false) client.inflater = new Takeover()
    await journal.until('open')
    readSlowly(client.socket, 1)
    for (const connection of server.connections) {
      for (let at = 0; at < COUNT; at++) connection.send(message(at))
    }
    const closed = server.close({ timeout: 60_000 })
    await client.journal.until('close', 60_000)
    client.sendRaw(masked(closeFrame(1001)))
    client.socket.end()
    t.strictSame(await within(closed, 'the end of the server', 10_000), { closed: 1, dropped: 0, refused: 0 })
    t.equal(client.frames.length, COUNT + 1)
    const wrong = client.frames.slice(0, COUNT).findIndex(({ payload }, at) => !payload.equals(message(at)))
    t.equal(wrong, -1, 'each as it was sent')
    t.equal(client.compressed, compression === false ? 0 : COUNT)
  })
}

t.test('a message that is being streamed is completed, those behind it follow, then the close frame', async t => {
  let go: () => void = () => {}
  const gate = new Promise<void>(resolve => {
    go = resolve
  })
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < 8; at++) {
      yield message(at)
      if (at === 3) await gate
    }
  }
  const { server, client, journal } = await running(t)
  const slow = await client()
  await journal.until('open')
  readSlowly(slow.socket, 1)
  const [connection] = server.connections
  const streamed = connection.sendStream(pieces())
  connection.send('behind it')
  await slow.journal.until('binary begins')
  const closed = server.close({ timeout: 60_000 })
  t.equal(connection.send('too late'), false)
  go()
  await slow.journal.until('close', 60_000)
  slow.send(closeFrame(1001))
  slow.socket.end()
  await streamed
  t.strictSame(await within(closed, 'the end of the server'), { closed: 1, dropped: 0, refused: 0 })
  const kinds = slow.journal.lines.filter(line => /^(text|close) /.test(line))
  t.strictSame(kinds, ['text behind it', 'close 1001'])
  const parts = slow.frames.filter(({ first }) => (first & 0x0f) < 1 || (first & 0x0f) === 2)
  const all = Buffer.concat(parts.map(({ payload }) => payload))
  t.equal(all.length, 8 * MIB)
  for (let at = 0; at < 8; at++) t.ok(all.subarray(at * MIB, (at + 1) * MIB).equals(message(at)), `piece ${at}`)
})

t.test('a client that never reads is dropped at the end of the time', async t => {
  const { server, client, journal } = await running(t)
  const deaf = await client()
  await journal.until('open')
  deaf.socket.pause()
  for (const connection of server.connections) connection.send(Buffer.alloc(16 * MIB))
  const began = performance.now()
  const counts = await within(server.close({ timeout: 500 }), 'the end of the server')
  t.strictSame(counts, { closed: 0, dropped: 1, refused: 0 })
  t.ok(performance.now() - began >= 400, 'it had its time')
  t.ok(journal.lines.includes('close 1006 close-timeout'))
})

t.test('close before listen is done: listen rejects, and nothing listens', async t => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const server = new WebSocketServer()
    const listening = server.listen({ port: 0, host })
    const closing = server.close()
    await t.rejects(listening, { name: 'MisuseError', code: 'invalid-state', message: /closed/ }, host)
    t.strictSame(await closing, { closed: 0, dropped: 0, refused: 0 })
    t.equal(server.address, null)
  }
})

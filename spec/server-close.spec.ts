import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { turn, within } from './helpers/journal.ts'
import { clientsOf, observedServer, running } from './helpers/running.ts'
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
  const closed = server.close().then(() => {
    resolved = true
  })
  await Promise.all([agree(clients[0]), agree(clients[1])])
  for (let i = 0; i < 5; i++) await turn()
  t.equal(resolved, false, 'one is left')
  await agree(clients[2])
  await within(closed, 'the end of the server')
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
  await within((await running(t)).server.close(), 'the end of a server')
  await within(new WebSocketServer().close(), 'the end of a server that has begun nothing')
})

t.test('a peer that never answers is dropped after timeout, and close says so', async t => {
  const { server, journal, client } = await running(t)
  const silent = await client()
  await within(server.close({ timeout: 100 }), 'the end of the server', 2000)
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

t.test('a peer that has answered but holds on to its socket is dropped too', async t => {
  const { server, journal, client } = await running(t)
  const holding = await client()
  const closed = server.close({ timeout: 700 })
  await holding.journal.until('close')
  holding.send(closeFrame(1001))
  await journal.until('close 1001')
  await within(closed, 'the end of the server', 2000)
})

t.test('a peer that was closed before, and holds on to its socket, is dropped too', async t => {
  const { server, journal, client } = await running(t, { limits: { closingTime: 3000 } })
  const holding = await client()
  holding.send(closeFrame(1000))
  await journal.until('close 1000')
  await within(server.close({ timeout: 100 }), 'the end of the server', 2000)
})

t.test('a client whose handshake is refused, and that holds on to its socket, is dropped too', async t => {
  const { server, dial } = await running(t, { accept: () => new Promise<void>(() => {}), limits: { closingTime: 3000 } })
  const holding = await dial()
  const answer = holding.handshake()
  for (let i = 0; i < 10; i++) await turn()
  const closed = server.close({ timeout: 100 })
  t.equal((await answer).status, 503)
  await within(closed, 'the end of the server', 2000)
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
  await turn()
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
  await closed
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
    if (one !== undefined) t.equal(one.journal.lines[0], 'close 1001')
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

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { connect } from '../lib/client.ts'
import { clientsOf, observedServer, running } from './helpers/running.ts'
import { frame } from './helpers/frames.ts'
import { eventually } from './helpers/journal.ts'
import { handshakeText } from './helpers/raw-client.ts'

const TEXT = '81'

t.test('handshakeBytes: as many as the limit pass, one more is 431, over listen and attach', async t => {
  const size = handshakeText({ headers: { 'x-more': '' } }).length
  for (const limit of [size, 1000, 16 * 1024, undefined]) {
    const most = limit ?? 16 * 1024
    const listening = await running(t, { limits: { handshakeBytes: limit } })
    const http = createServer({ maxHeaderSize: 100_000 }).listen(0, '127.0.0.1')
    await once(http, 'listening')
    t.teardown(() => http.close())
    const attached = observedServer(t, { limits: { handshakeBytes: limit } })
    attached.server.attach(http)
    for (const { dial } of [listening, clientsOf(t, (http.address() as AddressInfo).port)]) {
      for (const [more, status] of [[0, 101], [1, 431], [50, 431], [5000, 431]] as const) {
        const client = await dial()
        const answer = await client.handshake({ headers: { 'x-more': 'x'.repeat(most - size + more) } })
        t.equal(answer.status, status, `${most} and ${more}`)
        client.socket.destroy()
      }
    }
    t.notOk([...listening.journal.lines, ...attached.journal.lines].some(line => /error|refused/.test(line)))
  }
})

t.test('handshakeBytes: a path counts too; Infinity is no limit, and 0 lets nobody in', async t => {
  const { dial } = await running(t, { limits: { handshakeBytes: 1000 } })
  const client = await dial()
  t.equal((await client.handshake({ path: `/${'a'.repeat(1000)}` })).status, 431)
  const endless = await running(t, { limits: { handshakeBytes: Infinity } })
  const large = await endless.client({ headers: { 'x-more': 'x'.repeat(200_000) } })
  large.send(frame(TEXT, 'a'))
  await endless.journal.until('text a')
  const none = await running(t, { limits: { handshakeBytes: 0 } })
  t.equal((await (await none.dial()).handshake()).status, 431)
})

t.test('what Node refuses before it is a request is counted as well, and tells of the limit', async t => {
  // Only what is to take too long may have little time, and what it sends has to be read before that is over.
  const rows = [
    ['GET / HTTP/1.1\r\nx-more: ', 1000, 408, 'timeout', 'handshakeTime'],
    [`GET / HTTP/1.1\r\nx-more: ${'x'.repeat(2000)}`, 60_000, 431, 'headSize', 'handshakeBytes'],
    ['what is this\r\n\r\n', 60_000, 400, 'request', undefined],
  ] as const
  for (const [request, handshakeTime, status, reason, limit] of rows) {
    const { server, dial, journal } = await running(t, { limits: { handshakeTime, handshakeBytes: 1000 } })
    const client = await dial()
    const answer = client.answer()
    client.socket.write(request)
    t.equal((await answer).status, status)
    await client.journal.until('end')
    const { refused, limitsReached } = server.metrics()
    t.strictSame(refused, { total: 1, byStatus: { [status]: 1 }, byReason: { [reason]: 1 } })
    t.strictSame(limitsReached, limit === undefined ? {} : { [limit]: 1 })
    t.notOk(journal.lines.some(line => line.includes('error')))
  }
})

t.test('handshakeTime: 0 is no time, and not no limit', async t => {
  const { server, dial } = await running(t, { limits: { handshakeTime: 0 } })
  const client = await dial()
  const answer = client.answer()
  client.socket.write('GET / HTTP/1.1\r\n')
  t.equal((await answer).status, 408)
  t.equal(server.metrics().limitsReached.handshakeTime, 1)
})

t.test('the other limits and the policies reach the connections of a server', async t => {
  const never = new Promise(() => {})
  const limits = { pendingMessages: 2, controlFrames: 5, retainedBytes: 10, lifetime: Infinity }
  const { client, journal } = await running(t, { limits, message: () => never })
  const [busy, loud, large] = [await client(), await client(), await client()]
  busy.send(...['a', 'b', 'c'].map(text => frame(TEXT, text)))
  await journal.until('text b')
  // All in one write: the limit is for those of a second.
  loud.send(...Array.from({ length: 5 }, () => frame('89')), frame('8a'))
  await loud.journal.until('close 1008 more pings and pongs')
  t.equal(loud.journal.lines.filter(line => line.startsWith('pong')).length, 5)
  large.send(frame(TEXT, 'x'.repeat(11)))
  await large.journal.until('close 1009 the message takes more memory')
  t.notOk(journal.lines.includes('text c'))
})

t.test('a broadcast waits for nobody: those that read get all, each that does not has its own drops', async t => {
  for (const broadcast of ['drop-oldest', 'drop-newest'] as const) {
    const { server, client } = await running(t, { limits: { queuedBytes: 100_000 }, slowReceivers: { broadcast } })
    const [reader, idle] = [await client(), await client()]
    idle.socket.pause()
    const [one, other] = [...server.connections]
    const COUNT = 500
    let reached = 0
    for (let i = 0; i < COUNT; i++) {
      reached += server.broadcast(Buffer.alloc(40_000, i))
      await eventually('the reader', () => reader.frames.length === i + 1)
    }
    t.equal(server.connections.size, 2, broadcast)
    t.equal(one.droppedMessages, 0)
    t.ok(other.droppedMessages > 100, `${other.droppedMessages}`)
    if (broadcast === 'drop-newest') t.equal(reached, 2 * COUNT - other.droppedMessages, 'the count leaves out the refused')
    const dropped = other.droppedMessages
    idle.socket.resume()
    await eventually('the rest', () => idle.frames.length === COUNT - dropped)
    t.ok(idle.frames.every(({ payload }) => payload.length === 40_000))
    await eventually('the server to hear that all is taken', () => other.bufferedAmount === 0)
  }
})

t.test('a client has limits and policies of its own', async t => {
  const { port, server, journal } = await running(t, {})
  const url = `ws://127.0.0.1:${port}`
  const socket = await connect(url, {
    limits: { pendingMessages: 1, controlFrames: 3, queuedBytes: 1000 },
    slowReceivers: { send: 'drop-newest' },
    message: () => new Promise(() => {}),
  })
  const messages = ['a', 'b'].map(text => text.repeat(600))
  t.equal(socket.send(messages[0]), true)
  t.equal(socket.send(messages[1]), true, 'the first has been taken by the system')
  await journal.until('text of 600')
  const [connection] = server.connections
  connection.pause()
  await eventually('a drop', () => !socket.send(Buffer.alloc(60_000)) && socket.droppedMessages > 0)
  t.equal(socket.readyState, 'open')
  connection.resume()
  for (let i = 0; i < 4; i++) connection.ping()
  await journal.until('close 1008')
  t.match(socket.closeInfo, { code: 1008 })
  const short = await connect(url, { limits: { lifetime: 200 } })
  await journal.until('close 1001 lifetime')
  await eventually('the end', () => short.closeInfo !== undefined)
  t.strictSame(short.closeInfo, { code: 1001, reason: 'lifetime', clean: true })
})

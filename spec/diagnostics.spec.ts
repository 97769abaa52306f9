import { channel } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { connect } from '../lib/client.ts'
import { Diagnostics, type ObservedConnection } from '../lib/diagnostics.ts'
import { refuse, REFUSALS } from '../lib/handshake/refusal.ts'
import { WebSocketServer } from '../lib/server.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { clientsOf, running } from './helpers/running.ts'
import { subscribed } from './helpers/subscribed.ts'

/** A connection that nobody has. */
const SOMEBODY = { data: 'somebody' } as unknown as ObservedConnection & { retainedBytes: number }

t.test('opened and closed, of the server and of the client', async t => {
  const order: string[] = []
  const seen: unknown[] = []
  const { server, port } = await running(t, {
    open: socket => void seen.push(socket, opened.length),
    close: (_, code) => void order.push(`callback ${code}, ${closed.length} published`),
  })
  const opened = subscribed(t, 'kore-ws.connection.open')
  const closed = subscribed(t, 'kore-ws.connection.close')
  const socket = await connect(`ws://127.0.0.1:${port}`)
  t.same(opened.map(({ role }) => role).sort(), ['client', 'server'])
  t.equal(opened.find(({ role }) => role === 'client')?.connection, socket)
  const [ours] = server.connections
  t.equal(opened.find(({ role }) => role === 'server')?.connection, ours)
  t.strictSame(seen, [ours, 1], 'published before the open callback')
  t.strictSame(Object.keys(opened[0]), ['role', 'connection'])
  t.equal(opened[0].connection.remoteAddress, '127.0.0.1')
  socket.close(4321, 'why not')
  await eventually('both to be told', () => closed.length === 2)
  t.strictSame(
    closed.map(({ role, code, reason, connection }) => `${role} ${code} ${reason} ${connection.readyState}`).sort(),
    ['client 4321 why not closed', 'server 4321 why not closed']
  )
  t.equal(closed.find(({ role }) => role === 'client')?.connection, socket)
  t.equal(closed.find(({ role }) => role === 'server')?.connection, ours)
  t.match(order, [/^callback 4321, [12] published$/], 'before the close callback')
})

t.test('a connection without a closing handshake: why it ended', async t => {
  const { server, client, journal } = await running(t)
  const closed = subscribed(t, 'kore-ws.connection.close')
  await client()
  for (const socket of server.connections) socket.terminate('enough of it')
  await journal.until('close')
  t.match(closed, [{ role: 'server', code: 1006, reason: 'enough of it' }])
})

t.test('refused handshakes of a server', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const { port, dial } = await running(t, {
    path: '/here',
    accept: ({ url }) => {
      if (url.endsWith('?no')) return refuse(402)
      if (url.endsWith('?throw')) throw new Error('accept is broken')
      return undefined
    },
  })
  const cases: [parts: object, status: number, reason: string][] = [
    [{ path: '/there' }, 404, 'path'],
    [{ path: '/here', headers: { origin: 'http://elsewhere.example' } }, 403, 'origin'],
    [{ path: '/here', headers: { 'sec-websocket-key': 'x' } }, 400, 'key'],
    [{ path: '/here', headers: { 'sec-websocket-version': '8' } }, 426, 'version'],
    [{ path: '/here?no' }, 402, 'accept'],
    [{ path: '/here?throw' }, 500, 'failure'],
  ]
  for (const [parts, status, reason] of cases) {
    const client = await dial()
    t.equal((await client.handshake(parts)).status, status)
    t.strictSame(refused.pop(), { role: 'server', status, reason, remoteAddress: '127.0.0.1' })
    t.equal(refused.length, 0)
  }
  await t.rejects(connect(`ws://127.0.0.1:${port}/there`))
  t.strictSame(refused, [
    { role: 'server', status: 404, reason: 'path', remoteAddress: '127.0.0.1' },
    { role: 'client', status: 404, reason: 'handshake-refused', remoteAddress: undefined },
  ])
})

t.test('a request that is no attached server’s', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const server = new WebSocketServer({ path: '/here' }).attach(http)
  const client = await clientsOf(t, (http.address() as AddressInfo).port).dial()
  t.equal((await client.handshake({ path: '/there' })).status, 404)
  t.strictSame(refused, [{ role: 'server', status: 404, reason: 'path', remoteAddress: '127.0.0.1' }])
  t.equal(server.metrics().refused.total, 0)
  await server.close()
})

t.test('errors: of a callback, of the protocol, of accept', async t => {
  const errors = subscribed(t, 'kore-ws.error')
  const failure = new Error('the callback is broken')
  const { server, client, dial } = await running(t, {
    accept: ({ path }) => {
      if (path === '/throw') throw failure
      return undefined
    },
    message() {
      throw failure
    },
  })
  const one = await client()
  const [first] = server.connections
  one.send(frame('81', 'a'))
  await one.journal.until('close 1011')
  const other = await client()
  const [second] = server.connections
  other.send('83 00')
  await other.journal.until('close 1002')
  await (await dial()).handshake({ path: '/throw' })
  t.strictSame(errors.map(({ role }) => role), ['server', 'server', 'server'])
  t.equal(errors[0].connection, first)
  t.equal(errors[0].error, failure)
  t.equal(errors[1].connection, second)
  t.match(errors[1].error, { name: 'Violation', code: 'reserved-opcode' })
  t.strictSame(errors[2], { role: 'server', error: failure, connection: null })
  t.equal(server.metrics().errors, 3)
  t.strictSame(server.metrics().refused.byReason, { failure: 1 })
})

t.test('limits and dropped messages, as those who reach them tell', async t => {
  const limits = subscribed(t, 'kore-ws.limit')
  const dropped = subscribed(t, 'kore-ws.message.dropped')
  const diagnostics = new Diagnostics()
  diagnostics.limitReached('queuedBytes', SOMEBODY)
  diagnostics.limitReached('queuedBytes', SOMEBODY)
  diagnostics.limitReached('connections', null)
  diagnostics.messageDropped('drop-oldest', SOMEBODY)
  t.strictSame([...diagnostics.limitsReached], [['queuedBytes', 2], ['connections', 1]])
  t.strictSame([...diagnostics.messagesDropped], [['drop-oldest', 1]])
  const reached = { limit: 'queuedBytes', connection: SOMEBODY }
  t.strictSame(limits, [reached, reached, { limit: 'connections', connection: null }])
  t.strictSame(dropped, [{ policy: 'drop-oldest', connection: SOMEBODY }])
})

t.test('it counts whether or not somebody has subscribed, and makes no message where nobody has', async t => {
  const diagnostics = new Diagnostics('client')
  const names = ['connection.open', 'connection.close', 'handshake.refused', 'limit', 'message.dropped', 'error']
  // A prototype of the channel without subscribers publishes nothing, but would be called.
  const calls: string[] = []
  for (const name of names) {
    const idle = channel(`kore-ws.${name}`)
    t.equal(idle.hasSubscribers, false, name)
    const publish = t.capture(idle, 'publish', () => void calls.push(name))
    t.teardown(() => publish.restore())
  }
  diagnostics.connectionOpened(SOMEBODY)
  t.strictSame([...diagnostics.open], [SOMEBODY], 'a client’s connections are kept')
  diagnostics.connectionClosed(SOMEBODY, 1000, '')
  diagnostics.connectionClosed(SOMEBODY, 1000, '')
  t.equal(diagnostics.open.size, 0)
  diagnostics.refused(REFUSALS.closing, {})
  diagnostics.refused(refuse(503), {})
  diagnostics.refusedBy(undefined, 'handshake-timeout')
  diagnostics.limitReached('a', null)
  diagnostics.messageDropped('b', SOMEBODY)
  diagnostics.failed(new Error(), null)
  t.strictSame(calls, [])
  t.equal(diagnostics.role, 'client')
  t.equal(diagnostics.connectionsOpened, 1)
  t.strictSame([...diagnostics.closedByCode], [[1000, 2]])
  t.equal(diagnostics.handshakesRefused, 3)
  t.strictSame([...diagnostics.refusedByStatus], [[503, 2]])
  t.strictSame([...diagnostics.refusedByReason], [['closing', 1], ['accept', 1], ['handshake-timeout', 1]])
  t.equal(diagnostics.errors, 1)
  const server = new Diagnostics()
  server.connectionOpened(SOMEBODY)
  t.strictSame([server.role, server.open.size], ['server', 0], 'a server knows its own')
})

t.test('a subscriber that throws hurts neither the connection nor the other subscribers', async t => {
  const uncaught: unknown[] = []
  const names = ['kore-ws.connection.open', 'kore-ws.connection.close'] as const
  const failure = new Error('the subscriber is broken')
  const thrower = (): void => {
    throw failure
  }
  process.setUncaughtExceptionCaptureCallback(error => void uncaught.push(error))
  for (const name of names) channel(name).subscribe(thrower)
  t.teardown(() => {
    for (const name of names) channel(name).unsubscribe(thrower)
    process.setUncaughtExceptionCaptureCallback(null)
  })
  const opened = subscribed(t, 'kore-ws.connection.open')
  const { server, journal, client } = await running(t)
  const one = await client()
  one.send(frame('81', 'a'), closeFrame(1000))
  t.strictSame(await one.lines(2), ['close 1000', 'end'])
  await journal.reach(3)
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'close 1000'])
  t.equal(opened.length, 1)
  t.match(server.metrics().connections, { open: 0, opened: 1, closed: { 1000: 1 } })
  t.strictSame(uncaught, [failure, failure], 'Node makes it an uncaught exception, later')
})

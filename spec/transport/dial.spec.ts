/** What a socket is like when its handshake is done: nothing of HTTP's on it, and the arena reads it. */
import { Agent } from 'node:http'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { connect } from '../../lib/client.ts'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { Attempt } from '../../lib/transport/attempt.ts'
import { dial, type Means } from '../../lib/transport/dial.ts'
import { arenaState } from '../../lib/node-internals/receive-arena.ts'
import { failureOf, open, take } from '../helpers/client.ts'
import { bytes, frame } from '../helpers/frames.ts'
import { eventually, within } from '../helpers/journal.ts'
import { openProxy } from '../helpers/proxy-server.ts'
import { accepting, CERT, RawServer, type RawServerOptions } from '../helpers/raw-server.ts'
import { checkProxy } from '../../lib/transport/proxy-option.ts'

const NO_MEANS: Means = { agent: undefined, socketPath: undefined, proxy: undefined, tls: undefined }
const HEADERS = ['Host', 'a', 'Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']

/** Dials and gives the socket as it is handed over, with what came behind the answer. */
async function dialled(t: Test, url: string, means: Partial<Means> = {}): Promise<{ socket: Duplex; early: Buffer; listeners: string[] }> {
  const attempt = new Attempt(undefined, 60_000)
  const result = await within(
    dial({
      target: readTarget(url),
      rawHeaders: HEADERS,
      means: { ...NO_MEANS, ...means },
      attempt,
      wantsBody: () => true,
      switched: (_, socket, early) => ({ socket, early, listeners: listenersOn(socket) }),
    }),
    'the answer'
  )
  attempt.end()
  if (!('socket' in result)) throw new Error(`refused with ${result.status}`)
  t.teardown(() => result.socket.destroy())
  return result
}

/** The events that somebody listens for, but for what a socket of Node's has of its own. */
function listenersOn(socket: Duplex): string[] {
  return socket.eventNames().map(String).filter(name => name !== 'end' || socket.listenerCount('end') > 1).sort()
}

t.test('the socket has no listeners left, and is set up for a Connection', async t => {
  const ways: [way: string, server: RawServerOptions, means: Partial<Means>, own: string[]][] = [
    ['directly', {}, {}, []],
    ['an agent', {}, { agent: new Agent({ timeout: 5000 }) }, []],
    ['TLS', { tls: true }, { tls: { ca: CERT } }, []],
  ]
  for (const [way, options, means, own] of ways) {
    const raw = await RawServer.open(t, head => accepting(head) + 'early', options)
    const { socket, early, listeners } = await dialled(t, raw.url, means)
    t.equal(String(early), 'early', way)
    // TLS has listeners of its own, which are there on any TLS socket.
    t.strictSame(listeners.filter(name => !['_tlsError', 'close', 'secure', 'newListener'].includes(name) || !raw.url.startsWith('wss')), own, way)
    t.equal(socket.allowHalfOpen, true)
    t.equal((socket as Duplex & { timeout?: number }).timeout ?? 0, 0, 'no time limit')
    t.equal(socket.readableFlowing, null, 'nothing has been read past the answer')
  }
})

t.test('through a proxy too', async t => {
  const raw = await RawServer.open(t, accepting)
  const proxy = await openProxy(t)
  const target = readTarget(raw.url)
  const { listeners, socket } = await dialled(t, raw.url, { proxy: checkProxy(proxy.url)?.(target) })
  t.strictSame(listeners, [])
  t.equal(socket.allowHalfOpen, true)
})

t.test('another answer than 101 comes back, without its body where nobody wants it', async t => {
  const raw = await RawServer.open(t, () => 'HTTP/1.1 403 No\r\nx-a: b\r\ncontent-length: 2\r\n\r\nno')
  for (const wanted of [true, false]) {
    const attempt = new Attempt(undefined, 60_000)
    const asked: number[] = []
    const wantsBody = (status: number): boolean => (asked.push(status), wanted)
    const switched = (): never => t.fail('not switched') as never
    const answer = await dial({ target: readTarget(raw.url), rawHeaders: HEADERS, means: NO_MEANS, attempt, wantsBody, switched })
    attempt.end()
    t.match(answer, { status: 403, headers: { 'x-a': 'b' }, body: Buffer.from(wanted ? 'no' : '') })
    t.strictSame(asked, [403])
  }
  await raw.left(2)
})

t.test('what switched throws is what dial rejects with, and the socket goes', async t => {
  const error = new Error('not like this')
  for (const options of [{}, { tls: true }]) {
    const raw = await RawServer.open(t, accepting, options)
    const attempt = new Attempt(undefined, 60_000)
    const switched = (): never => {
      throw error
    }
    const means = { ...NO_MEANS, tls: { ca: CERT } }
    await t.rejects(dial({ target: readTarget(raw.url), rawHeaders: HEADERS, means, attempt, wantsBody: () => true, switched }), error)
    attempt.end()
    await raw.left()
  }
})

t.test('an attempt that is over already begins nothing that stays', async t => {
  const raw = await RawServer.open(t, accepting)
  const attempt = new Attempt(AbortSignal.abort('over'), Infinity)
  const dialling = { target: readTarget(raw.url), rawHeaders: HEADERS, means: NO_MEANS, attempt, wantsBody: () => true, switched: () => 0 }
  await t.rejects(dial(dialling).then(() => {}, reason => Promise.reject(new Error(String(reason)))), { message: 'over' })
  attempt.end()
  await eventually('nobody there', () => raw.sockets.size === 0)
})

t.test('connections of the client read into the arena, where those of a server do', async t => {
  const raw = await RawServer.open(t, accepting)
  const first = await open(t, raw.url)
  for (const peer of raw.sockets) peer.write(bytes(frame('81', 'a')))
  await take(first, 1)
  t.equal(arenaState(), process.env.KORE_WS_PORTABLE === '1' ? 'fails' : 'works')
  const sockets: Duplex[] = []
  const agent = new Agent()
  const createConnection = agent.createConnection.bind(agent)
  agent.createConnection = (...given: Parameters<typeof createConnection>) => {
    const socket = createConnection(...given)
    if (socket) sockets.push(socket)
    return socket
  }
  const connection = await open(t, raw.url, { agent })
  for (const peer of raw.sockets) peer.write(bytes(frame('81', 'a') + frame('82', Buffer.alloc(100_000, 'x'))))
  t.strictSame(await take(connection, 2), ['a', Buffer.alloc(100_000, 'x')])
  t.equal(sockets[0].listenerCount('data'), arenaState() === 'works' ? 0 : 1)
})

t.test('a socket whose peer ends right behind the answer and a message', async t => {
  const raw = await RawServer.open(t, (head, socket) => {
    socket.end(Buffer.concat([Buffer.from(accepting(head)), bytes(frame('81', 'last'))]))
  })
  const connection = await open(t, raw.url)
  t.strictSame(await take(connection, 1), ['last'])
  await t.rejects(take(connection, 1), { code: 'connection-closed', closeCode: 1006 })
  await raw.left()
  t.match(await failureOf(connect(`${raw.url}#`)), { name: 'MisuseError' })
})

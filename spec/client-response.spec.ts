/** `socket.response`: the answer to the handshake, cookies and all, whichever way it came; servers' connections have none. */
import t from 'tap'
import type { ConnectOptions } from '../lib/client-options.ts'
import { reconnecting } from '../lib/reconnecting.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { open, take } from './helpers/client.ts'
import { bytes, closeFrame, frame } from './helpers/frames.ts'
import { eventually, within } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { acceptingWith, acceptOf, answering, CERT, RawServer, type Reply } from './helpers/raw-server.ts'
import { running } from './helpers/running.ts'

const COOKIES = ['session=one; Path=/; HttpOnly', 'lang=en']

/** A cookie twice, and an id in a header of the server's own; the names in mixed case. */
const naming = (id: string): Reply => head => acceptingWith(head, { 'Set-Cookie': COOKIES, 'X-Server-Id': id })

t.test('status and headers of the answer, the names in lower case: over ws, wss and proxies', async t => {
  const plain = await RawServer.open(t, naming('plain'))
  const secure = await RawServer.open(t, naming('secure'), { tls: true })
  const proxy = await openProxy(t)
  const secureProxy = await openProxy(t, { tls: true })
  const tls = { ca: CERT }
  const ways: [way: string, raw: RawServer, options: ConnectOptions][] = [
    ['ws', plain, {}],
    ['wss', secure, { tls }],
    ['ws through a proxy', plain, { proxy: proxy.url }],
    ['wss through a proxy', secure, { tls, proxy: proxy.url }],
    ['ws through a proxy of https', plain, { proxy: { url: secureProxy.url, tls } }],
    ['wss through a proxy of https', secure, { tls, proxy: { url: secureProxy.url, tls } }],
  ]
  for (const [way, raw, options] of ways) {
    const { response } = await open(t, raw.url, options)
    t.equal(response?.status, 101, way)
    t.strictSame(
      response?.headers,
      {
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-accept': acceptOf(raw.heads.at(-1) ?? ''),
        'set-cookie': COOKIES,
        'x-server-id': raw === plain ? 'plain' : 'secure',
      },
      way
    )
  }
})

t.test('the answer that opened it, and none of those in front of it: other 1xx, redirects, the proxy', async t => {
  const raw = await RawServer.open(t, head => {
    if (head.startsWith('GET / ')) return answering(302, { location: '/there', 'set-cookie': 'of=redirect', 'x-redirect': 'yes' })
    return `HTTP/1.1 103 Early Hints\r\nX-Server-Id: hint\r\nLink: </a>\r\n\r\n${acceptingWith(head, { 'X-Server-Id': 'last' })}`
  })
  const proxy = await openProxy(t)
  for (const options of [{}, { proxy: proxy.url }]) {
    const { response } = await open(t, raw.url, { redirects: 1, ...options })
    t.equal(response?.status, 101)
    const { upgrade, connection, 'sec-websocket-accept': accept, ...rest } = response?.headers ?? {}
    t.strictSame(rest, { 'x-server-id': 'last' })
  }
})

t.test('what a server of ours puts into its answer is there, and its own connection has no response', async t => {
  const accepted: Connection<unknown>[] = []
  const { port, journal } = await running(t, {
    accept: () => ({ headers: { 'Set-Cookie': COOKIES, 'X-Server-Id': 'ours' } }),
    open: socket => void accepted.push(socket),
  })
  const { response } = await open(t, `ws://127.0.0.1:${port}`)
  t.match(response, { status: 101, headers: { 'set-cookie': COOKIES, 'x-server-id': 'ours' } })
  await journal.until('open')
  t.equal(accepted.length, 1)
  for (const socket of accepted) t.equal(socket.response, undefined)
})

t.test('it stays when the connection is over', async t => {
  const raw = await RawServer.open(t, (head, peer) => Buffer.concat([Buffer.from(String(naming('gone')(head, peer))), bytes(frame('81', 'a'))]))
  const socket = await open(t, raw.url)
  await take(socket, 1)
  for (const peer of raw.sockets) peer.end(bytes(closeFrame(1000)))
  await eventually('the end', () => socket.readyState === 'closed')
  t.match(socket.response, { status: 101, headers: { 'x-server-id': 'gone' } })
})

t.test('each connection of a reconnecting client has that of its own handshake', async t => {
  let id = 0
  const raw = await RawServer.open(t, (head, socket) => naming(`${++id}`)(head, socket))
  const loop = reconnecting(raw.url, { minDelay: 0 })
  const ids: unknown[] = []
  for (let i = 0; i < 2; i++) {
    const { value: socket, done } = await within(loop.next(), 'a connection')
    if (done === true) throw new Error('the loop ended')
    ids.push(socket.response?.headers['x-server-id'])
    socket.terminate()
  }
  await loop.return?.()
  t.strictSame(ids, ['1', '2'])
})

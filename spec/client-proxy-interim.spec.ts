/**
 * A proxy that sends 1xx answers in front of the one that counts (RFC 9110, section 15.2): they are passed over, whole and
 * one byte at a time, up to a limit; what comes behind them is treated as ever.
 */
import { connect as connectSocket, type Socket } from 'node:net'
import t from 'tap'
import { connect } from '../lib/client.ts'
import { WebSocket } from '../lib/websocket.ts'
import { failureOf, open, take } from './helpers/client.ts'
import { bytes, frame } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, CERT, RawServer, type Reply } from './helpers/raw-server.ts'
import { listenersOf } from './helpers/signals.ts'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const INTERIM = `${CONTINUE}HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 199\r\n\r\n`
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'

/** How many 1xx answers a proxy may give. */
const MOST = 15

/** How an answer is cut into writes; each leaves in a turn of its own. */
const CUTS: readonly (readonly [how: string, cut: (text: string) => readonly string[]])[] = [
  ['whole', text => [text]],
  ['an answer at a time', text => text.split(/(?<=\r\n\r\n)/)],
  ['byte by byte', text => [...text]],
]

/** A reply in these pieces, and then `then`. */
function inPieces(pieces: readonly string[], then: (socket: Socket) => void = () => {}): Reply {
  return (_, socket) => {
    let at = 0
    const next = (): void => {
      if (socket.destroyed) return
      if (at === pieces.length) then(socket)
      else socket.write(pieces[at++], () => setImmediate(next))
    }
    next()
  }
}

/** Carries bytes both ways. */
function tunnelTo(port: number): (socket: Socket) => void {
  return socket => {
    const far = connectSocket({ port, host: '127.0.0.1' })
    far.on('error', () => socket.destroy())
    far.on('close', () => socket.destroy())
    socket.on('close', () => far.destroy())
    far.pipe(socket)
    socket.pipe(far)
  }
}

t.test('they are passed over: ws and wss, through proxies of http and https, however the answers are cut', async t => {
  const greeting: Reply = head => Buffer.concat([Buffer.from(accepting(head)), bytes(frame('81', 'hello'))])
  const tls = { ca: CERT }
  for (const secure of [false, true]) {
    const raw = await RawServer.open(t, greeting, secure ? { tls: true } : {})
    for (const secureProxy of [false, true]) {
      for (const [how, cut] of CUTS) {
        const reply = inPieces(cut(INTERIM + ESTABLISHED), tunnelTo(raw.port))
        const proxy = await openProxy(t, { reply, ...(secureProxy && { tls: true }) })
        const socket = await open(t, raw.url, { proxy: { url: proxy.url, tls }, ...(secure && { tls }) })
        const label = `${raw.url} through ${proxy.url}, ${how}`
        t.strictSame(await take(socket, 1), ['hello'], label)
        t.match(socket.response, { status: 101 }, label)
        t.equal(proxy.targets.length, 1, 'the proxy was asked once')
        const message = 'x'.repeat(100_000)
        for (const peer of raw.sockets) peer.write(bytes(frame('81', message)))
        const [back] = await take(socket, 1)
        t.ok(back === message, 'a large message comes whole')
        socket.terminate()
        await raw.left()
        await proxy.raw.left()
      }
    }
  }
})

t.test('what comes behind them counts as if it came first', async t => {
  const rows: [what: string, answer: string, expected: object, body?: string][] = [
    ['a refusal', answering(407, { 'proxy-authenticate': 'Basic' }, 'Who?'), { code: 'proxy-refused', status: 407, headers: { 'proxy-authenticate': 'Basic' } }, 'Who?'],
    ['101, for nobody asked for an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', { code: 'proxy-refused', status: 101 }, ''],
    ['304, which has no body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', { code: 'proxy-refused', status: 304 }, ''],
    ['what is not HTTP', 'SSH-2.0\r\n', { code: 'handshake-invalid', message: 'the answer is not HTTP' }],
  ]
  for (const [what, answer, expected, body] of rows) {
    for (const [how, cut] of CUTS) {
      // The proxy leaves its end to us.
      const proxy = await openProxy(t, { reply: inPieces(cut(CONTINUE + answer)) })
      const error = await failureOf(connect('ws://example.org', { proxy: proxy.url, timeout: Infinity }))
      t.match(error, { name: 'HandshakeError', ...expected }, `${what}, ${how}`)
      if (body !== undefined) t.equal(String(error.body), body)
      await proxy.raw.left()
    }
  }
})

t.test('bytes in front of the tunnel are still no answer of the server, and the proxy is left', async t => {
  const early = (head: string): string => INTERIM + ESTABLISHED + accepting(head)
  const proxy = await openProxy(t, { reply: early })
  t.match(await failureOf(connect('ws://example.org', { proxy: proxy.url })), { code: 'handshake-invalid', message: /in front of/ })
  await proxy.raw.left()
})

t.test('a tunnel that TLS can not begin in leaves the proxy, too', async t => {
  const proxy = await openProxy(t, { reply: () => INTERIM + ESTABLISHED })
  const error = await failureOf(connect('wss://example.org', { proxy: proxy.url, tls: { ca: 'no certificate', ciphers: 'none' } }))
  t.match(error.code, /^ERR_/)
  await proxy.raw.left()
})

t.test('a proxy that ends, resets or falls silent behind them', async t => {
  const replies: [how: string, then: (socket: Socket) => void, code: RegExp, timeout: number][] = [
    ['ends', socket => void socket.end(), /^ECONNRESET$/, Infinity],
    ['resets', socket => void socket.resetAndDestroy(), /^ECONNRESET$/, Infinity],
    ['falls silent', () => {}, /^handshake-timeout$/, 300],
  ]
  for (const url of ['ws://example.org', 'wss://example.org']) {
    for (const [how, then, code, timeout] of replies) {
      const proxy = await openProxy(t, { reply: inPieces([INTERIM], then) })
      t.match((await failureOf(connect(url, { proxy: proxy.url, timeout }))).code, code, `${url}, ${how}`)
      await proxy.raw.left()
    }
  }
})

t.test('giving up behind them: the signal has its reason, and nothing is left', async t => {
  for (const [how, cut] of CUTS) {
    let sent = false
    const proxy = await openProxy(t, { reply: inPieces(cut(INTERIM), () => (sent = true)) })
    const controller = new AbortController()
    const attempt = failureOf(connect('ws://example.org', { proxy: proxy.url, signal: controller.signal }))
    await eventually('the answers', () => sent)
    for (let i = 0; i < 20; i++) await turn()
    const reason = new Error('enough')
    controller.abort(reason)
    t.equal(await attempt, reason, how)
    t.equal(listenersOf(controller.signal), 0)
    await proxy.raw.left()
  }
})

t.test(`${MOST} of them are passed over, more are refused with the status of the last`, async t => {
  const raw = await RawServer.open(t, accepting)
  for (const [how, cut] of CUTS) {
    const few = await openProxy(t, { reply: inPieces(cut(CONTINUE.repeat(MOST) + ESTABLISHED), tunnelTo(raw.port)) })
    t.equal((await open(t, raw.url, { proxy: few.url })).readyState, 'open', how)
    const hint = 'HTTP/1.1 103 Early Hints\r\nX-Last: yes\r\n\r\n'
    const many = await openProxy(t, { reply: inPieces(cut(CONTINUE.repeat(MOST) + hint)) })
    const error = await failureOf(connect(raw.url, { proxy: many.url, timeout: Infinity }))
    const expected = { name: 'HandshakeError', code: 'proxy-refused', message: 'the proxy answered with 103', status: 103, headers: { 'x-last': 'yes' } }
    t.match(error, expected, how)
    await many.raw.left()
  }
})

t.test('without end they do not keep the attempt going: it is refused, and the proxy is left', async t => {
  const proxy = await openProxy(t, {
    reply: (_, socket) => {
      const more = (): void => {
        if (!socket.destroyed) socket.write(CONTINUE, () => setImmediate(more))
      }
      more()
    },
  })
  const error = await failureOf(connect('ws://example.org', { proxy: proxy.url, timeout: Infinity }))
  t.match(error, { code: 'proxy-refused', status: 100 })
  await proxy.raw.left()
})

/** How many sockets keep this process alive. */
const holding = (): number => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length

t.test('unref and ref reach the socket between two of them', async t => {
  let sent = false
  const proxy = await openProxy(t, { reply: inPieces([INTERIM], () => (sent = true)) })
  const socket = new WebSocket('ws://example.org', { proxy: proxy.url })
  t.teardown(() => socket.close())
  await eventually('the answers', () => sent)
  for (let i = 0; i < 20; i++) await turn()
  const before = holding()
  socket.unref()
  t.equal(holding(), before - 1)
  socket.ref()
  t.equal(holding(), before)
})

/** What a failed `connect` says: who answered what, and which scheme was meant. */
import t from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf } from './helpers/client.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, CERT, RawServer } from './helpers/raw-server.ts'

t.test('a refusal names the URL, without what may be secret, and begins the body', async t => {
  const raw = await RawServer.open(t, () => answering(403, {}, 'Not you.'))
  const secret = raw.url.replace('//', '//user:password@')
  const error = await failureOf(connect(`${secret.replace(/\/$/, '')}/chat?token=5`))
  t.equal(error.code, 'handshake-refused')
  t.equal(error.message, `the server answered with 403 at ws://${new URL(raw.url).host}/chat: Not you.`)
})

t.test("a proxy's refusal begins its body", async t => {
  const proxy = await openProxy(t, { reply: () => answering(502, {}, 'Nobody there.') })
  const error = await failureOf(connect('ws://example.org', { proxy: proxy.url }))
  t.equal(error.code, 'proxy-refused')
  t.equal(error.message, 'the proxy answered with 502: Nobody there.')
})

t.test('the wrong scheme', async t => {
  const plain = await RawServer.open(t, () => 'HTTP/1.1 400 Bad Request\r\n\r\n')
  const tls = await RawServer.open(t, accepting, { tls: true })
  // The alert that OpenSSL sends to who does not speak TLS: fatal, protocol_version.
  const alert = await RawServer.open(t, () => Buffer.from('15030100020246', 'hex'))
  const other = await RawServer.open(t, () => 'SSH-2.0-none\r\n')
  const silent = await RawServer.open(t, (_, socket) => void socket.destroy())
  // Any bytes are a start of TLS to it.
  plain.server.on('connection', socket => socket.once('data', (chunk: Buffer) => chunk[0] === 0x16 && socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  const proxy = await openProxy(t)
  const ws = 'the URL has to begin with ws:'
  const wss = 'the URL has to begin with wss:'
  const closed = 'the server closed the connection without an answer: if it speaks TLS, '
  const trusted: ConnectOptions = { tls: { ca: CERT } }
  const attempts: [url: string, options: ConnectOptions, code: string, message: string][] = [
    [`wss://127.0.0.1:${plain.port}`, trusted, 'handshake-invalid', `the answer is not TLS: ${ws}`],
    [`wss://127.0.0.1:${plain.port}`, { ...trusted, proxy: proxy.url }, 'handshake-invalid', `the answer is not TLS: ${ws}`],
    [`ws://127.0.0.1:${tls.port}`, {}, 'ECONNRESET', closed + wss],
    [`ws://127.0.0.1:${silent.port}`, {}, 'ECONNRESET', closed + wss],
    [`ws://127.0.0.1:${alert.port}`, {}, 'handshake-invalid', `the answer is TLS: ${wss}`],
    [`ws://127.0.0.1:${other.port}`, {}, 'handshake-invalid', 'the answer is not HTTP'],
    ['ws://example.org', { proxy: `https://127.0.0.1:${plain.port}` }, 'handshake-invalid', 'the answer is not TLS: the URL of the proxy has to begin with http:'],
    ['ws://example.org', { proxy: `http://127.0.0.1:${alert.port}` }, 'handshake-invalid', 'the answer is TLS: the URL of the proxy has to begin with https:'],
  ]
  for (const [url, options, code, message] of attempts) {
    const error = await failureOf(connect(url, options))
    t.strictSame([error.code, error.message], [code, message], `${url} ${JSON.stringify(Object.keys(options))}`)
    t.ok(error.cause instanceof Error, 'with its cause')
  }
})

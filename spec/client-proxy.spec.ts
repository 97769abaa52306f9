/** `connect` through HTTP proxies. */
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf, open, take } from './helpers/client.ts'
import { bytes, frame } from './helpers/frames.ts'
import { eventually } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, CERT, headersOf, RawServer, type Reply } from './helpers/raw-server.ts'
import type { TLSSocket } from 'node:tls'

const HELLO = bytes(frame('81', 'hello'))
const greeting: Reply = head => Buffer.concat([Buffer.from(accepting(head)), HELLO])

/** Sets variables of the environment for the test. */
function environment(t: Test, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  t.teardown(() => void (process.env = before))
  const own = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy']
  for (const name of own.flatMap(name => [name, name.toUpperCase()])) delete process.env[name]
  Object.assign(process.env, variables)
}

t.test('ws and wss, through a proxy of http and of https', async t => {
  for (const secure of [false, true]) {
    for (const secureProxy of [false, true]) {
      const raw = await RawServer.open(t, greeting, secure ? { tls: true } : {})
      const proxy = await openProxy(t, secureProxy ? { tls: true } : {})
      const url = new URL(raw.url)
      const socket = await open(t, url, {
        proxy: { url: proxy.url, tls: { ca: CERT } },
        ...(secure && { tls: { ca: CERT } }),
      })
      const label = `${raw.url} through ${proxy.url}`
      t.strictSame(await take(socket, 1), ['hello'], label)
      t.strictSame(proxy.targets, [url.host])
      t.equal(headersOf(raw.heads[0]).host, url.host)
      const [peer] = raw.sockets
      if (secure) t.equal((peer as TLSSocket & { servername: string }).servername, 'localhost', 'the server is asked for by name')
      socket.send('a')
      socket.close()
      socket.terminate()
      await raw.left()
      await proxy.raw.left()
    }
  }
})

t.test('the CONNECT request: a port always, the headers given, and nothing that is meant for the server', async t => {
  const raw = await RawServer.open(t, accepting)
  const proxy = await openProxy(t, { port: raw.port })
  const rows: [url: string, target: string][] = [
    ['ws://example.org/chat', 'example.org:80'],
    ['ws://example.org:8080', 'example.org:8080'],
    ['ws://[2001:db8::1]', '[2001:db8::1]:80'],
  ]
  for (const [url, target] of rows) {
    await open(t, url.replace('//', '//user:secret@'), {
      proxy: { url: proxy.url, headers: { 'x-one': ['1', '2'] } },
      headers: { cookie: 'secret' },
    })
    const head = proxy.raw.heads.at(-1) ?? ''
    t.match(head, `CONNECT ${target} HTTP/1.1\r\n`)
    t.strictSame(headersOf(head), { host: target, connection: 'keep-alive', 'x-one': ['1', '2'] })
  }
})

t.test('user and password of the proxy', async t => {
  const raw = await RawServer.open(t, accepting)
  const proxy = await openProxy(t, { authorization: 'Basic dXNlcjpwOnc=' })
  const withUser = proxy.url.replace('//', '//user:p%3Aw@')
  await open(t, raw.url, { proxy: withUser })
  await open(t, raw.url, { proxy: new URL(withUser) })
  await open(t, raw.url, { proxy: { url: withUser } })
  await open(t, raw.url, { proxy: { url: proxy.url, headers: { 'proxy-authorization': 'Basic dXNlcjpwOnc=' } } })
  const both = { url: proxy.url.replace('//', '//other@'), headers: { 'Proxy-Authorization': 'Basic dXNlcjpwOnc=' } }
  await open(t, raw.url, { proxy: both })
  t.equal(headersOf(proxy.raw.heads[4])['proxy-authorization'], 'Basic dXNlcjpwOnc=', 'the header goes before')
  for (const head of raw.heads) t.notMatch(head, /authorization/i)
  const error = await failureOf(connect(raw.url, { proxy: proxy.url }))
  t.match(error, { name: 'HandshakeError', code: 'proxy-refused', status: 407, headers: { 'proxy-authenticate': 'Basic' } })
  t.equal(String(error.body), 'Who are you?')
})

t.test('a proxy that says no: status, headers and body', async t => {
  const long = 'x'.repeat(100_000)
  const head = 'HTTP/1.1 502 Bad Gateway\r\nx-why: no\r\n'
  const replies: [how: string, reply: Reply, body: string][] = [
    ['no body', () => `${head}content-length: 0\r\n\r\n`, ''],
    ['by length', () => `${head}content-length: 5\r\n\r\nhello and more`, 'hello'],
    ['in parts', (_, socket) => void socket.write(`${head}content-length: 5\r\n\r\nhel`, () => setTimeout(() => socket.write('lo'), 50)), 'hello'],
    ['to the end', (_, socket) => void socket.end(`${head}\r\nhello`), 'hello'],
    ['broken off', (_, socket) => void socket.end(`${head}content-length: 9\r\n\r\nhello`), 'hello'],
    ['reset', (_, socket) => void socket.write(`${head}\r\nhello`, () => setTimeout(() => socket.resetAndDestroy(), 50)), 'hello'],
    ['in chunks', () => `${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, ''],
    ['a length that is none', (_, socket) => void socket.end(`${head}content-length: 5\r\n\r\nhello`), 'hello'],
    ['too long', () => `${head}content-length: 100000\r\n\r\n${long}`, long.slice(0, 65_536)],
  ]
  for (const [how, reply, body] of replies) {
    const proxy = await openProxy(t, { reply })
    const error = await failureOf(connect('ws://example.org', { proxy: proxy.url }))
    const message = 'the proxy answered with 502'
    t.match(error, { name: 'HandshakeError', code: 'proxy-refused', message, status: 502, headers: { 'x-why': 'no' } }, how)
    t.equal(String(error.body), body, how)
    await proxy.raw.left()
  }
})

t.test('each status that is no 2xx is a refusal; each 2xx a tunnel', async t => {
  for (const status of [101, 300, 302, 400, 403, 404, 405, 500, 503]) {
    const proxy = await openProxy(t, { reply: () => answering(status, { location: 'ws://elsewhere.example' }) })
    t.match(await failureOf(connect('ws://example.org', { proxy: proxy.url, redirects: 5 })), { code: 'proxy-refused', status })
  }
  for (const status of [200, 201, 299]) {
    const proxy = await openProxy(t, {
      reply: (_, socket) => {
        socket.once('data', head => socket.write(accepting(String(head))))
        return `HTTP/1.1 ${status} Any\r\n\r\n`
      },
    })
    await open(t, 'ws://example.org', { proxy: proxy.url })
  }
})

t.test('a proxy that sends bytes in front of the tunnel, so that they could pass for the answer', async t => {
  const proxy = await openProxy(t, { reply: head => `HTTP/1.1 200 OK\r\n\r\n${accepting(head)}` })
  t.match(await failureOf(connect('ws://example.org', { proxy: proxy.url })), { code: 'handshake-invalid', message: /in front of/ })
  await proxy.raw.left()
})

t.test('a proxy that is none, ends, resets, says nothing, or is not there', async t => {
  const replies: [reply: Reply, code: RegExp, timeout?: number][] = [
    [() => 'SSH-2.0\r\n', /handshake-invalid/],
    [(_, socket) => void socket.end(), /ECONNRESET/],
    [(_, socket) => void socket.resetAndDestroy(), /ECONNRESET/],
    [() => {}, /handshake-timeout/, 200],
    // The answer has to come in that time.
    [() => 'HTTP/1.1 407 No\r\n\r\nhello', /proxy-refused/, 2000],
    [(_, socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\n', () => setTimeout(() => socket.destroy(), 50)), /ECONNRESET/],
    [() => 'HTTP/1.1 200 OK\r\n\r\n', /handshake-timeout/, 200],
  ]
  for (const url of ['ws://example.org', 'wss://example.org']) {
    for (const [reply, code, timeout = Infinity] of replies) {
      const proxy = await openProxy(t, { reply })
      const error = await failureOf(connect(url, { proxy: proxy.url, timeout }))
      t.match(error.code, code, String(reply))
      await proxy.raw.left()
    }
  }
  const gone = await openProxy(t)
  gone.raw.server.close()
  t.equal((await failureOf(connect('ws://example.org', { proxy: gone.url }))).code, 'ECONNREFUSED')
})

t.test('a proxy that goes away in the middle of TLS with the server, or later', async t => {
  const silent = await RawServer.open(t, () => {})
  const server = await RawServer.open(t, accepting, { tls: true })
  for (const tls of [false, true]) {
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const label = `${tls ? 'https' : 'http'}, ${leave}`
      const early = await openProxy(t, { ...(tls && { tls }), port: silent.port })
      const options = { proxy: { url: early.url, tls: { ca: CERT } }, tls: { ca: CERT } }
      const attempt = failureOf(connect('wss://localhost', options))
      await eventually('the tunnel', () => silent.sockets.size === 1)
      for (const socket of early.raw.carriers) socket[leave]()
      t.match((await attempt).code, 'ECONNRESET', label)
      await silent.left()

      const late = await openProxy(t, { ...(tls && { tls }), port: server.port })
      const connection = await open(t, 'wss://localhost', { ...options, proxy: { url: late.url, tls: { ca: CERT } } })
      for (const socket of late.raw.carriers) socket[leave]()
      await eventually('the end', () => connection.closeInfo !== undefined)
      t.equal(connection.closeInfo?.code, 1006, label)
    }
  }
})

t.test('the certificate is that of the server, whatever the proxy; the one of the proxy is checked on its own', async t => {
  const raw = await RawServer.open(t, accepting, { tls: true })
  const proxy = await openProxy(t, { port: raw.port, tls: true })
  const attempts: [url: string, options: ConnectOptions, code: string | RegExp][] = [
    ['wss://example.org', { tls: { ca: CERT } }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['wss://localhost', {}, /SELF_SIGNED/],
    ['wss://127.0.0.2', { tls: { ca: CERT } }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ]
  for (const [url, options, code] of attempts) {
    const error = await failureOf(connect(url, { ...options, proxy: { url: proxy.url, tls: { ca: CERT } } }))
    t.match(error.code, code, url)
  }
  t.strictSame(raw.heads, [])
  t.match((await failureOf(connect('wss://localhost', { tls: { ca: CERT }, proxy: proxy.url }))).code, /SELF_SIGNED/, 'tls is not for the proxy')
  const byAddress = await open(t, 'wss://127.0.0.1', { tls: { ca: CERT }, proxy: { url: proxy.url, tls: { ca: CERT } } })
  t.equal(byAddress.readyState, 'open')
})

t.test("'environment': only when asked for, by scheme, and not for NO_PROXY", async t => {
  const raw = await RawServer.open(t, accepting)
  const proxy = await openProxy(t, { port: raw.port })
  environment(t, { HTTP_PROXY: proxy.url, HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: `127.0.0.1:${raw.port}` })
  await open(t, raw.url.replace('127.0.0.1', 'localhost'))
  t.strictSame(proxy.targets, [], 'not asked for')
  await open(t, 'ws://example.org', { proxy: 'environment' })
  t.strictSame(proxy.targets, ['example.org:80'])
  await open(t, raw.url, { proxy: 'environment' })
  t.equal(proxy.targets.length, 1, 'an exception')
  t.equal((await failureOf(connect('wss://example.org', { proxy: 'environment' }))).code, 'ECONNREFUSED')
})

t.test("'environment': a proxy without a scheme is http, and what can't be used is misuse that names the variable", async t => {
  const raw = await RawServer.open(t, accepting)
  const proxy = await openProxy(t, { port: raw.port })
  environment(t, { all_proxy: `localhost:${proxy.raw.port}` })
  await open(t, 'ws://example.org', { proxy: 'environment' })
  t.equal(proxy.targets.length, 1)
  for (const value of ['socks5://user:secret@a:1', 'a b', 'ftp://a']) {
    process.env['HTTP_PROXY'] = value
    const error = await failureOf(connect('ws://example.org', { proxy: 'environment' }))
    t.match(error, { name: 'MisuseError', code: 'invalid-option', message: /^the variable HTTP_PROXY must/ }, value)
    t.notMatch(error.message, /secret/)
  }
})

/** `connect` over TLS. */
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf, open, take } from './helpers/client.ts'
import { bytes, closeFrame, frame } from './helpers/frames.ts'
import { accepting, answering, CERT, KEY, RawServer } from './helpers/raw-server.ts'

const trusted: ConnectOptions = { tls: { ca: CERT } }

t.test('messages, early ones too, and the end', async t => {
  const large = Buffer.alloc(200_000, 'x')
  const raw = await RawServer.open(t, head => Buffer.concat([Buffer.from(accepting(head)), bytes(frame('81', 'early'))]), { tls: true })
  for (const url of [raw.url, raw.url.replace('wss:', 'https:')]) {
    const socket = await open(t, url, trusted)
    const [peer] = raw.sockets
    peer.write(bytes(frame('82', large)))
    t.strictSame(await take(socket, 2), ['early', large])
    peer.end(bytes(closeFrame(1000, 'bye')))
    for await (const _ of socket) t.fail('no more messages')
    t.strictSame(socket.closeInfo, { code: 1000, reason: 'bye', clean: true })
    await raw.left()
  }
})

t.test('the certificate is checked, as Node does', async t => {
  const raw = await RawServer.open(t, accepting, { tls: true })
  const { port } = raw
  const attempts: [url: string, options: ConnectOptions, code: string | undefined][] = [
    [raw.url, {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [raw.url, trusted, undefined],
    [`wss://127.0.0.1:${port}`, trusted, undefined],
    [raw.url, { tls: { rejectUnauthorized: false } }, undefined],
    [raw.url, { tls: { ca: CERT, servername: 'example.org' } }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [raw.url, { tls: { ca: CERT, servername: 'example.org', checkServerIdentity: () => undefined } }, undefined],
  ]
  for (const [url, options, code] of attempts) {
    const outcome = code === undefined ? (await open(t, url, options)).readyState : (await failureOf(connect(url, options))).code
    t.equal(outcome, code ?? 'open', `${url} ${Object.keys(options.tls ?? {})}`)
  }
})

t.test('the server is asked for by name, but never by address; HTTP/1.1 is spoken', async t => {
  const asked: unknown[] = []
  const tls = { ALPNProtocols: ['h2', 'http/1.1'] }
  const raw = await RawServer.open(t, (head, socket) => {
    const { servername, alpnProtocol } = socket as TLSSocket & { servername: string | false }
    asked.push([servername, alpnProtocol])
    return accepting(head)
  }, { tls })
  await open(t, raw.url, trusted)
  await open(t, `wss://127.0.0.1:${raw.port}`, trusted)
  await open(t, `wss://127.0.0.1:${raw.port}`, { tls: { ca: CERT, servername: 'localhost' } })
  await open(t, raw.url, { agent: new HttpsAgent({ ca: CERT }) })
  await open(t, `wss://127.0.0.1:${raw.port}`, { agent: new HttpsAgent({ ca: CERT }) })
  t.strictSame(asked, ['localhost', false, 'localhost', 'localhost', false].map(name => [name, 'http/1.1']))
})

t.test('a certificate of the client', async t => {
  const raw = await RawServer.open(t, (head, socket) => ((socket as TLSSocket).authorized ? accepting(head) : answering(401)), {
    tls: { requestCert: true, rejectUnauthorized: false, ca: CERT },
  })
  await open(t, raw.url, { tls: { ca: CERT, cert: CERT, key: KEY } })
  t.match(await failureOf(connect(raw.url, trusted)), { status: 401 })
})

t.test('over a unix socket', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const raw = await RawServer.open(t, accepting, { path, tls: true })
  await open(t, 'wss://localhost', { ...trusted, socketPath: path })
  t.match((await failureOf(connect('wss://example.org', { ...trusted, socketPath: path }))).code, 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.equal(raw.heads.length, 1)
})

t.test('a server without TLS, and TLS where none is expected', async t => {
  const plain = await RawServer.open(t, accepting)
  t.match((await failureOf(connect(plain.url.replace('ws:', 'wss:'), { timeout: 500 }))).code, /^(ERR_SSL|EPROTO|ECONNRESET|handshake-timeout)/)
  const secure = await RawServer.open(t, accepting, { tls: true })
  const error = await failureOf(connect(`ws://127.0.0.1:${secure.port}`))
  t.match(error.code, /^(ECONNRESET|handshake-invalid)$/)
})

t.test('an agent of the other scheme is misuse', async t => {
  const raw = await RawServer.open(t, accepting)
  const sentence = 'agent must be an https.Agent for wss: and an http.Agent for ws:'
  for (const [url, agent] of [['wss://localhost', new HttpAgent()], [raw.url, new HttpsAgent()]] as const) {
    t.match(await failureOf(connect(url, { agent })), { name: 'MisuseError', code: 'invalid-option', message: sentence })
  }
  t.equal(raw.accepted, 0)
})

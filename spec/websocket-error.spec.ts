/** The `error` event of the browser's class says why: `error` is the cause, `message` its sentence. */
import { once } from 'node:events'
import { Agent } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { HandshakeError } from '../lib/handshake/handshake-error.ts'
import { Violation } from '../lib/protocol/violation.ts'
import { ConnectionClosedError } from '../lib/transport/connection-closed-error.ts'
import { WebSocket, type WebSocketInit } from '../lib/websocket.ts'
import { bytes, closeFrame, frame } from './helpers/frames.ts'
import { eventually, within } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, acceptingWith, answering, RawServer, type Reply } from './helpers/raw-server.ts'
import { watch } from './helpers/websocket.ts'

type ErrorOf = Event & { readonly error: unknown; readonly message: string }

/** The error event of a socket, once there has been one; it closes with the test. */
function errorOf(t: Test, socket: WebSocket): Promise<ErrorOf> {
  t.teardown(() => socket.close())
  return within(new Promise<ErrorOf>(resolve => socket.addEventListener('error', resolve)), 'the error event')
}

/** Checks what every error event has. */
async function causeOf(t: Test, socket: WebSocket, label: string): Promise<Error & { readonly code?: unknown }> {
  const event = await errorOf(t, socket)
  t.equal(event.type, 'error', label)
  if (!(event.error instanceof Error)) throw new Error(`${label}: no error, but ${String(event.error)}`)
  t.equal(event.message, event.error.message, label)
  t.not(event.message, '', label)
  return event.error
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

t.test('a status is told from an answer that breaks the protocol, and from one that does not come', async t => {
  const rows: [how: string, reply: Reply, init: WebSocketInit, expected: object][] = [
    ['403', () => answering(403, { 'x-why': 'no' }, 'Not you.'), {}, { code: 'handshake-refused', status: 403, headers: { 'x-why': 'no' }, message: 'the server answered with 403' }],
    ['503', () => answering(503), {}, { code: 'handshake-refused', status: 503 }],
    ['a redirect', () => answering(302, { location: '/there' }), {}, { code: 'redirect-refused', status: 302 }],
    ['a wrong key', head => acceptingWith(head, { 'Sec-WebSocket-Accept': 'x' }), {}, { code: 'handshake-invalid', status: 101 }],
    ['not HTTP', () => 'SSH-2.0\r\n', {}, { code: 'handshake-invalid', status: undefined }],
    ['no subprotocol', accepting, { protocols: 'a' }, { code: 'handshake-invalid', message: 'the server took none of the subprotocols' }],
    ['nothing', () => {}, { timeout: 100 }, { code: 'handshake-timeout', status: undefined }],
  ]
  for (const [how, reply, init, expected] of rows) {
    const raw = await RawServer.open(t, reply)
    const cause = await causeOf(t, new WebSocket(raw.url, init), how)
    t.ok(cause instanceof HandshakeError, how)
    t.match(cause, expected, how)
  }
  const proxy = await openProxy(t, { reply: () => answering(407) })
  const cause = await causeOf(t, new WebSocket('ws://example.org', { proxy: proxy.url }), 'a proxy')
  t.match(cause, { name: 'HandshakeError', code: 'proxy-refused', status: 407 })
})

t.test('the error of the network, with its code', async t => {
  const port = await closedPort()
  const raw = await RawServer.open(t, (_, socket) => void socket.resetAndDestroy())
  const secure = await RawServer.open(t, accepting, { tls: true })
  const rows: [url: string, code: RegExp][] = [
    [`ws://127.0.0.1:${port}`, /^ECONNREFUSED$/],
    ['ws://nowhere.invalid', /^(ENOTFOUND|EAI_AGAIN)$/],
    [raw.url, /^ECONNRESET$/],
    [secure.url, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
  ]
  for (const [url, code] of rows) {
    const cause = await causeOf(t, new WebSocket(url), url)
    t.notOk(cause instanceof HandshakeError, url)
    t.match(cause.code, code, url)
    t.notOk('status' in cause, url)
  }
})

t.test("of a name with several addresses, none of which is reached, the sentence is that of each", async t => {
  const port = await closedPort()
  const addresses = ['127.0.0.1', '127.0.0.2'].map(address => ({ address, family: 4 }))
  const lookup = (_: string, __: object, done: (error: null, all: typeof addresses) => void): void => done(null, addresses)
  // Node gives up an attempt by a timer of its own, in 250 ms, also where the answer to it is there.
  const agent = new Agent({ lookup, autoSelectFamilyAttemptTimeout: 60_000 } as object)
  const { error, message } = await errorOf(t, new WebSocket(`ws://many.example:${port}`, { agent }))
  t.match(error, { code: 'ECONNREFUSED' })
  t.equal(message, `connect ECONNREFUSED 127.0.0.1:${port}; connect ECONNREFUSED 127.0.0.2:${port}`)
})

t.test('once it was open: a violation of the server, or how the connection ended', async t => {
  const rows: [how: string, frames: string, init: WebSocketInit, expected: object][] = [
    ['a reserved opcode', '8300', {}, { name: 'Violation', closeCode: 1002 }],
    ['no UTF-8', '8101ff', {}, { name: 'Violation', closeCode: 1007 }],
    ['too large a message', frame('82', 'abcd'), { limits: { messageBytes: 3 } }, { name: 'Violation', code: 'message-too-big', closeCode: 1009 }],
    ['the end of the socket', '', {}, { name: 'ConnectionClosedError', code: 'connection-closed', closeCode: 1006 }],
  ]
  for (const [how, frames, init, expected] of rows) {
    const raw = await RawServer.open(t, accepting)
    const socket = new WebSocket(raw.url, init)
    const cause = causeOf(t, socket, how)
    await watch(t, socket).journal.until('1 open')
    for (const peer of raw.sockets) peer.end(bytes(frames))
    t.match(await cause, expected, how)
    t.ok((await cause) instanceof (frames === '' ? ConnectionClosedError : Violation), how)
  }
})

t.test('a peer that does not answer our close frame: the time that ran out', async t => {
  const raw = await RawServer.open(t, accepting)
  const socket = new WebSocket(raw.url, { limits: { closingTime: 100 } })
  const cause = causeOf(t, socket, 'mute')
  await watch(t, socket).journal.until('1 open')
  socket.close()
  t.match(await cause, { name: 'ConnectionClosedError', closeCode: 1006, reason: 'close-timeout' })
})

t.test('close() before it was open: the caller gave up', async t => {
  const raw = await RawServer.open(t, () => {})
  const socket = new WebSocket(raw.url)
  const event = errorOf(t, socket)
  await eventually('the request', () => raw.heads.length === 1)
  socket.close()
  const { error, message } = await event
  t.match(error, { name: 'AbortError' })
  t.equal(message, (error as Error).message)
})

t.test('onerror is given the same event, in front of close; a clean end has none', async t => {
  const raw = await RawServer.open(t, () => answering(403))
  const seen: unknown[] = []
  const refused = new WebSocket(raw.url)
  refused.onerror = event => void seen.push((event.error as HandshakeError).status)
  refused.onclose = ({ type }) => void seen.push(type)
  await eventually('the end', () => seen.length === 2)
  t.strictSame(seen, [403, 'close'])
  const polite = await RawServer.open(t, accepting)
  const { journal } = watch(t, new WebSocket(polite.url))
  await journal.until('1 open')
  for (const peer of polite.sockets) peer.end(bytes(closeFrame(1000)))
  t.strictSame(await journal.until('3 close'), ['1 open', '3 close 1000, clean'])
})

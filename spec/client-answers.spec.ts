/**
 * A server that answers wrongly: each rule of RFC 6455, section 4.1, as bytes, whole and one byte at a time; refusals and
 * what is not HTTP.
 */
import t from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf, open, take } from './helpers/client.ts'
import { bytes, frame } from './helpers/frames.ts'
import { accepting, acceptingWith, acceptOf, answering, RawServer, type Reply } from './helpers/raw-server.ts'

const WAYS = [false, true]
const wayOf = (byteByByte: boolean): string => (byteByByte ? 'byte by byte' : 'whole')

const OFFER: ConnectOptions = { protocols: ['chat', 'superchat'] }

t.test('what is accepted', async t => {
  const answers: [name: string, reply: Reply, protocol: string][] = [
    ['the usual answer', accepting, ''],
    ['a subprotocol', head => acceptingWith(head, { 'Sec-WebSocket-Protocol': 'superchat' }), 'superchat'],
    ['other cases', head => acceptingWith(head, { Upgrade: 'WEBSOCKET', Connection: 'keep-alive, UPGRADE' }), ''],
    ['names in lower case', head => `HTTP/1.1 101\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${acceptOf(head)}\r\n\r\n`, ''],
    ['more headers', head => acceptingWith(head, { 'Set-Cookie': ['a=b', 'c=d'], 'Content-Length': '5', Server: 'x' }), ''],
    ['behind other 1xx answers', head => `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${accepting(head)}`, ''],
  ]
  for (const [name, reply, protocol] of answers) {
    for (const byteByByte of WAYS) {
      const answer: Reply = (head, socket) => Buffer.concat([Buffer.from(String(reply(head, socket))), bytes(frame('81', 'hello'))])
      const raw = await RawServer.open(t, answer, { byteByByte })
      const socket = await open(t, raw.url, OFFER)
      t.equal(socket.protocol, protocol, `${name}, ${wayOf(byteByByte)}`)
      t.strictSame(await take(socket, 1), ['hello'])
    }
  }
})

t.test('4.1: what breaks a rule fails the handshake, and the socket goes', async t => {
  const upgrade = 'Upgrade must be websocket'
  const none = 'Upgrade must be there, and Connection must name it'
  const accept = 'Sec-WebSocket-Accept must answer the key'
  const protocol = 'Sec-WebSocket-Protocol must be one of those offered'
  const extensions = 'Sec-WebSocket-Extensions may only name what was offered'
  const answers: [name: string, reply: (head: string) => string, message: string | RegExp][] = [
    ['no Upgrade', head => acceptingWith(head, { Upgrade: null }), none],
    ['another Upgrade', head => acceptingWith(head, { Upgrade: 'h2c' }), upgrade],
    ['two Upgrades', head => acceptingWith(head, { Upgrade: ['websocket', 'h2c'] }), upgrade],
    ['no Connection', head => acceptingWith(head, { Connection: null }), none],
    ['another Connection', head => acceptingWith(head, { Connection: 'close' }), none],
    ['neither', head => acceptingWith(head, { Upgrade: null, Connection: null }), none],
    ['no accept', head => acceptingWith(head, { 'Sec-WebSocket-Accept': null }), accept],
    ['a wrong accept', head => acceptingWith(head, { 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' }), accept],
    ['the accept twice', head => acceptingWith(head, { 'Sec-WebSocket-Accept': [acceptOf(head), acceptOf(head)] }), accept],
    ['a subprotocol not offered', head => acceptingWith(head, { 'Sec-WebSocket-Protocol': 'mqtt' }), protocol],
    ['two subprotocols', head => acceptingWith(head, { 'Sec-WebSocket-Protocol': ['chat', 'superchat'] }), protocol],
    ['two on a line', head => acceptingWith(head, { 'Sec-WebSocket-Protocol': 'chat, superchat' }), protocol],
    ['an extension not offered', head => acceptingWith(head, { 'Sec-WebSocket-Extensions': 'x-snappy' }), extensions],
    ['an extension that answers no offer', head => acceptingWith(head, { 'Sec-WebSocket-Extensions': 'permessage-deflate; a=b' }), /^in the server's response, /],
    ['a malformed extension', head => acceptingWith(head, { 'Sec-WebSocket-Extensions': 'a b' }), 'Sec-WebSocket-Extensions is malformed'],
    ['HTTP/1.0', head => accepting(head).replace('HTTP/1.1', 'HTTP/1.0'), 'the answer must be HTTP/1.1'],
  ]
  for (const [name, reply, message] of answers) {
    for (const byteByByte of WAYS) {
      const raw = await RawServer.open(t, reply, { byteByByte })
      const label = `${name}, ${wayOf(byteByByte)}`
      t.match(await failureOf(connect(raw.url, OFFER)), { name: 'HandshakeError', code: 'handshake-invalid', message, status: 101 }, label)
      await raw.left()
    }
  }
})

t.test('4.1: a subprotocol where none was offered', async t => {
  const raw = await RawServer.open(t, head => acceptingWith(head, { 'Sec-WebSocket-Protocol': 'chat' }))
  t.match(await failureOf(connect(raw.url)), { code: 'handshake-invalid' })
})

t.test('what is not HTTP, or breaks it', async t => {
  const answers: [name: string, reply: (head: string) => string][] = [
    ['another protocol', () => 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a frame', () => '\x81\x05hello'],
    ['HTTP/2', () => '\0\0\x06\x04\0\0\0\0\0\0\x04\0\x10\0\0'],
    ['a header without a colon', head => accepting(head).replace('Upgrade: websocket', 'Upgrade websocket')],
    ['a control character in a header', head => acceptingWith(head, { 'x-a': 'b\0c' })],
    ['a header that goes on in the next line', head => acceptingWith(head, { 'x-a': 'b\r\n c' })],
    ['a line feed alone', head => accepting(head).replaceAll('\r\n', '\n')],
    ['length and chunks', () => 'HTTP/1.1 403 No\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['too long a head', head => acceptingWith(head, { 'x-a': 'b'.repeat(20_000) })],
  ]
  for (const [name, reply] of answers) {
    for (const byteByByte of WAYS) {
      if (byteByByte && name === 'too long a head') continue
      const raw = await RawServer.open(t, reply, { byteByByte })
      const error = await failureOf(connect(raw.url))
      t.match(error, { name: 'HandshakeError', code: 'handshake-invalid', message: 'the answer is not HTTP' }, `${name}, ${wayOf(byteByByte)}`)
      t.match((error.cause as NodeJS.ErrnoException).code, /^HPE_/)
      await raw.left()
    }
  }
})

t.test('a server that ends or resets instead of an answer is an error of the network', async t => {
  const replies: [how: string, reply: Reply][] = [
    ['ends', (_, socket) => void socket.end()],
    ['ends in the head', (_, socket) => void socket.end('HTTP/1.1 101 Switch')],
    ['ends behind a 100', (_, socket) => void socket.end('HTTP/1.1 100 Continue\r\n\r\n')],
    ['resets', (_, socket) => void socket.resetAndDestroy()],
  ]
  for (const [how, reply] of replies) {
    const raw = await RawServer.open(t, reply)
    t.match((await failureOf(connect(raw.url))).code, /^(ECONNRESET|HPE_INVALID_EOF_STATE|handshake-invalid)$/, how)
    await raw.left()
  }
})

t.test('any other status is a refusal with status, headers and body', async t => {
  for (const status of [200, 204, 301, 302, 304, 400, 401, 403, 404, 407, 426, 500, 503]) {
    for (const byteByByte of WAYS) {
      const body = status === 204 || status === 304 ? '' : 'Not today.\n'
      const raw = await RawServer.open(t, () => answering(status, { 'x-why': 'no', upgrade: 'websocket', connection: 'upgrade' }, body), { byteByByte })
      const error = await failureOf(connect(raw.url))
      const code = status === 301 || status === 302 ? 'redirect-refused' : 'handshake-refused'
      const expected = { name: 'HandshakeError', code, status }
      t.match(error, { ...expected, headers: { 'x-why': 'no' } }, `${status}, ${wayOf(byteByByte)}`)
      t.equal(String(error.body), body)
      await raw.left()
    }
  }
})

t.test('a body of every kind: by length, in chunks, to the end; broken off or too long it is what has come', async t => {
  const long = 'x'.repeat(100_000)
  const most = long.slice(0, 65_536)
  const head = 'HTTP/1.1 403 Forbidden\r\n'
  const replies: [how: string, reply: Reply, body: string][] = [
    ['none', () => `${head}content-length: 0\r\n\r\n`, ''],
    ['by length', () => `${head}content-length: 5\r\n\r\nhello and more`, 'hello'],
    ['in chunks', () => `${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`, 'hello!'],
    ['to the end', (_, socket) => void socket.end(`${head}\r\nhello`), 'hello'],
    ['broken off', (_, socket) => void socket.end(`${head}content-length: 9\r\n\r\nhello`), 'hello'],
    ['reset', (_, socket) => void socket.write(`${head}content-length: 9\r\n\r\nhello`, () => setTimeout(() => socket.resetAndDestroy(), 50)), 'hello'],
    ['a chunk that is none', () => `${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n`, 'hello'],
    ['64 KiB exactly', () => `${head}content-length: 65536\r\n\r\n${most}`, most],
    ['more', () => `${head}content-length: 100000\r\n\r\n${long}`, most],
    ['without end', (_, socket) => {
      const more = (): void => {
        if (!socket.destroyed) socket.write(long, more)
      }
      socket.write(`${head}\r\n`, more)
    }, most],
  ]
  for (const [how, reply, body] of replies) {
    const raw = await RawServer.open(t, reply)
    const error = await failureOf(connect(raw.url))
    t.match(error, { code: 'handshake-refused', status: 403 }, how)
    t.equal(String(error.body), body, how)
    await raw.left()
  }
})

t.test('a refusal whose body does not end in time is what has come of it', async t => {
  const raw = await RawServer.open(t, () => 'HTTP/1.1 403 No\r\ncontent-length: 9\r\n\r\nhello')
  const error = await failureOf(connect(raw.url, { timeout: 2000 }))
  t.match(error, { code: 'handshake-refused', status: 403 })
  t.equal(String(error.body), 'hello')
  await raw.left()
})

t.test('no answer in time', async t => {
  const replies: [how: string, reply: Reply][] = [
    ['nothing', () => {}],
    ['a 100', () => 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['a part of the head', head => accepting(head).slice(0, -2)],
  ]
  for (const [how, reply] of replies) {
    const raw = await RawServer.open(t, reply)
    const start = performance.now()
    const error = await failureOf(connect(raw.url, { timeout: 200 }))
    t.match(error, { name: 'HandshakeError', code: 'handshake-timeout', status: undefined }, how)
    t.ok(performance.now() - start >= 190)
    await raw.left()
  }
})

t.test('timeout: Infinity waits', async t => {
  const silent = await RawServer.open(t, () => {})
  const raw = await RawServer.open(t, (head, socket) => void setTimeout(() => socket.write(accepting(head)), 300))
  const waiting = open(t, raw.url, { timeout: Infinity })
  t.equal((await failureOf(connect(silent.url, { timeout: 100 }))).code, 'handshake-timeout')
  await waiting
})

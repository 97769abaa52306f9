/** The server's answers as bytes: RFC 6455, sections 1.3 and 4.2.2; RFC 9110, sections 7.8 and 8.6. */
import t from 'tap'
import { REFUSALS, Refusal, refuse } from '../../lib/handshake/refusal.ts'
import type { HandshakeOffer } from '../../lib/handshake/request.ts'
import { chooseProtocol, formatAcceptance, formatRefusal } from '../../lib/handshake/response.ts'

/** The example of section 1.3. */
const OFFER: HandshakeOffer = {
  key: 'dGhlIHNhbXBsZSBub25jZQ==',
  host: 'server.example.com',
  origin: 'http://example.com',
  protocols: ['chat', 'superchat'],
  extensions: [],
  expectsContinue: false,
}

const HEAD =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
  'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'

const INVALID_ARGUMENT = { name: 'MisuseError', code: 'invalid-argument' }
const INVALID_HEADER = { name: 'MisuseError', code: 'invalid-header' }

t.test("1.3: the answer to the RFC's example, in bytes", async t => {
  t.equal(
    Buffer.from(formatAcceptance(OFFER, 'chat'), 'latin1').toString('hex'),
    '485454502f312e312031303120537769746368696e672050726f746f636f6c730d0a' + // HTTP/1.1 101 Switching Protocols
      '757067726164653a20776562736f636b65740d0a' + // upgrade: websocket
      '636f6e6e656374696f6e3a20757067726164650d0a' + // connection: upgrade
      '7365632d776562736f636b65742d6163636570743a20' + // sec-websocket-accept:
      '733370504c4d426954786151396b59477a7a685a52624b2b784f6f3d0d0a' + // s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
      '7365632d776562736f636b65742d70726f746f636f6c3a20636861740d0a' + // sec-websocket-protocol: chat
      '0d0a'
  )
})

t.test('4.2.2: subprotocol and headers of a 101', async t => {
  t.equal(formatAcceptance(OFFER, ''), `${HEAD}\r\n`)
  t.equal(formatAcceptance(OFFER, '', {}), `${HEAD}\r\n`)
  t.equal(formatAcceptance(OFFER, '', undefined), `${HEAD}\r\n`)
  t.equal(
    formatAcceptance(OFFER, 'chat', {}, 'permessage-deflate'),
    `${HEAD}sec-websocket-protocol: chat\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n`
  )
  t.equal(formatAcceptance(OFFER, 'superchat'), `${HEAD}sec-websocket-protocol: superchat\r\n\r\n`)
  t.equal(
    formatAcceptance(OFFER, 'chat', { Server: 'k\u00f6re', 'set-cookie': ['a=1', 'b=2'] }),
    `${HEAD}sec-websocket-protocol: chat\r\nServer: k\u00f6re\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n`
  )
})

t.test('4.2.2: a subprotocol that the client has not offered is a misuse', async t => {
  for (const protocol of ['mqtt', 'Chat', 'chat,superchat', 'chat\r\nx: y', ' ', 'chat ']) {
    const message = `protocol ${JSON.stringify(protocol)} is not among those the client offers`
    t.throws(() => formatAcceptance(OFFER, protocol), { ...INVALID_ARGUMENT, message }, protocol)
  }
  t.throws(() => formatAcceptance({ ...OFFER, protocols: [] }, 'chat'), { code: 'invalid-argument' })
  t.equal(formatAcceptance({ ...OFFER, protocols: [] }, ''), `${HEAD}\r\n`)
})

t.test("4.2.2: headers of a 101 that are the handshake's own are a misuse, in any case", async t => {
  const own = ['Connection', 'Content-Length', 'Sec-WebSocket-Accept', 'Sec-WebSocket-Extensions']
  for (const name of [...own, 'Sec-WebSocket-Protocol', 'Transfer-Encoding', 'Upgrade']) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.throws(() => formatAcceptance(OFFER, '', { [spelled]: 'a' }), INVALID_HEADER, spelled)
    }
  }
})

t.test('RFC 9110, 5.5: no header of a 101 can end its line', async t => {
  for (const value of ['a\r\n\r\n', 'a\nb: c', '\r', '\0', '\x7f', '\u010a']) {
    for (const headers of [{ 'x-a': value }, { [`x-a${value}`]: 'a' }, { 'set-cookie': ['a', value] }]) {
      t.throws(() => formatAcceptance(OFFER, '', headers), INVALID_HEADER, JSON.stringify(headers))
    }
  }
})

t.test("4.2.2: the server's preference decides among the subprotocols offered", async t => {
  const choices: [offered: string[], served: string[], chosen: string][] = [
    [[], [], ''],
    [['a'], [], ''],
    [[], ['a'], ''],
    [['a'], ['a'], 'a'],
    [['a', 'b'], ['b', 'a'], 'b'],
    [['a', 'b'], ['c', 'b', 'a'], 'b'],
    [['a', 'b'], ['c'], ''],
    // 4.1: subprotocols are compared as they are.
    [['a'], ['A'], ''],
    [['ab'], ['a'], ''],
  ]
  for (const [offered, served, chosen] of choices) {
    t.equal(chooseProtocol(offered, served), chosen, `${offered} / ${served}`)
  }
})

t.test('4.2.2: each refusal of the handshake itself, in bytes', async t => {
  const heads: Record<keyof typeof REFUSALS, [line: string, headers?: string, connection?: string]> = {
    request: ['400 Bad Request'],
    body: ['400 Bad Request'],
    host: ['400 Bad Request'],
    method: ['405 Method Not Allowed', 'allow: GET\r\n'],
    // RFC 9110, 7.8 and 15.5.22: a 426 says what to upgrade to, and names Upgrade in Connection.
    upgrade: ['426 Upgrade Required', 'upgrade: websocket\r\n', 'upgrade, close'],
    // 4.4: the versions spoken here.
    version: ['426 Upgrade Required', 'upgrade: websocket\r\nsec-websocket-version: 13\r\n', 'upgrade, close'],
    key: ['400 Bad Request'],
    protocol: ['400 Bad Request'],
    extensions: ['400 Bad Request'],
    path: ['404 Not Found'],
    origin: ['403 Forbidden'],
    headSize: ['431 Request Header Fields Too Large'],
    timeout: ['408 Request Timeout'],
    failure: ['500 Internal Server Error'],
    closing: ['503 Service Unavailable'],
    address: ['429 Too Many Requests', 'retry-after: 10\r\n'],
    busy: ['503 Service Unavailable', 'retry-after: 10\r\n'],
  }
  for (const [name, [line, headers = '', connection = 'close']] of Object.entries(heads)) {
    const refusal = REFUSALS[name as keyof typeof REFUSALS]
    t.equal(
      formatRefusal(refusal, line.slice('000 '.length)).toString('latin1'),
      `HTTP/1.1 ${line}\r\n${headers}content-type: text/plain; charset=utf-8\r\n` +
        `connection: ${connection}\r\ncontent-length: ${refusal.body.length}\r\n\r\n${refusal.body}`,
      name
    )
  }
})

t.test('RFC 9110, 8.6: content-length counts bytes, not characters', async t => {
  const answer = formatRefusal(refuse(403, { body: 'nö €\u{1f600}' }), 'Forbidden')
  const head = 'HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n'
  t.equal(answer.toString('utf8'), `${head}content-length: 11\r\n\r\nnö €\u{1f600}`)
  t.equal(answer.subarray(-11).toString('hex'), '6ec3b620e282acf09f9880')
})

t.test('RFC 9110, 8.3: a body has a content-type: its own or plain text; without a body there is none', async t => {
  const end = 'connection: close\r\ncontent-length:'
  const answers: [refusal: Refusal, headers: string][] = [
    [refuse(403), `${end} 0\r\n\r\n`],
    [refuse(403, { body: 'a' }), `content-type: text/plain; charset=utf-8\r\n${end} 1\r\n\r\na`],
    [refuse(403, { headers: { 'Content-TYPE': 'a/b' }, body: 'a' }), `Content-TYPE: a/b\r\n${end} 1\r\n\r\na`],
    [refuse(403, { headers: { 'content-type': 'text/html' } }), `content-type: text/html\r\n${end} 0\r\n\r\n`],
    [
      refuse(403, { headers: { 'x-content-type': 'b' }, body: 'a' }),
      `x-content-type: b\r\ncontent-type: text/plain; charset=utf-8\r\n${end} 1\r\n\r\na`,
    ],
  ]
  for (const [refusal, headers] of answers) {
    t.equal(formatRefusal(refusal, 'Forbidden').toString('latin1'), `HTTP/1.1 403 Forbidden\r\n${headers}`)
  }
})

t.test('RFC 9110, 7.8: an Upgrade in any case is named in Connection', async t => {
  const answer = formatRefusal(refuse(426, { headers: { UPGRADE: 'websocket' } }), 'Upgrade Required')
  t.match(answer.toString('latin1'), '\r\nUPGRADE: websocket\r\nconnection: upgrade, close\r\n')
})

t.test('headers of a refusal go out as Latin-1, a list of values as a line each', async t => {
  const refusal = refuse(302, { headers: { location: '/caf\u00e9', 'set-cookie': ['a=1', 'b=2'] } })
  t.equal(
    formatRefusal(refusal, 'Found').toString('latin1'),
    'HTTP/1.1 302 Found\r\nlocation: /caf\u00e9\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n' +
      'connection: close\r\ncontent-length: 0\r\n\r\n'
  )
})

t.test('RFC 9110, 7.8: a 100 in front of the 101, where the client waits for one', async t => {
  const answer = formatAcceptance({ ...OFFER, expectsContinue: true }, '')
  t.equal(answer, `HTTP/1.1 100 Continue\r\n\r\n${formatAcceptance(OFFER, '')}`)
})

/** docs/kore.md, row by row: the handshake. */
import type { Test } from 'tap'
import {
  config,
  http_response_header,
  kore_connection_disconnect,
  KORE_RESULT_ERROR,
  kore_websocket_broadcast,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_TEXT,
} from '../../lib/kore.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { CLIENT_KEY, handshakeText, type HandshakeParts } from '../helpers/raw-client.ts'
import { Served } from '../kore/served.ts'
import { codesIn } from './page.ts'
import { codeOf, heardAs, said, statusOf, tryRows } from './kore-rows.ts'

const ACCEPTED = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: upgrade', 'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']

const header = (name: string, value: string | readonly string[] | null): HandshakeParts => ({ headers: { [name]: value } })

/** What ordinary requests get. */
const PAGE_STATUS = 418

/** A server that has a page besides. */
async function withPage(t: Test): Promise<Served> {
  const served = await Served.start(t)
  served.server.on('request', (_, response) => response.writeHead(PAGE_STATUS).end())
  return served
}

function linesOf(head: string): string[] {
  return head.trimEnd().split('\r\n')
}

tryRows('### Handshake', {
  async 'answers 101 with lower-case names, `upgrade: websocket`, `connection: upgrade`, the accept key'(t) {
    const client = await (await Served.start(t)).asking()
    t.strictSame(linesOf(await client.head()).slice(0, ACCEPTED.length), ACCEPTED)
  },
  async 'adds `server`, and in 4.1.0 `strict-transport-security`'(t) {
    const served: Served = await Served.start(t, {
      '/': request => served.handshake(request),
      '/mine': request => {
        http_response_header(request, 'x-mine', '1')
        served.handshake(request)
      },
    })
    t.strictSame(linesOf(await (await served.asking()).head()), ACCEPTED)
    t.strictSame(linesOf(await (await served.asking({ path: '/mine' })).head()), [...ACCEPTED, 'x-mine: 1'])
  },
  async 'your headers go out in the order of the calls, cookies too, in front of `upgrade`'(t) {
    const headers = [['x-b', '1'], ['set-cookie', 'a=b'], ['x-a', '2'], ['set-cookie', 'c=d']] as const
    const served: Served = await Served.start(t, request => {
      for (const [name, value] of headers) http_response_header(request, name, value)
      served.handshake(request)
    })
    const lines = linesOf(await (await served.asking()).head())
    t.strictSame(lines, [...ACCEPTED, 'x-b: 1', 'set-cookie: a=b', 'set-cookie: c=d', 'x-a: 2'])
  },
  async 'method and HTTP version are not checked; POST, HEAD, HTTP/1.0 get 101'(t, [method], ours) {
    for (const name of ['POST', 'HEAD']) t.equal(await statusOf(t, { method: name }), method, name)
    t.match(ours, 'with HTTP/1.0 an ordinary request')
    t.equal(await statusOf(t, { version: '1.0' }, await withPage(t)), PAGE_STATUS)
  },
  async 'a POST without content-length is 411, HTTP/2.0 is 505'(t, [method], ours) {
    t.equal(await statusOf(t, { method: 'POST' }), method)
    t.match(ours, 'an ordinary request')
    t.equal(await statusOf(t, { version: '2.0' }, await withPage(t)), PAGE_STATUS)
  },
  async 'no or another `Upgrade` or `Connection` header: 101'(t, _, ours) {
    t.equal(ours, 'RFC instead: an ordinary request')
    const served = await withPage(t)
    for (const parts of [header('upgrade', 'h2c'), header('upgrade', null), header('connection', 'close'), header('connection', null)]) {
      t.equal(await statusOf(t, parts, served), PAGE_STATUS, JSON.stringify(parts))
    }
  },
  async 'header names in any case, `Connection: keep-alive, Upgrade`'(t) {
    t.equal(await statusOf(t, header('connection', 'keep-alive, Upgrade')), 101)
    const client = await (await Served.start(t)).asking()
    t.match(await client.head(), / 101 /)
    const served = await Served.start(t)
    const shouting = await served.asking({ headers: { upgrade: null, UPGRADE: 'WebSocket', 'sec-websocket-key': null, 'SEC-WebSocket-KEY': CLIENT_KEY } })
    t.match(await shouting.head(), / 101 /)
  },
  async 'no key: 400'(t) {
    t.equal(await statusOf(t, header('sec-websocket-key', null)), 400)
  },
  async 'an empty key: 400'(t) {
    t.equal(await statusOf(t, header('sec-websocket-key', '')), 400)
  },
  async 'any key is taken; spaces around it are hashed, two keys: the first counts'(t) {
    for (const key of ['any', 'c2hvcnQ=', [CLIENT_KEY, CLIENT_KEY]]) t.equal(await statusOf(t, header('sec-websocket-key', key)), 400)
    const client = await (await Served.start(t)).asking(header('sec-websocket-key', `  ${CLIENT_KEY}  `))
    t.strictSame(linesOf(await client.head()), ACCEPTED, 'trimmed')
  },
  async 'no version, or another than `13`: 400 with `sec-websocket-version: 13`'(t, [status]) {
    for (const version of [null, '8', '14']) {
      const client = await (await Served.start(t)).asking(header('sec-websocket-version', version))
      const head = await client.head()
      t.equal(Number(head.split(' ')[1]), status)
      t.ok(linesOf(head).includes('sec-websocket-version: 13'))
    }
  },
  async 'a space behind `13` is refused'(t) {
    t.equal(await statusOf(t, header('sec-websocket-version', '13 ')), 101)
  },
  async 'after 400 the connection stays open'(t) {
    const client = await (await Served.start(t)).asking(header('sec-websocket-key', null))
    t.equal((await client.refusal()).status, 400)
    t.not(client.state, 'open')
  },
  async 'no `Host`: 400; unknown path: 404'(t) {
    t.equal(await statusOf(t, header('host', null)), 400)
    t.equal(await statusOf(t, { path: '/unknown' }), 404)
  },
  async '`methods` of a route limit it; else all methods reach the handler'(t) {
    for (const method of ['PUT', 'DELETE', 'OPTIONS']) t.equal(await statusOf(t, { method }), 405, method)
  },
  async 'any Origin is accepted'(t, _, ours) {
    t.strictSame(codesIn(ours), ['config.websocket_origins'])
    t.equal(await statusOf(t, header('origin', 'http://localhost')), 101)
    t.equal(await statusOf(t, header('origin', 'http://elsewhere.example')), 403)
    const served = await Served.start(t)
    config.websocket_origins = ['http://elsewhere.example']
    t.equal(await statusOf(t, header('origin', 'http://elsewhere.example'), served), 101)
  },
  async 'subprotocols offered are ignored'(t) {
    const client = await (await Served.start(t)).asking(header('sec-websocket-protocol', 'a, b'))
    t.strictSame(linesOf(await client.head()), ACCEPTED)
  },
  async '`http_response_header(req, "sec-websocket-protocol", …)` chooses one, offered or not'(t, [status]) {
    const served: Served = await Served.start(t, request => {
      http_response_header(request, 'sec-websocket-protocol', 'b')
      served.handshake(request)
    })
    t.equal(await statusOf(t, header('sec-websocket-protocol', 'a'), served), status)
    const client = await served.asking(header('sec-websocket-protocol', 'a, b'))
    t.strictSame(linesOf(await client.head()), [...ACCEPTED, 'sec-websocket-protocol: b'])
  },
  async 'extensions offered are ignored, nothing is compressed'(t) {
    const client = await (await Served.start(t)).asking(header('sec-websocket-extensions', 'permessage-deflate'))
    t.strictSame(linesOf(await client.head()), ACCEPTED)
  },
  async 'a frame in the same segment as the request is lost, half a frame breaks the connection'(t) {
    const served = await Served.start(t)
    const message = said('early')
    const client = await served.asking({}, message + message.slice(0, 10))
    await served.happened(heardAs('early'))
    client.send(message.slice(10))
    t.strictSame(await served.happened(3), ['connect', heardAs('early'), heardAs('early')])
  },
  async 'a second request right behind the first is dropped'(t, [code]) {
    const client = await (await Served.start(t)).asking({}, Buffer.from(handshakeText()).toString('hex'))
    await client.head()
    t.equal(codeOf(await client.rest()), code)
  },
  async 'onconnect runs inside the call; what it sends is right behind the 101'(t) {
    const order: string[] = []
    const served: Served = await Served.start(t, request => {
      served.handshake(request)
      order.push('after')
    })
    served.connected = c => {
      order.push('onconnect')
      kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'welcome')
    }
    const client = await served.client()
    t.strictSame(order, ['onconnect', 'after'])
    t.equal(client.chunks.length, 1)
    t.equal(client.unread, frame('81', 'welcome'))
  },
  async 'a LOCAL broadcast with NULL in onconnect reaches the new client too'(t) {
    const served = await Served.start(t)
    served.connected = () => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'new', null, WEBSOCKET_BROADCAST_LOCAL)
    const client = await served.client()
    t.equal(await client.readAs(frame('81', 'new')), frame('81', 'new'))
  },
  async '`kore_connection_disconnect` in onconnect: 101, `88 00`, `ondisconnect`'(t) {
    const served = await Served.start(t)
    served.connected = c => kore_connection_disconnect(c)
    const client = await served.client()
    client.end()
    t.equal(await client.rest(), '8800')
    t.strictSame(served.events, ['connect', 'disconnect'])
  },
  async 'a refused handshake calls no callback'(t) {
    const served = await Served.start(t)
    await statusOf(t, header('sec-websocket-key', null), served)
    t.strictSame(served.events, [])
  },
  async '`KORE_RESULT_ERROR` after the handshake: onconnect ran, 101, `88 00`, FIN'(t) {
    const served: Served = await Served.start(t, request => {
      served.handshake(request)
      return KORE_RESULT_ERROR
    })
    const client = await served.client()
    t.equal(await client.readAs('8800'), '8800')
    client.send(masked(closeFrame(1000)))
    t.equal(await client.rest(), '', 'an orderly end')
    t.strictSame(served.events, ['connect', 'disconnect'])
  },
})

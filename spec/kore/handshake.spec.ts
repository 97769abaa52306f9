/** kore_websocket_handshake and http_response_header / http_response: what is answered, and what runs when. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import {
  attach,
  broadcast,
  config,
  connections,
  CONN_PROTO_HTTP,
  CONN_PROTO_WEBSOCKET,
  CONN_STATE_ESTABLISHED,
  disconnect,
  handshake,
  http_response,
  http_response_header,
  kore_attach,
  kore_connection_disconnect,
  kore_load,
  kore_websocket_broadcast,
  kore_websocket_handshake,
  kore_websocket_send,
  send,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
  type KoreRequest,
  type OnConnect,
} from '../../lib/kore.ts'
import { closeFrame, frame, hex, masked } from '../helpers/frames.ts'
import type { HandshakeParts } from '../helpers/raw-client.ts'
import { Served } from './served.ts'

const ACCEPTED =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
  'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'
const INVALID_ARGUMENT = { name: 'MisuseError', code: 'invalid-argument' }
const INVALID_STATE = { name: 'MisuseError', code: 'invalid-state', message: 'the request is answered already' }

t.test('the answer to the example of RFC 6455, section 1.3', async t => {
  const served = await Served.start(t)
  const client = await served.asking()
  t.equal(await client.head(), `${ACCEPTED}\r\n`)
})

t.test('onconnect runs inside the call, and what it sends is in one write with the 101', async t => {
  const order: string[] = []
  const served = await Served.start(t, request => {
    order.push('handler')
    t.equal(request.status, 0)
    t.equal(request.owner.proto, CONN_PROTO_HTTP)
    served.handshake(request)
    order.push('after the handshake')
    t.equal(request.status, 101)
  })
  served.connected = c => {
    order.push('onconnect')
    t.equal(c.proto, CONN_PROTO_WEBSOCKET)
    t.equal(c.state, CONN_STATE_ESTABLISHED)
    t.equal(c.flags, 0)
    t.ok(connections.has(c), 'it is among the connections already')
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'hello'), true)
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'all', null, WEBSOCKET_BROADCAST_LOCAL)
  }
  const client = await served.asking()
  t.equal(await client.head(), `${ACCEPTED}\r\n`)
  const greeting = frame('81', 'hello') + frame('81', 'all')
  t.equal(await client.readAs(greeting), greeting, 'its own broadcast with src null included')
  t.strictSame(client.chunks, [hex(Buffer.from(`${ACCEPTED}\r\n`)) + greeting], 'one chunk')
  t.strictSame(order, ['handler', 'onconnect', 'after the handshake'])
})

t.test('hdlr_extra is set on request.owner before, and is there in all callbacks', async t => {
  const extra = { name: 'Ann' }
  let owner: KoreConnection | undefined
  const seen: unknown[] = []
  const note = (c: KoreConnection): void => {
    t.equal(c, owner, 'one object for the connection')
    seen.push(c.hdlr_extra)
  }
  const served = await Served.start(t, request => {
    t.equal(request.owner.hdlr_extra, null)
    owner = request.owner
    owner.hdlr_extra = extra
    served.handshake(request)
  })
  served.connected = note
  served.received = note
  served.disconnected = note
  const client = await served.client()
  client.send(masked(frame('81', 'hi')), masked(closeFrame(1000)))
  t.equal(await client.rest(), closeFrame(1000))
  t.strictSame(seen, [extra, extra, extra])
  t.equal(seen[2], extra)
})

t.test('callbacks by name: looked up when the handshake is made, in load order', async t => {
  const calls: string[] = []
  const served = await Served.start(t, request => kore_websocket_handshake(request, 'joined', 'said', 'left'))
  const first: Record<string, unknown> = {
    joined: (c: KoreConnection) => void calls.push(`first joined ${c.proto}`),
    said: 'no function',
  }
  const second = {
    joined: () => void calls.push('second joined'),
    said: (_: KoreConnection, op: number, data: Buffer, length: number) => void calls.push(`second said ${op} ${data} ${length}`),
    left: () => void calls.push('second left'),
  }
  kore_load(first)
  kore_load(second)
  const client = await served.client()
  client.send(masked(frame('81', 'hi')), masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(calls, ['first joined 2', 'second said 1 hi 2', 'second left'])

  calls.length = 0
  first.said = () => void calls.push('first said')
  const later = await served.client()
  later.send(masked(frame('81', 'hi')), masked(frame('88')))
  t.equal(await later.rest(), '8800')
  t.strictSame(calls, ['first joined 2', 'first said', 'second left'], 'found anew for each handshake')
})

t.test('a name that no module has: 500, told to kore_onerror, and nobody else is harmed', async t => {
  const requests: KoreRequest[] = []
  for (const [at, argument] of ['onconnect', 'onmessage', 'ondisconnect'].entries()) {
    const served = await Served.start(t, {
      '/': request => served.handshake(request),
      '/typo': request => {
        requests.push(request)
        const callbacks: (string | OnConnect)[] = [served.onconnect, served.onconnect, served.ondisconnect]
        callbacks[at] = 'no_such_function'
        kore_websocket_handshake(request, callbacks[0], callbacks[1], callbacks[2])
      },
    })
    const other = await served.client()
    const client = await served.asking({ path: '/typo' })
    const { status, body } = await client.refusal()
    t.equal(status, 500)
    t.equal(body, 'The handshake failed on the server.\n')
    t.equal(requests[at].status, 500)
    t.equal(served.errors.length, 1)
    t.match(served.errors[0], {
      error: {
        name: 'MisuseError',
        code: 'unknown-callback',
        message: `${argument}: no loaded module has a function "no_such_function"`,
      },
      c: null,
    })
    other.send(masked(frame('81', 'still here')), masked(closeFrame(1000)))
    t.equal(await other.rest(), closeFrame(1000))
    t.strictSame(served.events, ['connect', `text ${hex(Buffer.from('still here'))} 10`, 'disconnect'])
    t.equal(connections.size, 0)
  }
})

t.test('null callbacks are skipped', async t => {
  const served = await Served.start(t, request => kore_websocket_handshake(request, null, null, null))
  const { client, c } = await served.pair()
  t.strictSame([c.ws_connect, c.ws_message, c.ws_disconnect], [null, null, null])
  client.send(masked(frame('81', 'hi')), masked(frame('89', 'p')), masked(closeFrame(1001, 'bye')))
  t.equal(await client.rest(), frame('8a', 'p') + closeFrame(1001, 'bye'))
  t.strictSame(served.errors, [])
})

t.test('ws_connect, ws_message and ws_disconnect: the callbacks of a connection, which may be exchanged', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  t.equal(c.ws_connect, served.onconnect)
  t.equal(c.ws_message, served.onmessage)
  t.equal(c.ws_disconnect, served.ondisconnect)
  c.ws_message = (_, op, data) => served.note(`exchanged ${op} ${data}`)
  client.send(masked(frame('81', 'hi')))
  await served.happened('exchanged 1 hi')
  t.strictSame(served.events, ['connect', 'exchanged 1 hi'])
})

t.test('a callback that is neither function nor name nor null is a misuse', async t => {
  let thrown = 0
  const served = await Served.start(t, request => {
    for (const wrong of [1, {}, true, Symbol('a')]) {
      const callback = wrong as unknown as null
      const message = (argument: string): string => `${argument} must be a function, a name or null`
      t.throws(() => kore_websocket_handshake(request, callback, null, null), { ...INVALID_ARGUMENT, message: message('onconnect') })
      t.throws(() => kore_websocket_handshake(request, null, callback, null), { ...INVALID_ARGUMENT, message: message('onmessage') })
      t.throws(() => kore_websocket_handshake(request, null, null, callback), { ...INVALID_ARGUMENT, message: message('ondisconnect') })
      thrown++
    }
    t.equal(request.status, 0, 'and answers nothing')
    served.handshake(request)
  })
  const client = await served.client()
  t.equal(thrown, 4)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
})

t.test('kore_load takes objects only', async t => {
  for (const wrong of [null, undefined, 'module', 1]) {
    t.throws(() => kore_load(wrong as unknown as object), {
      ...INVALID_ARGUMENT,
      message: 'module must be an object whose properties are functions',
    })
  }
})

t.test('what every object inherits is no function of a module', async t => {
  kore_load({})
  const served = await Served.start(t, request => kore_websocket_handshake(request, 'toString', null, null))
  const client = await served.asking()
  t.match(await client.head(), /^HTTP\/1.1 500 /)
})

const REFUSED: [name: string, parts: HandshakeParts, status: number, header?: RegExp][] = [
  ['another method', { method: 'POST', headers: { 'content-length': '0' } }, 405, /\r\nallow: GET\r\n/],
  ['POST without content-length', { method: 'POST' }, 405],
  ['PUT', { method: 'PUT' }, 405],
  ['DELETE', { method: 'DELETE' }, 405],
  ['HEAD', { method: 'HEAD' }, 405],
  ['OPTIONS', { method: 'OPTIONS' }, 405],
  ['no version', { headers: { 'sec-websocket-version': null } }, 426, /\r\nsec-websocket-version: 13\r\n/],
  ['version 8', { headers: { 'sec-websocket-version': '8' } }, 426, /\r\nsec-websocket-version: 13\r\n/],
  ['version 013', { headers: { 'sec-websocket-version': '013' } }, 426],
  ['version 13, 8', { headers: { 'sec-websocket-version': '13, 8' } }, 426],
  ['no key', { headers: { 'sec-websocket-key': null } }, 400],
  ['an empty key', { headers: { 'sec-websocket-key': '' } }, 400],
  ['a short key', { headers: { 'sec-websocket-key': 'abc' } }, 400],
  ['two keys', { headers: { 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] } }, 400],
  ['the same subprotocol twice', { headers: { 'sec-websocket-protocol': 'a, a' } }, 400],
  ['malformed extensions', { headers: { 'sec-websocket-extensions': 'a;;' } }, 400],
  ['a page of another host', { headers: { origin: 'http://evil.example' } }, 403],
  ['a path with no route', { path: '/nowhere' }, 404],
]

t.test('refusals: request.status tells, no callback runs', async t => {
  const statuses: number[] = []
  const served = await Served.start(t, request => {
    served.handshake(request)
    statuses.push(request.status)
  })
  for (const [name, parts, expected, header = /^/] of REFUSED) {
    const client = await served.asking(parts, masked(frame('81', 'early')))
    const { status, head, body } = await client.refusal()
    t.equal(status, expected, name)
    t.match(head, header, name)
    t.match(head, /\r\nconnection: (upgrade, )?close\r\n/, `${name}: the connection ends with it`)
    t.match(body, /\.\n$/, `${name}: says why`)
  }
  t.strictSame(statuses, REFUSED.map(([, , status]) => status).filter(status => status !== 404))
  t.strictSame(served.events, [])
  t.strictSame(served.errors, [])
})

t.test('requests that Node.js refuses itself, or that ask for no upgrade, reach no handler', async t => {
  const served = await Served.start(t)
  served.server.on('request', (_, response) => response.writeHead(200, { connection: 'close' }).end('a page\n'))
  const status = async (parts: HandshakeParts): Promise<string> => (await (await served.asking(parts)).head()).slice(0, 12)
  t.equal(await status({ headers: { host: null } }), 'HTTP/1.1 400', 'no Host')
  t.equal(await status({ headers: { upgrade: null } }), 'HTTP/1.1 200', 'no Upgrade: an ordinary request')
  t.equal(await status({ headers: { connection: 'close' } }), 'HTTP/1.1 200', 'Connection: close: an ordinary request')
  t.equal(await status({ headers: { connection: null } }), 'HTTP/1.1 200', 'no Connection: an ordinary request')
  t.strictSame(served.events, [])
})

t.test('requests that are as good as the usual ones', async t => {
  const served = await Served.start(t)
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`x-${at}`, 'x']))
  const { 'sec-websocket-key': key, ...others } = {
    ...many,
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const good: [string, HandshakeParts][] = [
    ['keep-alive, Upgrade', { headers: { connection: 'keep-alive, Upgrade' } }],
    ['upper case', { headers: { upgrade: 'WEBSOCKET', 'SEC-WEBSOCKET-VERSION': '13', 'sec-websocket-version': null } }],
    ['space around the version and the key', { headers: { 'sec-websocket-version': ' 13 ', 'sec-websocket-key': `  ${key}  ` } }],
    ['a query', { path: '/?room=1' }],
    ['40 more headers in front of the key', { headers: { 'sec-websocket-key': null, ...others, 'Sec-WebSocket-Key': key } }],
    ['extensions offered', { headers: { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' } }],
    ['subprotocols offered, none chosen', { headers: { 'sec-websocket-protocol': 'chat, superchat' } }],
    ['a page of the same host', { headers: { origin: 'http://localhost' } }],
  ]
  for (const [name, parts] of good) {
    const client = await served.asking(parts)
    t.equal(await client.head(), `${ACCEPTED}\r\n`, name)
    await client.close()
  }
})

t.test('a second request in the same segment is taken for frames, as RFC 6455 has it', async t => {
  const served = await Served.start(t)
  const again = Buffer.from('GET / HTTP/1.1\r\n\r\n')
  const client = await served.asking({}, hex(again))
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  const end = await client.rest()
  t.match(end, /^88..03ea/)
})

t.test('config.websocket_origins', async t => {
  const served = await Served.start(t)
  const status = async (origin: string): Promise<number> => {
    const client = await served.asking({ headers: { origin } })
    return Number((await client.head()).slice(9, 12))
  }
  config.websocket_origins = ['https://example.org']
  t.equal(await status('https://example.org'), 101)
  t.equal(await status('http://localhost'), 403)
  config.websocket_origins = 'any'
  t.equal(await status('http://evil.example'), 101)
  config.websocket_origins = (origin, host) => origin === 'http://a.example' && host === 'localhost'
  t.equal(await status('http://a.example'), 101)
  t.equal(await status('http://b.example'), 403)
})

t.test('http_response_header: in the 101, in the order of the calls, names in lower case', async t => {
  const served = await Served.start(t, request => {
    http_response_header(request, 'X-First', '1')
    http_response_header(request, 'set-cookie', 'a=1')
    http_response_header(request, 'Set-Cookie', 'b=2')
    http_response_header(request, 'Sec-WebSocket-Protocol', 'superchat')
    served.handshake(request)
  })
  const client = await served.asking({ headers: { 'sec-websocket-protocol': 'chat, superchat' } })
  t.equal(
    await client.head(),
    `${ACCEPTED}sec-websocket-protocol: superchat\r\nx-first: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n`
  )
})

t.test('http_response_header: what cannot be sent is answered with 500', async t => {
  const cases: [string, string, string, string][] = [
    ['sec-websocket-protocol', 'chess', 'invalid-argument', 'protocol "chess" is not among those the client offers'],
    ['upgrade', 'h2c', 'invalid-header', 'header upgrade is set by the handshake itself'],
    ['connection', 'close', 'invalid-header', 'header connection is set by the handshake itself'],
    ['sec-websocket-accept', 'x', 'invalid-header', 'header sec-websocket-accept is set by the handshake itself'],
    ['sec-websocket-extensions', 'x', 'invalid-header', 'header sec-websocket-extensions is set by the handshake itself'],
    ['content-length', '0', 'invalid-header', 'header content-length is set by the handshake itself'],
    ['x-a', 'a\r\nx-b: c', 'invalid-header', 'the value of header x-a must be a string of Latin-1'],
    ['x-a', 1 as unknown as string, 'invalid-header', 'the value of header x-a must be a string of Latin-1'],
  ]
  for (const [name, value, code, message] of cases) {
    let status = 0
    const served = await Served.start(t, request => {
      http_response_header(request, name, value)
      served.handshake(request)
      status = request.status
    })
    const client = await served.asking({ headers: { 'sec-websocket-protocol': 'chat' } })
    const refusal = await client.refusal()
    t.equal(refusal.status, 500, `${name}: ${value}`)
    t.notMatch(refusal.head, /x-b|chess|h2c/, 'with none of the headers')
    t.equal(status, 500)
    t.match(served.errors, [{ error: { name: 'MisuseError', code }, c: null }])
    t.ok(served.errors[0].error.message.startsWith(message), served.errors[0].error.message)
    t.strictSame(served.events, [])
  }
})

t.test('http_response_header: a name that is no token, and a request that is answered', async t => {
  const served = await Served.start(t, request => {
    for (const name of ['', 'a b', 'a:', 'a\r\n']) {
      t.throws(() => http_response_header(request, name, 'x'), {
        name: 'MisuseError',
        code: 'invalid-header',
        message: `header name ${JSON.stringify(name)} is not a token`,
      })
    }
    served.handshake(request)
    t.throws(() => http_response_header(request, 'x-late', 'x'), INVALID_STATE)
    t.throws(() => http_response(request, 403), INVALID_STATE)
    t.throws(() => served.handshake(request), INVALID_STATE)
    t.equal(request.status, 101)
  })
  const client = await served.client()
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800', 'the handshake stands')
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('http_response_header: names that objects have by themselves are as good as others', async t => {
  const served = await Served.start(t, request => {
    http_response_header(request, 'constructor', 'x')
    served.handshake(request)
  })
  const client = await served.asking()
  t.equal(await client.head(), `${ACCEPTED}constructor: x\r\n\r\n`)
})

t.test('http_response refuses, with the headers set before', async t => {
  let status = 0
  const served = await Served.start(t, request => {
    http_response_header(request, 'X-Why', 'secret')
    http_response(request, 403, 'Not you: é\n')
    status = request.status
    t.throws(() => served.handshake(request), INVALID_STATE)
    t.throws(() => http_response(request, 403), INVALID_STATE)
  })
  const client = await served.asking({}, masked(frame('81', 'early')))
  t.equal(
    await client.head(),
    'HTTP/1.1 403 Forbidden\r\nx-why: secret\r\ncontent-type: text/plain; charset=utf-8\r\n' +
      'connection: close\r\ncontent-length: 12\r\n\r\n'
  )
  t.equal(await client.rest(), hex(Buffer.from('Not you: é\n')))
  t.equal(status, 403)
  t.strictSame(served.events, [])
})

t.test('http_response takes 300 to 599 and a string', async t => {
  const served = await Served.start(t, request => {
    for (const status of [200, 101, 299, 600, 403.5]) t.throws(() => http_response(request, status), INVALID_ARGUMENT)
    t.throws(() => http_response(request, 403, 1 as unknown as string), INVALID_ARGUMENT)
    t.equal(request.status, 0)
    http_response(request, 302)
  })
  const client = await served.asking()
  t.match(await client.head(), /^HTTP\/1.1 302 Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n$/)
})

t.test('the socket is freed of what HTTP has set up on it: Nagle off, no timeout', async t => {
  const calls: unknown[] = []
  const served = await Served.start(t)
  served.server.on('connection', socket => {
    socket.setTimeout(1234)
    const setNoDelay = socket.setNoDelay.bind(socket)
    socket.setNoDelay = on => {
      calls.push(on)
      return setNoDelay(on)
    }
    served.connected = () => calls.push(socket.timeout)
  })
  const client = await served.client()
  t.ok(client)
  t.strictSame(calls, [true, 0])
})

t.test('the short names are the same functions', async t => {
  t.strictSame([attach, broadcast, disconnect, handshake, send], [
    kore_attach,
    kore_websocket_broadcast,
    kore_connection_disconnect,
    kore_websocket_handshake,
    kore_websocket_send,
  ])
})

t.test('kore_attach: what comes back takes the routes away', async t => {
  const served = new Served()
  const detach = kore_attach(served.server, { '/a': served.handshake, '/b': served.handshake })
  await served.listen(t)
  await served.client({ path: '/a' })
  await served.client({ path: '/b' })
  t.throws(() => kore_attach(served.server, { '/b': served.handshake }), { code: 'invalid-state' })
  detach()
  t.equal(served.server.listenerCount('upgrade'), 0)
  const again = kore_attach(served.server, { '/c': served.handshake })
  t.match(await (await served.asking({ path: '/a' })).head(), /^HTTP\/1.1 404 /)
  await served.client({ path: '/c' })
  again()
})

t.test('a path without a route is left to other upgrade listeners, where there are any', async t => {
  const served = await Served.start(t, { '/mine': request => served.handshake(request) })
  served.server.on('upgrade', (request, socket) => {
    if (request.url === '/other') socket.end('HTTP/1.1 418 Not Yours\r\n\r\n')
  })
  t.match(await (await served.asking({ path: '/other' })).head(), /^HTTP\/1.1 418 /)
  const client = await served.client({ path: '/mine' })
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('a route that is taken: kore_attach throws and adds none of the others', async t => {
  const server = createServer()
  t.teardown(() => server.close())
  server.listen(0)
  await once(server, 'listening')
  kore_attach(server, { '/a': () => {} })
  t.throws(() => kore_attach(server, { '/b': () => {}, '/a': () => {} }), { code: 'invalid-state' })
  t.doesNotThrow(() => kore_attach(server, { '/b': () => {} }))
})

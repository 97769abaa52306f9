/** onmessage and ondisconnect: what comes from the client, and every way in which a connection can end. */
import t from 'tap'
import {
  config,
  connections,
  CONN_STATE_DISCONNECTING,
  CONN_STATE_ESTABLISHED,
  CONN_WS_CLOSE_SENT,
  kore_connection_disconnect,
  kore_onerror,
  kore_shutdown,
  kore_websocket_broadcast,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_PONG,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../../lib/kore.ts'
import { usesInternals } from '../../lib/node-internals/switch.ts'
import { VIOLATIONS, type ViolationName } from '../../lib/protocol/violation.ts'
import { bytes, closeFrame, frame, hex, masked } from '../helpers/frames.ts'
import { within } from '../helpers/journal.ts'
import { Served } from './served.ts'

const HI = masked(frame('81', 'hi'))
const HI_EVENT = 'text 6869 2'
const CLOSE = masked(frame('88'))

t.test('onmessage gets TEXT and BINARY with op, bytes and length', async t => {
  const served = await Served.start(t)
  const seen: unknown[] = []
  served.received = (_, op, data, length) => seen.push([op, Buffer.isBuffer(data), data.length === length])
  const client = await served.client()
  const utf8 = Buffer.from('žluť 🦊\0')
  const all = Buffer.from(Array.from({ length: 256 }, (_, at) => at))
  client.send(HI, masked(frame('82', all)), masked(frame('81', utf8)), masked(frame('81')), masked(frame('82')), CLOSE)
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, [
    'connect',
    HI_EVENT,
    `binary ${hex(all)} 256`,
    `text ${hex(utf8)} ${utf8.length}`,
    'text  0',
    'binary  0',
    'disconnect',
  ])
  const expected = [WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY, WEBSOCKET_OP_TEXT, WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY]
  t.strictSame(seen, expected.map(op => [op, true, true]))
})

t.test('frames that come byte by byte, and a masking key of zeros', async t => {
  const served = await Served.start(t)
  const { client } = await served.pair()
  for (const byte of bytes(HI + masked(frame('82', 'z'), '00000000'))) client.send(byte.toString(16).padStart(2, '0'))
  await served.happened(3)
  t.strictSame(served.events, ['connect', HI_EVENT, 'binary 7a 1'])
})

t.test('fragments are put together, with control frames between them', async t => {
  const served = await Served.start(t)
  const client = await served.client()
  client.send(masked(frame('01', 'frag')), masked(frame('89', 'p')), masked(frame('00', 'men')), masked(frame('80', 'ts')), CLOSE)
  t.equal(await client.rest(), frame('8a', 'p') + '8800')
  t.strictSame(served.events, ['connect', `text ${hex(Buffer.from('fragments'))} 9`, 'disconnect'])
})

t.test('pings are answered at once without a callback; pongs are ignored', async t => {
  const served = await Served.start(t)
  const client = await served.client()
  const long = 'p'.repeat(125)
  client.send(masked(frame('89', long)), masked(frame('89')), masked(frame('8a', 'pong')), CLOSE)
  t.equal(await client.rest(), frame('8a', long) + '8a00' + '8800')
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('what onmessage sends goes out in one write for all frames of one read', async t => {
  const served = await Served.start(t)
  served.received = (c, op, data, length) => kore_websocket_send(c, op, data, length)
  const client = await served.client()
  const before = client.chunks.length
  client.send(HI, masked(frame('82', 'x')), HI)
  const echo = frame('81', 'hi') + frame('82', 'x') + frame('81', 'hi')
  t.equal(await client.readAs(echo), echo)
  t.strictSame(client.chunks.slice(before), [echo])
})

t.test('websocket_maxframe: so many bytes pass, one more is 1009; over fragments too', async t => {
  const max = 1000
  config.websocket_maxframe = max
  const tooBig = closeFrame(1009, VIOLATIONS['message-too-big'][1])
  const cases: [string, string[], boolean][] = [
    ['whole, the most', [frame('82', Buffer.alloc(max))], true],
    ['whole, one more', [frame('82', Buffer.alloc(max + 1))], false],
    ['fragments, the most', [frame('02', Buffer.alloc(600)), frame('80', Buffer.alloc(400))], true],
    ['fragments, one more', [frame('02', Buffer.alloc(600)), frame('80', Buffer.alloc(401))], false],
  ]
  for (const [name, frames, passes] of cases) {
    const served = await Served.start(t)
    config.websocket_maxframe = max
    const client = await served.client()
    client.send(...frames.map(each => masked(each)), masked(closeFrame(1000)))
    t.equal(await client.rest(), passes ? closeFrame(1000) : tooBig, name)
    t.equal(served.events.length, passes ? 3 : 2, name)
    if (passes) t.match(served.events[1], / 1000$/)
  }
})

t.test('websocket_maxframe: the header alone of a frame that is too long is enough', async t => {
  const served = await Served.start(t)
  const client = await served.client()
  client.send('82ff', '0000000040000000', '00000000')
  t.equal(await client.rest(), closeFrame(1009, VIOLATIONS['message-too-big'][1]))
})

t.test('websocket_maxframe: 16384 by default, 0 for empty payloads only, Infinity for none; not for what is sent', async t => {
  const most = async (size: number): Promise<string> => {
    const served = await Served.start(t)
    served.received = (c, op) => kore_websocket_send(c, op, Buffer.alloc(70000))
    const client = await served.client()
    client.send(masked(frame('82', Buffer.alloc(size))), masked(closeFrame(1000)))
    const answer = await client.rest()
    return answer === frame('82', Buffer.alloc(70000)) + closeFrame(1000) ? 'echo' : answer.slice(4, 8)
  }
  t.equal(await most(16384), 'echo')
  t.equal(await most(16385), '03f1')
  config.websocket_maxframe = 0
  t.equal(await most(0), 'echo')
  config.websocket_maxframe = 0
  t.equal(await most(1), '03f1')
  config.websocket_maxframe = Infinity
  t.equal(await most(100_000), 'echo')
})

const BROKEN: [name: string, frames: string, violation: ViolationName][] = [
  ['invalid UTF-8', masked(frame('81', bytes('fffe'))), 'invalid-utf8'],
  ['invalid UTF-8 over fragments', masked(frame('01', bytes('c3'))) + masked(frame('80', bytes('28'))), 'invalid-utf8'],
  ['a continuation of nothing', masked(frame('80', 'x')), 'unexpected-continuation'],
  ['a new message in the middle of one', masked(frame('01', 'x')) + HI, 'expected-continuation'],
  ['an unmasked frame', frame('81', 'hi'), 'unmasked-frame'],
  ['an unmasked close frame', '8800', 'unmasked-frame'],
  ['RSV1', masked(frame('c1', 'hi')), 'reserved-bits'],
  ['RSV2', masked(frame('a1', 'hi')), 'reserved-bits'],
  ['RSV3', masked(frame('91', 'hi')), 'reserved-bits'],
  ['opcode 3', masked(frame('83', 'hi')), 'reserved-opcode'],
  ['opcode 7', masked(frame('87', 'hi')), 'reserved-opcode'],
  ['opcode b', masked(frame('8b', 'hi')), 'reserved-opcode'],
  ['opcode f', masked(frame('8f', 'hi')), 'reserved-opcode'],
  ['a fragmented ping', masked(frame('09', 'hi')), 'fragmented-control'],
  ['a fragmented close', masked(frame('08')), 'fragmented-control'],
  ['a ping of 126 bytes', masked(frame('89', 'p'.repeat(126))), 'long-control'],
  ['a close frame of 126 bytes', masked(frame('88', 'p'.repeat(126))), 'long-control'],
  ['2^63', '82ff' + '8000000000000000' + '00000000', 'length-top-bit'],
  ['2^53', '82ff' + '0020000000000000' + '00000000', 'length-unsafe'],
  ['a short length in 16 bits', '82fe' + '007d' + '00000000', 'length-not-minimal'],
  ['a short length in 64 bits', '82ff' + '000000000000007e' + '00000000', 'length-not-minimal'],
  ['a close frame of one byte', masked(frame('88', 'x')), 'close-payload-size'],
  ['close code 999', masked(closeFrame(999)), 'close-code'],
  ['close code 1005', masked(closeFrame(1005)), 'close-code'],
  ['a close reason that is no UTF-8', masked(frame('88', bytes('03e8fffe'))), 'close-reason-utf8'],
]

t.test('a client that breaks the protocol: its close code, ondisconnect once, the Violation to kore_onerror', async t => {
  const served = await Served.start(t)
  for (const [name, frames, violation] of BROKEN) {
    served.events.length = 0
    served.errors.length = 0
    const states: unknown[] = []
    served.disconnected = c => states.push(c.state, c.flags, connections.has(c), kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late'))
    const { client, c } = await served.pair()
    client.send(HI, frames, HI)
    const [code, sentence] = VIOLATIONS[violation]
    t.equal(await client.rest(), closeFrame(code, sentence), name)
    t.strictSame(served.events, ['connect', HI_EVENT, 'disconnect'], name)
    t.match(served.errors, [{ error: { name: 'Violation', code: violation, closeCode: code } }], name)
    t.equal(served.errors[0].c, c)
    t.strictSame(states, [CONN_STATE_DISCONNECTING, CONN_WS_CLOSE_SENT, true, false], name)
    t.notOk(connections.has(c), name)
  }
})

t.test('without kore_onerror a client that breaks the protocol is no warning', async t => {
  const served = await Served.start(t)
  kore_onerror(undefined)
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  const client = await served.client()
  client.send(frame('81', 'hi'))
  t.match(await client.rest(), /^88..03ea/)
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', warned)
  t.strictSame(warnings, [])
})

t.test('the client closes: its close frame comes back; ondisconnect runs once, nothing can be sent', async t => {
  for (const close of ['8800', closeFrame(1000), closeFrame(1000, 'bye'), closeFrame(1001), closeFrame(4999, 'é')]) {
    const served = await Served.start(t)
    let seen: unknown
    served.disconnected = c => {
      seen = [c.state, c.flags, connections.has(c), kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late')]
      kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'late', null, WEBSOCKET_BROADCAST_LOCAL)
      kore_connection_disconnect(c)
    }
    const { client, c } = await served.pair()
    client.send(masked(close), HI, masked(frame('89')))
    t.equal(await client.rest(), close)
    t.strictSame(served.events, ['connect', 'disconnect'])
    t.strictSame(seen, [CONN_STATE_DISCONNECTING, CONN_WS_CLOSE_SENT, true, false])
    t.notOk(connections.has(c))
    t.strictSame(served.errors, [])
  }
})

for (const how of ['end', 'reset', 'half a frame'] as const) {
  t.test(`a client that goes away without a close frame (${how}): ondisconnect once`, async t => {
    const served = await Served.start(t)
    let seen: unknown
    served.disconnected = c => (seen = [c.state, connections.has(c), kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late')])
    const { client, c } = await served.pair()
    client.send(how === 'half a frame' ? HI + HI.slice(0, 6) : HI)
    await served.happened(HI_EVENT)
    if (how === 'reset') client.reset()
    else client.end()
    await served.happened('disconnect')
    if (how !== 'reset') t.equal(await client.rest(), '', 'no close frame for one who has none')
    await served.until('the connection to be forgotten', () => !connections.has(c))
    t.strictSame(served.events, ['connect', HI_EVENT, 'disconnect'])
    t.strictSame(seen, [CONN_STATE_DISCONNECTING, true, false])
    t.strictSame(served.errors, [])
  })
}

t.test('CONN_WS_CLOSE_SENT is not set where no close frame was sent', async t => {
  const served = await Served.start(t)
  let flags: number | undefined
  served.disconnected = c => (flags = c.flags)
  const { client } = await served.pair()
  client.end()
  await served.happened('disconnect')
  t.equal(flags, 0)
})

t.test('a message and the end in one go: the message is delivered', async t => {
  for (const ending of ['', CLOSE]) {
    const served = await Served.start(t)
    const client = await served.client()
    client.socket.end(bytes(HI + ending))
    await served.happened('disconnect')
    t.strictSame(served.events, ['connect', HI_EVENT, 'disconnect'])
  }
})

t.test('kore_connection_disconnect: ondisconnect at once, a send inside it, then 88 00; no message any more', async t => {
  const order: string[] = []
  const served = await Served.start(t)
  served.received = c => {
    order.push(`before ${c.state}`)
    kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'last')
    kore_connection_disconnect(c)
    order.push(`after ${c.state} ${c.flags} ${connections.has(c)}`)
    kore_connection_disconnect(c)
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'too late'), false)
  }
  served.disconnected = c => {
    order.push(`ondisconnect ${c.state} ${c.flags} ${connections.has(c)}`)
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'bye'), true)
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'to all', null, WEBSOCKET_BROADCAST_LOCAL)
    kore_connection_disconnect(c)
  }
  const { client, c } = await served.pair()
  client.send(HI, HI, masked(frame('82', 'x')))
  const end = frame('81', 'last') + frame('81', 'bye') + frame('81', 'to all') + '8800'
  t.equal(await client.readAs(end), end)
  t.equal(client.state, 'open', 'the server waits for the client to close')
  client.send(HI, masked(frame('89', 'p')), CLOSE, HI)
  t.equal(await client.rest(), frame('8a', 'p'), 'pings are still answered (RFC 6455, section 5.5.2)')
  t.strictSame(order, [
    `before ${CONN_STATE_ESTABLISHED}`,
    `ondisconnect ${CONN_STATE_DISCONNECTING} 0 true`,
    `after ${CONN_STATE_DISCONNECTING} ${CONN_WS_CLOSE_SENT} false`,
  ])
  t.strictSame(served.events, ['connect', HI_EVENT, 'disconnect'])
  kore_connection_disconnect(c)
  t.strictSame(served.events, ['connect', HI_EVENT, 'disconnect'])
})

t.test('kore_connection_disconnect in onconnect: 101, 88 00, ondisconnect', async t => {
  const served = await Served.start(t)
  served.connected = c => kore_connection_disconnect(c)
  const client = await served.asking({}, HI)
  await client.head()
  t.equal(await client.readAs('8800'), '8800')
  client.send(CLOSE)
  t.equal(await client.rest(), '')
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('kore_connection_disconnect: a client that answers with FIN only, or breaks the protocol then', async t => {
  for (const answer of ['', frame('81', 'unmasked')]) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_connection_disconnect(c)
    t.equal(await client.read(2), '8800')
    if (answer !== '') client.send(answer)
    client.end()
    t.equal(await client.rest(), '')
    t.strictSame(served.events, ['connect', 'disconnect'])
  }
})

t.test('kore_connection_disconnect: what was sent before arrives whole, however slow the client', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  client.socket.pause()
  const data = Buffer.alloc(12_000_000, 'x')
  kore_websocket_send(c, WEBSOCKET_OP_BINARY, data)
  kore_connection_disconnect(c)
  t.strictSame(served.events, ['connect', 'disconnect'])
  await new Promise(resolve => setImmediate(resolve))
  client.socket.resume()
  const expected = frame('82', data) + '8800'
  t.ok((await client.readAs(expected)) === expected)
  client.send(CLOSE)
  t.equal(await client.rest(), '')
})

t.test('a close frame with a code of one\'s own, then kore_connection_disconnect: exactly that frame', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  kore_websocket_send(c, WEBSOCKET_OP_CLOSE, bytes('0fa0'))
  t.equal(c.flags, CONN_WS_CLOSE_SENT)
  c.flags |= CONN_WS_CLOSE_SENT
  kore_connection_disconnect(c)
  t.strictSame(served.events, ['connect', 'disconnect'])
  t.equal(await client.readAs(closeFrame(4000)), closeFrame(4000))
  client.send(HI, masked(closeFrame(4000)))
  t.equal(await client.rest(), '')
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('kore_connection_disconnect before the handshake, or of something else', async t => {
  const served = await Served.start(t, request => {
    kore_connection_disconnect(request.owner)
    t.equal(request.owner.state, CONN_STATE_ESTABLISHED)
    served.handshake(request)
  })
  await served.client()
  t.strictSame(served.events, ['connect'], 'no effect')
  for (const wrong of [null, undefined, {}, 1, served.server]) {
    t.throws(() => kore_connection_disconnect(wrong as unknown as KoreConnection), {
      name: 'MisuseError',
      code: 'invalid-argument',
      message: 'the connection must be one that a callback or request.owner gave',
    })
  }
})

t.test('an exception in onmessage: 1011, told to kore_onerror with the connection, others unharmed', async t => {
  for (const asynchronous of [false, true]) {
    const served = await Served.start(t)
    served.received = (_, op) => {
      if (op === WEBSOCKET_OP_TEXT) return undefined
      if (asynchronous) return Promise.reject(new Error('broken'))
      throw new Error('broken')
    }
    const other = await served.client()
    const { client, c } = await served.pair()
    client.send(HI, masked(frame('82', 'x')))
    t.equal(await client.rest(), closeFrame(1011))
    t.strictSame(served.events, ['connect', 'connect', HI_EVENT, 'binary 78 1', 'disconnect'])
    t.match(served.errors, [{ error: { message: 'broken' } }])
    t.equal(served.errors.length, 1)
    t.equal(served.errors[0].c, c)
    other.send(HI, masked(closeFrame(1000)))
    t.equal(await other.rest(), closeFrame(1000))
    t.strictSame(served.events.slice(5), [HI_EVENT, 'disconnect'])
  }
})

t.test('an exception in onconnect: 101, then 1011 and ondisconnect', async t => {
  const served = await Served.start(t)
  served.connected = () => {
    throw new Error('broken')
  }
  const client = await served.asking({}, HI)
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  t.equal(await client.rest(), closeFrame(1011))
  t.strictSame(served.events, ['connect', 'disconnect'])
  t.match(served.errors, [{ error: { message: 'broken' } }])
})

t.test('an exception in ondisconnect: told to kore_onerror; the connection ends as it would', async t => {
  const served = await Served.start(t)
  served.disconnected = () => {
    throw new Error('broken')
  }
  const client = await served.client()
  client.send(masked(closeFrame(1000)))
  t.equal(await client.rest(), closeFrame(1000))
  await served.until('it to be forgotten', () => connections.size === 0)
  const { client: second, c } = await served.pair()
  kore_connection_disconnect(c)
  t.equal(await second.rest(), closeFrame(1011))
  t.equal(connections.size, 0)
  t.equal(served.errors.length, 2)
  t.strictSame(served.events, ['connect', 'disconnect', 'connect', 'disconnect'])
})

t.test('connections: the websockets of this worker, oldest first', async t => {
  const served = await Served.start(t)
  t.equal(connections.size, 0)
  const one = await served.pair()
  const two = await served.pair()
  const three = await served.pair()
  t.strictSame([...connections].map(c => [one.c, two.c, three.c].indexOf(c)), [0, 1, 2])
  two.client.send(CLOSE)
  t.equal(await two.client.rest(), '8800')
  t.strictSame([...connections].map(c => [one.c, two.c, three.c].indexOf(c)), [0, 2])
  // A room, as Kore programs make one.
  one.c.hdlr_extra = 'room'
  for (const c of connections) {
    if (c.hdlr_extra === 'room') kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'to the room')
  }
  t.equal(await one.client.readAs(frame('81', 'to the room')), frame('81', 'to the room'))
  kore_websocket_send(three.c, WEBSOCKET_OP_PONG, '')
  t.equal(await three.client.read(2), '8a00', 'and to nobody else')
})

t.test('fd, addr, owner', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  t.ok(usesInternals ? c.fd > 2 : c.fd === -1)
  t.strictSame(c.addr, { address: '127.0.0.1', port: client.socket.localPort, family: 'IPv4' })
  t.equal(c.owner, served.server)
  client.reset()
  await served.happened('disconnect')
  await served.until('the socket to go', () => served.sockets.size === 0)
  t.equal(c.fd, -1)
})

t.test('kore_shutdown: 1001 to everybody, resolves when all are gone', async t => {
  t.strictSame(await kore_shutdown(), { closed: 0, dropped: 0, refused: 0 })
  const served = await Served.start(t)
  served.disconnected = c => t.equal(c.state, CONN_STATE_DISCONNECTING)
  const clients = [await served.client(), await served.client()]
  let over = false
  const done = kore_shutdown().finally(() => (over = true))
  for (const client of clients) {
    t.equal(await client.readAs(closeFrame(1001)), closeFrame(1001))
    t.notOk(over, 'not before the last is gone')
    const { size } = served.sockets
    client.send(HI, masked(closeFrame(1001)))
    t.equal(await client.rest(), '')
    await served.until('the socket to close', () => served.sockets.size < size)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.strictSame(await done, { closed: 2, dropped: 0, refused: 0 })
  t.equal(connections.size, 0)
  t.strictSame(served.events, ['connect', 'connect', HI_EVENT, 'disconnect', HI_EVENT, 'disconnect'])
})

t.test('kore_shutdown: another code, and a client that does not answer', async t => {
  const served = await Served.start(t)
  const client = await served.client()
  const began = performance.now()
  const shutdown: (code: number, timeout: number) => Promise<object> = kore_shutdown as never
  const done = shutdown(1012, 100)
  t.equal(await client.readAs(closeFrame(1012)), closeFrame(1012))
  t.strictSame(await done, { closed: 0, dropped: 1, refused: 0 })
  t.ok(performance.now() - began < 9000, 'a server has 10 s for it otherwise')
  t.strictSame(served.events, ['connect', 'disconnect'])
  t.equal(connections.size, 0)
})

t.test('kore_shutdown: the time also counts for a connection that was being closed already', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  kore_connection_disconnect(c)
  t.equal(await client.read(2), '8800')
  // The connection itself has 10 s.
  await within(kore_shutdown(1001, 100), 'the end', 9000)
})

/** kore_websocket_send: what goes on the wire for each op, type of data and length, and what is refused. */
import t from 'tap'
import {
  connections,
  kore_connection_disconnect,
  kore_websocket_send,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_CONT,
  WEBSOCKET_OP_PING,
  WEBSOCKET_OP_PONG,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../../lib/kore.ts'
import { bytes, closeFrame, frame, hex, masked } from '../helpers/frames.ts'
import { Served } from './served.ts'

const INVALID_ARGUMENT = { name: 'MisuseError', code: 'invalid-argument' }
const ALL_OPS = [WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY, WEBSOCKET_OP_PING, WEBSOCKET_OP_PONG]

t.test('each op is the first byte, with FIN', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const op of ALL_OPS) {
    t.equal(kore_websocket_send(c, op, Buffer.from('hi')), true)
    const expected = frame((0x80 | op).toString(16), 'hi')
    t.equal(await client.readAs(expected), expected)
    t.equal(kore_websocket_send(c, op, ''), true)
    t.equal(await client.read(2), (0x80 | op).toString(16) + '00')
  }
})

t.test('data: strings, Buffers, views, ArrayBuffers; TEXT and BINARY take each', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const utf8 = Buffer.from('žluť 🦊')
  const backing = new ArrayBuffer(utf8.length + 8)
  new Uint8Array(backing).set(utf8, 4)
  const shared = new SharedArrayBuffer(utf8.length)
  new Uint8Array(shared).set(utf8)
  const forms = [
    'žluť 🦊',
    utf8,
    new Uint8Array(backing, 4, utf8.length),
    new DataView(backing, 4, utf8.length),
    backing.slice(4, 4 + utf8.length),
    shared,
  ]
  for (const op of ALL_OPS) {
    const expected = frame((0x80 | op).toString(16), utf8)
    for (const data of forms) {
      kore_websocket_send(c, op, data)
      t.equal(await client.readAs(expected), expected)
    }
  }
})

t.test('lengths are written in as few bytes as possible; large frames are not cut up', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const [size, header] of [
    [125, '827d'],
    [126, '827e007e'],
    [65535, '827effff'],
    [65536, '827f0000000000010000'],
  ] as const) {
    kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(size, 1))
    const expected = header + '01'.repeat(size)
    t.ok((await client.readAs(expected)) === expected, String(size))
  }
})

t.test('length: the first so many bytes of data', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const sent = async (...parameters: [op: number, data: string | Buffer, length?: number]): Promise<string> => {
    kore_websocket_send(c, ...parameters)
    const head = bytes(await client.read(2))
    return hex(head) + (await client.read(head[1]))
  }
  t.equal(await sent(WEBSOCKET_OP_TEXT, 'hello', 4), frame('81', 'hell'))
  t.equal(await sent(WEBSOCKET_OP_TEXT, 'hello', 0), '8100')
  t.equal(await sent(WEBSOCKET_OP_TEXT, 'hello', 5), frame('81', 'hello'))
  t.equal(await sent(WEBSOCKET_OP_TEXT, 'hello', undefined), frame('81', 'hello'))
  t.equal(await sent(WEBSOCKET_OP_TEXT, 'éé', 2), frame('81', 'é'), 'bytes, not characters')
  t.equal(await sent(WEBSOCKET_OP_BINARY, bytes('010203'), 2), '82020102')
  t.equal(await sent(WEBSOCKET_OP_BINARY, 'éé', 3), '8203c3a9c3')
  t.equal(await sent(WEBSOCKET_OP_PING, Buffer.alloc(200), 125), frame('89', Buffer.alloc(125)))
  t.equal(await sent(WEBSOCKET_OP_PONG, 'pong', 2), frame('8a', 'po'))
  for (const length of [6, -1, 1.5, NaN, Infinity, '2', null]) {
    t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'hello', length as number), {
      ...INVALID_ARGUMENT,
      message: `length must be 0 to 5, the bytes of data, and not ${typeof length === 'string' ? '"2"' : String(length)}`,
    })
  }
  t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_BINARY, 'éé', 5), { ...INVALID_ARGUMENT, message: /^length must be 0 to 4,/ })
  t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'éé', 3), INVALID_ARGUMENT, 'cut in a character: no text')
  t.equal(client.unread, '')
})

t.test('another op is a misuse, and nothing is sent', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const op of [WEBSOCKET_OP_CONT, 3, 7, 11, 15, 0x41, 0x81, -1, 1.5, NaN, '1', null, undefined]) {
    t.throws(() => kore_websocket_send(c, op as number, 'hi'), {
      ...INVALID_ARGUMENT,
      message: `op must be WEBSOCKET_OP_TEXT, _BINARY, _PING, _PONG or _CLOSE, and not ${typeof op === 'string' ? '"1"' : String(op)}`,
    })
  }
  kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'end')
  t.equal(await client.readAs(frame('81', 'end')), frame('81', 'end'))
})

t.test('data of another type is a misuse', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const data of [null, undefined, 1, true, {}, [1, 2], () => 'a', new Date()]) {
    for (const op of [...ALL_OPS, WEBSOCKET_OP_CLOSE]) {
      t.throws(() => kore_websocket_send(c, op, data as unknown as string), {
        ...INVALID_ARGUMENT,
        message: /^data must be a string, a Buffer, a view of an ArrayBuffer or an ArrayBuffer, and not /,
      })
    }
  }
  t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_TEXT, bytes('fffe')), {
    ...INVALID_ARGUMENT,
    message: 'data sent as text must be valid UTF-8',
  })
  for (const op of [WEBSOCKET_OP_PING, WEBSOCKET_OP_PONG]) {
    t.throws(() => kore_websocket_send(c, op, Buffer.alloc(126)), {
      ...INVALID_ARGUMENT,
      message: 'payload must be at most 125 bytes, and not 126',
    })
  }
  kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'end')
  t.equal(await client.readAs(frame('81', 'end')), frame('81', 'end'))
})

t.test('another connection is a misuse', async t => {
  for (const wrong of [null, undefined, {}, 1]) {
    t.throws(() => kore_websocket_send(wrong as unknown as KoreConnection, WEBSOCKET_OP_TEXT, 'hi'), {
      ...INVALID_ARGUMENT,
      message: 'the connection must be one that a callback or request.owner gave',
    })
  }
})

t.test('data is copied: the caller may change it right after', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  for (const size of [20, 5000, 20_000, 70_000]) {
    for (const op of [WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY]) {
      const data = Buffer.alloc(size, 'a')
      const expected = frame((0x80 | op).toString(16), data)
      kore_websocket_send(c, op, data)
      data.fill('b')
      t.ok((await client.readAs(expected)) === expected, `${size} bytes as ${op}`)
    }
  }
})

t.test('an echo of borrowed data is the data that came', async t => {
  const served = await Served.start(t)
  served.received = (c, op, data, length) => {
    kore_websocket_send(c, op, data, length)
    data.fill(0)
  }
  const client = await served.client()
  const sizes = [1, 125, 126, 4000, 16_384]
  const frames = sizes.map(size => frame('82', Buffer.alloc(size, size)))
  client.send(...frames.map(each => masked(each)))
  const expected = frames.join('')
  t.ok((await client.readAs(expected)) === expected)
})

t.test('what is sent in one tick is one write, in order', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const before = client.chunks.length
  let expected = ''
  for (let at = 0; at < 20; at++) {
    const op = at % 5 === 0 ? WEBSOCKET_OP_PING : WEBSOCKET_OP_TEXT
    kore_websocket_send(c, op, `message ${at}`)
    expected += frame((0x80 | op).toString(16), `message ${at}`)
  }
  t.equal(await client.readAs(expected), expected)
  t.strictSame(client.chunks.slice(before), [expected])
})

t.test('CLOSE starts the closing handshake: what comes until the answer is still delivered', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  t.equal(kore_websocket_send(c, WEBSOCKET_OP_CLOSE, bytes('0fa0' + hex(Buffer.from('bye é')))), true)
  t.equal(await client.readAs(closeFrame(4000, 'bye é')), closeFrame(4000, 'bye é'))
  t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late'), false)
  t.equal(kore_websocket_send(c, WEBSOCKET_OP_PING, 'late'), false)
  t.strictSame(served.events, ['connect'], 'it is not over yet')
  t.ok(connections.has(c))
  client.send(masked(frame('81', 'hi')), masked(closeFrame(4000)))
  t.equal(await client.rest(), '')
  t.strictSame(served.events, ['connect', 'text 6869 2', 'disconnect'])
})

t.test('CLOSE: payloads as strings, with a length, empty, and wrong ones', async t => {
  const closes: [data: string | Buffer, length: number | undefined, expected: string][] = [
    ['', undefined, '8800'],
    [bytes('03e8'), undefined, closeFrame(1000)],
    ['\x03', 0, '8800'],
    [bytes('0fa0626164'), 2, closeFrame(4000)],
  ]
  for (const [data, length, expected] of closes) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    const wrong: [string | Buffer, RegExp][] = [
      ['x', /^data of a close frame: a close frame of one byte has no room for its code$/],
      [bytes('03e7'), /^data of a close frame: the close code may not be sent$/],
      [bytes('03ed'), /^data of a close frame: the close code may not be sent$/],
      [bytes('03e8ff'), /^data of a close frame: the close reason is not valid UTF-8$/],
    ]
    for (const [payload, message] of wrong) {
      t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_CLOSE, payload), { ...INVALID_ARGUMENT, message })
    }
    t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_CLOSE, Buffer.concat([bytes('03e8'), Buffer.alloc(124, 'x')])), INVALID_ARGUMENT)
    t.equal(c.flags, 0, 'a misuse changes nothing')
    kore_websocket_send(c, WEBSOCKET_OP_CLOSE, data, length)
    t.equal(await client.readAs(expected), expected)
    client.send(masked(expected))
    t.equal(await client.rest(), '')
  }
})

t.test('a connection that is over, or none yet: false, nothing sent, nothing thrown', async t => {
  const served = await Served.start(t, request => {
    t.equal(kore_websocket_send(request.owner, WEBSOCKET_OP_TEXT, 'hi'), false, 'before the handshake')
    t.throws(() => kore_websocket_send(request.owner, 99, 'hi'), INVALID_ARGUMENT, 'a wrong op is one here too')
    served.handshake(request)
  })
  const { client, c } = await served.pair()
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  for (const op of [...ALL_OPS, WEBSOCKET_OP_CLOSE]) t.equal(kore_websocket_send(c, op, ''), false)
  kore_connection_disconnect(c)
  t.strictSame(served.events, ['connect', 'disconnect'])
})

t.test('false where 64 KiB or more are queued: a client that does not read', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  client.socket.pause()
  t.equal(kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(1000)), true)
  let sent = 0
  while (kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(60_000)) && sent < 1000) sent++
  t.ok(sent < 1000, `${sent} until then`)
})

t.test('a client that does not read is dropped at 16 MiB in the queue: ondisconnect once, others unharmed', async t => {
  const served = await Served.start(t)
  const other = await served.client()
  const { client, c } = await served.pair()
  client.socket.pause()
  for (let at = 0; at < 40; at++) kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(1024 * 1024))
  await served.happened('disconnect')
  t.strictSame(served.events, ['connect', 'connect', 'disconnect'])
  t.equal(kore_websocket_send(c, WEBSOCKET_OP_BINARY, ''), false)
  other.send(masked(closeFrame(1000)))
  t.equal(await other.rest(), closeFrame(1000))
})

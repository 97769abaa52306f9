import t from 'tap'
import { encodeShared, SharedFrame } from '../../../lib/broadcast/shared-frame.ts'
import type { TopicHub } from '../../../lib/transport/connection-setup.ts'
import type { Connection } from '../../../lib/transport/connection.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import type { Payload } from '../../../lib/transport/payload.ts'
import { connected, startConnection } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, hex } from '../../helpers/frames.ts'
import { turn } from '../../helpers/journal.ts'
import { memoryPair, MemoryTransport, socketPair } from '../../helpers/transports.ts'
import { WireClient } from '../../helpers/wire-client.ts'

const [TEXT, BINARY] = ['81', '82']

t.test('the answer to a handshake and what open sends are one write, and it is the first', async t => {
  const { transport } = connected(t, { open: socket => socket.send('hi') }, { greeting: 'HTTP/1.1 101 \xe4\r\n\r\n' })
  t.equal(transport.writes.length, 0)
  await turn()
  t.equal(transport.writes.length, 1)
  t.equal(transport.written(), hex(Buffer.from('HTTP/1.1 101 \xe4\r\n\r\n', 'latin1')) + frame(TEXT, 'hi'))
})

t.test('each type of payload, as its own kind of message or as the other', async t => {
  const { connection, transport } = connected(t)
  const sent: [data: Payload, options: { binary?: boolean } | undefined, expected: string][] = [
    ['grün', undefined, frame(TEXT, 'grün')],
    ['', undefined, frame(TEXT)],
    ['grün', { binary: true }, frame(BINARY, 'grün')],
    ['grün', { binary: false }, frame(TEXT, 'grün')],
    ['grün', {}, frame(TEXT, 'grün')],
    [bytes('00ff'), undefined, frame(BINARY, bytes('00ff'))],
    [bytes('00ff'), { binary: true }, frame(BINARY, bytes('00ff'))],
    [Buffer.from('grün'), { binary: false }, frame(TEXT, 'grün')],
    [new Uint16Array([0x6161]), {}, frame(BINARY, 'aa')],
    [new Uint8Array([1, 2]).buffer, undefined, frame(BINARY, bytes('0102'))],
    [new DataView(new ArrayBuffer(2)), undefined, frame(BINARY, bytes('0000'))],
  ]
  for (const [data, options, expected] of sent) {
    t.equal(connection.send(data, options), true)
    await turn()
    t.equal(transport.written(), expected)
  }
})

t.test('misuse is thrown, with nothing sent and the connection unharmed', async t => {
  const { connection, transport, journal } = connected(t)
  const misuse = { name: 'MisuseError', code: 'invalid-argument' }
  t.throws(() => connection.send(5 as unknown as Payload), misuse)
  t.throws(() => connection.send(bytes('c3'), { binary: false }), { ...misuse, message: /UTF-8/ })
  t.throws(() => connection.ping(Buffer.alloc(126)), { ...misuse, message: /payload/ })
  t.throws(() => connection.pong('ä'.repeat(63)), { ...misuse, message: /payload/ })
  t.throws(() => connection.ping({} as Buffer), { ...misuse, message: /^payload/ })
  t.throws(() => connection.close(1005), { ...misuse, message: /code/ })
  t.throws(() => connection.close(1000, 'x'.repeat(124)), { ...misuse, message: /reason/ })
  t.equal(connection.readyState, 'open')
  t.equal(connection.send('still'), true)
  await turn()
  t.equal(transport.written(), frame(TEXT, 'still'))
  t.strictSame(journal.lines, ['open'])
})

t.test('what handlers send while one read is delivered is one write', async t => {
  const { transport, feed } = connected(t, { message: (socket, data) => socket.send(data) })
  await turn()
  feed(frame(TEXT, 'a'), frame(BINARY, 'b'), frame('89', 'p'), frame(TEXT, 'c'))
  await turn()
  t.equal(transport.writes.length, 1)
  t.equal(transport.written(), frame(TEXT, 'a') + frame(BINARY, 'b') + frame('8a', 'p') + frame(TEXT, 'c'))
  feed(frame(TEXT, 'd'))
  feed(frame(TEXT, 'e'))
  await turn()
  t.equal(transport.writes.length, 3, 'and each read is a write of its own')
})

t.test('what is sent from elsewhere leaves at the end of the tick, in one write', async t => {
  const { connection, transport } = connected(t)
  await turn()
  connection.send('a')
  connection.send('b')
  connection.ping('c')
  t.equal(transport.writes.length, 0)
  await turn()
  t.equal(transport.writes.length, 1)
  t.equal(transport.written(), frame(TEXT, 'a') + frame(TEXT, 'b') + frame('89', 'c'))
})

t.test('over a socket as well: many messages of one tick come as one chunk', async t => {
  const [server, client] = await socketPair(t)
  const { connection } = startConnection(t, server)
  const wire = new WireClient(client)
  await turn()
  for (let i = 0; i < 100; i++) connection.send(`${i}`)
  t.strictSame(await wire.lines(100), Array.from({ length: 100 }, (_, i) => `text ${i}`))
  t.equal(wire.chunks.length, 1)
})

t.test('a large payload goes by reference behind its header, in one vectored write', async t => {
  const { connection, transport } = connected(t)
  const large = Buffer.alloc(70_000, 7)
  connection.send(large)
  await turn()
  t.equal(transport.writes.length, 1)
  const [[header, payload]] = transport.writes
  t.equal(hex(header), '827f0000000000011170')
  t.equal(payload.buffer, large.buffer)
})

t.test('sendLent gives the memory back at once, whatever the size', async t => {
  const { connection, transport } = connected(t)
  for (const length of [10, 70_000]) {
    const lent = Buffer.alloc(length, 7)
    t.equal(connection.sendLent(Opcode.binary, lent), true)
    lent.fill(0)
    await turn()
    t.equal(transport.written(), frame(BINARY, Buffer.alloc(length, 7)), `${length} bytes`)
  }
})

t.test('sendShared sends a part of memory as it stands', async t => {
  const { connection, transport } = connected(t)
  const memory = bytes(`ff ${frame(TEXT, 'a')} ff`)
  const shared = new SharedFrame({ bytes: memory, start: 1, end: 4 })
  t.equal(connection.sendShared(shared, undefined), true)
  await turn()
  t.equal(transport.written(), frame(TEXT, 'a'))
  t.equal(transport.writes[0][0].buffer, memory.buffer, 'by reference')
  connection.close()
  t.equal(connection.sendShared(shared, undefined), false)
})

t.test('a client masks what it sends, and its server understands', async t => {
  const [one, other] = memoryPair()
  const server = startConnection(t, one)
  const client = startConnection(t, other, {}, { role: 'client' })
  client.connection.send('to the server')
  client.connection.send(Buffer.alloc(20_000))
  server.connection.send('to the client')
  await server.journal.reach(3)
  await client.journal.reach(2)
  t.strictSame(server.journal.lines, ['open', 'text to the server', 'binary of 20000'])
  t.strictSame(client.journal.lines, ['open', 'text to the client'])
})

t.test('once our close frame is out, nothing is sent any more', async t => {
  const { connection, transport } = connected(t)
  connection.send('before')
  connection.close(1000)
  t.strictSame([connection.send('after'), connection.send(bytes('00')), connection.pong()], [false, false, false])
  await t.rejects(connection.ping(), { code: 'connection-closed' })
  t.equal(connection.sendLent(Opcode.text, 'after'), false)
  await turn()
  t.equal(transport.written(), frame(TEXT, 'before') + closeFrame(1000))
})

t.test('after terminate nothing is sent any more', async t => {
  const { connection, transport } = connected(t)
  connection.terminate()
  t.strictSame([connection.readyState, connection.send('after')], ['closed', false])
  t.equal(connection.sendShared(encodeShared(Opcode.text, ''), undefined), false)
  await turn()
  t.equal(transport.written(), '')
})

t.test('data, protocol and remote address', async t => {
  const { connection } = connected(t, {}, { protocol: 'chat' })
  t.equal(connection.protocol, 'chat')
  t.equal(connection.data, 'data')
  connection.data = 'other'
  t.equal(connection.data, 'other')
  t.equal(connection.remoteAddress, undefined)
  const [server] = await socketPair(t)
  t.equal(startConnection(t, server).connection.remoteAddress, '127.0.0.1')
})

t.test('topics are the business of the hub, which hears of open connections only', async t => {
  const calls: unknown[] = []
  const hub: TopicHub<Connection<string>> = {
    subscribe: (socket, topic) => calls.push(['subscribe', socket, topic]),
    unsubscribe: (socket, topic) => calls.push(['unsubscribe', socket, topic]),
    isSubscribed: (socket, topic) => calls.push(['isSubscribed', socket, topic]) > 0,
    topicBytes: () => 0,
    publish: (topic, data, options, except) => calls.push(['publish', topic, data, options, except]),
  }
  const { connection } = connected(t, {}, { hub })
  connection.subscribe('room')
  connection.unsubscribe('room')
  t.equal(connection.publish('room', 'a'), 3)
  connection.publish('room', 'b', { scope: 'global' })
  t.strictSame(
    calls.map(call => (call as unknown[]).map(part => (part === connection ? 'it' : part))),
    [
      ['subscribe', 'it', 'room'],
      ['unsubscribe', 'it', 'room'],
      ['publish', 'room', 'a', {}, 'it'],
      ['publish', 'room', 'b', { scope: 'global' }, 'it'],
    ]
  )
  connection.close()
  connection.subscribe('room')
  t.equal(calls.length, 4)
})

t.test('without a hub topics are misuse, whatever the state', async t => {
  const { connection } = connected(t)
  for (let i = 0; i < 2; i++) {
    for (const call of [
      () => connection.subscribe('room'),
      () => connection.unsubscribe('room'),
      () => connection.isSubscribed('room'),
      () => connection.publish('room', 'a'),
    ]) t.throws(call, { name: 'MisuseError', code: 'invalid-state', message: /^topics are kept by a WebSocketServer/ })
    connection.terminate()
  }
})

t.test('nothing is written behind the end of the transport', async t => {
  const { connection, journal } = connected(t, {}, {})
  const other = new MemoryTransport()
  const ended = startConnection(t, other)
  other.end()
  await turn()
  ended.connection.send('late')
  await turn()
  t.equal(other.written(), '')
  t.notOk(ended.journal.lines.some(line => line.startsWith('failed')))
  t.equal(connection.readyState, 'open')
  t.strictSame(journal.lines, ['open'])
})

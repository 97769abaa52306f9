import t from 'tap'
import { encodeShared } from '../../../lib/broadcast/shared-frame.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { connected, startConnection } from '../../helpers/connected.ts'
import { frame } from '../../helpers/frames.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'
import { socketPair } from '../../helpers/transports.ts'

const KIB = 1024

t.test('send says false from 64 KiB on, and drain comes when the transport has taken them', async t => {
  const { connection, transport, journal } = connected(t)
  await turn()
  transport.stall()
  t.equal(connection.bufferedAmount, 0)
  t.equal(connection.send('x'.repeat(60 * KIB)), true)
  t.equal(connection.bufferedAmount, 60 * KIB + 4, 'the frame header counts')
  t.equal(connection.send('x'.repeat(4 * KIB)), false)
  t.equal(connection.bufferedAmount, 64 * KIB + 8)
  t.equal(connection.send('y'), false, 'and it is sent nevertheless')
  await turn()
  t.strictSame(journal.lines, ['open'])
  transport.goOn()
  await journal.until('drain')
  t.equal(connection.bufferedAmount, 0)
  await turn()
  t.strictSame(journal.lines, ['open', 'drain'], 'once')
  t.ok(transport.written().endsWith(frame('81', 'y')))
})

t.test('drain can send on', async t => {
  let left = 5
  const { connection, transport, journal } = connected(t, {
    drain(socket) {
      if (left-- > 0) socket.send(Buffer.alloc(80 * KIB))
    },
  })
  transport.stall()
  connection.send(Buffer.alloc(80 * KIB))
  for (let i = 0; i < 6; i++) {
    await turn()
    transport.takeOne()
    await journal.reach(2 + i)
  }
  t.equal(journal.lines.filter(line => line === 'drain').length, 6)
})

t.test('drained waits like drain does, and rejects where the connection ends first', async t => {
  const { connection, transport } = connected(t)
  await within(connection.drained(), 'drained, with nothing queued')
  await turn()
  transport.stall()
  connection.send(Buffer.alloc(80 * KIB))
  let drained = false
  const first = connection.drained().then(() => {
    drained = true
  })
  await turn()
  t.equal(drained, false)
  transport.goOn()
  await within(first, 'drained')
  transport.stall()
  connection.send(Buffer.alloc(80 * KIB))
  const second = connection.drained()
  connection.terminate()
  await t.rejects(within(second, 'the end'), { code: 'connection-closed' })
  await t.rejects(within(connection.drained(), 'a closed connection'), { code: 'connection-closed' })
})

t.test('over a socket: a sender that heeds send and drain queues little, and all arrives', async t => {
  const [server, client] = await socketPair(t)
  const payload = Buffer.alloc(16 * KIB - 4, 1)
  let left = 2000
  let most = 0
  const { connection, journal } = startConnection(t, server, {
    open: socket => fill(socket),
    drain: socket => fill(socket),
  })
  function fill(socket: typeof connection): void {
    while (left > 0) {
      left--
      const more = socket.send(payload)
      most = Math.max(most, socket.bufferedAmount)
      if (!more) return
    }
  }
  await eventually('a full socket', () => connection.bufferedAmount >= 64 * KIB)
  let received = 0
  client.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await eventually('all messages', () => received === 2000 * 16 * KIB)
  t.ok(most <= 80 * KIB, `${most} bytes queued at most`)
  t.ok(journal.lines.filter(line => line === 'drain').length > 1)
})

t.test('over limits.queuedBytes the connection is dropped as a slow consumer', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 200 * KIB } })
  await turn()
  transport.stall()
  for (let i = 0; i < 2; i++) t.equal(connection.send(Buffer.alloc(90 * KIB)), false)
  t.equal(connection.readyState, 'open')
  t.equal(connection.send(Buffer.alloc(90 * KIB)), false)
  t.equal(connection.readyState, 'closed')
  t.equal(connection.send('more'), false)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 slow-consumer', 'gone'])
  t.strictSame(connection.closeInfo, { code: 1006, reason: 'slow-consumer', clean: false })
})

t.test('the limit is passed by one byte, not by none', async t => {
  for (const [size, state] of [
    [100 * KIB - 10, 'open'],
    [100 * KIB - 9, 'closed'],
  ] as const) {
    const { connection, transport } = connected(t, {}, { limits: { queuedBytes: 200 * KIB } })
    transport.stall()
    connection.send(Buffer.alloc(100 * KIB - 10))
    connection.send(Buffer.alloc(size))
    t.equal(connection.readyState, state, `${connection.bufferedAmount} bytes`)
  }
})

t.test('frames of broadcasts count too', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 200 * KIB } })
  transport.stall()
  const shared = encodeShared(Opcode.binary, Buffer.alloc(90 * KIB))
  for (let i = 0; i < 3; i++) connection.sendShared(shared, undefined)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 slow-consumer', 'gone'])
})

t.test('a message over the limit goes if it finds the queue empty', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 100 * KIB } })
  await turn()
  transport.stall()
  t.equal(connection.send(Buffer.alloc(500 * KIB)), false)
  t.equal(connection.readyState, 'open')
  transport.goOn()
  await journal.until('drain')
  transport.stall()
  connection.send(Buffer.alloc(500 * KIB))
  connection.send('a')
  t.equal(connection.readyState, 'closed', 'the next one is one too many')
})

t.test('a limit of less than 64 KiB holds too', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 1000 } })
  await turn()
  transport.stall()
  t.equal(connection.send(Buffer.alloc(600)), true)
  await turn()
  t.equal(connection.send(Buffer.alloc(600)), false, 'dropped, and so not sent')
  t.equal(connection.readyState, 'closed')
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 slow-consumer', 'gone'])
})

t.test('what the transport takes at once does not count, however small the limit', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 1000 } })
  for (let i = 0; i < 20; i++) t.equal(connection.send(Buffer.alloc(600)), true)
  await turn()
  t.equal(transport.written(), frame('82', Buffer.alloc(600)).repeat(20))
  t.strictSame(journal.lines, ['open'])
})

t.test('Infinity is no limit', async t => {
  const { connection, transport } = connected(t, {}, { limits: { queuedBytes: Infinity } })
  transport.stall()
  const large = Buffer.alloc(1024 * KIB)
  for (let i = 0; i < 40; i++) connection.send(large)
  t.equal(connection.readyState, 'open')
  t.equal(connection.bufferedAmount, 40 * (1024 * KIB + 10))
})

t.test('a slow consumer that is dropped while messages are delivered gets none of the rest', async t => {
  const payload = Buffer.alloc(90 * KIB)
  const { transport, journal, feed } = connected(t, { message: socket => socket.send(payload) }, { limits: { queuedBytes: 200 * KIB } })
  await turn()
  transport.stall()
  feed(...['a', 'b', 'c', 'd', 'e'].map(text => frame('81', text)))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'text c', 'close 1006 slow-consumer', 'gone'])
})

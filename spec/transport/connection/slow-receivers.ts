import t, { type Test } from 'tap'
import { encodeShared } from '../../../lib/broadcast/shared-frame.ts'
import { Diagnostics } from '../../../lib/diagnostics.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { compressionOf, inflated } from '../../helpers/agreed.ts'
import { connected, startConnection, type Connected, type ConnectedOptions, type Handlers } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'
import { random } from '../../helpers/random.ts'
import { closed, socketPair } from '../../helpers/transports.ts'
import { WireClient } from '../../helpers/wire-client.ts'

const KIB = 1024
const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']

interface Stalled extends Connected {
  readonly diagnostics: Diagnostics
}

/** A connection whose transport takes nothing any more: a message of `size` bytes waits in it, so that it is blocked. */
async function stalled(t: Test, options: ConnectedOptions, handlers: Handlers = {}, size = 20 * KIB): Promise<Stalled> {
  const diagnostics = new Diagnostics()
  const peer = connected(t, handlers, { diagnostics, ...options })
  await turn()
  peer.transport.stall()
  peer.connection.send(Buffer.alloc(size), { compress: false })
  await turn()
  return { ...peer, diagnostics }
}

/** Bytes of the frame that `stalled` has sent. */
const SENT = 20 * KIB + 4
/** So many small messages more than their limit has room for are sent: the one under way costs nothing, and one may pass. */
const PASSING = 2
/** A message of 10 KiB, framing included, that begins with a digit. */
const message = (i: number): Buffer => Buffer.alloc(10 * KIB - 4, i)
/** The first bytes of the messages that the transport has got, and other frames as they are. */
function got({ transport }: Connected): (number | string)[] {
  let all = bytes(transport.written())
  const seen: (number | string)[] = []
  while (all.length > 0) {
    const small = all[1] & 0x7f
    const header = small < 126 ? 2 : small === 126 ? 4 : 10
    const end = header + (small < 126 ? small : small === 126 ? all.readUInt16BE(2) : all.readUInt32BE(6))
    seen.push(small < 126 ? all.subarray(0, end).toString('hex') : all[header])
    all = all.subarray(end)
  }
  return seen
}

/** What waits is taken, and all that follows. */
async function drain(peer: Connected): Promise<void> {
  peer.transport.goOn()
  await eventually('an empty queue', () => peer.connection.bufferedAmount === 0)
}

const send = ({ connection }: Connected, i: number): unknown => connection.send(message(i))
const broadcast = ({ connection }: Connected, i: number): unknown =>
  connection.sendShared(encodeShared(Opcode.binary, message(i)), undefined)

t.test('drop-newest: what does not fit is not sent, and what waits goes out in order', async t => {
  for (const [kind, add] of [['send', send], ['broadcast', broadcast]] as const) {
    const limits = { queuedBytes: SENT + 30 * KIB }
    const peer = await stalled(t, { limits, slowReceivers: { [kind]: 'drop-newest' } })
    for (let i = 1; i <= 5; i++) t.equal(add(peer, i), i <= 3, `${kind} ${i}`)
    t.equal(peer.connection.bufferedAmount, limits.queuedBytes, 'full to the byte')
    t.equal(peer.connection.droppedMessages, 2)
    t.strictSame([...peer.diagnostics.messagesDropped], [['drop-newest', 2]])
    t.equal(peer.diagnostics.limitsReached.size, 0)
    await drain(peer)
    t.strictSame(got(peer), [0, 1, 2, 3])
    t.equal(add(peer, 6), true, 'and it goes on')
    await turn()
    t.strictSame(got(peer), [6])
    t.strictSame(peer.connection.readyState, 'open')
  }
})

t.test('drop-oldest: whole messages that wait are skipped, oldest first, until the newest fits', async t => {
  for (const [kind, add] of [['send', send], ['broadcast', broadcast]] as const) {
    const limits = { queuedBytes: SENT + 30 * KIB }
    const peer = await stalled(t, { limits, slowReceivers: { [kind]: 'drop-oldest' } })
    for (let i = 1; i <= 5; i++) t.equal(add(peer, i), true, `${kind} ${i}`)
    t.equal(peer.connection.bufferedAmount, limits.queuedBytes)
    t.equal(peer.connection.droppedMessages, 2)
    t.strictSame([...peer.diagnostics.messagesDropped], [['drop-oldest', 2]])
    await drain(peer)
    t.strictSame(got(peer), [0, 3, 4, 5])
    t.equal(add(peer, 6), true)
    await turn()
    t.strictSame(got(peer), [6])
  }
})

t.test('drop-oldest: as many as it takes, and none where that is no help: then the newest is skipped', async t => {
  const limits = { queuedBytes: SENT + 30 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' } })
  for (let i = 1; i <= 3; i++) send(peer, i)
  t.equal(peer.connection.send(Buffer.alloc(20 * KIB - 4, 4)), true, 'two make room for it')
  t.equal(peer.connection.droppedMessages, 2)
  t.equal(peer.connection.send(Buffer.alloc(30 * KIB - 3, 5)), false, 'one byte too many')
  t.equal(peer.connection.droppedMessages, 3)
  t.equal(peer.connection.send(Buffer.alloc(30 * KIB - 4, 6)), true)
  t.equal(peer.connection.droppedMessages, 5)
  await drain(peer)
  t.strictSame(got(peer), [0, 6])
})

t.test('drop-oldest: what the stream has got, and control frames, stay; messages keep their place among them', async t => {
  const limits = { queuedBytes: SENT + 30 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' } })
  const { connection } = peer
  send(peer, 1)
  connection.ping('a')
  send(peer, 2)
  connection.pong('b')
  send(peer, 3)
  for (let i = 4; i <= 5; i++) send(peer, i)
  connection.close(1000)
  await turn()
  t.equal(connection.droppedMessages, 3, 'the pings take the room of one')
  await drain(peer)
  t.strictSame(got(peer), [0, frame(PING, 'a'), frame(PONG, 'b'), 4, 5, closeFrame(1000)])
})

t.test('drop-oldest: messages of a kind that has another policy are not skipped', async t => {
  const limits = { queuedBytes: SENT + 30 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { broadcast: 'drop-oldest' } })
  send(peer, 1)
  broadcast(peer, 2)
  send(peer, 3)
  broadcast(peer, 4)
  t.equal(broadcast(peer, 5), true)
  t.equal(peer.connection.droppedMessages, 2)
  t.equal(peer.connection.readyState, 'open')
  t.equal(broadcast(peer, 6), true)
  t.equal(peer.connection.send(message(7)), false)
  t.equal(peer.connection.readyState, 'closed', 'a send closes')
  t.strictSame([...peer.diagnostics.limitsReached], [['queuedBytes', 1]])
})

t.test('drop-oldest: parts of a streamed message are not skipped, nor what waits behind it', async t => {
  const limits = { queuedBytes: 200 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' } })
  const { connection } = peer
  let give: (() => void) | undefined
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(40 * KIB, 7)
    await new Promise<void>(resolve => {
      give = resolve
    })
    yield Buffer.alloc(40 * KIB, 8)
  }
  const sending = connection.sendStream(source())
  await eventually('the first part', () => give !== undefined)
  for (let i = 1; i <= 20; i++) send(peer, i)
  t.ok(connection.droppedMessages > 0, 'the newest, for there is nothing else to skip')
  const dropped = connection.droppedMessages
  give?.()
  await drain(peer)
  await within(sending, 'the stream')
  await drain(peer)
  const seen = got(peer)
  const order = seen.filter(each => typeof each === 'number')
  t.strictSame(order.slice(0, 3), [0, 7, 8])
  t.strictSame(order.slice(3), Array.from({ length: 20 - dropped }, (_, i) => i + 1))
})

t.test('drop-oldest: a streamed message keeps the pace of the peer behind what was set aside', async t => {
  const limits = { queuedBytes: 1024 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' } })
  send(peer, 1)
  let pulled = 0
  async function* source(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 50; i++) {
      await turn()
      pulled++
      yield message(2)
    }
  }
  const sending = peer.connection.sendStream(source())
  for (let i = 0; i < 60; i++) await turn()
  t.ok(pulled > 1 && pulled < 8, `${pulled} pieces of 10 KiB`)
  peer.transport.goOn()
  await within(sending, 'the stream')
  await drain(peer)
  t.equal(got(peer).filter(each => each === 2).length, 50)
})

t.test('drop-oldest: what a context has compressed is not skipped, and the peer can read all that arrives', async t => {
  const below = random(t)
  const limits = { queuedBytes: SENT + 5 * KIB }
  for (const [kind, add] of [
    ['send', (peer: Stalled, data: Buffer) => peer.connection.send(data)],
    ['broadcast', (peer: Stalled, data: Buffer) => peer.connection.sendShared(encodeShared(Opcode.binary, data), true)],
  ] as const) {
    const peer = await stalled(t, { limits, slowReceivers: { [kind]: 'drop-oldest' }, compression: compressionOf('server', 'dedicated') })
    const sent: number[] = []
    for (let i = 1; i <= 30; i++) {
      // Noise, which takes its room compressed too.
      const data = Buffer.from(Array.from({ length: KIB }, () => below(256)))
      if (add(peer, data)) sent.push(i)
    }
    t.ok(sent.length > 1 && sent.length < 30, `${kind}: ${sent.length} of 30`)
    t.strictSame(sent, Array.from(sent, (_, i) => i + 1), 'the newest are skipped')
    t.equal(peer.connection.droppedMessages, 30 - sent.length)
  }
})

t.test('drop-oldest: what is compressed without context can be skipped, each by itself', async t => {
  const limits = { queuedBytes: SENT + 800 }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' }, compression: compressionOf('server') })
  for (let i = 1; i <= 50; i++) peer.connection.send(`${i} `.repeat(200))
  t.ok(peer.connection.droppedMessages > 0)
  const left = 50 - peer.connection.droppedMessages
  await drain(peer)
  const wire = bytes(peer.transport.written())
  const seen: string[] = []
  let at = 0
  while (at < wire.length) {
    const small = wire[at + 1]
    const start = at + (small < 126 ? 2 : 4)
    const end = start + (small < 126 ? small : wire.readUInt16BE(at + 2))
    if (wire[at] === 0xc1) seen.push(inflated(wire.subarray(start, end)).toString().split(' ')[0])
    at = end
  }
  t.strictSame(seen, Array.from({ length: left }, (_, i) => `${51 - left + i}`))
})

t.test('drop policies: a message that finds the queue empty always goes', async t => {
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    const peer = connected(t, {}, { limits: { queuedBytes: 1000 }, slowReceivers: { send: policy, broadcast: policy } })
    await turn()
    peer.transport.stall()
    t.equal(peer.connection.send(Buffer.alloc(100 * KIB)), false, 'and asks to wait')
    t.equal(peer.connection.droppedMessages, 0)
    t.equal(peer.connection.send('a'), false)
    t.equal(broadcast(peer, 1), false)
    t.equal(peer.connection.droppedMessages, 2)
    peer.transport.goOn()
    await peer.journal.until('drain')
    t.equal(peer.connection.send('b'), true)
    await turn()
    t.ok(peer.transport.written().endsWith(frame(TEXT, 'b')))
  }
})

t.test('drop policies: what the transport takes at once does not count, however small the limit', async t => {
  for (const policy of ['drop-oldest', 'drop-newest', 'wait'] as const) {
    const { connection, transport } = connected(t, {}, { limits: { queuedBytes: 1000 }, slowReceivers: { send: policy } })
    for (let i = 0; i < 20; i++) connection.send(Buffer.alloc(600))
    await turn()
    t.equal(transport.written(), frame(BINARY, Buffer.alloc(600)).repeat(20), policy)
    t.equal(connection.send(Buffer.alloc(2000)), true, 'nor is anybody asked to wait')
    t.equal(connection.droppedMessages, 0)
  }
})

t.test('drop policies: a send that was refused is told when to try again, below 64 KiB too', async t => {
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    const limits = { queuedBytes: SENT + 10 }
    const peer = await stalled(t, { limits, slowReceivers: { send: policy } })
    t.equal(peer.connection.send('a'), true)
    t.equal(peer.connection.send(message(1)), false)
    const drained = peer.connection.drained()
    peer.transport.goOn()
    await within(drained, 'drained')
    await peer.journal.until('drain')
    t.equal(peer.connection.send(message(1)), true)
  }
})

t.test('drop policies: a send that comes too late is no drop, and nobody is told to try again', async t => {
  for (const policy of ['drop-oldest', 'drop-newest', 'wait'] as const) {
    const { connection, journal, feed, transport } = connected(t, {}, { slowReceivers: { send: policy, broadcast: 'drop-newest' } })
    const late = (): void => {
      t.equal(connection.send('late'), false)
      t.equal(connection.sendShared(encodeShared(Opcode.text, 'late'), undefined), false)
    }
    connection.close(1000)
    late()
    feed(closeFrame(1000))
    await journal.until('close')
    late()
    transport.push(null)
    await journal.until('gone')
    late()
    for (let i = 0; i < 3; i++) await turn()
    t.strictSame(journal.lines, ['open', 'close 1000', 'gone'], policy)
    t.equal(connection.droppedMessages, 0)
    t.equal(transport.written(), closeFrame(1000))
  }
})

t.test('drop policies: pings and pongs have room behind the limit, up to twice of it', async t => {
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    const limits = { queuedBytes: SENT }
    const peer = await stalled(t, { limits, slowReceivers: { broadcast: policy } })
    const many = Math.floor(SENT / 127)
    for (let i = 0; i < many; i++) peer.connection.pong(Buffer.alloc(125))
    t.equal(peer.connection.readyState, 'open')
    peer.connection.pong(Buffer.alloc(125))
    t.equal(peer.connection.readyState, 'closed')
    await peer.journal.until('close')
    t.strictSame(peer.connection.closeInfo, { code: 1006, reason: 'slow-consumer', clean: false })
  }
})

t.test('drop-oldest: what waits goes out before the connection ends, whoever ends it', async t => {
  const endings: [how: string, end: (peer: Stalled) => void, last: string][] = [
    ['a violation', ({ feed }) => feed('8300'), '8803ea'],
    ['the peer closes', ({ feed }) => feed(closeFrame(1000)), closeFrame(1000)],
    ['a failure of ours', ({ connection }) => connection.fail(1011, ''), closeFrame(1011)],
  ]
  for (const [how, end, last] of endings) {
    const limits = { queuedBytes: SENT + 30 * KIB }
    const peer = await stalled(t, { limits, slowReceivers: { send: 'drop-oldest' } })
    for (let i = 1; i <= 4; i++) send(peer, i)
    end(peer)
    await turn()
    peer.transport.goOn()
    await eventually('the end', () => peer.transport.finished)
    const seen = got(peer)
    t.strictSame(seen.slice(0, 4), [0, 2, 3, 4], how)
    if (how !== 'a violation') t.equal(seen[4], last)
    t.equal(seen.length, 5)
  }
})

t.test('drop-oldest: nothing is held of a connection that was dropped', async t => {
  const peer = await stalled(t, { limits: { queuedBytes: SENT + 30 * KIB }, slowReceivers: { send: 'drop-oldest' } })
  for (let i = 1; i <= 3; i++) send(peer, i)
  await turn()
  peer.connection.terminate()
  await peer.journal.until('gone')
  t.equal(peer.connection.send('a'), false)
  t.equal(peer.connection.droppedMessages, 0, 'no policy dropped it')
  t.ok(peer.connection.bufferedAmount <= SENT, `${peer.connection.bufferedAmount}`)
})

t.test('wait: nothing is skipped, send says false, and nothing is read of this peer until the queue is within its limit', async t => {
  for (const role of ['server', 'client'] as const) {
    const limits = { queuedBytes: SENT + 20 * KIB }
    const peer = await stalled(t, { role, limits, slowReceivers: { send: 'wait' } })
    const { connection, transport, diagnostics } = peer
    const arrive = (text: string): void =>
      void transport.push(bytes(role === 'server' ? masked(frame(TEXT, text)) : frame(TEXT, text)))
    t.equal(send(peer, 1), true)
    arrive('a')
    await turn()
    t.equal(transport.isPaused(), false)
    t.equal(connection.send(message(2).subarray(0, role === 'server' ? message(2).length : message(2).length - 12)), true, 'full')
    arrive('b')
    await turn()
    t.equal(transport.isPaused(), false)
    t.equal(diagnostics.limitsReached.size, 0)
    t.equal(send(peer, 3), false, `${role}: over`)
    arrive('c')
    await turn()
    t.equal(transport.isPaused(), true)
    t.strictSame(peer.journal.lines, ['open', 'text a', 'text b'])
    t.equal(connection.readyState, 'open')
    t.strictSame([...diagnostics.limitsReached], [['queuedBytes', 1]])
    transport.goOn()
    await peer.journal.until('text c')
    t.equal(transport.isPaused(), false)
    t.equal(connection.droppedMessages, 0)
    t.strictSame(diagnostics.messagesDropped.size, 0)
  }
})

t.test('wait: past twice the limit the connection is dropped', async t => {
  const limits = { queuedBytes: SENT }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'wait' } })
  t.equal(peer.connection.send(Buffer.alloc(SENT - 4)), false, 'twice it, to the byte')
  t.equal(peer.connection.readyState, 'open')
  t.equal(peer.connection.send(''), false)
  t.equal(peer.connection.readyState, 'closed')
  await peer.journal.until('gone')
  t.strictSame(peer.journal.lines, ['open', 'close 1006 slow-consumer', 'gone'])
  t.equal(peer.diagnostics.limitsReached.get('queuedBytes'), 2)
})

t.test('wait: what is taken in between is not enough where more is queued than the limit', async t => {
  // Its header and its payload are two pieces.
  const size = 70 * KIB
  const limits = { queuedBytes: size + 5 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'wait' } }, {}, size)
  const { connection, transport } = peer
  t.equal(send(peer, 1), false)
  await turn()
  transport.takeOne()
  await turn()
  t.equal(transport.isPaused(), false, 'within the limit again')
  for (let i = 2; i <= 9; i++) send(peer, i)
  await turn()
  transport.takeOne()
  await turn()
  t.equal(connection.bufferedAmount, 80 * KIB, 'more than the limit')
  t.equal(transport.isPaused(), true)
  transport.takeOne()
  await turn()
  await turn()
  t.equal(transport.isPaused(), false)
  t.strictSame(got(peer), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

t.test('drop-oldest: the stream gets what it takes and not much more, so that the rest can still be skipped', async t => {
  const peer = await stalled(t, { limits: { queuedBytes: SENT + 100 * KIB }, slowReceivers: { send: 'drop-oldest' } })
  for (let i = 1; i <= 10; i++) send(peer, i)
  peer.transport.takeOne()
  await turn()
  t.equal(peer.transport.writableLength, 20 * KIB)
  t.equal(peer.connection.bufferedAmount, 100 * KIB)
  peer.connection.send(Buffer.alloc(60 * KIB, 11))
  await drain(peer)
  t.equal(peer.connection.droppedMessages, 4)
})

t.test('wait: many small writes count with what they take, and it ends when they are out', async t => {
  const limits = { queuedBytes: 32 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'wait' } })
  let sent = 0
  while (!peer.transport.isPaused() && sent < 1000) {
    peer.connection.send('')
    await turn()
    sent++
  }
  t.equal(sent, 32 * KIB / 512 + PASSING)
  peer.transport.goOn()
  await turn()
  await turn()
  t.equal(peer.transport.isPaused(), false)
})

t.test('close: small writes that have gone do not count', async t => {
  const peer = await stalled(t, { limits: { queuedBytes: 32 * KIB } })
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 50; i++) {
      peer.connection.send('')
      await turn()
    }
    await drain(peer)
    peer.transport.stall()
    peer.connection.send(Buffer.alloc(20 * KIB))
    await turn()
  }
  t.equal(peer.connection.readyState, 'open')
})

t.test('wait: drain tells that it may go on, also where nothing was read meanwhile', async t => {
  for (const sizes of [[900, 900], [100 * KIB]]) {
    const { connection, transport, journal } = connected(t, {}, { limits: { queuedBytes: 1000 }, slowReceivers: { send: 'wait' } })
    await turn()
    transport.stall()
    for (const size of sizes) connection.send(Buffer.alloc(size))
    await turn()
    const drained = connection.drained()
    connection.pause()
    transport.goOn()
    await within(drained, 'drained')
    for (let i = 0; i < 3; i++) await turn()
    t.strictSame(journal.lines, ['open', 'drain'], `${sizes}`)
  }
})

t.test('wait: a message that finds the queue empty always goes, however large, and the peer is read again when it is out', async t => {
  const { connection, transport, journal, feed } = connected(t, {}, { limits: { queuedBytes: 1000 }, slowReceivers: { send: 'wait' } })
  await turn()
  transport.stall()
  t.equal(connection.send(Buffer.alloc(100 * KIB)), false)
  t.equal(connection.readyState, 'open')
  feed(frame(TEXT, 'a'))
  await turn()
  t.strictSame(journal.lines, ['open'])
  transport.goOn()
  await journal.until('text a')
  transport.stall()
  connection.send(Buffer.alloc(100 * KIB))
  connection.send('')
  t.equal(connection.readyState, 'closed', 'but not a second one')
})

t.test('wait: with a limit below what the stream buffers, it goes on as soon as that has been taken', async t => {
  const { connection, transport, journal, feed } = connected(t, {}, { limits: { queuedBytes: 1000 }, slowReceivers: { send: 'wait' } })
  await turn()
  transport.stall()
  connection.send(Buffer.alloc(900))
  await turn()
  t.equal(connection.send(Buffer.alloc(900)), false)
  feed(frame(TEXT, 'a'))
  await turn()
  await turn()
  t.strictSame(journal.lines, ['open'])
  t.equal(transport.writableNeedDrain, false, 'the stream will not tell')
  transport.goOn()
  await journal.until('text a')
  await journal.until('drain')
  t.equal(journal.lines.length, 3, 'once each')
})

t.test('drop policies: with such a limit the same, and nobody is told to try again before', async t => {
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    const limits = { queuedBytes: 1000 }
    const { connection, transport, journal } = connected(t, {}, { limits, slowReceivers: { send: policy } })
    await turn()
    transport.stall()
    connection.send(Buffer.alloc(900))
    await turn()
    t.equal(connection.send(Buffer.alloc(900)), false)
    t.equal(connection.droppedMessages, 1)
    for (let i = 0; i < 5; i++) await turn()
    t.strictSame(journal.lines, ['open'])
    transport.goOn()
    await journal.until('drain')
    t.equal(connection.send(Buffer.alloc(900)), true)
  }
})

t.test('wait: what its own messages cause is bounded', async t => {
  const limits = { queuedBytes: SENT + 20 * KIB }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'wait' } }, { message: socket => void socket.send(message(1)) })
  peer.feed(...Array.from({ length: 50 }, (_, i) => frame(TEXT, `${i}`)))
  await turn()
  await turn()
  t.strictSame(peer.journal.lines, ['open', 'text 0', 'text 1', 'text 2'])
  t.equal(peer.connection.bufferedAmount, SENT + 30 * KIB)
  peer.transport.goOn()
  await peer.journal.until('text 49')
  t.equal(peer.connection.readyState, 'open')
})

t.test('wait: the closing handshake goes on, and messages behind it are not lost', async t => {
  const limits = { queuedBytes: SENT }
  const peer = await stalled(t, { limits, slowReceivers: { send: 'wait' } })
  peer.connection.send(message(1))
  peer.feed(frame(TEXT, 'a'), closeFrame(1000))
  peer.connection.close(1000)
  await turn()
  t.strictSame(peer.journal.lines, ['open'])
  peer.transport.goOn()
  await peer.journal.until('close')
  t.strictSame(peer.journal.lines.filter(line => line !== 'drain'), ['open', 'text a', 'close 1000'])
})

t.test('close: the limit is told of; many small writes that wait count with what they take', async t => {
  for (const queuedBytes of [32 * KIB, 128 * KIB]) {
    const peer = await stalled(t, { limits: { queuedBytes } })
    let sent = 0
    while (peer.connection.readyState === 'open' && sent < 5000) {
      t.equal(peer.connection.send(''), peer.connection.readyState === 'open' && peer.connection.bufferedAmount < 64 * KIB)
      await turn()
      sent++
    }
    t.equal(sent, queuedBytes / 512 + PASSING)
    t.strictSame([...peer.diagnostics.limitsReached], [['queuedBytes', 1]])
  }
})

t.test('close: small writes that were taken count no more, though the queue is never empty', async t => {
  const peer = await stalled(t, { limits: { queuedBytes: 128 * KIB } })
  for (let i = 0; i < 2000; i++) {
    peer.connection.send('')
    await turn()
    if (i >= 100) peer.transport.takeOne()
  }
  t.equal(peer.connection.readyState, 'open')
  t.ok(peer.connection.bufferedAmount > 0)
})

t.test('over a socket that does not read: whole messages, in order, and every one accounted for', async t => {
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    for (const kind of ['send', 'broadcast'] as const) {
      const [server, client] = await socketPair(t)
      const { connection } = startConnection(t, server, {}, { limits: { queuedBytes: 256 * KIB }, slowReceivers: { [kind]: policy } })
      const COUNT = 3000
      for (let i = 0; i < COUNT; i++) {
        const data = Buffer.alloc(1000 + (i % 7) * 1000, i)
        data.writeUInt32BE(i)
        if (kind === 'send') connection.send(data)
        else connection.sendShared(encodeShared(Opcode.binary, data), undefined)
        if (i % 10 === 0) await turn()
        t.ok(connection.bufferedAmount <= 256 * KIB || connection.fail(1011, 'over the limit'))
      }
      const dropped = connection.droppedMessages
      t.ok(dropped > 0, `${dropped} dropped`)
      const reader = new WireClient(client)
      connection.close(1000)
      await reader.journal.until('close 1000')
      const frames = reader.frames.slice(0, -1)
      t.equal(frames.length, COUNT - dropped, `${kind}, ${policy}`)
      const numbers = frames.map(({ payload }) => payload.readUInt32BE())
      t.ok(frames.every(({ payload }, at) => payload.length === 1000 + (numbers[at] % 7) * 1000), 'whole')
      t.ok(numbers.every((number, at) => at === 0 || number > numbers[at - 1]), 'in order')
      if (policy === 'drop-oldest') t.equal(numbers.at(-1), COUNT - 1, 'the newest is there')
      else t.strictSame(numbers.slice(0, 50), Array.from({ length: 50 }, (_, i) => i), 'the oldest are there')
      client.end()
      await closed(server)
    }
  }
})

t.test('over a socket that does not read, wait: nothing is lost, and no more is read than its limit allows', async t => {
  const [server, client] = await socketPair(t)
  const limits = { queuedBytes: 256 * KIB }
  let most = 0
  const { connection } = startConnection(
    t,
    server,
    {
      message(socket, data) {
        socket.send(Buffer.alloc(10_000, data))
        most = Math.max(most, socket.bufferedAmount)
      },
    },
    { limits, slowReceivers: { send: 'wait' } }
  )
  const COUNT = 2000
  client.write(bytes(Array.from({ length: COUNT }, (_, i) => masked(frame(TEXT, `${i}`))).join('')))
  await eventually('a queue over its limit', () => connection.bufferedAmount > limits.queuedBytes)
  for (let i = 0; i < 50; i++) await turn()
  t.ok(most <= limits.queuedBytes + 10_004, `${most}`)
  const reader = new WireClient(client)
  await eventually('all answers', () => reader.frames.length === COUNT)
  t.ok(reader.frames.every(({ payload }, i) => payload.toString().startsWith(`${i}`)))
  t.equal(connection.readyState, 'open')
})

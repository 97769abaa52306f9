import t from 'tap'
import { connected, startConnection } from '../../helpers/connected.ts'
import { closeFrame, frame } from '../../helpers/frames.ts'
import { handCompression } from '../../helpers/hand-codec.ts'
import { turn, within } from '../../helpers/journal.ts'
import { Time } from '../../helpers/stopped-clock.ts'
import { memoryPair, socketPair } from '../../helpers/transports.ts'
import { WireClient } from '../../helpers/wire-client.ts'

t.test('we begin: our close frame, then the answer; close is called with what the peer said', async t => {
  const { connection, transport, journal, feed } = connected(t)
  connection.close(3000, 'we go')
  t.equal(connection.readyState, 'closing')
  await turn()
  t.equal(transport.written(), closeFrame(3000, 'we go'))
  t.strictSame(journal.lines, ['open'], 'not over yet')
  t.equal(transport.finished, false)
  t.equal(connection.closeInfo, undefined)
  feed(closeFrame(3001, 'me too'))
  await journal.until('close')
  t.equal(connection.readyState, 'closed')
  t.strictSame(connection.closeInfo, { code: 3001, reason: 'me too', clean: true })
  await turn()
  t.equal(transport.finished, true, 'the server ends the transport')
  t.equal(transport.written(), '', 'and says no more')
  transport.push(null)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 3001 me too', 'gone'])
})

t.test('the peer begins: its close frame is echoed, close is called, the server ends the transport', async t => {
  const cases: [theirs: string, line: string, answer: string][] = [
    [closeFrame(1000, 'bye'), 'close 1000 bye', closeFrame(1000, 'bye')],
    [closeFrame(4999), 'close 4999', closeFrame(4999)],
    ['8800', 'close 1005', '8800'],
  ]
  for (const [theirs, line, answer] of cases) {
    const { connection, transport, journal, feed } = connected(t)
    feed(theirs)
    await journal.until('close')
    await turn()
    t.equal(transport.written(), answer)
    t.equal(transport.finished, true)
    t.equal(connection.readyState, 'closed')
    t.strictSame(journal.lines, ['open', line])
  }
})

t.test('close without a code sends an empty close frame', async t => {
  const { connection, transport } = connected(t)
  connection.close()
  await turn()
  t.equal(transport.written(), '8800')
})

t.test('a second close is without effect, in every state', async t => {
  const { connection, transport, journal, feed } = connected(t)
  connection.close(1000)
  connection.close(1001)
  feed(closeFrame(1000))
  await journal.until('close')
  connection.close(1002)
  await turn()
  t.equal(transport.written(), closeFrame(1000))
  t.strictSame(journal.lines, ['open', 'close 1000'])
})

t.test('both begin at once: each takes the frame of the other as the answer', async t => {
  const [one, other] = memoryPair()
  const server = startConnection(t, one)
  const client = startConnection(t, other, {}, { role: 'client' })
  await turn()
  server.connection.close(4000)
  client.connection.close(4001)
  t.strictSame(await server.journal.until('gone'), ['open', 'close 4001', 'gone'])
  t.strictSame(await client.journal.until('gone'), ['open', 'close 4000', 'gone'])
})

t.test('server and client, whoever begins: both end with the code, and the transport goes', async t => {
  for (const first of ['server', 'client'] as const) {
    const [one, other] = memoryPair()
    const ends = { server: startConnection(t, one), client: startConnection(t, other, {}, { role: 'client' }) }
    await turn()
    ends[first].connection.close(4000, 'enough')
    const second = first === 'server' ? 'client' : 'server'
    t.strictSame(await ends[second].journal.until('gone'), ['open', 'close 4000 enough', 'gone'], second)
    t.strictSame(await ends[first].journal.until('gone'), ['open', 'close 4000 enough', 'gone'], first)
  }
})

t.test('the client leaves it to the server to end the transport', async t => {
  const { transport, journal } = connected(t, {}, { role: 'client', limits: { closingTime: 300 } })
  transport.push(Buffer.from(closeFrame(1000), 'hex'))
  await journal.until('close')
  await turn()
  t.equal(transport.finished, false)
  t.equal(transport.destroyed, false)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1000', 'gone'], 'and drops it where the server does not')
})

t.test('what was sent before close goes out in front of the close frame', async t => {
  const { connection, transport, feed } = connected(t, {
    message(socket) {
      socket.send('b')
      socket.close(1000)
      socket.send('c')
    },
  })
  await turn()
  connection.send('a')
  feed(frame('81', 'go'))
  await turn()
  t.equal(transport.written(), frame('81', 'a') + frame('81', 'b') + closeFrame(1000))
})

t.test('messages that the peer sends before it answers our close frame still count', async t => {
  const { connection, journal, feed } = connected(t)
  connection.close(1000)
  feed(frame('81', 'last words'), closeFrame(1000), frame('81', 'too late'))
  await journal.until('close')
  await turn()
  t.strictSame(journal.lines, ['open', 'text last words', 'close 1000'])
})

t.test('pings are answered behind our close frame too, until the peer has closed', async t => {
  const { connection, transport, journal, feed } = connected(t)
  connection.close(1000)
  feed(frame('89', 'a'))
  await turn()
  t.equal(transport.written(), closeFrame(1000) + frame('8a', 'a'))
  feed(closeFrame(1000), frame('89', 'b'))
  await journal.until('close')
  await turn()
  t.equal(transport.written(), '')
})

t.test('closed inside message: the rest of the chunk is still read', async t => {
  const { journal, feed } = connected(t, { message: socket => socket.close(1000) })
  feed(frame('81', 'a'), frame('81', 'b'), closeFrame(1000), frame('81', 'c'))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'close 1000'])
})

t.test('closed inside open, and inside drain and close', async t => {
  const { transport, journal, feed } = connected(t, { open: socket => socket.close(4000), close: socket => socket.close(4001) })
  await turn()
  t.equal(transport.written(), closeFrame(4000))
  feed(closeFrame(4000))
  await turn()
  t.strictSame(journal.lines, ['open', 'close 4000'])
})

t.test('a peer that never answers is dropped after limits.closingTime: 1006, close-timeout', async t => {
  const { connection, journal, transport } = connected(t, {}, { limits: { closingTime: 100 } })
  connection.close(1000)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 close-timeout', 'gone'])
  t.equal(transport.destroyed, true)
})

t.test('a peer that answers but never ends is dropped too, and close was called with its code', async t => {
  const { connection, journal, transport, feed } = connected(t, {}, { limits: { closingTime: 300 } })
  connection.close(1000)
  feed(closeFrame(1000))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1000', 'gone'])
  t.equal(transport.destroyed, true)
})

t.test('closeWithin cuts a closing handshake short that has begun', async t => {
  const { connection, journal, transport } = connected(t)
  connection.close(4000)
  connection.closeWithin(100, 1001)
  await journal.until('gone')
  t.equal(transport.written(), closeFrame(4000))
  t.strictSame(journal.lines, ['open', 'close 1006 close-timeout', 'gone'])
})

/** A stream that has a piece every 200 ms. */
async function* slowly(time: Time, count: number): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) {
    yield 'piece'
    await time.pass(200)
  }
}

t.test('closed while a stream is sent: the time for the answer begins when it is out', async t => {
  const time = new Time(t)
  const { connection, transport, journal, feed } = connected(t, {}, { limits: { closingTime: 500 } })
  const sending = connection.sendStream(slowly(time, 5))
  await turn()
  connection.close(1000)
  await within(sending, 'the stream')
  await time.pass(400)
  t.ok(transport.written().endsWith(frame('80') + closeFrame(1000)))
  t.equal(connection.readyState, 'closing')
  feed(closeFrame(1000))
  await journal.until('close 1000')
})

t.test('closed while a stream is sent that nobody takes, or that has no more to give: dropped in time', async t => {
  const time = new Time(t)
  for (const how of ['nobody takes', 'nothing to give'] as const) {
    const { connection, transport, journal } = connected(t, {}, { limits: { closingTime: 500 } })
    await turn()
    let given = 0
    let passed = 0
    const sending = connection.sendStream(
      (async function* () {
        yield 'first'
        if (how === 'nothing to give') await new Promise(() => {})
        for await (const piece of slowly(time, 100)) {
          given++
          yield piece
        }
      })()
    )
    if (how === 'nobody takes') transport.stall()
    await turn()
    connection.close(1000)
    const rejected = t.rejects(within(sending, how), { code: 'connection-closed' })
    for (; how === 'nothing to give' && connection.readyState === 'closing' && passed < 1000; passed += 100) await time.pass(100)
    await rejected
    await journal.until('close 1006 close-timeout')
    t.ok(given < 10 && passed < 1000, `${given} pieces, ${passed} ms`)
  }
})

t.test('closed while a message is being compressed: the time begins when it is out', async t => {
  const compression = handCompression()
  const time = new Time(t)
  const { connection, transport, journal, feed } = connected(t, {}, { compression, limits: { closingTime: 500 } })
  await turn()
  connection.send('large '.repeat(500))
  connection.close(1000)
  await time.pass(400)
  compression.compressor.finish()
  await time.pass(400)
  t.ok(transport.written().endsWith(closeFrame(1000)))
  t.equal(connection.readyState, 'closing')
  feed(closeFrame(1000))
  await journal.until('close 1000')
})

t.test('closeWithin is kept, whatever is still being sent', async t => {
  const { connection, journal } = connected(t)
  const sending = connection.sendStream(slowly(new Time(t), 100))
  await turn()
  connection.closeWithin(500, 1001)
  await t.rejects(within(sending, 'the end'), { code: 'connection-closed' })
  await journal.until('close 1006 close-timeout')
})

t.test('a closing handshake in time is not disturbed by the deadline', async t => {
  const { connection, journal, transport, feed } = connected(t, {}, { limits: { closingTime: 300 } })
  connection.close(1000)
  feed(closeFrame(1000))
  transport.push(null)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1000', 'gone'])
})

t.test('fail: a close frame with code and reason, and no message is taken any more', async t => {
  const { connection, transport, journal, feed } = connected(t)
  await turn()
  connection.fail(1008, 'rules')
  feed(frame('81', 'late'))
  await turn()
  t.equal(transport.written(), closeFrame(1008, 'rules'))
  t.equal(transport.finished, true)
  t.strictSame(journal.lines, ['open', 'close 1008 rules'])
})

t.test('a violation: the close frame says which, the error comes before close', async t => {
  const { transport, journal, feed } = connected(t)
  feed(frame('81', 'a'), '8300', frame('81', 'b'))
  await journal.until('close')
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'failed [reserved-opcode]', 'close 1002 the opcode is reserved'])
  t.equal(transport.written(), closeFrame(1002, 'the opcode is reserved'))
  t.equal(transport.finished, true)
})

t.test('limits.messageBytes: one byte more is 1009', async t => {
  const { journal, feed } = connected(t, {}, { limits: { messageBytes: 3 } })
  feed(frame('81', 'abc'), frame('81', 'abcd'))
  await journal.until('close')
  t.strictSame(journal.lines.slice(1), ['text abc', 'failed [message-too-big]', 'close 1009 the message is larger than the limit'])
})

t.test('over a socket: a peer with unread bytes under way still gets our close frame, and no reset', async t => {
  const [server, client] = await socketPair(t)
  const { connection, journal } = startConnection(t, server)
  const wire = new WireClient(client)
  wire.sendRaw('ffff')
  for (let i = 0; i < 50; i++) wire.socket.write(Buffer.alloc(60_000))
  await wire.journal.until('end')
  t.match(wire.journal.lines, [/^close 1002 /, 'end'])
  wire.socket.end()
  await journal.until('gone')
  await wire.journal.until('closed')
  t.notOk(wire.journal.lines.some(line => line.startsWith('error')))
  t.equal(connection.closeInfo?.code, 1002)
})

t.test('over a socket: all that was sent arrives before the close frame, however much', async t => {
  const [server, client] = await socketPair(t)
  const { connection, journal } = startConnection(t, server)
  for (let i = 0; i < 100; i++) connection.send(Buffer.alloc(50_000))
  connection.close(1000)
  const wire = new WireClient(client)
  await wire.journal.until('close')
  t.equal(wire.frames.length, 101)
  wire.send(closeFrame(1000))
  wire.socket.end()
  await within(journal.until('gone'), 'the end')
  t.strictSame(journal.lines.at(-2), 'close 1000')
})

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { resolveLimits } from '../../../lib/limits.ts'
import { Connection } from '../../../lib/transport/connection.ts'
import { connected, startConnection } from '../../helpers/connected.ts'
import { closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn } from '../../helpers/journal.ts'
import { MemoryTransport, socketPair } from '../../helpers/transports.ts'
import { WireClient } from '../../helpers/wire-client.ts'

t.test('terminate drops the transport at once: 1006, terminated', async t => {
  const { connection, transport, journal } = connected(t)
  transport.stall()
  connection.send('queued')
  connection.terminate()
  t.equal(connection.readyState, 'closed')
  t.equal(transport.destroyed, true)
  t.strictSame(journal.lines, ['open'], 'close is not called inside terminate')
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 terminated', 'gone'])
  connection.terminate('again')
  connection.close(1000)
  await turn()
  t.equal(journal.lines.length, 3)
  t.strictSame(connection.closeInfo, { code: 1006, reason: 'terminated', clean: false })
})

t.test('terminate takes a reason, and the first one counts', async t => {
  const { connection, journal } = connected(t)
  connection.terminate('too loud')
  connection.terminate('too late')
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 too loud', 'gone'])
})

t.test('terminated inside open: nothing is read', async t => {
  const { journal, feed } = connected(t, { open: socket => socket.terminate() }, { early: masked(frame('81', 'early')) })
  feed(frame('81', 'a'))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 terminated', 'gone'])
})

t.test('terminated inside message: nothing of the rest of the chunk is delivered', async t => {
  const { journal, feed } = connected(t, { message: (socket, data) => data === 'b' && socket.terminate() })
  feed(...['a', 'b', 'c', 'd'].map(each => frame('81', each)))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'close 1006 terminated', 'gone'])
})

t.test('neither by a resume, in the same callback or another', async t => {
  const { connection, journal, feed } = connected(t, {
    message(socket) {
      socket.pause()
      socket.terminate()
      socket.resume()
    },
  })
  feed(...['a', 'b', 'c'].map(each => frame('81', each)))
  await turn()
  connection.resume()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'close 1006 terminated', 'gone'])
})

t.test('terminated while closing, and when closed', async t => {
  const closing = connected(t)
  closing.connection.close(1000)
  closing.connection.terminate()
  t.strictSame(await closing.journal.until('gone'), ['open', 'close 1006 terminated', 'gone'])
  const closed = connected(t)
  closed.feed(closeFrame(1000))
  await closed.journal.until('close')
  closed.connection.terminate()
  t.strictSame(await closed.journal.until('gone'), ['open', 'close 1000', 'gone'])
})

t.test('the peer ends without a closing handshake: 1006 without a reason, and our side ends too', async t => {
  const [server, client] = await socketPair(t)
  const { journal, connection } = startConnection(t, server)
  const wire = new WireClient(client)
  wire.send(frame('81', 'a'))
  wire.socket.end()
  await wire.journal.until('closed')
  t.strictSame(wire.journal.lines, ['end', 'closed'], 'no close frame, no reset')
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'close 1006', 'gone'])
  t.strictSame(connection.closeInfo, { code: 1006, reason: '', clean: false })
})

t.test('the peer ends in the middle of a message: nothing of it is delivered', async t => {
  const [server, client] = await socketPair(t)
  const { journal } = startConnection(t, server)
  const wire = new WireClient(client)
  wire.send(frame('01', 'a'))
  wire.socket.end()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006', 'gone'])
})

t.test('what was queued when the peer ended its side still goes to it', async t => {
  const [server, client] = await socketPair(t)
  const { connection } = startConnection(t, server, { message: socket => socket.send('answer') })
  const wire = new WireClient(client)
  wire.send(frame('81', 'question'))
  wire.socket.end()
  t.strictSame((await wire.journal.until('closed')).slice(0, 2), ['text answer', 'end'])
  t.equal(connection.readyState, 'closed')
})

t.test('the end of the peer is told at once, even while it takes nothing of ours', async t => {
  const { connection, transport, journal } = connected(t)
  transport.stall()
  connection.send('a')
  await turn()
  transport.push(null)
  await journal.until('close')
  t.strictSame(journal.lines, ['open', 'close 1006'])
  transport.goOn()
  await journal.until('gone')
})

t.test('a connection that is gone is held by nothing, whatever it was waiting for', async t => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const lost: WeakRef<object>[] = []
  let gone = 0
  for (let i = 0; i < 10; i++) {
    const connection = new Connection<null>({
      terms: {
        role: 'server',
        handlers: { failed() {}, gone: () => void gone++ },
        limits: resolveLimits({ idleTime: 60_000, closingTime: 60_000 }),
      },
      transport: new MemoryTransport(),
      protocol: '',
      data: null,
    })
    lost.push(new WeakRef(connection))
    connection.start(undefined)
    if (i % 2 === 0) connection.close()
    connection.terminate()
  }
  await eventually('the end of all', () => gone === 10)
  for (let i = 0; i < 5; i++) await turn()
  collectGarbage()
  t.ok(lost.filter(each => each.deref() !== undefined).length <= 1, 'the last one may still be in a register')
})

t.test('the peer resets the connection: 1006, ECONNRESET, once', async t => {
  const [server, client] = await socketPair(t)
  const { journal, connection } = startConnection(t, server)
  connection.send('a')
  client.resetAndDestroy()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 ECONNRESET', 'gone'])
})

t.test('a reset while sending: the same, and drained rejects', async t => {
  const [server, client] = await socketPair(t)
  const { journal, connection } = startConnection(t, server, {}, { limits: { queuedBytes: Infinity } })
  client.pause()
  // More than the system takes of it before the reset arrives.
  const large = Buffer.alloc(1024 * 1024)
  for (let i = 0; i < 64; i++) connection.send(large)
  const drained = connection.drained()
  client.resetAndDestroy()
  await t.rejects(drained, { code: 'connection-closed' })
  await journal.until('gone')
  t.match(journal.lines, ['open', /^close 1006 (ECONNRESET|EPIPE)$/, 'gone'])
  t.equal(journal.lines.length, 3)
})

t.test('an error without a code gives its message as the reason', async t => {
  const { transport, journal } = connected(t)
  transport.destroy(new Error('the cable broke'))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 the cable broke', 'gone'])
})

t.test('a transport that just closes: 1006', async t => {
  const { transport, journal } = connected(t)
  transport.destroy()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006', 'gone'])
})

t.test('a reset after the closing handshake changes nothing', async t => {
  const [server, client] = await socketPair(t)
  const { journal } = startConnection(t, server)
  const wire = new WireClient(client)
  wire.send(closeFrame(1000, 'bye'))
  await wire.journal.until('close')
  client.resetAndDestroy()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1000 bye', 'gone'])
})

t.test('close can terminate, and gone still comes once', async t => {
  const { journal, feed } = connected(t, { close: socket => socket.terminate() })
  feed(closeFrame(1000))
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1000', 'gone'])
})

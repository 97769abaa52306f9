// What each call does in each state (docs/guide/lifecycle.md has the table).
import t from 'tap'
import { ConnectionClosedError } from '../../../lib/transport/connection-closed-error.ts'
import { connected, startConnection, type Connected } from '../../helpers/connected.ts'
import { closeFrame, frame } from '../../helpers/frames.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'
import { MemoryTransport, socketPair } from '../../helpers/transports.ts'

const TEXT = '81'

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return within(promise, 'a rejection').then(
    () => 'nothing',
    (error: unknown) => error
  )
}

t.test('a producer that waits for room goes on until the connection closes, and no longer', async t => {
  const peer = connected(t)
  peer.transport.stall()
  let sent = 0
  const producing = (async () => {
    for (;;) {
      sent++
      if (!peer.connection.send('x'.repeat(10_000))) await peer.connection.drained()
    }
  })()
  await eventually('the queue to be full', () => peer.connection.bufferedAmount > 64 * 1024)
  peer.connection.close(1000)
  t.match(await rejection(producing), { name: 'ConnectionClosedError', code: 'connection-closed', closeCode: undefined })
  t.ok(sent < 20)
})

t.test('drained: rejects where the connection is closing, over, or gone', async t => {
  const peer = connected(t)
  await within(peer.connection.drained(), 'an empty queue to be drained')
  peer.connection.close(1000, 'done')
  t.match(await rejection(peer.connection.drained()), { code: 'connection-closed', closeCode: undefined, reason: '' })
  peer.feed(closeFrame(1000, 'done'))
  await peer.journal.until('close')
  t.match(await rejection(peer.connection.drained()), {
    message: 'the connection is closed: 1000 done',
    closeCode: 1000,
    reason: 'done',
  })
  peer.transport.push(null)
  await peer.journal.until('gone')
  t.ok((await rejection(peer.connection.drained())) instanceof ConnectionClosedError)
})

t.test('drain is not called while the connection is closing', async t => {
  const { connection, journal, transport } = connected(t)
  transport.stall()
  while (connection.send('x'.repeat(10_000)));
  connection.close()
  transport.goOn()
  await turn()
  await turn()
  t.strictSame(journal.lines, ['open'])
})

const ENDINGS: readonly [how: string, end: (peer: Connected) => void, info: { code: number; reason: string; clean: boolean }][] = [
  ['by the peer', ({ feed }) => feed(closeFrame(3000, 'bye')), { code: 3000, reason: 'bye', clean: true }],
  ['by the peer, without a code', ({ feed }) => feed('8800'), { code: 1005, reason: '', clean: true }],
  ['by us', ({ connection, feed }) => (connection.close(1000), feed(closeFrame(1000))), { code: 1000, reason: '', clean: true }],
  ['cut by the peer', ({ transport }) => transport.push(null), { code: 1006, reason: '', clean: false }],
  ['by an error of the transport', ({ transport }) => transport.destroy(new Error('broken')), { code: 1006, reason: 'broken', clean: false }],
  ['terminated', ({ connection }) => connection.terminate(), { code: 1006, reason: 'terminated', clean: false }],
  ['by a violation', ({ feed }) => feed('8300'), { code: 1002, reason: 'reserved-opcode', clean: false }],
]

for (const [how, end, info] of ENDINGS) {
  t.test(`closed and closeInfo: ${how}`, async t => {
    const peer = connected(t)
    await turn()
    t.equal(peer.connection.closeInfo, undefined)
    const closed = peer.connection.closed
    t.equal(peer.connection.closed, closed, 'one promise')
    end(peer)
    t.match(await within(closed, 'the end'), info.code === 1002 ? { code: 1002, clean: false } : info)
    t.strictSame(await closed, peer.connection.closeInfo)
    t.equal(peer.journal.lines.filter(line => line.startsWith('close')).length, 1)
  })
}

t.test('closed: asked for when all is over, it has resolved', async t => {
  const peer = connected(t)
  await turn()
  peer.connection.terminate()
  t.strictSame(peer.connection.closeInfo, { code: 1006, reason: 'terminated', clean: false }, 'known at once')
  t.equal(peer.connection.readyState, 'closed')
  await peer.journal.until('gone')
  t.strictSame(await within(peer.connection.closed, 'the end'), { code: 1006, reason: 'terminated', clean: false })
})

t.test('a peer that takes what is queued is not cut, however long it takes', async t => {
  const { connection, journal, transport, feed } = connected(t, {}, { limits: { closingTime: 300 } })
  transport.stall()
  connection.send(Buffer.alloc(15 * 1024 * 1024))
  connection.close(1000)
  const began = performance.now()
  // Each time a part is taken, well within the closing time; all of it takes several times as long.
  while (connection.bufferedAmount > 0) {
    const before = connection.bufferedAmount
    transport.takeOne()
    await eventually('the next part to be written', () => connection.bufferedAmount < before)
    const until = performance.now() + 100
    await eventually('some time', () => performance.now() > until)
  }
  t.ok(performance.now() - began > 600)
  t.equal(connection.readyState, 'closing')
  feed(closeFrame(1000))
  await journal.until('close 1000')
})

t.test('one that takes nothing is cut when the closing time has passed, not before', async t => {
  const { connection, journal, transport } = connected(t, {}, { limits: { closingTime: 200 } })
  transport.stall()
  connection.send('x'.repeat(100_000))
  const began = performance.now()
  connection.close(1000)
  await journal.until('close 1006 close-timeout')
  t.ok(performance.now() - began >= 200)
})

t.test('a client ends TCP itself two seconds after both close frames, and that is a clean end', async t => {
  const [server, client] = await socketPair(t)
  const { connection, journal } = startConnection(t, client, {}, { role: 'client', limits: { closingTime: 60_000 } })
  server.resume()
  const began = performance.now()
  connection.close(1000)
  server.write(Buffer.from(closeFrame(1000), 'hex'))
  await journal.until('close 1000')
  await journal.until('gone', 40_000)
  const lasted = performance.now() - began
  t.ok(lasted > 1900 && lasted < 30_000, `${lasted} ms`)
  t.strictSame(connection.closeInfo, { code: 1000, reason: '', clean: true })
})

t.test('what throws while bytes are handled closes the connection with 1011, and nothing gets out', async t => {
  const { connection, journal, transport, feed } = connected(t)
  await turn()
  const { allocUnsafeSlow } = Buffer
  Buffer.allocUnsafeSlow = () => {
    throw new RangeError('no memory')
  }
  try {
    // The first part of a message of 2 MiB.
    transport.push(Buffer.from('82ff000000000020000000000000616263', 'hex'))
  } finally {
    Buffer.allocUnsafeSlow = allocUnsafeSlow
  }
  await journal.until('close')
  t.strictSame(journal.lines, ['open', 'failed no memory', 'close 1011'])
  t.equal(transport.written(), closeFrame(1011))
  feed(frame(TEXT, 'more'))
  t.equal(connection.send('x'), false)
})

t.test('a transport whose write throws ends its own connection, and the others of the same tick go out', async t => {
  class Broken extends MemoryTransport {
    override write(): boolean {
      throw new Error('write is broken')
    }
  }
  const one = startConnection(t, new Broken())
  const other = connected(t)
  one.connection.send('lost')
  other.connection.send('sent')
  await one.journal.until('close')
  t.strictSame(one.journal.lines.slice(0, 3), ['open', 'failed write is broken', 'close 1006 internal-error'])
  t.equal(other.transport.written(), frame(TEXT, 'sent'))
})

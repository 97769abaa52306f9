import t, { type Test } from 'tap'
import type { LimitOptions } from '../../../lib/limits.ts'
import { connected, startConnection, type ConnectedOptions, type Started } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'
import { MemoryTransport, socketPair } from '../../helpers/transports.ts'

const TEXT = '81'
const PULLED: ConnectedOptions = { pulled: true }
const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => frame(TEXT, `${i}`))
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

t.test('for await takes the messages in place of the callback, until the connection ends', async t => {
  const { connection, journal, feed } = connected(t)
  const seen: unknown[] = []
  const reading = (async () => {
    for await (const message of connection) seen.push(message)
  })()
  feed(frame(TEXT, 'a'), frame('82', 'b'), frame(TEXT))
  feed(frame(TEXT, 'c'), closeFrame(1000, 'bye'))
  await within(reading, 'the end of the loop')
  t.strictSame(seen, ['a', Buffer.from('b'), '', 'c'])
  t.strictSame(journal.lines.slice(0, 2), ['open', 'close 1000 bye'])
  t.strictSame(connection.closeInfo, { code: 1000, reason: 'bye', clean: true })
})

t.test('the loop ends where the closing handshake was complete with a usual code, and else throws', async t => {
  const closing = (code: number) => ({ connection, feed }: ReturnType<typeof connected>): void => {
    connection.close(code)
    feed(closeFrame(code))
  }
  type Ending = readonly [how: string, end: (peer: ReturnType<typeof connected>) => void, code: number, throws: boolean]
  const endings: readonly Ending[] = [
    ['terminated', ({ connection }) => connection.terminate(), 1006, true],
    ['ended by the transport', ({ transport }) => transport.push(null), 1006, true],
    ['a violation', ({ feed }) => feed('8300'), 1002, true],
    ['failed by us', ({ connection }) => connection.fail(1001, 'idle'), 1001, true],
    ['closed without a code', ({ feed }) => feed('8800'), 1005, false],
    ...[1000, 1001, 3000, 4999].map(code => [`closed with ${code}`, closing(code), code, false] as const satisfies Ending),
    ...[1002, 1003, 1008, 1011, 1012, 1013].map(code => [`closed with ${code}`, closing(code), code, true] as const satisfies Ending),
  ]
  for (const [how, end, code, throws] of endings) {
    const peer = connected(t, {}, PULLED)
    const reading = (async () => {
      for await (const _ of peer.connection) throw new Error('no message was sent')
    })()
    await turn()
    end(peer)
    const ended = within(reading, `the end of the loop: ${how}`).then(
      () => 'ends',
      (error: unknown) => error
    )
    if (throws) t.match(await ended, { name: 'ConnectionClosedError', code: 'connection-closed', closeCode: code }, how)
    else t.equal(await ended, 'ends', how)
    t.equal(peer.connection.closeInfo?.code, code, how)
    const iterator = peer.connection[Symbol.asyncIterator]()
    t.strictSame(await iterator.next(), { done: true, value: undefined }, 'thrown once')
  }
})

t.test('messages that came before the end are still handed over', async t => {
  const { connection, journal, feed } = connected(t, { open: socket => void socket[Symbol.asyncIterator]() })
  feed(...texts(5), closeFrame(1000))
  await journal.until('close 1000')
  const seen: unknown[] = []
  for await (const message of connection) seen.push(message)
  t.strictSame(seen, names(5))
})

t.test('a connection that is over when the loop begins has no messages, and the loop says how it ended', async t => {
  const { connection, journal } = connected(t, {}, PULLED)
  connection.terminate()
  await journal.until('gone')
  await t.rejects(within(connection[Symbol.asyncIterator]().next(), 'the end'), { code: 'connection-closed', closeCode: 1006, reason: 'terminated' })
})

t.test('of one chunk with many messages only 16 wait, and all come in order', async t => {
  const { connection, transport, feed } = connected(t, {}, PULLED)
  const iterator = connection[Symbol.asyncIterator]()
  t.equal(connection[Symbol.asyncIterator](), iterator, 'there is one')
  await turn()
  feed(...texts(100))
  await turn()
  t.equal(transport.isPaused(), true)
  const seen: unknown[] = []
  for await (const message of connection) {
    seen.push(message)
    if (seen.length === 100) break
  }
  t.strictSame(seen, names(100))
  t.equal(transport.isPaused(), false)
})

t.test('over a socket: while nobody asks the peer is slowed down, then all messages come', async t => {
  const [server, client] = await socketPair(t)
  const { connection } = startConnection(t, server, {}, PULLED)
  const iterator = connection[Symbol.asyncIterator]()
  const COUNT = 300
  const one = bytes(masked(frame('82', Buffer.alloc(60_000, 1))))
  for (let i = 0; i < COUNT; i++) client.write(one)
  await eventually('a peer that has to wait', () => client.writableLength > 1_000_000 && server.isPaused())
  for (let i = 0; i < 50; i++) await turn()
  // What the system takes meanwhile, it takes whenever it likes.
  t.ok(server.bytesRead < 500_000, 'nothing more is taken')
  t.ok(server.readableLength < 200_000, 'and not much is read ahead')
  let bytesSeen = 0
  for (let i = 0; i < COUNT; i++) {
    const { value } = await within(iterator.next(), `message ${i}`)
    bytesSeen += value?.length ?? 0
    if (i % 10 === 0) await turn()
  }
  t.equal(bytesSeen, COUNT * 60_000)
})

t.test('leaving the loop drops what waits, and gives later messages to the callback again', async t => {
  const { connection, journal, transport, feed } = connected(t)
  const loop = (async () => {
    for await (const message of connection) if (message === '1') break
  })()
  feed(...texts(40))
  await within(loop, 'the loop')
  await journal.until('text 39')
  t.notOk(journal.lines.includes('text 2'))
  t.equal(transport.isPaused(), false)
  feed(frame(TEXT, 'later'))
  await journal.until('text later')
  t.equal(connection.readyState, 'open')
})

t.test('a second loop after the first was left', async t => {
  const { connection, feed } = connected(t, {}, PULLED)
  for (const text of ['a', 'b']) {
    const loop = (async () => {
      for await (const message of connection) return message
      return undefined
    })()
    feed(frame(TEXT, text))
    t.equal(await within(loop, text), text)
  }
})

t.test("the user's pause and the iterator's are two: both have to end", async t => {
  const { connection, transport, feed } = connected(t, {}, PULLED)
  const iterator = connection[Symbol.asyncIterator]()
  await turn()
  feed(...texts(20))
  await turn()
  connection.pause()
  for (let i = 0; i < 16; i++) await within(iterator.next(), `message ${i}`)
  await turn()
  t.equal(transport.isPaused(), true, 'the iterator wants more, the user does not')
  const next = iterator.next()
  connection.resume()
  t.strictSame(await within(next, 'message 16'), { done: false, value: '16' })
})

/** As `connected`, of a client without a callback: messages wait from the start, and between loops. */
function waiting(t: Test, limits?: LimitOptions): Started & { readonly transport: MemoryTransport; feed(...frames: string[]): void } {
  const transport = new MemoryTransport()
  const started = startConnection(t, transport, {}, { role: 'client', pulled: true, waits: true, limits })
  return { ...started, transport, feed: (...frames) => void transport.push(bytes(frames.join(''))) }
}

t.test('closed while messages wait: a loop that goes on gets all that comes before the answer', async t => {
  for (const [whose, peer] of [['server', connected(t, {}, PULLED)], ['client', waiting(t)]] as const) {
    const { connection, transport, feed } = peer
    const iterator = connection[Symbol.asyncIterator]()
    const first = iterator.next()
    await turn()
    feed(...texts(100))
    await turn()
    connection.close(1000)
    feed(frame(TEXT, 'last'), closeFrame(1000))
    await turn()
    t.equal(transport.isPaused(), true, 'the peer is still slowed down')
    const seen: unknown[] = [(await first).value]
    for await (const message of iterator) seen.push(message)
    t.strictSame(seen, [...names(100), 'last'], whose)
    t.strictSame(connection.closeInfo, { code: 1000, reason: '', clean: true })
  }
})

t.test('closed before the messages come: what nobody takes makes the peer wait, too', async t => {
  const { connection, transport, feed } = connected(t, {}, PULLED)
  const iterator = connection[Symbol.asyncIterator]()
  await turn()
  connection.close(1000)
  feed(...texts(100), closeFrame(1000))
  await turn()
  t.equal(transport.isPaused(), true)
  const seen: unknown[] = []
  for await (const message of iterator) seen.push(message)
  t.strictSame(seen, names(100))
})

t.test('closed, and nobody asks: the deadline ends it, and what waited is there', async t => {
  const { connection, journal, feed } = connected(t, {}, { ...PULLED, limits: { closingTime: 100 } })
  connection[Symbol.asyncIterator]()
  await turn()
  feed(...texts(100), closeFrame(1000))
  await turn()
  connection.close(1000)
  await journal.until('gone')
  t.strictSame(connection.closeInfo, { code: 1006, reason: 'close-timeout', clean: false })
  const seen: unknown[] = []
  const reading = (async () => {
    for await (const message of connection) seen.push(message)
  })()
  await t.rejects(reading, { code: 'connection-closed', closeCode: 1006, reason: 'close-timeout' })
  t.strictSame(seen, names(16))
})

t.test('closed and paused by the user: what still comes is thrown away, also for a loop', async t => {
  for (const first of ['pause', 'close'] as const) {
    const { connection, journal, feed } = connected(t, {}, PULLED)
    const iterator = connection[Symbol.asyncIterator]()
    await turn()
    feed(...texts(100), closeFrame(1000))
    await turn()
    if (first === 'pause') connection.pause()
    connection.close(1000)
    if (first === 'close') connection.pause()
    await journal.until('close 1000')
    const seen: unknown[] = []
    for await (const message of iterator) seen.push(message)
    t.strictSame(seen, names(16))
  }
})

t.test('a client that is closed in no loop, or leaves one after it: the answer is read', async t => {
  for (const first of ['left', 'closed', 'never begun'] as const) {
    const { connection, journal, feed } = waiting(t)
    await turn()
    feed(...texts(100), closeFrame(1000))
    await turn()
    if (first !== 'never begun') {
      for await (const _ of connection) {
        if (first === 'closed') connection.close(1000)
        break
      }
    }
    connection.close(1000)
    await journal.until('close 1000')
    const seen: unknown[] = []
    for await (const message of connection) seen.push(message)
    t.strictSame(seen, names(16).slice(first === 'never begun' ? 0 : 1), 'what had been read is there')
  }
})

t.test("a client's loop that was left and begun again before the end gets all", async t => {
  const { connection, feed } = waiting(t)
  await turn()
  feed(...texts(100), closeFrame(1000))
  for await (const _ of connection) break
  const second = await connection[Symbol.asyncIterator]().next()
  connection.close(1000)
  const seen: unknown[] = [second.value]
  for await (const message of connection) seen.push(message)
  t.strictSame(seen, names(100).slice(1))
})

t.test("resume does not let the iterator's messages pile up", async t => {
  const { connection, transport, feed } = connected(t, {}, PULLED)
  const iterator = connection[Symbol.asyncIterator]()
  await turn()
  feed(...texts(50))
  await turn()
  connection.pause()
  connection.resume()
  await turn()
  t.equal(transport.isPaused(), true)
  for (let i = 0; i < 50; i++) t.equal((await within(iterator.next(), `message ${i}`)).value, `${i}`)
})

t.test('what the loop sends leaves', async t => {
  const { connection, transport, feed } = connected(t, {}, PULLED)
  const loop = (async () => {
    for await (const message of connection) {
      connection.send(message)
      if (message === '2') break
    }
  })()
  feed(...texts(3))
  await within(loop, 'the loop')
  await turn()
  t.equal(transport.written(), texts(3).join(''))
})

t.test('two loops share an iterator: where both have left, one that began between goes on', async t => {
  const { connection, journal, feed } = connected(t)
  const shared = connection[Symbol.asyncIterator]()
  await shared.return()
  const fresh = connection[Symbol.asyncIterator]()
  t.not(fresh, shared)
  await shared.return()
  t.equal(connection[Symbol.asyncIterator](), fresh, 'still the one that reads')
  feed(frame(TEXT, 'a'))
  t.strictSame(await within(fresh.next(), 'the message'), { done: false, value: 'a' })
  connection.terminate()
  await t.rejects(within(fresh.next(), 'the end'), { code: 'connection-closed' })
  t.notOk(journal.lines.includes('text a'))
})

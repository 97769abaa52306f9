import { ReadableStream } from 'node:stream/web'
import t from 'tap'
import type { Payload } from '../../lib/transport/payload.ts'
import { webStreams } from '../../lib/transport/web-streams.ts'
import { connected, startConnection, type ConnectedOptions } from '../helpers/connected.ts'
import { bytes, closeFrame, frame } from '../helpers/frames.ts'
import { eventually, turn, within } from '../helpers/journal.ts'
import { MemoryTransport, socketPair } from '../helpers/transports.ts'

const PULLED: ConnectedOptions = { pulled: true }
const text = (data: string): string => frame('81', data)

t.test('each message a chunk, in place of the callback; nothing is read ahead of the reader', async t => {
  const { connection, transport, journal, feed } = connected(t)
  const { readable } = webStreams(connection)
  await turn()
  feed(...Array.from({ length: 40 }, (_, i) => text(`${i}`)), frame('82', 'b'))
  await turn()
  t.equal(transport.isPaused(), true)
  const reader = readable.getReader()
  for (let i = 0; i < 40; i++) t.strictSame(await within(reader.read(), `${i}`), { done: false, value: `${i}` })
  t.strictSame(await within(reader.read(), 'b'), { done: false, value: Buffer.from('b') })
  t.strictSame(journal.lines, ['open'])
})

t.test('no message is taken before somebody reads', async t => {
  const { connection, feed } = connected(t, {}, PULLED)
  webStreams(connection)
  await turn()
  feed(text('a'))
  await turn()
  t.strictSame(await within(connection[Symbol.asyncIterator]().next(), 'a'), { done: false, value: 'a' })
})

t.test('the readable side ends with the connection; it errors where that was not clean', async t => {
  for (const [wire, error] of [
    [closeFrame(1000, 'bye'), undefined],
    [closeFrame(1001), undefined],
    ['8800', undefined],
    [closeFrame(1011, 'oops'), /1011 oops$/],
    [closeFrame(3000), undefined],
    [closeFrame(1012), /1012$/],
    ['8300', /1002/],
    ['', /1006$/],
  ] as const) {
    const { connection, transport, feed } = connected(t, {}, PULLED)
    const reader = webStreams(connection).readable.getReader()
    const read = reader.read()
    await turn()
    if (wire === '') transport.push(null)
    else feed(wire)
    if (error === undefined) t.strictSame(await within(read, wire), { done: true, value: undefined })
    else await t.rejects(within(read, wire), { code: 'connection-closed', message: error }, wire)
  }
})

t.test('messages that came before the end come before it', async t => {
  const { connection, feed, journal } = connected(t, {}, PULLED)
  const { readable } = webStreams(connection)
  await turn()
  feed(text('a'), closeFrame(1000))
  await journal.until('close')
  const seen: unknown[] = []
  for await (const message of readable) seen.push(message)
  t.strictSame(seen, ['a'])
})

t.test('cancelling the readable side closes the connection, and lets it go', async t => {
  const { connection, transport, journal, feed } = connected(t, { message() {} })
  const { readable } = webStreams(connection)
  await turn()
  await within(readable.cancel('enough'), 'cancel')
  await turn()
  t.equal(transport.written(), closeFrame(1000))
  feed(text('late'), closeFrame(1000))
  await journal.until('close 1000')
  t.strictSame(journal.lines.slice(0, 3), ['open', 'text late', 'close 1000'], 'the callback has them again')
})

t.test('each chunk written is a message', async t => {
  const { connection, transport } = connected(t)
  const writer = webStreams(connection).writable.getWriter()
  await turn()
  for (const chunk of ['a', Buffer.from('b'), new Uint16Array([0x6161])] as Payload[]) await within(writer.write(chunk), 'a write')
  await turn()
  t.equal(transport.written(), text('a') + frame('82', 'b') + frame('82', 'aa'))
})

t.test('a write waits while the peer does not keep up', async t => {
  const { connection, transport } = connected(t)
  const writer = webStreams(connection).writable.getWriter()
  await turn()
  transport.stall()
  let written = false
  const write = writer.write(Buffer.alloc(100_000)).then(() => void (written = true))
  for (let i = 0; i < 5; i++) await turn()
  t.equal(written, false)
  t.ok((writer.desiredSize ?? 1) <= 0)
  transport.goOn()
  await within(write, 'the write')
})

t.test('a write rejects where the connection is closed, is closing, or ends first', async t => {
  const over = { code: 'connection-closed' }
  const closed = connected(t)
  closed.connection.terminate()
  await t.rejects(webStreams(closed.connection).writable.getWriter().write('a'), over)
  const closing = connected(t)
  closing.connection.close()
  await t.rejects(webStreams(closing.connection).writable.getWriter().write('a'), over)
  const waiting = connected(t)
  const writer = webStreams(waiting.connection).writable.getWriter()
  writer.closed.catch(() => {})
  await turn()
  waiting.transport.stall()
  const write = writer.write(Buffer.alloc(100_000))
  await turn()
  waiting.connection.terminate()
  await t.rejects(within(write, 'the end'), over)
})

t.test('the writable side errors when the connection is over, and so does a pipe whose source has nothing to give', async t => {
  const over = { code: 'connection-closed' }
  for (const wire of [closeFrame(1000), closeFrame(1011), '']) {
    const { connection, transport, feed } = connected(t)
    const { writable } = webStreams(connection)
    let cancelled: unknown
    const source = new ReadableStream<Payload>({ cancel: reason => void (cancelled = reason) })
    const piping = source.pipeTo(writable)
    await turn()
    if (wire === '') transport.push(null)
    else feed(wire)
    await t.rejects(within(piping, 'the end of the pipe'), over)
    t.match(cancelled, over, 'the source is told')
  }
  const { connection } = connected(t)
  connection.terminate()
  await t.rejects(within(webStreams(connection).writable.getWriter().closed, 'the end'), over, 'it is over already')
})

t.test('a writable side that was closed stays so', async t => {
  const { connection, journal, feed } = connected(t)
  const writer = webStreams(connection).writable.getWriter()
  await turn()
  await writer.close()
  feed(closeFrame(1000))
  await journal.until('close 1000')
  await turn()
  t.equal(await within(writer.closed, 'closed'), undefined)
})

t.test('what can not be sent is misuse, and ends the writable side only', async t => {
  const { connection } = connected(t)
  const writer = webStreams(connection).writable.getWriter()
  writer.closed.catch(() => {})
  await t.rejects(writer.write(5 as unknown as Payload), { name: 'MisuseError', code: 'invalid-argument' })
  t.equal(connection.readyState, 'open')
})

t.test('closing the writable side starts the closing handshake behind what was written', async t => {
  const { connection, transport } = connected(t)
  const writer = webStreams(connection).writable.getWriter()
  await turn()
  void writer.write('a')
  await within(writer.close(), 'close')
  await turn()
  t.equal(transport.written(), text('a') + closeFrame(1000))
  t.equal(connection.readyState, 'closing')
})

t.test('closing the writable side loses nothing that can still be read', async t => {
  const transport = new MemoryTransport()
  const { connection } = startConnection(t, transport, {}, { role: 'client', pulled: true, waits: true })
  const { readable, writable } = webStreams(connection)
  await turn()
  transport.push(bytes(Array.from({ length: 100 }, (_, i) => text(`${i}`)).join('')))
  await turn()
  await within(writable.close(), 'close')
  transport.push(bytes(text('100') + closeFrame(1000)))
  let count = 0
  for await (const message of readable) if (message !== `${count++}`) t.fail(`message ${count} is another`)
  t.equal(count, 101)
})

t.test('aborting the writable side drops the connection', async t => {
  const { connection, journal } = connected(t)
  await within(webStreams(connection).writable.abort('no more'), 'abort')
  await journal.until('gone')
  t.strictSame(connection.closeInfo, { code: 1006, reason: 'aborted', clean: false })
})

t.test('messages that are read as streams are nothing for it', async t => {
  const { connection } = connected(t)
  connection.messages({ stream: true })
  t.throws(() => webStreams(connection), { name: 'MisuseError', code: 'invalid-state' })
})

t.test('an echo of pipes, over sockets', async t => {
  const [one, other] = await socketPair(t)
  const server = startConnection(t, one, {}, PULLED)
  const client = startConnection(t, other, {}, { role: 'client', pulled: true })
  const { readable, writable } = webStreams(server.connection)
  const piping = readable.pipeTo(writable)
  const ends = webStreams(client.connection)
  const writer = ends.writable.getWriter()
  const COUNT = 300
  void (async () => {
    for (let i = 0; i < COUNT; i++) await writer.write(Buffer.alloc(10_000, i))
  })()
  const reader = ends.readable.getReader()
  for (let i = 0; i < COUNT; i++) {
    const { value } = await within(reader.read(), `message ${i}`)
    if (!Buffer.alloc(10_000, i).equals(value as Buffer)) t.fail(`message ${i} is another`)
  }
  await writer.close()
  await within(piping, 'the end of the pipe')
  await eventually('the end', () => client.connection.closeInfo?.code === 1000)
  t.strictSame(server.connection.closeInfo, { code: 1000, reason: '', clean: true })
})

import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { resolveLimits } from '../../../lib/limits.ts'
import { Connection } from '../../../lib/transport/connection.ts'
import type { Message } from '../../../lib/transport/message.ts'
import { connected, startConnection } from '../../helpers/connected.ts'
import { bytes, frame, hex, masked } from '../../helpers/frames.ts'
import { eventually, turn, within } from '../../helpers/journal.ts'
import { socketPair } from '../../helpers/transports.ts'

const [TEXT, BINARY] = ['81', '82']

t.test('messages in order: text as strings, binary as Buffers, fragments together', async t => {
  const { journal, feed } = connected(t)
  await turn()
  feed(frame(TEXT, 'grün'), frame(BINARY, bytes('00ff')), frame(TEXT), frame(BINARY))
  feed(frame('01', 'gr'), frame('00', bytes('c3')), frame('89', 'ping'), frame('80', bytes('bc6e')))
  t.strictSame(await journal.reach(6), ['open', 'text grün', 'binary 00ff', 'text', 'binary', 'text grün'])
})

t.test('the same, one byte at a time', async t => {
  const { journal, transport } = connected(t)
  const wire = bytes([frame(TEXT, 'grün'), frame('02', 'a'), frame('80', 'b')].map(each => masked(each)).join(''))
  for (const byte of wire) transport.push(Buffer.from([byte]))
  t.strictSame(await journal.reach(3), ['open', 'text grün', 'binary 6162'])
})

t.test('what came ahead, with the handshake, comes first, and after open', async t => {
  const { journal, feed } = connected(t, {}, { early: masked(frame(TEXT, 'early')) })
  t.strictSame(journal.lines, ['open'], 'open is called at once, messages are not')
  feed(frame(TEXT, 'later'))
  t.strictSame(await journal.reach(3), ['open', 'text early', 'text later'])
})

t.test('answers to what came ahead leave in one write', async t => {
  const { transport } = connected(
    t,
    { message: (socket, data) => socket.send(data) },
    { early: masked(frame(TEXT, 'a')), greeting: 'G' }
  )
  await turn()
  t.equal(transport.written(), '47' + frame(TEXT, 'a'))
})

t.test('half a frame that came ahead is completed by what follows', async t => {
  const wire = masked(frame(TEXT, 'together'))
  const { journal, transport } = connected(t, {}, { early: wire.slice(0, 20) })
  transport.push(bytes(wire.slice(20)))
  t.strictSame(await journal.reach(2), ['open', 'text together'])
})

t.test('rawMessage gets the payload in place, good until it returns', async t => {
  const seen: string[] = []
  const { feed, journal } = connected(t, {
    rawMessage: (_, opcode, memory, start, end) => seen.push(`${opcode} ${hex(memory.subarray(start, end))}`),
  })
  feed(frame(TEXT, 'a'), frame(BINARY, 'b'))
  await eventually('both', () => seen.length === 2)
  t.strictSame(seen, ['1 61', '2 62'])
  t.strictSame(journal.lines, ['open'], 'in place of message')
})

t.test('a message that nobody wants is thrown away', async t => {
  const { connection, feed, journal } = connected(t, {}, { pulled: true })
  feed(frame(TEXT, 'a'), frame(BINARY, 'b'), frame('89', 'p'))
  await turn()
  t.equal(connection.readyState, 'open')
  t.strictSame(journal.lines, ['open'])
})

t.test("a Buffer that was handed over is the user's own: later reads don't change it", async t => {
  const [server, client] = await socketPair(t)
  const kept: Buffer[] = []
  startConnection(t, server, { message: (_, data) => void kept.push(data as Buffer) })
  const sizes = [1, 10, 1000, 20_000, 40_000, 65_530, 100_000, 3, 70_000, 5]
  for (const [i, size] of sizes.entries()) client.write(bytes(masked(frame(BINARY, Buffer.alloc(size, i + 1)))))
  await eventually('all messages', () => kept.length === sizes.length)
  for (const [i, size] of sizes.entries()) t.ok(kept[i].equals(Buffer.alloc(size, i + 1)), `${size} bytes`)
  for (const buffer of kept) buffer.fill(0xee)
  client.write(bytes(masked(frame(BINARY, Buffer.alloc(500, 1)))))
  await eventually('another message', () => kept.length === sizes.length + 1)
  t.ok(kept[sizes.length].equals(Buffer.alloc(500, 1)), 'and writing to it does no harm')
})

t.test('small Buffers that are kept do not keep the chunk that they came in', async t => {
  const kept: Buffer[] = []
  const { feed } = connected(t, { message: (_, data) => void kept.push(data as Buffer) })
  feed(frame(BINARY, Buffer.alloc(100_000)), frame(BINARY, 'small'), frame(BINARY, 'small'))
  await eventually('three messages', () => kept.length === 3)
  // Small Buffers share Node's pool: 8 KiB, from Node 24 on 64.
  for (const small of kept.slice(1)) t.ok(small.buffer.byteLength < 100_000, `${small.buffer.byteLength} bytes`)
})

t.test('neither do those that waited for a pause to end', async t => {
  const kept: Buffer[] = []
  const { connection, feed } = connected(t, {
    message(socket, data) {
      kept.push(data as Buffer)
      if (kept.length === 1) socket.pause()
    },
  })
  feed(frame(BINARY, 'first'), frame(BINARY, Buffer.alloc(100_000)), frame(BINARY, 'small'))
  await turn()
  t.equal(kept.length, 1)
  connection.resume()
  await eventually('three messages', () => kept.length === 3)
  t.strictSame(kept[2], Buffer.from('small'))
  t.ok(kept[2].buffer.byteLength < 100_000, `${kept[2].buffer.byteLength} bytes`)
})

t.test('a million tiny messages in one go, to a handler that counts', async t => {
  const COUNT = 1_000_000
  const [server, client] = await socketPair(t)
  let count = 0
  let resolve: () => void = () => {}
  const all = new Promise<void>(done => {
    resolve = done
  })
  startConnection(t, server, {
    rawMessage() {
      count++
      if (count === COUNT) resolve()
    },
  })
  const one = bytes(masked(frame(TEXT, 'x')))
  client.end(Buffer.alloc(COUNT * one.length, one))
  await within(all, () => `all messages, of which there are ${count}`, 20_000)
  t.equal(count, COUNT)
})

t.test('many to a client, where each becomes a string', async t => {
  const COUNT = 200_000
  const [server, client] = await socketPair(t)
  const seen = new Map<unknown, number>()
  let count = 0
  const transport = startClient(t, client, data => {
    count++
    seen.set(data, (seen.get(data) ?? 0) + 1)
  })
  server.write(Buffer.alloc(COUNT * 3, bytes(frame(TEXT, 'x'))))
  await eventually('all messages', () => count === COUNT)
  t.strictSame([...seen], [['x', COUNT]])
  t.equal(transport.readyState, 'open')
})

/** A connection that is a client's and writes nothing down. */
function startClient(t: Test, transport: Duplex, message: (data: Message) => void): Connection<null> {
  const handlers = { message: (_: unknown, data: Message) => message(data), failed() {}, gone() {} }
  const connection = new Connection<null>({ terms: { role: 'client', handlers, limits: resolveLimits() }, transport, protocol: '', data: null })
  t.teardown(() => transport.destroy())
  connection.start(undefined)
  return connection
}

t.test('what takes long with a full read lets others read first, and reads on in the next turn', async t => {
  const { now } = performance
  let time = 1
  performance.now = () => time
  t.teardown(() => void (performance.now = now))
  const seen: number[] = []
  let slowness = 0
  const message = (_: unknown, data: Message): void => {
    seen.push(data.length)
    time += slowness
  }
  const { connection, transport } = connected(t, { message })
  await turn()
  /** Whether reading went on at once. */
  const read = async (size: number, milliseconds: number): Promise<boolean> => {
    slowness = milliseconds
    const count = seen.length
    transport.push(bytes(masked(frame(BINARY, Buffer.alloc(size)))))
    while (seen.length === count) await new Promise(resolve => process.nextTick(resolve))
    return !transport.isPaused()
  }
  const FULL = 64 * 1024
  t.equal(await read(FULL, 1), true, 'not that long')
  t.equal(await read(FULL - 9, 5), true, 'not full, with 8 bytes of header')
  t.equal(await read(FULL, 5), false)
  await turn()
  t.equal(transport.isPaused(), false)
  t.equal(await read(FULL - 8, 3), true)
  t.equal(await read(FULL - 8, 3), false, 'just full, and too long together')
  connection.pause()
  await turn()
  t.equal(transport.isPaused(), true, 'the pause of somebody else stays')
  connection.resume()
  await turn()
  t.equal(transport.isPaused(), false)
  t.equal(await read(FULL, 5), false)
  connection.terminate()
  await turn()
})

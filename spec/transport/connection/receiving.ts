import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { resolveLimits, type LimitOptions } from '../../../lib/limits.ts'
import { Connection } from '../../../lib/transport/connection.ts'
import { MemoryBudget } from '../../../lib/transport/memory-budget.ts'
import type { Message } from '../../../lib/transport/message.ts'
import { clock } from '../../../lib/transport/read-turns.ts'
import { connected, startConnection, type Connected } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, hex, masked } from '../../helpers/frames.ts'
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

/** A connection whose callback takes as long as the test says, by a clock that stands still otherwise. */
async function slow(t: Test, limits: LimitOptions = {}): Promise<Slow> {
  const { now } = clock
  let time = 1
  clock.now = () => time
  t.teardown(() => void (clock.now = now))
  const seen: number[] = []
  const made: Slow = {
    ...connected(t, { message: (_, data) => {
      seen.push(data.length)
      time += made.slowness
    } }, { limits }),
    seen,
    slowness: 0,
  }
  await turn()
  return made
}

interface Slow extends Connected {
  /** The lengths of the messages that were handed over. */
  readonly seen: number[]
  /** Milliseconds that the callback takes. */
  slowness: number
}

/** One that is shorter never waits. */
const LONG = 4096

t.test('a read that takes long lets others read first, and reads on in the next turn', async t => {
  const made = await slow(t)
  const { connection, transport, feed, seen } = made
  const read = async (size: number, milliseconds: number): Promise<boolean> => {
    made.slowness = milliseconds
    const count = seen.length
    feed(frame(BINARY, Buffer.alloc(size)))
    for (let i = 0; i < 10 && seen.length === count; i++) await new Promise(resolve => process.nextTick(resolve))
    t.equal(seen.length, count + 1)
    return !transport.isPaused()
  }
  t.equal(await read(LONG, 1), true, 'not that long')
  t.equal(await read(LONG, 8), false, 'too long together')
  await turn()
  t.equal(transport.isPaused(), false)
  t.equal(await read(LONG - 9, 9), true, 'a short one is not held back')
  await turn()
  t.equal(await read(LONG, 9), false)
  connection.pause()
  await turn()
  t.equal(transport.isPaused(), true, 'the pause of somebody else stays')
  connection.resume()
  await turn()
  t.equal(transport.isPaused(), false)
  t.equal(await read(LONG, 9), false)
  connection.terminate()
  await turn()
})

t.test('messages of one read: those behind the time that a turn has wait for the next', async t => {
  const made = await slow(t)
  const SIZE = 20_000
  made.slowness = 5
  made.feed(...[1, 2, 3, 4, 5].map(more => frame(BINARY, Buffer.alloc(SIZE + more))))
  for (const expected of [2, 4, 5]) {
    await eventually('the messages of a turn', () => made.seen.length >= expected)
    t.equal(made.seen.length, expected)
    await turn()
  }
  t.strictSame(made.seen, [1, 2, 3, 4, 5].map(more => SIZE + more), 'in order')
  t.equal(made.transport.isPaused(), false)
})

t.test('where the time of a turn is over, a long read of another connection is kept for the next', async t => {
  const made = await slow(t)
  const other = connected(t)
  await turn()
  made.slowness = 9
  made.feed(frame(BINARY, Buffer.alloc(10)))
  other.feed(frame(BINARY, Buffer.alloc(LONG)))
  other.feed(frame(BINARY, Buffer.alloc(1)))
  const short = connected(t)
  await new Promise(resolve => process.nextTick(resolve))
  t.strictSame([made.seen, other.journal.lines], [[10], ['open']])
  t.equal(other.connection.retainedBytes, LONG + 8, 'which counts meanwhile')
  await other.journal.reach(3)
  t.strictSame(other.journal.lines, ['open', `binary of ${LONG}`, 'binary 00'])
  short.feed(frame(BINARY, Buffer.alloc(1)))
  await short.journal.reach(2)
})

t.test('and so is a large message of which only the last byte has come', async t => {
  const SIZE = 70_000
  for (const type of [TEXT, BINARY]) {
    const made = await slow(t)
    const other = connected(t)
    const message = bytes(masked(frame(type, Buffer.alloc(SIZE, 'a'))))
    await turn()
    other.transport.push(message.subarray(0, -1))
    await turn()
    made.slowness = 9
    made.feed(frame(BINARY, Buffer.alloc(10)))
    other.transport.push(message.subarray(-1))
    await new Promise(resolve => process.nextTick(resolve))
    t.strictSame(other.journal.lines, ['open'])
    t.ok(other.connection.retainedBytes >= SIZE)
    other.feed(frame(TEXT, 'behind it'))
    await other.journal.reach(3)
    t.strictSame(other.journal.lines, ['open', `${type === TEXT ? 'text' : 'binary'} of ${SIZE}`, 'text behind it'])
    t.equal(other.connection.retainedBytes, 0)
    made.connection.terminate()
  }
})

t.test('one that waits for its turn and is dropped is handed nothing', async t => {
  const made = await slow(t)
  const other = connected(t)
  await turn()
  made.slowness = 9
  made.feed(frame(BINARY, Buffer.alloc(10)))
  other.feed(frame(BINARY, Buffer.alloc(LONG)))
  await new Promise(resolve => process.nextTick(resolve))
  other.connection.terminate()
  await other.journal.until('gone')
  for (let i = 0; i < 3; i++) await turn()
  t.strictSame(other.journal.lines, ['open', 'close 1006 terminated', 'gone'])
})

t.test('the end of a stream does not pass what waits for its turn', async t => {
  for (const role of ['server', 'client'] as const) {
    const made = await slow(t)
    const other = connected(t, {}, { role })
    await turn()
    made.slowness = 9
    made.feed(frame(BINARY, Buffer.alloc(10)))
    const wire = frame(BINARY, Buffer.alloc(LONG)) + closeFrame(1000)
    other.transport.push(bytes(role === 'server' ? [frame(BINARY, Buffer.alloc(LONG)), closeFrame(1000)].map(each => masked(each)).join('') : wire))
    await new Promise(resolve => process.nextTick(resolve))
    // As streams of Node do where they are paused, but not stopped.
    other.transport.emit('end')
    t.strictSame(other.journal.lines, ['open'], role)
    await other.journal.until('close')
    t.strictSame(other.journal.lines, ['open', `binary of ${LONG}`, 'close 1000'], role)
    await turn()
    t.equal(other.transport.writableEnded, true, 'it has ended its own side')
    made.connection.terminate()
  }
})

t.test('an end that comes while the connection is failed ends it at once', async t => {
  const made = await slow(t)
  const other = connected(t, {}, { role: 'client' })
  await turn()
  made.slowness = 9
  made.feed(frame(BINARY, Buffer.alloc(10)))
  other.transport.push(bytes(frame(BINARY, Buffer.alloc(LONG))))
  await new Promise(resolve => process.nextTick(resolve))
  other.transport.emit('end')
  other.connection.fail(1011, '')
  await turn()
  t.strictSame(other.journal.lines, ['open', 'close 1011'])
  t.equal(other.transport.writableEnded, true)
})

t.test('callbacks whose promises settle at once do not take more than a turn has', async t => {
  const { now } = clock
  let time = 1
  clock.now = () => time
  t.teardown(() => void (clock.now = now))
  let count = 0
  const message = async (): Promise<void> => {
    count++
    time += 3
  }
  const { feed } = connected(t, { message }, { limits: { pendingMessages: 1 } })
  await turn()
  feed(...Array.from({ length: 10 }, () => frame(TEXT, 'a')))
  const counts: number[] = []
  while (count < 10) {
    await turn()
    counts.push(count)
  }
  t.ok(counts.length >= 3, counts.join())
  t.ok(counts.every((each, i) => each - (counts[i - 1] ?? 0) <= 4), counts.join())
})

t.test('a large text that is not ASCII is decoded in several turns, and counts meanwhile', async t => {
  const text = `${'é'.repeat(3_000_000)}€`
  const size = Buffer.byteLength(text)
  for (const pulled of [false, true]) {
    const wire = Buffer.from(masked(frame(TEXT, text)), 'hex')
    const { now } = clock
    let time = 1
    // A millisecond at each look.
    clock.now = () => time++
    const memory = new MemoryBudget(1_000_000_000)
    const seen: string[] = []
    const message = (_: unknown, data: Message): void => void seen.push(String(data))
    const { connection, transport } = connected(t, pulled ? {} : { message }, { memory, pulled })
    await turn()
    const messages = connection[Symbol.asyncIterator]()
    if (pulled) void messages.next().then(({ value }) => seen.push(String(value)), () => {})
    else await messages.return()
    transport.push(wire.subarray(0, 100_000))
    await turn()
    transport.push(wire.subarray(100_000))
    transport.push(bytes(masked(frame(TEXT, 'behind'))))
    const held: number[] = []
    while (seen.length === 0 && held.length < 100) {
      await turn()
      connection.recount()
      held.push(memory.bytes)
    }
    t.ok(held.length >= 3, `${held.length} turns`)
    t.ok(Math.max(...held) > 1.5 * size, 'text and bytes')
    t.equal(seen[0] === text, true)
    clock.now = now
    connection.terminate()
  }
})

t.test('of several large texts each becomes whole, one after the other', async t => {
  const text = 'é'.repeat(2_000_000)
  const { now } = clock
  let time = 1
  clock.now = () => time++
  t.teardown(() => void (clock.now = now))
  const seen: string[] = []
  for (const name of ['a', 'b', 'c', 'd']) {
    const { transport } = connected(t, { message: (_, data) => void seen.push(`${name} ${data === text}`) })
    await turn()
    const wire = Buffer.from(masked(frame(TEXT, text)), 'hex')
    for (const part of [wire.subarray(0, 100_000), wire.subarray(100_000)]) transport.push(part)
  }
  await eventually('all of them', () => seen.length === 4)
  t.strictSame(seen, ['a true', 'b true', 'c true', 'd true'])
})

t.test('a decoded part is given up where the connection ends, or its reader has changed', async t => {
  const text = 'é'.repeat(3_000_000)
  const { now } = clock
  let time = 1
  clock.now = () => time++
  t.teardown(() => void (clock.now = now))
  const memory = new MemoryBudget(1_000_000_000)
  const seen: string[] = []
  const { connection, transport } = connected(t, { message: (_, data) => void seen.push(String(data)) }, { memory })
  await turn()
  for (const part of [0, 1]) transport.push(Buffer.from(masked(frame(TEXT, text)), 'hex').subarray(part * 100_000, part === 0 ? 100_000 : undefined))
  await turn()
  connection.fail(1011, '')
  connection.recount()
  t.strictSame([seen, memory.bytes], [[], 0])
  const other = connected(t, { message: (_, data) => void seen.push(String(data)) }, { memory })
  await turn()
  for (const part of [0, 1]) other.transport.push(Buffer.from(masked(frame(TEXT, text)), 'hex').subarray(part * 100_000, part === 0 ? 100_000 : undefined))
  await turn()
  const pieces: Buffer[] = []
  const streams = other.connection.messages({ stream: true })
  for await (const stream of streams) {
    for await (const piece of stream) pieces.push(Buffer.from(piece))
    break
  }
  t.equal(Buffer.concat(pieces).equals(Buffer.from(text)), true)
  t.strictSame(seen, [])
})

t.test('input behind the end is discarded in turns as well', async t => {
  const made = await slow(t)
  const other = connected(t)
  await turn()
  other.connection.fail(1008, '')
  await turn()
  made.slowness = 9
  made.feed(frame(BINARY, Buffer.alloc(10)))
  other.transport.push(bytes(masked(frame(BINARY, Buffer.alloc(LONG)))))
  await new Promise(resolve => process.nextTick(resolve))
  t.equal(other.transport.isPaused(), true)
  await turn()
  t.equal(other.transport.isPaused(), false)
  other.transport.push(null)
  await other.journal.until('gone')
  t.strictSame(other.journal.lines, ['open', 'close 1008', 'gone'])
})

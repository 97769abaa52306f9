import t, { type Test } from 'tap'
import { Diagnostics } from '../../../lib/diagnostics.ts'
import type { Connection } from '../../../lib/transport/connection.ts'
import type { TopicHub } from '../../../lib/transport/connection-setup.ts'
import { MemoryBudget } from '../../../lib/transport/memory-budget.ts'
import { connected, startConnection, type Connected, type ConnectedOptions, type Handlers } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { handCompression } from '../../helpers/hand-codec.ts'
import { deflatedFrame } from '../../helpers/deflated.ts'
import { eventually, turn } from '../../helpers/journal.ts'
import { held } from '../../helpers/memory.ts'
import { random } from '../../helpers/random.ts'
import { closed, socketPair } from '../../helpers/transports.ts'

const [TEXT, BINARY] = ['81', '82'] as const
/** A binary message's first fragment. */
const BEGINS = '02'
const MANY = 1_000_000
/** What a write that waits for another takes besides its bytes. */
const WAITS = 512
/** What a callback that has not settled takes besides its message. */
const PENDING = 512

interface Counted extends Connected {
  readonly memory: MemoryBudget
  /** What is held: that it has become less is told when somebody asks, as the budget does. */
  held(): number
}

function counted(t: Test, limit = MANY, handlers: Handlers = {}, options: ConnectedOptions = {}): Counted {
  const memory = new MemoryBudget(limit)
  const made = connected(t, handlers, { ...options, memory })
  const held = (): number => {
    made.connection.recount()
    return memory.bytes
  }
  return { ...made, memory, held }
}

function zeros(length: number): Buffer {
  return Buffer.alloc(length)
}

t.test('an echo of whole messages is never worth a report', async t => {
  const memory = new MemoryBudget(MANY)
  let reports = 0
  const { report } = memory
  memory.report = (...change) => {
    reports++
    report.call(memory, ...change)
  }
  const { feed, transport } = connected(t, { message: (socket, data) => socket.send(data) }, { memory })
  await turn()
  for (let i = 0; i < 100; i++) {
    feed(frame(TEXT, 'hello'), frame(BINARY, zeros(5000)))
    await turn()
  }
  t.equal(transport.writes.length, 100)
  t.equal(reports, 0)
})

t.test('a message under way counts with the memory that it takes, until it is complete', async t => {
  const { feed, memory, held, journal } = counted(t)
  await turn()
  feed(frame(BEGINS, zeros(3000)))
  await turn()
  t.ok(memory.bytes >= 3000 && memory.bytes <= 4 * 3000, `${memory.bytes}`)
  feed(frame('00', zeros(30_000)))
  await turn()
  t.ok(memory.bytes >= 33_000 && memory.bytes <= 4 * 33_000, `${memory.bytes}`)
  feed(frame('80', zeros(1)))
  await turn()
  t.equal(held(), 0)
  t.strictSame(journal.lines, ['open', 'binary of 33001'])
})

t.test('changes of less than 1 KiB are not told, but that nothing is held any more is', async t => {
  const { feed, memory, held, connection, transport } = counted(t)
  await turn()
  transport.stall()
  connection.send(zeros(1000))
  await turn()
  t.equal(memory.bytes, 0)
  connection.send(zeros(0))
  await turn()
  connection.send(zeros(3000))
  await turn()
  const before = memory.bytes
  t.equal(before, 1004 + 2 + 3004 + 2 * WAITS)
  connection.send('a')
  await turn()
  t.equal(memory.bytes, before)
  feed(frame(TEXT, 'b'))
  await turn()
  t.equal(memory.bytes, before)
  transport.goOn()
  await turn()
  t.equal(memory.bytes, before, 'until somebody asks')
  t.equal(held(), 0)
})

t.test('so is what shrinks by 1 KiB, and the rest when it goes', async t => {
  const { memory, connection, transport } = counted(t)
  await turn()
  transport.stall()
  connection.send(zeros(3000))
  await turn()
  connection.send(zeros(100))
  await turn()
  t.equal(memory.bytes, 3004)
  transport.takeOne()
  await turn()
  connection.recount()
  t.equal(memory.bytes, 102 + WAITS)
  transport.takeOne()
  await turn()
  connection.recount()
  t.equal(memory.bytes, 0)
})

t.test('input that waits for resume counts', async t => {
  const { feed, memory, held, connection, journal } = counted(t, MANY, { message: socket => socket.pause() })
  await turn()
  feed(frame(TEXT, 'a'), frame(BINARY, zeros(20_000)))
  await turn()
  t.equal(memory.bytes, 20_008)
  connection.resume()
  await turn()
  t.equal(held(), 0)
  t.equal(journal.lines.length, 3)
})

t.test('messages that wait for an iterator count', async t => {
  const { feed, memory, held, connection } = counted(t)
  await turn()
  const messages = connection[Symbol.asyncIterator]()
  feed(frame(BINARY, zeros(5000)), frame(TEXT, 'x'.repeat(6000)))
  await turn()
  t.equal(memory.bytes, 11_000)
  await messages.next()
  await messages.next()
  t.equal(held(), 6000, 'the loop is at the second')
  const third = messages.next()
  t.equal(held(), 0)
  feed(frame(BINARY, zeros(7000)))
  await third
  await turn()
  t.equal(held(), 7000, 'one that was waited for counts as well')
  feed(frame(BINARY, zeros(5000)))
  await turn()
  t.equal(memory.bytes, 12_000)
  await messages.return()
  t.equal(held(), 0, 'or for nobody')
})

t.test('pieces that wait for a stream count', async t => {
  const { feed, memory, held, connection } = counted(t)
  await turn()
  const streams = connection.messages({ stream: true })
  feed(frame(BINARY, zeros(5000)), frame(BINARY, zeros(6000)))
  await turn()
  t.equal(memory.bytes, 5000 + 6008)
  for (const size of [5000, 6000]) {
    const { value: message } = await streams.next()
    connection.recount()
    t.ok(memory.bytes >= size, 'also in the message that was taken')
    t.equal((await message?.next())?.value?.length, size)
  }
  streams.next().catch(() => {})
  await turn()
  t.equal(held(), 0)
})

t.test('that less is held is told at once where the budget is tight', async t => {
  for (const [limit, left] of [[22_000, 0], [MANY, 20_000]] as const) {
    const { memory, connection, transport } = counted(t, limit)
    await turn()
    transport.stall()
    connection.send(zeros(19_996))
    await turn()
    t.equal(memory.bytes, 20_000)
    transport.goOn()
    await eventually('an empty queue', () => connection.bufferedAmount === 0)
    t.equal(memory.bytes, left, `${limit}`)
  }
})

t.test('and else at the next turn of the heartbeat', async t => {
  const { memory, connection, transport } = counted(t)
  await turn()
  transport.stall()
  connection.send(zeros(4996))
  await turn()
  transport.goOn()
  await eventually('an empty queue', () => connection.bufferedAmount === 0)
  t.equal(memory.bytes, 5000)
  connection.countSilence(10)
  t.equal(memory.bytes, 0)
})

/** A `message` callback that settles when the test says so, oldest first. */
function pendingCallbacks(): { message(): Promise<void>; settle(how?: 'resolve' | 'reject'): void } {
  const all: { resolve(): void; reject(error: Error): void }[] = []
  return {
    message: () => new Promise((resolve, reject) => void all.push({ resolve, reject })),
    settle: (how = 'resolve') => all.shift()?.[how](new Error('late')),
  }
}

t.test('messages whose callback has not settled count, with what the callback takes, and text with two bytes a character', async t => {
  const { message, settle } = pendingCallbacks()
  const { feed, memory } = counted(t, MANY, { message })
  await turn()
  feed(frame(BINARY, zeros(5000)), frame(TEXT, 'x'.repeat(6000)), frame(TEXT, 'é'.repeat(1000)))
  await turn()
  t.strictSame([memory.kept, memory.bytes], [13_000 + 3 * PENDING, 13_000 + 3 * PENDING])
  for (const left of [8000 + 2 * PENDING, 2000 + PENDING, 0]) {
    settle()
    await turn()
    t.equal(memory.bytes, left)
  }
})

t.test('they count behind the end of the connection too, until they settle, however that is', async t => {
  for (const how of ['resolve', 'reject'] as const) {
    const { message, settle } = pendingCallbacks()
    const { feed, memory, journal, connection } = counted(t, MANY, { message })
    await turn()
    feed(frame(BINARY, zeros(5000)), frame(BINARY, zeros(6000)))
    await turn()
    connection.terminate()
    await journal.until('gone')
    t.strictSame([memory.bytes, memory.holders], [11_000 + 2 * PENDING, 0])
    settle(how)
    await turn()
    t.equal(memory.bytes, 6000 + PENDING)
    settle(how)
    await turn()
    t.equal(memory.bytes, 0)
  }
})

t.test('or until they are collected: what can never settle keeps nothing', async t => {
  const { feed, memory, journal, connection } = counted(t, MANY, { message: () => new Promise(() => {}) })
  await turn()
  feed(frame(BINARY, zeros(5000)))
  await turn()
  connection.terminate()
  await journal.until('gone')
  await eventually('the collection', () => {
    held()
    return memory.bytes === 0
  })
})

t.test('messages that wait for a loop count behind the end too, until they are taken or the loop is left', async t => {
  for (const leave of [false, true]) {
    const { feed, memory, journal, connection } = counted(t)
    await turn()
    const messages = connection[Symbol.asyncIterator]()
    feed(frame(BINARY, zeros(5000)), frame(TEXT, 'é'.repeat(3000)))
    await turn()
    connection.terminate()
    await journal.until('gone')
    t.strictSame([memory.kept, memory.bytes], [11_000, 11_000])
    if (leave) {
      await messages.return()
    } else {
      await messages.next()
      await messages.next()
      t.equal(memory.bytes, 6000, 'the loop is at it')
      await t.rejects(messages.next(), { code: 'connection-closed' })
    }
    t.equal(memory.bytes, 0)
  }
})

t.test('where the application keeps the whole budget, input of 1 KiB and more is refused, and less passes', async t => {
  const { message, settle } = pendingCallbacks()
  const memory = new MemoryBudget(100_000)
  const diagnostics = new Diagnostics()
  const keeping = connected(t, { message }, { memory, limits: { pendingMessages: 100 } })
  const large = connected(t, { message: (socket, data) => socket.send(data) }, { memory, diagnostics })
  const small = connected(t, { message: (socket, data) => socket.send(data) }, { memory })
  await turn()
  keeping.feed(frame(BINARY, zeros(50_000)), frame(BINARY, zeros(50_000)))
  await turn()
  t.strictSame([memory.isFull, memory.isScarce], [true, true])
  small.feed(frame(TEXT, 'hello'))
  await turn()
  t.equal(small.transport.written(), frame(TEXT, 'hello'))
  large.feed(frame(BINARY, zeros(1020)))
  await turn()
  t.equal(large.transport.written(), closeFrame(1013, 'memory'))
  t.strictSame(large.journal.lines, ['open', 'close 1013 memory'])
  t.equal(diagnostics.limitsReached.get('memory'), 1)
  settle()
  await turn()
  t.strictSame([memory.isFull, memory.isScarce], [false, false])
  small.feed(frame(BINARY, zeros(5000)))
  await turn()
  t.equal(small.journal.lines.at(-1), 'binary of 5000')
})

t.test('what only the application can let go costs others nothing but their room', async t => {
  const { message } = pendingCallbacks()
  const memory = new MemoryBudget(100_000)
  const keeping = connected(t, { message }, { memory })
  const other = connected(t, {}, { memory })
  await turn()
  keeping.feed(frame(BINARY, zeros(90_000)))
  await turn()
  other.feed(frame(BEGINS, zeros(1000)))
  await turn()
  t.strictSame([memory.stopped, memory.bytes], [0, 90_000 + PENDING + 4000])
  other.feed(frame('00', zeros(4000)))
  await turn()
  t.strictSame(other.journal.lines, ['open', 'close 1013 memory'])
  t.strictSame(keeping.journal.lines, ['open', 'binary of 90000'], 'it would free nothing')
})

t.test('small writes that wait count with what they take, and so do messages that wait for another', async t => {
  const { held, connection, transport } = counted(t)
  await turn()
  transport.stall()
  for (let i = 0; i < 10; i++) {
    connection.send('')
    await turn()
  }
  t.ok(held() > 8 * WAITS, `${held()}`)
  transport.goOn()
  await turn()
  t.equal(held(), 0)
  const streaming = connection.sendStream({ async *[Symbol.asyncIterator]() { await new Promise(() => {}) } })
  streaming.catch(() => {})
  await turn()
  for (let i = 0; i < 10; i++) connection.send('')
  t.equal(held(), 10 * WAITS)
  connection.terminate()
  await turn()
})

t.test('empty messages that wait for another are bounded by the limit of the queue', async t => {
  const { connection, journal } = counted(t, MANY, {}, { limits: { queuedBytes: 128 * 1024 } })
  await turn()
  const streaming = connection.sendStream({ async *[Symbol.asyncIterator]() { await new Promise(() => {}) } })
  streaming.catch(() => {})
  await turn()
  let sent = 0
  while (connection.readyState === 'open' && sent < 10_000) {
    connection.send('')
    sent++
  }
  t.equal(sent, 128 * 1024 / WAITS + 1)
  await journal.until('close 1006 slow-consumer')
})

t.test('what a stream has read ahead counts while nothing is read of it', async t => {
  const { memory, held, connection, transport } = counted(t)
  await turn()
  connection.pause()
  transport.push(zeros(9000))
  await turn()
  t.equal(transport.readableLength, 9000)
  connection.countSilence(10)
  t.equal(memory.bytes, 9000)
  connection.terminate()
  await turn()
  t.equal(held(), 0)
})

t.test('what is queued counts: as soon as the sender is asked to wait, and until it is taken', async t => {
  const { memory, held, connection, transport } = counted(t)
  await turn()
  transport.stall()
  t.equal(connection.send(zeros(100_000)), false)
  // The payload waits for its header.
  t.equal(memory.bytes, connection.bufferedAmount + WAITS)
  connection.send(zeros(50_000))
  t.equal(memory.bytes, connection.bufferedAmount + WAITS)
  t.ok(memory.bytes > 150_000)
  await turn()
  transport.goOn()
  await eventually('all to be taken', () => held() === 0)
  t.equal(connection.bufferedAmount, 0)
})

t.test('a message that is being decompressed or compressed counts', async t => {
  const compression = handCompression()
  const { feed, memory, held, connection, journal } = counted(t, MANY, {}, { compression })
  await turn()
  const below = random(t)
  feed(deflatedFrame(BINARY, Buffer.from(Array.from({ length: 5000 }, () => below(16)))))
  await turn()
  t.ok(memory.bytes > 2000 && memory.bytes < 5000, `${memory.bytes}`)
  connection.pause()
  compression.decompressor.finish()
  t.equal(memory.bytes, 5000)
  connection.resume()
  await turn()
  t.equal(held(), 0)
  t.equal(journal.lines.at(-1), 'binary of 5000')
  connection.send(zeros(50_000))
  await turn()
  t.equal(memory.bytes, 50_000)
  compression.compressor.finish()
  await turn()
  t.equal(held(), 0)
})

t.test('near the budget the largest is not read; when there is room again it reads on', async t => {
  const memory = new MemoryBudget(100_000)
  const large = connected(t, {}, { memory })
  const small = connected(t, { message: (socket, data) => socket.send(data) }, { memory })
  await turn()
  large.feed(frame(BEGINS, zeros(19_000)))
  await turn()
  t.equal(memory.bytes, 76_000)
  t.equal(memory.stopped, 1)
  t.equal(large.transport.isPaused(), true)
  t.equal(small.transport.isPaused(), false)
  small.feed(frame(TEXT, 'hello'))
  await turn()
  t.equal(small.transport.written(), frame(TEXT, 'hello'))
  large.feed(frame('80', zeros(1000)))
  await turn()
  t.strictSame(large.journal.lines, ['open'])
  large.connection.pause()
  memory.report(HOLDER, 0, 100)
  memory.onDeadline()
  await turn()
  t.strictSame(large.journal.lines, ['open', 'close 1013 memory'], 'it was the only one to blame')
})

const HOLDER = { connection: null, recount() {}, stopReading() {}, resumeReading() {}, dropHeld() {} }

t.test('one that was stopped goes on where it was, unless it is paused for other reasons', async t => {
  const memory = new MemoryBudget(100_000)
  const { feed, transport, journal, connection } = connected(t, {}, { memory })
  await turn()
  memory.report(HOLDER, 0, 50_000)
  feed(frame(BEGINS, zeros(7500)))
  await turn()
  t.equal(transport.isPaused(), true)
  feed(frame('80', zeros(1000)))
  await turn()
  memory.report(HOLDER, 50_000, 0)
  await turn()
  t.equal(transport.isPaused(), false)
  t.strictSame(journal.lines, ['open', 'binary of 8500'])
  memory.report(HOLDER, 0, 50_000)
  feed(frame(BEGINS, zeros(7500)))
  await turn()
  connection.pause()
  memory.report(HOLDER, 50_000, 0)
  await turn()
  t.equal(transport.isPaused(), true)
  connection.resume()
  await turn()
  t.equal(transport.isPaused(), false)
})

t.test('one that is not read for the budget’s sake still closes', async t => {
  const memory = new MemoryBudget(100_000)
  const { feed, transport, journal, connection } = connected(t, {}, { memory })
  await turn()
  memory.report(HOLDER, 0, 50_000)
  feed(frame(BEGINS, zeros(7500)))
  await turn()
  t.equal(transport.isPaused(), true)
  connection.close(1000)
  await turn()
  t.equal(transport.isPaused(), false)
  feed(frame('80', zeros(1)), closeFrame(1000))
  transport.push(null)
  await closed(transport)
  t.strictSame(journal.lines, ['open', 'close 1000', 'gone'])
  t.equal(memory.bytes, 50_000)
})

t.test('one that is closing is not slowed down: what comes until the close frame of its peer is handed over', async t => {
  const memory = new MemoryBudget(100_000)
  const { feed, transport, journal, connection } = connected(t, {}, { memory })
  await turn()
  connection.close(1000)
  memory.report(HOLDER, 0, 50_000)
  feed(frame(BEGINS, zeros(7500)))
  await turn()
  t.equal(memory.stopped, 2)
  feed(frame('80', zeros(1)), closeFrame(1000))
  transport.push(null)
  await closed(transport)
  await turn()
  t.strictSame(journal.lines, ['open', 'binary of 7501', 'close 1000', 'gone'])
})

t.test('over the budget: whoever has nothing queued is told 1013, others are dropped with 1006', async t => {
  const diagnostics = new Diagnostics()
  const memory = new MemoryBudget(50_000, diagnostics)
  const reader = connected(t, {}, { memory })
  await turn()
  reader.feed(frame(BEGINS, zeros(15_000)))
  await turn()
  t.strictSame(reader.journal.lines, ['open', 'close 1013 memory'])
  t.equal(reader.transport.written(), closeFrame(1013, 'memory'))
  t.equal(memory.bytes, 0)
  const slow = connected(t, {}, { memory })
  await turn()
  slow.transport.stall()
  t.equal(slow.connection.send(zeros(60_000)), true)
  await turn()
  await closed(slow.transport)
  t.strictSame(slow.journal.lines, ['open', 'close 1006 memory', 'gone'])
  t.equal(memory.bytes, 0)
  const closing = connected(t, {}, { memory })
  await turn()
  closing.connection.close(1000)
  closing.feed(frame(BEGINS, zeros(15_000)))
  await turn()
  await closed(closing.transport)
  t.strictSame(closing.journal.lines, ['open', 'close 1006 memory', 'gone'])
  t.strictSame([...diagnostics.limitsReached], [['memory', 3]])
})

t.test('within one tick too: a loop that sends does not pass the budget', async t => {
  const memory = new MemoryBudget(500_000)
  const all = Array.from({ length: 10 }, () => connected(t, {}, { memory }))
  await turn()
  for (const { transport } of all) transport.stall()
  for (let i = 0; i < 20; i++) {
    for (const { connection } of all) {
      connection.send(zeros(70_000))
      t.ok(memory.bytes <= 500_000)
    }
  }
  const queued = all.filter(({ connection }) => connection.readyState === 'open').map(({ connection }) => connection.bufferedAmount)
  t.equal(queued.reduce((sum, amount) => sum + amount, 0), memory.bytes)
})

/** A connection that holds something, and how it ends. */
const ENDS: readonly [how: string, end: (connected: Connected) => void][] = [
  ['reset', ({ transport }) => void transport.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))],
  ['a transport that others destroy', ({ transport }) => void transport.destroy()],
  ['end of the peer', ({ transport }) => void transport.push(null)],
  ['terminate', ({ connection }) => connection.terminate()],
  ['close, answered', ({ connection, feed, transport }) => (connection.close(1000), feed(frame('80'), closeFrame(1000)), transport.push(null))],
  ['close of the peer', ({ feed, transport }) => (feed(closeFrame(1000)), transport.push(null))],
  ['a violation', ({ transport }) => (transport.push(bytes('ff00')), transport.push(null))],
  ['an error while closing', ({ connection, transport }) => (connection.close(1000), void transport.destroy(new Error('gone')))],
  ['a text that is not UTF-8', ({ feed, transport }) => (feed(frame('80'), frame(TEXT, bytes('ff'))), transport.push(null))],
]
const STATES: readonly [state: string, enter: (connected: Connected) => void][] = [
  ['half a message', ({ feed }) => feed(frame(BEGINS, zeros(10_000)))],
  ['half a frame', ({ transport }) => void transport.push(bytes(masked(frame(BINARY, zeros(10_000)))).subarray(0, 6000))],
  ['paused, with input', ({ connection, feed }) => (connection.pause(), feed(frame(BINARY, zeros(10_000))))],
  ['a queue', ({ connection, transport }) => (transport.stall(), void connection.send(zeros(100_000)))],
  ['a queue, and half a message', ({ connection, transport, feed }) => (transport.stall(), connection.send(zeros(10_000)), feed(frame(BEGINS, zeros(10_000))))],
]

for (const [state, enter] of STATES) {
  t.test(`${state}: counted, and not any more when it is gone, whichever way`, async t => {
    for (const [how, end] of ENDS) {
      const one = counted(t, MANY, {}, { limits: { closingTime: 100 } })
      await turn()
      enter(one)
      await turn()
      t.ok(one.memory.bytes > 5000 || state.startsWith('paused'), `${how}: ${one.memory.bytes}`)
      end(one)
      // While it is paused it does not hear of its peer.
      one.connection.resume()
      await closed(one.transport)
      await turn()
      t.strictSame([one.memory.bytes, one.memory.holders, one.journal.lines.at(-1)], [0, 0, 'gone'], how)
      one.connection.send('late')
      one.connection.recount()
      t.equal(one.memory.bytes, 0, `${how}, later`)
    }
  })
}

t.test('a client has no budget, and does as ever', async t => {
  const { connection, transport } = connected(t, {}, { role: 'client' })
  await turn()
  transport.stall()
  connection.send(zeros(100_000))
  transport.push(bytes(frame(BEGINS, zeros(50_000))))
  await turn()
  connection.recount()
  t.equal(connection.readyState, 'open')
})

t.test('random deeds of many connections on real sockets: the books are right at the end', async t => {
  const next = random(t)
  const memory = new MemoryBudget(3_000_000)
  let most = 0
  const { report } = memory
  memory.report = (...change) => {
    report.call(memory, ...change)
    most = Math.max(most, memory.bytes)
  }
  const pairs = await Promise.all(Array.from({ length: 30 }, () => socketPair(t)))
  // Those that were reset, or dropped by us.
  for (const [, client] of pairs) client.on('error', () => {})
  const started = pairs.map(([transport]) =>
    startConnection(t, transport, { message: (socket: Connection<string>, data) => socket.send(data) }, { memory, limits: { closingTime: 200 } })
  )
  for (let i = 0; i < 600; i++) {
    const at = next(pairs.length)
    const [, client] = pairs[at]
    const { connection } = started[at]
    const deed = next(12)
    if (deed === 0) client.pause()
    else if (deed === 1) client.resume()
    else if (deed === 2) connection.pause()
    else if (deed === 3) connection.resume()
    else if (deed < 8) client.write(bytes(masked(frame(['82', '02', '00', '80'][next(4)], zeros(next(30_000))))))
    else if (deed < 11) connection.send(zeros(next(200_000)))
    else if (next(10) === 0) [() => client.resetAndDestroy(), () => client.end(), () => connection.close(1000), () => connection.terminate()][next(4)]()
    if (next(4) === 0) await turn()
    if (memory.bytes > memory.limit) t.fail(`${memory.bytes}`)
  }
  for (const [, client] of pairs) client.resume().end()
  for (const { connection } of started) connection.close(1000)
  for (const [transport] of pairs) await closed(transport)
  await turn()
  t.ok(most > 0)
  t.strictSame([memory.bytes, memory.holders, memory.stopped], [0, 0, 0])
})

t.test('what compression keeps for a connection counts, and is given up where the budget is tight', async t => {
  const compression = { ...handCompression(), contexts: true }
  Object.assign(compression.compressor, { memory: 60_000 })
  Object.assign(compression.compressor, { release: () => Object.assign(compression.compressor, { memory: 0 }) })
  const memory = new MemoryBudget(100_000)
  const { feed, connection, journal, transport } = connected(t, {}, { memory, compression })
  await turn()
  feed(frame(TEXT, 'a'))
  await turn()
  t.equal(memory.bytes, 60_000)
  memory.report(HOLDER, 0, 20_000)
  t.strictSame([memory.bytes, memory.stopped], [20_000, 0])
  await turn()
  t.equal(transport.isPaused(), false)
  feed(frame(TEXT, 'b'))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text b'])
  connection.terminate()
  await journal.until('gone')
  t.equal(memory.bytes, 20_000)
})

t.test('what a stream reads ahead while it is paused is looked at once a second', async t => {
  const { memory, connection, transport, journal } = counted(t)
  await turn()
  connection.pause()
  transport.push(bytes(masked(frame(TEXT, 'x'.repeat(8992)))))
  await eventually('the look', () => memory.bytes === 9000)
  connection.resume()
  await journal.until('text of 8992')
  connection.recount()
  t.equal(memory.holders, 0)
})

t.test('topics count with the connection, until they are left or it is over', async t => {
  const topics = new Set<string>()
  const hub: TopicHub<Connection<string>> = {
    subscribe: (_, topic) => topics.add(topic).size,
    unsubscribe: (_, topic) => (topics.delete(topic), topics.size),
    isSubscribed: (_, topic) => topics.has(topic),
    topicBytes: () => 2000 * topics.size,
    publish: () => 0,
  }
  const { held, connection, journal, memory } = counted(t, MANY, {}, { hub })
  await turn()
  for (const topic of ['a', 'b', 'c']) connection.subscribe(topic)
  t.equal(held(), 6000)
  connection.unsubscribe('b')
  t.equal(held(), 4000)
  connection.terminate()
  await journal.until('gone')
  t.equal(memory.bytes, 0)
})

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { HIGH_WATER, Outbox } from '../../lib/transport/outbox.ts'
import { pinned } from '../../lib/transport/pinned-memory.ts'
import { FIRST_PORTION } from '../../lib/transport/portion.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { eventually, turn, within } from '../helpers/journal.ts'
import { MemoryTransport, socketPair } from '../helpers/transports.ts'

interface Watched {
  readonly outbox: Outbox
  readonly transport: MemoryTransport
  /** `flush`, `unblocked`, `drain`, in order. */
  readonly calls: string[]
}

function watch(calls: string[]): ConstructorParameters<typeof Outbox>[1] {
  return {
    onFlush: () => void calls.push('flush'),
    broken() {},
    onProgress() {},
    onQueueChanged() {},
    onUnblocked: () => void calls.push('unblocked'),
    onDrain: () => void calls.push('drain'),
  }
}

function watched(t: Test): Watched {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const calls: string[] = []
  const outbox = new Outbox(transport, watch(calls))
  transport.on('drain', () => outbox.unblocked())
  return { outbox, transport, calls }
}

/** Adds a message as a serializer does: reserved, filled, committed. */
function add(outbox: Outbox, content: string | Buffer): void {
  const data = Buffer.from(content as string)
  const at = outbox.reserve(data.length)
  outbox.memory.set(data, at)
  outbox.commit(data.length)
}

const noise = (length: number, step = 7): Buffer => Buffer.from(new Uint8Array(length).map((_, i) => i * step).buffer)

t.test('what is added in one tick is one write of one piece, in order', async t => {
  const { outbox, transport, calls } = watched(t)
  for (const part of ['a', 'bc', '', 'def']) {
    add(outbox, part)
    outbox.queueFlush()
  }
  t.equal(outbox.size, 6)
  t.equal(outbox.queued, 6)
  t.equal(transport.writes.length, 0, 'not at once')
  await turn()
  t.strictSame(transport.writes, [[Buffer.from('abcdef')]])
  t.equal(outbox.size, 0)
  t.equal(outbox.queued, 0)
  t.strictSame(calls, ['flush'])
})

t.test('what is set aside waits in memory of its own, in order with what is added later', async t => {
  const { outbox, transport } = watched(t)
  outbox.setAside(true)
  add(outbox, 'a')
  outbox.setAside(true)
  t.equal(outbox.size, 1, 'not while the transport takes all')
  transport.stall()
  outbox.append(Buffer.alloc(20_000))
  outbox.flush()
  add(outbox, 'b')
  outbox.setAside(true)
  add(outbox, 'c')
  outbox.flush()
  t.strictSame([outbox.size, outbox.promised, outbox.queued], [0, 2, 20_003])
  t.equal(outbox.makeRoom(1, 20_003), 1)
  t.equal(outbox.makeRoom(1, 20_002), 0, 'nothing else may be skipped')
  transport.goOn()
  await eventually('an empty queue', () => outbox.queued === 0)
  t.equal(transport.writes.flat().length, 3)
  t.strictSame(transport.writes.at(-1), [Buffer.from('c')])
  t.equal(transport.writes.at(-1)?.[0].buffer.byteLength, 1)
})

t.test('the transport is ended behind what was set aside', async t => {
  const { outbox, transport } = watched(t)
  transport.stall()
  outbox.append(Buffer.alloc(20_000))
  outbox.flush()
  add(outbox, 'b')
  outbox.setAside(true)
  outbox.endTransport()
  t.strictSame([transport.writableLength, transport.writableEnded], [20_000, false])
  transport.goOn()
  await once(transport, 'finish')
  t.equal(outbox.promised, 0)
  t.equal(Buffer.concat(transport.writes.flat()).length, 20_001)
})

t.test('a transport that takes little at a time gets no more than a portion, and says so each time', async t => {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  let progress = 0
  const outbox = new Outbox(transport, { onFlush() {}, broken() {}, onProgress: () => void progress++, onQueueChanged() {}, onUnblocked() {}, onDrain() {} })
  transport.on('drain', () => outbox.unblocked())
  transport.stall()
  const [one, two] = [noise(10_000_000), noise(3_000_000)]
  add(outbox, 'head')
  outbox.append(one)
  outbox.flush()
  outbox.append(two)
  outbox.settle()
  t.equal(outbox.queued, 13_000_004)
  let parts = 0
  let portion = FIRST_PORTION
  while (outbox.queued > 0) {
    t.ok(transport.writableLength <= portion)
    portion = Math.min(2 * portion, 2 * 1024 * 1024)
    const before = outbox.queued
    transport.takeOne()
    await turn()
    t.ok(outbox.queued < before)
    parts++
  }
  t.ok(parts >= 7 && progress >= 7, `${parts} parts, ${progress} times`)
  t.ok(Buffer.concat(transport.writes.flat()).equals(Buffer.concat([Buffer.from('head'), one, two])))
  t.equal(outbox.held, 0)
})

t.test('a transport that lets more wait than a portion gets what is next in large pieces', async t => {
  const transport = new MemoryTransport({ writableHighWaterMark: 4 * FIRST_PORTION })
  t.teardown(() => transport.destroy())
  const outbox = new Outbox(transport, watch([]))
  transport.on('drain', () => outbox.unblocked())
  transport.stall()
  for (let i = 0; i < 6; i++) {
    outbox.append(noise(FIRST_PORTION))
    outbox.settle()
    outbox.flush()
  }
  t.ok(outbox.queued - transport.writableLength > 0, 'some of it waits here')
  transport.goOn()
  await eventually('an empty queue', () => outbox.queued === 0)
  t.ok(Buffer.concat(transport.writes.flat()).equals(Buffer.concat(new Array<Buffer>(6).fill(noise(FIRST_PORTION)))))
  t.ok(transport.writes.flat().length < 20, `${transport.writes.flat().length} pieces`)
})

for (const droppable of [true, false]) {
  t.test(`what waits for a transport that is gone is dropped at once, droppable: ${droppable}`, async t => {
    const { outbox, transport } = watched(t)
    transport.stall()
    outbox.append(noise(2 * FIRST_PORTION))
    outbox.flush()
    add(outbox, noise(20_000))
    outbox.setAside(droppable)
    t.ok(outbox.promised >= 20_000)
    transport.destroy()
    let asked = 0
    Object.defineProperty(transport, 'writable', { get: () => void asked++ })
    outbox.flush()
    t.equal(outbox.promised, 0)
    t.ok(asked < 5, `asked ${asked} times`)
  })
}

t.test('nothing is written where nothing was added', async t => {
  const { outbox, transport, calls } = watched(t)
  outbox.flush()
  outbox.queueFlush()
  await turn()
  t.strictSame([transport.writes, calls], [[], []])
})

t.test('corked, the batch grows until it is uncorked, which writes it at once', async t => {
  const { outbox, transport } = watched(t)
  outbox.cork()
  add(outbox, 'a')
  outbox.queueFlush()
  await turn()
  add(outbox, 'b')
  outbox.queueFlush()
  await turn()
  t.equal(transport.writes.length, 0)
  outbox.uncork()
  t.strictSame(transport.writes, [[Buffer.from('ab')]])
  add(outbox, 'c')
  outbox.queueFlush()
  await turn()
  t.equal(transport.written(), hex(Buffer.from('abc')), 'and it is as before')
})

t.test('neighbours in the same memory are one piece, appended ones too', async t => {
  const { outbox, transport } = watched(t)
  const memory = noise(30)
  outbox.appendRange(memory, 3, 10)
  outbox.appendRange(memory, 10, 20)
  outbox.appendRange(memory, 20, 21)
  t.equal(outbox.size, 18)
  outbox.flush()
  t.strictSame(transport.writes, [[memory.subarray(3, 21)]])
  t.equal(transport.writes[0][0].buffer, memory.buffer, 'by reference')
})

t.test('ranges of the same memory that are no neighbours stay apart', async t => {
  const { outbox, transport } = watched(t)
  const memory = noise(30)
  outbox.appendRange(memory, 10, 20)
  outbox.appendRange(memory, 0, 10)
  outbox.appendRange(memory, 11, 12)
  outbox.flush()
  t.equal(transport.written(), hex(memory.subarray(10, 20)) + hex(memory.subarray(0, 10)) + hex(memory.subarray(11, 12)))
})

t.test('a large piece goes by reference, in one vectored write with what is around it', async t => {
  const { outbox, transport } = watched(t)
  const large = noise(20_000)
  add(outbox, 'before')
  outbox.append(large)
  add(outbox, 'after')
  t.equal(outbox.size, 20_011)
  outbox.flush()
  t.equal(transport.writes.length, 1, 'one write')
  t.strictSame(transport.writes[0], [Buffer.from('before'), large, Buffer.from('after')])
  t.equal(transport.writes[0][1].buffer, large.buffer, 'the same memory')
})

t.test('small pieces next to one another are copied together, up to 4 KiB each', async t => {
  const { outbox, transport } = watched(t)
  const [a, b, c, d, e] = [4096, 4096, 4097, 10, 20].map((length, i) => noise(length, i + 3))
  for (const piece of [a, b, c, d, e]) outbox.append(piece)
  outbox.flush()
  t.equal(transport.writes.length, 1)
  t.strictSame(transport.writes[0], [Buffer.concat([a, b]), c, Buffer.concat([d, e])])
})

t.test('more than a slab: several pieces, a write for each portion, no byte lost', async t => {
  const { outbox, transport } = watched(t)
  const parts = Array.from({ length: FIRST_PORTION / 5000 + 20 }, (_, i) => noise(5000, i + 1))
  for (const part of parts) add(outbox, part)
  outbox.flush()
  t.equal(transport.writes.length, 2)
  t.ok(transport.written() === hex(Buffer.concat(parts)))
})

t.test('a stream may keep what it was given: its bytes are never written over', async t => {
  const { outbox, transport } = watched(t)
  const rounds = Array.from({ length: 100 }, (_, i) => `round ${i} `)
  for (const round of rounds) {
    add(outbox, round)
    outbox.flush()
  }
  t.equal(transport.writes.length, 100)
  t.equal(transport.written(), hex(Buffer.from(rounds.join(''))))
})

t.test("after a write that a kernel's socket took at once the memory is used again", async t => {
  const [server, client] = await socketPair(t)
  const outbox = new Outbox(server, watch([]))
  const before = outbox.reserve(10)
  const { memory } = outbox
  for (let i = 0; i < 100; i++) {
    add(outbox, `round ${i} `)
    outbox.flush()
  }
  t.equal(outbox.reserve(10), before)
  t.equal(outbox.memory, memory)
  const expected = Array.from({ length: 100 }, (_, i) => `round ${i} `).join('')
  let received = ''
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  await eventually('all rounds', () => received.length >= expected.length)
  t.equal(received, expected)
})

t.test("a kernel's socket that has not taken all keeps its memory: bytes arrive as they were", async t => {
  const [server, client] = await socketPair(t)
  const outbox = new Outbox(server, watch([]))
  server.on('drain', () => outbox.unblocked())
  const sent: Buffer[] = []
  // Until the kernel's buffers are full, and then some.
  for (let i = 0; outbox.queued < 200_000; i++) {
    const data = noise(3000, (i % 250) + 1)
    sent.push(data)
    add(outbox, data)
    outbox.flush()
  }
  const total = sent.reduce((sum, { length }) => sum + length, 0)
  const received: Buffer[] = []
  let size = 0
  client.on('data', (chunk: Buffer) => {
    received.push(chunk)
    size += chunk.length
  })
  await eventually('all bytes', () => size >= total)
  t.ok(Buffer.concat(received).equals(Buffer.concat(sent)))
})

t.test('the memory of one outbox is not taken back where another has written behind it', async t => {
  const [server, client] = await socketPair(t)
  const socket = new Outbox(server, watch([]))
  const { outbox, transport } = watched(t)
  add(socket, 'first')
  add(outbox, 'second')
  socket.flush()
  add(socket, ' and the third')
  outbox.flush()
  socket.flush()
  t.equal(transport.written(), hex(Buffer.from('second')))
  let received = ''
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  await eventually('all bytes', () => received.length >= 19)
  t.equal(received, 'first and the third')
})

t.test('few bytes that have to wait get memory of their own', async t => {
  const { outbox, transport } = watched(t)
  transport.stall()
  add(outbox, 'first')
  outbox.flush()
  for (const part of ['second', 'third']) {
    add(outbox, part)
    outbox.flush()
  }
  transport.goOn()
  const [, [second, third]] = transport.writes
  t.strictSame([second, third], [Buffer.from('second'), Buffer.from('third')])
  t.strictSame([second.buffer.byteLength, third.buffer.byteLength], [6, 5], 'neither a slab nor a pool is held')
})

t.test('many bytes that have to wait stay where they are', async t => {
  const { outbox, transport } = watched(t)
  const large = noise(20_000)
  transport.stall()
  add(outbox, 'first')
  outbox.flush()
  outbox.append(large)
  outbox.flush()
  transport.goOn()
  t.equal(transport.writes[1][0].buffer, large.buffer)
})

t.test('from 64 KiB on it writes at once, and asks the sender to wait for drain', async t => {
  const { outbox, transport, calls } = watched(t)
  transport.stall()
  outbox.append(noise(HIGH_WATER - 1))
  t.equal(outbox.settle(), true)
  t.equal(transport.writes.length, 0)
  outbox.append(noise(1))
  t.equal(outbox.settle(), false)
  t.equal(transport.writes.length, 1, 'written')
  t.equal(outbox.queued, HIGH_WATER, 'and not taken')
  t.equal(outbox.size, 0)
  await turn()
  t.strictSame(calls, ['flush'], 'no drain yet')
  transport.goOn()
  await turn()
  t.strictSame(calls.slice(1), ['unblocked', 'drain'])
  t.equal(outbox.settle(), true)
})

t.test('what the transport took at once in spite of its size does not make the sender wait', async t => {
  const { outbox, transport, calls } = watched(t)
  outbox.append(noise(HIGH_WATER))
  t.equal(outbox.settle(), true)
  t.equal(transport.writes.length, 1)
  await turn()
  t.notOk(calls.includes('drain'))
})

t.test('blocked is what the transport says, and drain does not come while it is', async t => {
  const { outbox, transport, calls } = watched(t)
  t.equal(outbox.blocked, false)
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  t.equal(outbox.blocked, true)
  outbox.unblocked()
  outbox.flush()
  await turn()
  t.strictSame(calls, ['flush'])
  t.equal(outbox.settle(), false)
})

t.test('no drain where nobody was asked to wait, but answers may go', async t => {
  const { outbox, transport, calls } = watched(t)
  transport.stall()
  outbox.append(noise(HIGH_WATER - 1))
  t.equal(outbox.settle(), true)
  await turn()
  transport.goOn()
  await turn()
  t.strictSame(calls, ['flush', 'unblocked'])
})

t.test('what was added meanwhile is written when the transport takes more', async t => {
  const { outbox, transport } = watched(t)
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  outbox.cork()
  add(outbox, 'later')
  outbox.uncork()
  transport.goOn()
  await turn()
  await turn()
  t.equal(transport.written(), hex(noise(HIGH_WATER)) + hex(Buffer.from('later')))
})

t.test('each write is told with its size; with 0 where nothing can be written any more', async t => {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const sizes: number[] = []
  const outbox = new Outbox(transport, { onFlush: size => void sizes.push(size), broken() {}, onProgress() {}, onQueueChanged() {}, onUnblocked() {}, onDrain() {} })
  outbox.flush()
  t.strictSame(sizes, [], 'nothing to write')
  outbox.append(Buffer.alloc(20_000))
  outbox.append(Buffer.alloc(3))
  outbox.flush()
  outbox.append(Buffer.alloc(5))
  outbox.flush()
  t.strictSame(sizes, [20_003, 5])
  transport.end()
  outbox.append(Buffer.alloc(7))
  outbox.flush()
  t.strictSame(sizes, [20_003, 5, 0])
  t.equal(transport.writes.flat().reduce((sum, { length }) => sum + length, 0), 20_008)
})

t.test('drain comes in a turn of its own, so that one who sends whenever he may lets others run', async t => {
  // A stream that queues much before it says stop: it never says go either.
  const transport = new MemoryTransport({ writableHighWaterMark: 100 * HIGH_WATER })
  t.teardown(() => transport.destroy())
  let drains = 0
  const outbox: Outbox = new Outbox(transport, {
    onFlush() {},
    broken() {},
    onProgress() {},
    onQueueChanged() {},
    onUnblocked() {},
    onDrain() {
      drains++
      if (drains < 20) send()
    },
  })
  let full = 0
  const send = (): void => {
    outbox.append(noise(HIGH_WATER))
    if (!outbox.settle()) full++
  }
  transport.stall()
  send()
  await new Promise<void>(resolve => process.nextTick(resolve))
  t.strictSame([full, drains], [1, 0], 'not in this tick')
  await turn()
  await turn()
  await turn()
  t.ok(drains >= 1 && drains <= 3, `${drains} in three turns`)
  t.equal(full, drains + 1)
})

t.test('drained resolves at once where nobody has to wait, else with drain', async t => {
  const { outbox, transport } = watched(t)
  await within(outbox.drained(), 'drained')
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  let resolved = 0
  const waiting = [outbox.drained(), outbox.drained()].map(promise => promise.then(() => resolved++))
  await turn()
  t.equal(resolved, 0)
  transport.goOn()
  await within(Promise.all(waiting), 'drained')
  t.equal(resolved, 2)
})

t.test('drained rejects where the end comes first, and drain does not come any more', async t => {
  const { outbox, transport, calls } = watched(t)
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  const waiting = outbox.drained()
  outbox.end(() => new Error('over'))
  await t.rejects(within(waiting, 'the end'), { message: 'over' })
  transport.goOn()
  await turn()
  t.notOk(calls.includes('drain'))
})

t.test('a transport that takes nothing any more gets nothing, and the batch is gone', async t => {
  const { outbox, transport } = watched(t)
  const failed: unknown[] = []
  transport.on('error', error => failed.push(error))
  add(outbox, 'a')
  transport.end()
  outbox.flush()
  t.equal(outbox.size, 0)
  add(outbox, 'b')
  transport.destroy()
  outbox.flush()
  await once(transport, 'close')
  t.strictSame([outbox.size, transport.writes, failed], [0, [], []])
})

t.test('room that was reserved may be used in part, and is moved to a new slab where it does not fit', async t => {
  const { outbox, transport } = watched(t)
  outbox.reserve(130_000)
  const { memory } = outbox
  add(outbox, 'a')
  t.equal(outbox.reserve(131_072), 0)
  t.not(outbox.memory, memory)
  outbox.memory.set(bytes('62'), 0)
  outbox.commit(1)
  outbox.flush()
  t.equal(transport.written(), '6162')
})

t.test('what is promised counts as queued, and as accepted', async t => {
  const { outbox, transport } = watched(t)
  add(outbox, 'abc')
  outbox.promised = 10
  t.strictSame([outbox.size, outbox.accepted, outbox.queued], [3, 13, 13])
  transport.stall()
  outbox.flush()
  t.strictSame([outbox.size, outbox.accepted, outbox.queued], [0, 10, 13])
})

t.test('what is promised makes a sender wait, and drain comes when it is less', async t => {
  const { outbox, transport, calls } = watched(t)
  outbox.promised = HIGH_WATER - 1
  t.equal(outbox.settle(), true)
  outbox.promised = HIGH_WATER
  t.equal(outbox.settle(), false)
  const drained = outbox.drained()
  await turn()
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.flush()
  transport.goOn()
  await eventually('room in the transport', () => calls.includes('unblocked'))
  t.notOk(calls.includes('drain'))
  outbox.promised = HIGH_WATER - 1
  outbox.queueFlush()
  await within(drained, 'drained')
  t.equal(calls.filter(call => call === 'drain').length, 1)
})

t.test('taken resolves when the transport takes more, whatever is promised', async t => {
  const { outbox, transport, calls } = watched(t)
  t.equal(outbox.keepsUp, true)
  transport.stall()
  outbox.promised = 10 * HIGH_WATER
  outbox.append(noise(HIGH_WATER - 1))
  t.equal(outbox.keepsUp, true, 'and what is promised does not count')
  add(outbox, 'a')
  t.equal(outbox.keepsUp, false)
  outbox.settle()
  t.equal(outbox.keepsUp, false, 'in the batch or in the transport')
  let taken = false
  const waiting = outbox.taken().then(() => void (taken = true))
  await turn()
  t.equal(taken, false)
  transport.goOn()
  await within(waiting, 'taken')
  t.equal(outbox.keepsUp, true)
  t.notOk(calls.includes('drain'))
})

t.test('taken resolves after a write that the transport took at once, in a turn of its own', async t => {
  const { outbox } = watched(t)
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  let taken = false
  const waiting = outbox.taken().then(() => void (taken = true))
  await new Promise<void>(resolve => process.nextTick(resolve))
  t.equal(taken, false)
  await within(waiting, 'taken')
})

t.test('taken rejects where the end comes first', async t => {
  const { outbox, transport } = watched(t)
  transport.stall()
  outbox.append(noise(HIGH_WATER))
  outbox.settle()
  const waiting = outbox.taken()
  outbox.end(() => new Error('over'))
  await t.rejects(within(waiting, 'the end'), { message: 'over' })
})

/** Has a transport that takes nothing, and one message of `size` bytes written to it. */
function blockedBy(t: Test, size: number): Watched {
  const made = watched(t)
  made.transport.stall()
  add(made.outbox, noise(size))
  made.outbox.flush()
  return made
}

t.test('what waits for a blocked transport has memory of its own, of any size, and no slab', async t => {
  for (const size of [10, 4095, 4096, 20_000, 60_000]) {
    const { outbox, transport } = blockedBy(t, 10)
    add(outbox, noise(size))
    outbox.flush()
    transport.goOn()
    await eventually('all of it', () => transport.writes.flat().length === 2)
    const waited = transport.writes.flat()[1]
    t.ok(waited.equals(noise(size)))
    t.ok(waited.buffer.byteLength <= 2 * size, `${size} bytes in ${waited.buffer.byteLength}`)
  }
})

t.test('of several pieces none pins more than twice its size while it waits', async t => {
  const { outbox, transport } = blockedBy(t, 10)
  const large = Buffer.alloc(6 * FIRST_PORTION)
  add(outbox, noise(20_000))
  outbox.append(large.subarray(0, 2 * FIRST_PORTION))
  add(outbox, noise(30_000))
  outbox.append(large.subarray(0, 4 * FIRST_PORTION))
  outbox.flush()
  // A part pins what has gone of its message, and that counts until the last one is taken.
  let parts = 0
  for (; outbox.queued > 0; parts++) {
    const [pieces] = transport.writes.slice(-1)
    const pinned = new Set(pieces.map(({ buffer }) => buffer))
    const bytes = [...pinned].reduce((sum, { byteLength }) => sum + byteLength, 0)
    t.ok(bytes <= 2 * outbox.held, `${bytes} bytes, ${outbox.held} counted`)
    transport.takeOne()
    await turn()
  }
  t.ok(parts > 3)
  t.equal(outbox.held, 0)
})

t.test('the first write that waits pins a slab; once many are pinned, batches are copied before they are written', async t => {
  const MOST = 32
  const blocked: Watched[] = []
  // Each is in a slab of its own, because large ones come between.
  const next = (): Watched => {
    const made = blockedBy(t, 100)
    const other = watched(t)
    for (let i = 0; i < 2; i++) add(other.outbox, noise(64_000))
    other.outbox.flush()
    blocked.push(made)
    return made
  }
  await turn()
  const before = pinned()
  while (pinned() < MOST) next()
  const late = next()
  t.equal(pinned(), MOST)
  for (const { transport } of blocked) transport.goOn()
  t.ok(late.transport.writes[0][0].buffer.byteLength <= 200)
  t.ok(blocked[0].transport.writes[0][0].buffer.byteLength > 64_000)
  await turn()
  for (const { outbox } of blocked) {
    add(outbox, 'more')
    outbox.flush()
  }
  t.ok(pinned() <= before, 'the next write of each finds that the first was taken')
})

t.test('one that is discarded keeps nothing', async t => {
  const before = pinned()
  const { outbox } = blockedBy(t, 10)
  const other = watched(t)
  for (let i = 0; i < 2; i++) add(other.outbox, noise(64_000))
  t.ok(pinned() >= before)
  add(outbox, 'never sent')
  outbox.discard()
  t.strictSame([outbox.size, pinned()], [0, before])
})

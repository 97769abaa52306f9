/** The tables of what the memory budget counts, and of what waits between workers, in docs/reference/limits.md. */
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { costOf } from '../../lib/broadcast/cluster-notes.ts'
import { CHUNK_SIZE } from '../../lib/deflate/inflation.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import { MemoryBudget } from '../../lib/transport/memory-budget.ts'
import { connected, type Connected, type ConnectedOptions, type Handlers } from '../helpers/connected.ts'
import { deflatedFrame } from '../helpers/deflated.ts'
import { bytes, frame, masked } from '../helpers/frames.ts'
import { handCompression } from '../helpers/hand-codec.ts'
import { eventually, turn } from '../helpers/journal.ts'
import { random } from '../helpers/random.ts'
import { running, type Running } from '../helpers/running.ts'
import { amountsIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'

const PAGE = pageOf('reference/limits.md')
const [TEXT, BINARY, PART] = ['81', '82', '02'] as const
const NEVER = new Promise<undefined>(() => {})
const SIZE = 5000

/** A connection, what it holds by now, and what the application keeps. */
async function counted(t: Test, handlers?: Handlers, options?: ConnectedOptions): Promise<Connected & { readonly memory: MemoryBudget; held(): number }> {
  const memory = new MemoryBudget(10_000_000)
  const made = connected(t, handlers, { ...options, memory })
  await turn()
  const held = (): number => {
    made.connection.recount()
    return memory.bytes
  }
  return { ...made, memory, held }
}

async function heldBy(server: Running, bytes: number): Promise<void> {
  const { memory } = server.server.metrics()
  await eventually(`${bytes} bytes, and not ${memory.held}`, () => server.server.metrics().memory.held === bytes)
}

/** What is counted, by the first cell of its row; `numbers` are those of the second. */
const TRIALS: Readonly<Record<string, (t: Test, numbers: readonly number[]) => Promise<void>>> = {
  async 'a message under way'(t) {
    const { feed, connection, held } = await counted(t)
    feed(frame(PART, Buffer.alloc(SIZE)))
    await turn()
    t.ok(held() >= SIZE)
    t.equal(held(), connection.retainedBytes)
  },
  async 'input of a paused connection, also where TLS has read it ahead'(t) {
    const { transport, connection, held } = await counted(t)
    connection.pause()
    const input = bytes(masked(frame(TEXT, 'x'.repeat(SIZE))))
    transport.push(input)
    t.equal(held(), input.length, 'what the stream has read ahead')
  },
  async 'a message that is being decompressed in the background'(t, [step]) {
    const compression = handCompression()
    const { feed, held } = await counted(t, {}, { compression })
    const below = random(t)
    feed(deflatedFrame(BINARY, Buffer.from(Array.from({ length: SIZE }, () => below(16)))))
    await turn()
    const copy = held()
    t.ok(copy > SIZE / 4 && copy < SIZE, `${copy} bytes of its copy`)
    t.equal(step, constantOf('deflate/inflation.ts', 'TOLD_FROM'))
    t.ok(step >= CHUNK_SIZE)
  },
  async 'a message that waits for a loop, or whose callback has not settled'(t, [callback]) {
    const waiting = await counted(t, {}, { pulled: true, waits: true })
    waiting.feed(frame(BINARY, Buffer.alloc(SIZE)))
    await turn()
    t.equal(waiting.memory.kept, SIZE, 'for a loop')
    const messages: [message: string, size: number][] = [
      [frame(BINARY, Buffer.alloc(SIZE)), SIZE],
      [frame(TEXT, 'é'.repeat(SIZE)), 2 * SIZE],
      [frame(TEXT, 'e'.repeat(SIZE)), SIZE],
    ]
    for (const [message, size] of messages) {
      const { feed, memory } = await counted(t, { message: () => NEVER })
      feed(message)
      await turn()
      t.equal(memory.kept, size + callback)
    }
  },
  async 'output that is queued or being compressed'(t, [piece]) {
    const { connection, transport, held } = await counted(t)
    transport.stall()
    connection.send(Buffer.alloc(SIZE))
    await turn()
    const [first, before] = [held(), connection.bufferedAmount]
    connection.send(Buffer.alloc(SIZE))
    await turn()
    t.equal(held() - first, connection.bufferedAmount - before + piece, 'one piece more waits')
    const compression = handCompression()
    const other = await counted(t, {}, { compression })
    other.connection.send(Buffer.alloc(SIZE))
    await turn()
    t.ok(other.held() >= SIZE, 'being compressed')
  },
  async 'early data of a handshake'(t, [most]) {
    const server = await running(t, { accept: () => NEVER })
    const request = server.server.metrics().memory.held + REQUEST
    const little = await server.dial()
    little.ask({}, frame(TEXT, 'x'.repeat(100)))
    await heldBy(server, request + 102)
    little.socket.destroy()
    await heldBy(server, 0)
    const much = await server.dial()
    much.ask()
    await heldBy(server, REQUEST)
    much.sendRaw('00'.repeat(2 * most))
    await eventually('the socket’s buffer to count', () => server.server.metrics().memory.held > REQUEST + most + 64 * 1024)
  },
  async 'a handshake that waits for `accept`, and an incomplete request on a port of the server\'s own'(t, [request, without]) {
    const options: [ServerOptions<unknown>, number][] = [
      [{}, request + 16 * 1024],
      [{ limits: { handshakeBytes: 1000 } }, request + 1000],
      [{ limits: { handshakeBytes: Infinity } }, request + without],
    ]
    for (const [option, size] of options) {
      const server = await running(t, { ...option, accept: () => NEVER })
      const client = await server.dial()
      await heldBy(server, size)
      client.ask()
      await eventually('accept', () => server.server.metrics().handshakes.pending === 1)
      await heldBy(server, size)
    }
  },
  async 'a refused socket'(t, [size]) {
    const server = await running(t, { path: '/here' })
    const client = await server.dial()
    await client.handshake({ path: '/elsewhere' })
    await heldBy(server, size)
    client.socket.end()
    await heldBy(server, 0)
  },
  async 'a context of `compression: \'dedicated\'`'(t) {
    const compression = { ...handCompression(), contexts: true }
    Object.assign(compression.compressor, { memory: SIZE })
    const { held } = await counted(t, {}, { compression })
    t.equal(held(), SIZE)
  },
  async 'a topic that a connection takes part in'(t, [each, character]) {
    // Two at a time: what is less than 1 KiB is not told.
    for (const length of [255, 200]) {
      const server = await running(t)
      await server.client()
      const [socket] = server.server.connections
      for (const topic of ['a', 'b']) socket.subscribe(topic.repeat(length))
      await heldBy(server, 2 * (each + character * length))
    }
  },
}

/** What a request counts with by default. */
const REQUEST = 48 * 1024

const { rows } = tableOf(PAGE, 'counted', 'with')

t.test('the table of what counts has a row for each trial, and each row has one', async t => {
  t.strictSame(rows.map(([what = '']) => what), Object.keys(TRIALS))
})

for (const [what = '', size = ''] of rows) {
  t.test(`${what}: ${size}`, t => TRIALS[what](t, amountsIn(size).filter(number => number !== Infinity)))
}

/** A constant of a file, which no test can reach otherwise. */
function constantOf(path: string, name: string): number {
  const text = readFileSync(new URL(`../../lib/${path}`, import.meta.url), 'utf8')
  const [, product = ''] = new RegExp(`^const ${name} = ([\\d_ *]+)$`, 'm').exec(text) ?? []
  return product.split('*').reduce((result, factor) => result * Number(factor.replaceAll('_', '')), 1)
}

t.test('between workers: what waits, up to which limit, and what goes on below which', async t => {
  const table = tableOf(sectionOf(PAGE, '### Between workers'), 'what waits', 'limit', 'unit', 'beyond it').rows
  const [worker, primary, stopped] = table.map(([, limit = '', unit = '', beyond = '']) => ({
    limit: amountsIn(limit),
    unit: amountsIn(unit),
    beyond: amountsIn(beyond),
  }))
  t.equal(table.length, 3)
  const [bus, relay] = ['broadcast/cluster-bus.ts', 'broadcast/cluster-relay.ts']
  t.strictSame(worker, {
    limit: [constantOf(bus, 'HIGH')],
    unit: [costOf({ 'kore-ws': 'broadcast', channels: [], bytes: '', count: 0 })],
    beyond: [constantOf(bus, 'LOW')],
  })
  t.strictSame([primary.limit, primary.beyond], [[constantOf(relay, 'HIGH')], [constantOf(relay, 'LOW')]])
  t.strictSame(stopped.limit, [constantOf(relay, 'LIMIT')])
  t.match(table[1][3], 'for a second at most')
  t.equal(constantOf(relay, 'PATIENCE'), 1000)
  t.ok(codesIn(table[2][3]).includes('KORE_WS_MISSED'))
})

import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Diagnostics } from '../../../lib/diagnostics.ts'
import { RESOLUTION } from '../../../lib/transport/deadlines.ts'
import { connected, startConnection, type Connected, type ConnectedOptions, type Handlers } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn } from '../../helpers/journal.ts'
import { socketPair } from '../../helpers/transports.ts'

const [TEXT, BINARY, BINARY_BEGIN, MIDDLE, END, PING, PONG] = ['81', '82', '02', '00', '80', '89', '8a']
const ROLES = ['server', 'client'] as const

interface Watched extends Connected {
  readonly diagnostics: Diagnostics
  /** Lets frames arrive as this role's peer sends them. */
  arrive(frames: readonly string[], way?: 'whole' | 'byte by byte'): void
}

function watched(t: Test, handlers: Handlers, options: ConnectedOptions): Watched {
  const diagnostics = new Diagnostics()
  const peer = connected(t, handlers, { diagnostics, ...options })
  const wire = (frames: readonly string[]): Buffer =>
    bytes(frames.map(each => (options.role === 'client' ? each : masked(each))).join(''))
  return {
    ...peer,
    diagnostics,
    arrive(frames, way = 'whole') {
      const all = wire(frames)
      if (way === 'whole') peer.transport.push(all)
      else for (const byte of all) peer.transport.push(Buffer.from([byte]))
    },
  }
}

/** A `message` callback whose promises are settled by hand, the oldest first. */
class Slow {
  readonly #settles: { resolve(): void; reject(error: Error): void }[] = []
  readonly callback = (): Promise<void> => new Promise((resolve, reject) => this.#settles.push({ resolve, reject }))

  finish(count = 1): void {
    for (let i = 0; i < count; i++) this.#settles.shift()?.resolve()
  }

  fail(): void {
    this.#settles.shift()?.reject(new Error('oops'))
  }
}

const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => frame(TEXT, `${from + i}`))
const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `text ${from + i}`)

t.test('pendingMessages: so many promises may be pending, then reading pauses until one settles', async t => {
  for (const role of ROLES) {
    for (const way of ['whole', 'byte by byte'] as const) {
      for (const limit of [1, 2, 16, undefined]) {
        const most = limit ?? 16
        const slow = new Slow()
        const limits = { pendingMessages: limit }
        const { journal, transport, arrive, diagnostics } = watched(t, { message: slow.callback }, { role, limits })
        await turn()
        arrive(texts(0, most - 1), way)
        await turn()
        await turn()
        t.equal(transport.isPaused(), false, 'one below the limit it reads')
        t.equal(diagnostics.limitsReached.size, 0)
        arrive(texts(most - 1, most + 3), way)
        await turn()
        await turn()
        t.strictSame(journal.lines, ['open', ...lines(0, most)], `${role}, ${way}, ${most}`)
        t.equal(transport.isPaused(), true)
        for (let i = 0; i < 3; i++) {
          t.equal(diagnostics.limitsReached.get('pendingMessages'), i + 1)
          slow.finish()
          await journal.reach(1 + most + i + 1)
          await turn()
          t.strictSame(journal.lines, ['open', ...lines(0, most + i + 1)], 'one for one')
        }
        slow.finish(most)
        await turn()
        t.equal(transport.isPaused(), false)
      }
    }
  }
})

t.test('pendingMessages: Infinity is no limit, and 0 is as 1', async t => {
  const all = new Slow()
  const endless = watched(t, { message: all.callback }, { limits: { pendingMessages: Infinity } })
  endless.arrive(texts(0, 500))
  await endless.journal.reach(501)
  const one = new Slow()
  const single = watched(t, { message: one.callback }, { limits: { pendingMessages: 0 } })
  single.arrive(texts(0, 3))
  for (let i = 0; i < 3; i++) {
    await single.journal.reach(2 + i)
    await turn()
    t.equal(single.journal.lines.length, 2 + i)
    one.finish()
  }
  await turn()
  t.equal(single.transport.isPaused(), false)
})

t.test('pendingMessages: reading pauses too where they have as many bytes as may be retained', async t => {
  const slow = new Slow()
  const limits = { retainedBytes: 10_000 }
  const { journal, transport, arrive, diagnostics } = watched(t, { message: slow.callback }, { limits })
  await turn()
  arrive([frame(TEXT, 'a'.repeat(6000)), frame(TEXT, 'b'.repeat(4000)), frame(TEXT, 'c')])
  await journal.reach(3)
  await turn()
  t.equal(journal.lines.length, 3)
  t.equal(transport.isPaused(), true)
  t.equal(diagnostics.limitsReached.get('pendingMessages'), 1)
  slow.finish()
  await journal.reach(4)
  await turn()
  t.equal(transport.isPaused(), false)
  slow.finish(2)
})

t.test('pendingMessages: what returns no promise does not count, nor do other callbacks', async t => {
  const never = new Promise(() => {})
  const { journal, arrive, transport } = watched(
    t,
    { open: () => never, drain: () => never, message: (_, data) => (data === '0' ? never : 'no promise') },
    { limits: { pendingMessages: 2 } }
  )
  arrive(texts(0, 300))
  await journal.reach(301)
  t.equal(transport.isPaused(), false)
})

t.test('pendingMessages: one that rejects has settled too; the connection ends as always', async t => {
  const slow = new Slow()
  const { journal, arrive, connection } = watched(t, { message: slow.callback }, { limits: { pendingMessages: 2 } })
  arrive(texts(0, 4))
  await journal.reach(3)
  slow.fail()
  await journal.until('close')
  slow.finish(3)
  await turn()
  t.strictSame(journal.lines, ['open', 'text 0', 'text 1', 'failed oops', 'close 1011'])
  t.equal(connection.readyState, 'closed')
})

t.test('pendingMessages: a callback that ends the connection leaves it reading, so that its end is noticed', async t => {
  const never = new Promise(() => {})
  const { journal, arrive, transport } = watched(
    t,
    {
      message(socket) {
        socket.fail(1008, '')
        return never
      },
    },
    { limits: { pendingMessages: 1 } }
  )
  arrive(texts(0, 2))
  await journal.until('close 1008')
  await turn()
  t.equal(transport.isPaused(), false)
  transport.push(null)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text 0', 'close 1008', 'gone'])
})

t.test('pendingMessages: no message is lost when we close meanwhile, and the answer is found behind them', async t => {
  for (const closeFirst of [true, false]) {
    const slow = new Slow()
    const { journal, arrive, connection } = watched(t, { message: slow.callback }, { limits: { pendingMessages: 2 } })
    if (closeFirst) connection.close(1000)
    arrive([...texts(0, 5), closeFrame(1000)])
    await journal.reach(3)
    if (!closeFirst) connection.close(1000)
    for (let i = 0; i < 4; i++) {
      slow.finish()
      await turn()
    }
    t.strictSame(await journal.until('close'), ['open', ...lines(0, 5), 'close 1000'])
  }
})

t.test('pendingMessages: the hold is its own: resume does not take it back, and it does not take back a pause', async t => {
  const slow = new Slow()
  const { journal, arrive, connection, transport } = watched(t, { message: slow.callback }, { limits: { pendingMessages: 1 } })
  arrive(texts(0, 3))
  await journal.reach(2)
  connection.pause()
  connection.resume()
  await turn()
  t.equal(journal.lines.length, 2)
  connection.pause()
  slow.finish()
  await turn()
  t.equal(journal.lines.length, 2)
  t.equal(transport.isPaused(), true)
  connection.resume()
  await journal.reach(3)
})

t.test('pendingMessages: rawMessage counts as message does', async t => {
  const slow = new Slow()
  let count = 0
  const rawMessage = (): unknown => {
    count++
    return slow.callback()
  }
  const { arrive } = watched(t, { rawMessage }, { limits: { pendingMessages: 3 } })
  arrive(texts(0, 10))
  await turn()
  t.equal(count, 3)
  slow.finish()
  await turn()
  await turn()
  t.equal(count, 4)
})

t.test('pendingMessages over a socket: the peer has to wait, and nothing is lost', async t => {
  const [server, client] = await socketPair(t)
  const slow = new Slow()
  const { journal } = startConnection(t, server, { message: slow.callback }, { limits: { pendingMessages: 4 } })
  const one = bytes(masked(frame(BINARY, Buffer.alloc(60_000, 1))))
  for (let i = 0; i < 200; i++) client.write(one)
  await eventually('a peer that has to wait', () => client.writableLength > 1_000_000 && client.writableNeedDrain)
  await journal.reach(5)
  t.equal(journal.lines.length, 5)
  t.ok(server.readableLength < 200_000, 'not much is read ahead')
  while (journal.lines.length < 201) {
    slow.finish()
    await turn()
  }
  t.equal(journal.lines.filter(line => line === 'binary of 60000').length, 200)
})

t.test('controlFrames: as many pings and pongs in a second as the limit pass, one more is 1008', async t => {
  const reason = 'more pings and pongs a second than the limit'
  for (const role of ROLES) {
    for (const way of ['whole', 'byte by byte'] as const) {
      for (const limit of [0, 1, 10, 1000]) {
        // However slow the machine is, all of them come in the same second.
        const now = performance.now()
        const { restore } = t.capture(performance, 'now', () => now)
        const { journal, arrive, diagnostics } = watched(t, {}, { role, limits: { controlFrames: limit } })
        arrive(Array.from({ length: limit }, (_, i) => (i % 3 === 0 ? frame(PING, 'a') : frame(PONG))), way)
        arrive(texts(0, 1), way)
        t.strictSame(await journal.reach(2), ['open', 'text 0'], `${role}, ${way}, ${limit}`)
        t.equal(diagnostics.limitsReached.size, 0)
        arrive([frame(limit % 2 === 0 ? PING : PONG), ...texts(1, 2)], way)
        t.strictSame(await journal.until('close'), ['open', 'text 0', `close 1008 ${reason}`])
        t.equal(diagnostics.limitsReached.get('controlFrames'), 1, 'told once')
        restore()
      }
    }
  }
})

t.test('controlFrames: a second later as many may come again; Infinity is no limit', async t => {
  const { journal, arrive } = watched(t, {}, { limits: { controlFrames: 3 } })
  const endless = watched(t, {}, { limits: { controlFrames: Infinity } })
  const pings = (count: number): string[] => Array.from({ length: count }, () => frame(PING))
  for (let i = 0; i < 2; i++) {
    arrive([...pings(3), ...texts(0, 1)])
    await journal.reach(i + 2)
    await wait(1050)
  }
  arrive([...pings(1), ...texts(0, 1), ...pings(2), ...texts(0, 1), ...pings(1)])
  t.strictSame((await journal.until('close')).slice(0, -1), ['open', 'text 0', 'text 0', 'text 0', 'text 0'])
  t.match(journal.lines.at(-1), /^close 1008/)
  endless.arrive([...pings(5000), ...texts(0, 1)])
  await endless.journal.reach(2)
})

t.test('controlFrames: the close frame is no part of it', async t => {
  const { journal, arrive } = watched(t, {}, { limits: { controlFrames: 0 } })
  arrive([closeFrame(1000)])
  t.strictSame(await journal.until('close'), ['open', 'close 1000'])
})

t.test('controlFrames over a socket: a flood ends with a close frame that arrives', async t => {
  const [server, client] = await socketPair(t)
  const { journal } = startConnection(t, server)
  let received = ''
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
  })
  client.write(bytes(masked(frame(PING)).repeat(1000)))
  await eventually('1,000 answers', () => received.length === 2000)
  client.write(bytes(masked(frame(PING)).repeat(5000)))
  await journal.until('close 1008')
  await eventually('the close frame', () => received.endsWith('more pings and pongs a second than the limit'))
})

t.test('lifetime: then the connection is closed with 1001, by the closing handshake', async t => {
  for (const role of ROLES) {
    const started = performance.now()
    const { journal, transport, connection, arrive, diagnostics } = watched(t, {}, { role, limits: { lifetime: 2 * RESOLUTION } })
    connection.send('before')
    await turn()
    transport.written()
    await eventually('a close frame', () => connection.readyState === 'closing')
    t.ok(performance.now() - started > RESOLUTION / 2)
    await turn()
    if (role === 'server') t.equal(transport.written(), closeFrame(1001, 'lifetime'), 'what the peer sees')
    t.equal(diagnostics.limitsReached.get('lifetime'), 1)
    arrive([frame(TEXT, 'late'), closeFrame(1001, 'lifetime')])
    t.strictSame(await journal.until('close'), ['open', 'text late', 'close 1001 lifetime'])
  }
})

t.test('lifetime: traffic does not prolong it, nor does a change of idleTime; a peer that does not answer is dropped', async t => {
  const limits = { lifetime: 4 * RESOLUTION, idleTime: 3 * RESOLUTION, closingTime: RESOLUTION }
  const started = performance.now()
  const { journal, connection, arrive, diagnostics } = watched(t, {}, { limits })
  const timer = setInterval(() => arrive(texts(0, 1)), RESOLUTION / 4)
  t.teardown(() => clearInterval(timer))
  setTimeout(() => {
    connection.idleTime = Infinity
  }, 2 * RESOLUTION)
  await journal.until('close 1006 close-timeout')
  const lasted = performance.now() - started
  t.ok(lasted > 3 * RESOLUTION, `${lasted} ms`)
  t.equal(diagnostics.limitsReached.get('lifetime'), 1)
  t.equal(diagnostics.limitsReached.get('closingTime'), 1)
  t.equal(diagnostics.limitsReached.has('idleTime'), false)
})

t.test('lifetime: neither a look at the idle time nor a change of it puts it off', async t => {
  const order: string[] = []
  const limited = (name: string, lifetime: number, idleTime: number): Watched =>
    watched(t, { close: () => order.push(name) }, { limits: { lifetime: lifetime * RESOLUTION, idleTime, closingTime: 0 } })
  const busy = limited('busy', 5, 4 * RESOLUTION)
  const changed = limited('changed', 5, 100 * RESOLUTION)
  const other = limited('other', 12, Infinity)
  const timer = setInterval(() => busy.arrive(texts(0, 1)), RESOLUTION / 4)
  t.teardown(() => clearInterval(timer))
  await wait(3.5 * RESOLUTION)
  changed.connection.idleTime = 50 * RESOLUTION
  await other.journal.until('close')
  t.strictSame([order.length, order.at(-1)], [3, 'other'])
  t.equal(busy.diagnostics.limitsReached.get('lifetime'), 1)
})

t.test('lifetime: silence ends it sooner where idleTime says so', async t => {
  const { journal, diagnostics } = watched(t, {}, { limits: { lifetime: 50 * RESOLUTION, idleTime: 2 * RESOLUTION } })
  t.strictSame(await journal.until('close'), ['open', 'close 1001 idle'])
  t.strictSame([...diagnostics.limitsReached], [['idleTime', 1]])
})

t.test('messageBytes and retainedBytes: 1009, at the same byte over either transport and in both roles', async t => {
  const cases = [
    ['messageBytes', { messageBytes: 1000 }, 'message-too-big', 'the message is larger than the limit'],
    ['retainedBytes', { retainedBytes: 1000 }, 'too-much-retained', 'the message takes more memory than the limit'],
  ] as const
  for (const [name, limits, code, reason] of cases) {
    for (const role of ROLES) {
      for (const way of ['whole', 'byte by byte'] as const) {
        const { journal, arrive, diagnostics } = watched(t, {}, { role, limits })
        const [most, part] = [Buffer.alloc(1000), Buffer.alloc(500)]
        arrive([frame(BINARY, most), frame(BINARY_BEGIN, part), frame(MIDDLE), frame(END, part)], way)
        t.strictSame(await journal.reach(3), ['open', 'binary of 1000', 'binary of 1000'])
        arrive([frame(BINARY_BEGIN, part), frame(END, Buffer.alloc(501))], way)
        t.strictSame((await journal.until('close')).slice(3), [`failed [${code}]`, `close 1009 ${reason}`])
        t.strictSame([...diagnostics.limitsReached], [[name, 1]])
      }
    }
    const [server, client] = await socketPair(t)
    const { journal } = startConnection(t, server, {}, { limits })
    client.write(bytes(masked(frame(BINARY, Buffer.alloc(1000))) + masked(frame(BINARY, Buffer.alloc(1001)))))
    t.strictSame((await journal.until('close')).slice(1), ['binary of 1000', `failed [${code}]`, `close 1009 ${reason}`])
  }
})

t.test('while a callback is awaited, or a user pauses, silence does not count', async t => {
  const { feed, connection } = connected(t, { message: () => new Promise(() => {}) }, { limits: { pendingMessages: 1 } })
  await turn()
  const turns = (count: number): number[] => Array.from({ length: count }, () => connection.countSilence(3))
  t.strictSame(turns(5), [1, 2, 3, 4, 5], 'not held: whoever counts drops it')
  feed(frame('81', 'a'))
  await turn()
  t.strictSame(turns(7), [0, 0, 0, 0, 0, 0, 0])
  connection.pause()
  t.strictSame(turns(2), [0, 0])
})

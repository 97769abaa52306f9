import t, { type Test } from 'tap'
import { RESOLUTION } from '../../lib/transport/deadlines.ts'
import { Heartbeat, resolveHeartbeat, type Beating } from '../../lib/transport/heartbeat.ts'
import { connected, type Handlers } from '../helpers/connected.ts'
import { frame, masked, bytes } from '../helpers/frames.ts'
import { running } from '../helpers/running.ts'
import type { WireClient } from '../helpers/wire-client.ts'

interface Clock {
  /** Whether the wheel of deadlines turns. */
  readonly turning: boolean
  /** Lets so many ticks of the wheel pass, each in time. */
  ticks(count?: number): void
  /** Lets time pass between two ticks. */
  pass(milliseconds: number): void
}

let now = 1000
/** The turn of the wheel, while it turns: one for all tests, as there is one wheel. */
let tick: (() => void) | undefined

/** Time that the test drives, for the wheel of deadlines. */
function clocked(t: Test): Clock {
  const { setInterval, clearInterval } = globalThis
  const { now: realNow } = performance
  const timer = { unref: () => timer }
  const start = (callback: () => void, delay: number): object => {
    // A server that closes has an interval of its own.
    if (delay !== RESOLUTION) return setInterval(callback, delay)
    tick = callback
    return timer
  }
  const stop = (stopped: NodeJS.Timeout | typeof timer): void => {
    if (stopped === timer) tick = undefined
    else clearInterval(stopped as NodeJS.Timeout)
  }
  const ticks = (count = 1): void => {
    for (let i = 0; i < count; i++) {
      now += RESOLUTION
      tick?.()
    }
  }
  performance.now = () => now
  Object.assign(globalThis, { setInterval: start, clearInterval: stop })
  t.teardown(async () => {
    // Until the last connection is over, the wheel turns.
    for (let i = 0; i < 10 && tick !== undefined; i++) {
      await turn()
      ticks(5 * 60_000 / RESOLUTION)
    }
    performance.now = realNow
    Object.assign(globalThis, { setInterval, clearInterval })
  })
  return {
    ticks,
    get turning() {
      return tick !== undefined
    },
    pass: time => void (now += time),
  }
}

/** Counts its silence as a connection does, and writes down what it is told. */
class Fake implements Beating {
  silence = 0
  readonly log: string[] = []
  payload: Buffer = Buffer.alloc(0)

  countSilence(): number {
    return ++this.silence
  }

  beat(payload: Buffer): void {
    this.payload = Buffer.from(payload)
    this.log.push('ping')
  }

  terminate(reason: string): void {
    this.log.push(reason)
  }
}

t.test('a ping after the interval, once, and the end after the timeout', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 30_000, timeout: 10_000 })
  const silent = new Fake()
  heartbeat.add(silent)
  clock.ticks(299)
  t.strictSame([silent.log, silent.silence], [[], 29], 'a turn is a second')
  clock.ticks()
  t.strictSame(silent.log, ['ping'])
  clock.ticks(99)
  t.strictSame(silent.log, ['ping'])
  clock.ticks()
  t.strictSame(silent.log, ['ping', 'heartbeat-timeout'])
  heartbeat.delete(silent)
})

t.test('whoever is heard of begins anew', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 30_000, timeout: 10_000 })
  const peer = new Fake()
  heartbeat.add(peer)
  clock.ticks(350)
  peer.silence = 0
  clock.ticks(290)
  t.strictSame(peer.log, ['ping'])
  clock.ticks(10)
  t.strictSame(peer.log, ['ping', 'ping'])
  heartbeat.delete(peer)
})

t.test('over connections that somebody else keeps, whoever is deleted first', async t => {
  const clock = clocked(t)
  const kept = new Set<Fake>()
  const heartbeat = new Heartbeat({ interval: 5000, timeout: 2000 }, kept)
  const [one, other] = [new Fake(), new Fake()]
  for (const peer of [one, other]) {
    kept.add(peer)
    heartbeat.add(peer)
  }
  clock.ticks(50)
  t.strictSame([one.log, other.log], [['ping'], ['ping']])
  heartbeat.delete(one)
  kept.delete(one)
  clock.ticks(20)
  t.strictSame([one.log, other.log], [['ping'], ['ping', 'heartbeat-timeout']])
  kept.delete(other)
  heartbeat.delete(other)
  clock.ticks()
  t.equal(clock.turning, false, 'no deadline is left')
})

t.test('one deadline for all connections, and none for none', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 5000, timeout: 2000 })
  t.equal(clock.turning, false)
  const [one, other] = [new Fake(), new Fake()]
  heartbeat.add(one)
  clock.ticks()
  heartbeat.add(other)
  clock.ticks()
  t.strictSame([one.silence, other.silence], [1, 1], 'a tenth of the shorter time, whoever comes meanwhile')
  heartbeat.delete(one)
  clock.ticks(48)
  t.strictSame([one.log, other.log], [[], ['ping']])
  heartbeat.delete(other)
  clock.ticks()
  t.equal(clock.turning, false)
  heartbeat.add(one)
  clock.ticks(2)
  t.equal(one.silence, 2)
  heartbeat.delete(one)
})

t.test('the timeout may be without end, and the times as short as a tick', async t => {
  const clock = clocked(t)
  const patient = new Heartbeat({ interval: 100, timeout: Infinity })
  const silent = new Fake()
  patient.add(silent)
  clock.ticks(10_000)
  t.strictSame(silent.log, ['ping'])
  patient.delete(silent)
  for (const time of [1, RESOLUTION]) {
    const hasty = new Heartbeat({ interval: time, timeout: time })
    const quick = new Fake()
    hasty.add(quick)
    clock.ticks()
    t.strictSame(quick.log, ['ping'])
    clock.ticks()
    t.strictSame(quick.log, ['ping', 'heartbeat-timeout'])
    hasty.delete(quick)
  }
})

t.test('no turn is longer than a second', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 3_600_000, timeout: 3_600_000 })
  const silent = new Fake()
  heartbeat.add(silent)
  clock.ticks(100)
  t.equal(silent.silence, 10)
  heartbeat.delete(silent)
})

t.test('the round trip of the ping that a pong answers', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 3000, timeout: 1000 })
  const peer = new Fake()
  heartbeat.add(peer)
  const answer = (): number | undefined => {
    const memory = Buffer.concat([Buffer.alloc(3), peer.payload, Buffer.alloc(3)])
    return heartbeat.roundTrip(memory, 3, 3 + peer.payload.length)
  }
  t.equal(answer(), undefined, 'before any ping')
  clock.ticks(30)
  // A half is exact: sums of other fractions may fall short of a whole tick.
  clock.pass(37.5)
  t.equal(answer(), 38)
  clock.ticks(63)
  t.equal(answer(), 38 + 63 * RESOLUTION, 'still known')
  clock.ticks()
  t.equal(answer(), undefined, 'too long ago')
  for (const foreign of ['', '000000', '00000000', 'ffffffff', '0000000001']) {
    const payload = bytes(foreign)
    t.equal(heartbeat.roundTrip(payload, 0, payload.length), undefined, foreign)
  }
  heartbeat.delete(peer)
})

t.test('the option: undefined is the default, false is none, and all else is checked', async t => {
  const defaults = { interval: 30_000, timeout: 10_000 }
  t.strictSame(resolveHeartbeat(undefined), defaults)
  t.strictSame(resolveHeartbeat({}), defaults)
  t.strictSame(resolveHeartbeat({ interval: undefined, timeout: 5 }), { interval: 30_000, timeout: 5 })
  t.strictSame(resolveHeartbeat({ timeout: Infinity }), { interval: 30_000, timeout: Infinity })
  t.equal(resolveHeartbeat(false), undefined)
  t.equal(resolveHeartbeat({ interval: Infinity }), undefined)
  for (const wrong of [null, true, 5, 'on']) {
    t.throws(() => resolveHeartbeat(wrong as never), { code: 'invalid-option', message: /^heartbeat must be/ }, String(wrong))
  }
  for (const name of ['interval', 'timeout']) {
    for (const wrong of [0, -1, 1.5, NaN, '5', null]) {
      const message = new RegExp(`^heartbeat\\.${name} must`)
      t.throws(() => resolveHeartbeat({ [name]: wrong }), { code: 'invalid-option', message }, `${name} ${wrong}`)
    }
  }
  t.throws(() => resolveHeartbeat({ period: 5 } as never), { code: 'invalid-option', message: /period/ })
})

// A connection and its heartbeat

interface Beaten extends ReturnType<typeof connected> {
  readonly clock: ReturnType<typeof clocked>
}

/** Pings after 10 turns, drops after 5 more. */
function beaten(t: Test, handlers: Handlers = {}): Beaten {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 2000, timeout: 1000 })
  return { ...connected(t, handlers, { heartbeat }), clock }
}

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

t.test('5.5.2: a silent peer gets a ping, and its pong is its life and its round trip', async t => {
  const { connection, transport, feed, clock, journal } = beaten(t)
  await turn()
  t.equal(connection.roundTripTime, undefined)
  clock.ticks(20)
  await turn()
  const ping = frame('89', bytes('00000014'))
  t.equal(transport.written(), ping)
  clock.pass(12)
  feed(frame('8a', bytes('00000014')))
  await turn()
  t.equal(connection.roundTripTime, 12)
  clock.ticks(29)
  await turn()
  t.equal(connection.readyState, 'open')
  clock.ticks()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 heartbeat-timeout', 'gone'])
  clock.ticks()
  t.equal(clock.turning, false, 'and the heartbeat has forgotten it')
})

t.test('any bytes count, even of half a frame', async t => {
  const { connection, transport, clock } = beaten(t)
  await turn()
  const half = bytes(masked(frame('81', 'hello')))
  for (let i = 0; i < half.length - 1; i++) {
    clock.ticks(29)
    transport.push(half.subarray(i, i + 1))
    await turn()
  }
  t.equal(connection.readyState, 'open')
})

t.test('a peer that takes what is queued for it is there', async t => {
  const { connection, transport, clock, journal } = beaten(t)
  await turn()
  transport.stall()
  for (let i = 0; i < 10; i++) {
    connection.send(Buffer.alloc(100_000))
    await turn()
  }
  clock.ticks(25)
  t.equal(connection.readyState, 'open')
  transport.takeOne()
  await turn()
  clock.ticks(25)
  t.equal(connection.readyState, 'open', 'the queue has shrunk meanwhile')
  clock.ticks(10)
  await journal.until('gone')
  t.ok(journal.lines.includes('close 1006 heartbeat-timeout'))
})

t.test('while it is paused, silence is its own', async t => {
  const { connection, clock, journal } = beaten(t)
  await turn()
  connection.pause()
  clock.ticks(1000)
  t.equal(connection.readyState, 'open')
  connection.resume()
  await turn()
  clock.ticks(30)
  await journal.until('gone')
  t.ok(journal.lines.includes('close 1006 heartbeat-timeout'))
})

// A thread that was held up, or a process that was stopped

/** Keeps the thread, as a long computation does, or a stop of the process; by a clock that is never the test's. */
function hold(milliseconds: number): void {
  const end = process.hrtime.bigint() + BigInt(milliseconds) * 1_000_000n
  while (process.hrtime.bigint() < end);
}

/** Goes on in a phase of timers: no socket is read before what is called here. */
const timers = (): Promise<void> => new Promise(resolve => void setTimeout(resolve, 1))

for (const when of ['before it is read', 'in the same read as others']) {
  t.test(`what came while the thread was held up counts, for the heartbeat and for idle time: ${when}`, async t => {
    const clock = clocked(t)
    const server = await running(t, {
      heartbeat: { interval: RESOLUTION, timeout: RESOLUTION },
      limits: { idleTime: 4 * RESOLUTION },
      message: () => void (when !== 'before it is read' && clock.pass(15 * RESOLUTION)),
    })
    const [first, second] = [await server.client(), await server.client()]
    const ping = (client: WireClient): Promise<unknown> => client.journal.until('ping')
    clock.ticks()
    await Promise.all([ping(first), ping(second)])
    await timers()
    first.send(frame('81', 'x'))
    second.send(frame('81', 'y'))
    // The system may pass them on late.
    hold(100)
    if (when === 'before it is read') {
      clock.pass(14 * RESOLUTION)
      clock.ticks()
    }
    await server.journal.until('text x')
    await server.journal.until('text y')
    await timers()
    if (when !== 'before it is read') clock.ticks()
    // The wheel has turned, late, and then expires what is due.
    for (let i = 0; i < 5; i++) await turn()
    t.equal(server.server.connections.size, 2)
    t.notOk(server.journal.lines.some(line => line.startsWith('close')), server.journal.lines.join())
  })
}

t.test('who was silent before stays so, however often the thread is held up', async t => {
  const server = await running(t, { heartbeat: { interval: RESOLUTION, timeout: 2 * RESOLUTION } })
  const client = await server.client()
  const busy = setInterval(hold, 1, 2 * RESOLUTION)
  t.teardown(() => clearInterval(busy))
  await server.journal.until('close 1006 heartbeat-timeout', 20_000)
  clearInterval(busy)
  await client.journal.until('end')
})

import t, { type Test } from 'tap'
import { Heartbeat, resolveHeartbeat, type Beating } from '../../lib/transport/heartbeat.ts'
import { connected, type Handlers } from '../helpers/connected.ts'
import { frame, masked, bytes } from '../helpers/frames.ts'

/** Time that the test drives, for the interval of one heartbeat. */
function clocked(t: Test): { turn(count?: number): void; readonly delay: number | undefined; pass(time: number): void } {
  const { setInterval, clearInterval } = globalThis
  const { now: realNow } = performance
  let now = 1000
  let tick: (() => void) | undefined
  let delay: number | undefined
  const timer = { unref: () => timer }
  const fake = (callback: () => void, time: number): object => {
    tick = callback
    delay = time
    return timer
  }
  // The end of an earlier test's connection may come as late as this.
  const stop = (stopped: unknown): void => {
    if (stopped === timer) tick = delay = undefined
  }
  performance.now = () => now
  Object.assign(globalThis, { setInterval: fake, clearInterval: stop })
  t.teardown(() => {
    performance.now = realNow
    Object.assign(globalThis, { setInterval, clearInterval })
  })
  return {
    turn(count = 1) {
      for (let i = 0; i < count; i++) tick?.()
    },
    get delay() {
      return delay
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
  t.equal(clock.delay, 1000, 'no more than a second late')
  clock.turn(29)
  t.strictSame(silent.log, [])
  clock.turn()
  t.strictSame(silent.log, ['ping'])
  clock.turn(9)
  t.strictSame(silent.log, ['ping'])
  clock.turn()
  t.strictSame(silent.log, ['ping', 'heartbeat-timeout'])
})

t.test('whoever is heard of begins anew', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 30_000, timeout: 10_000 })
  const peer = new Fake()
  heartbeat.add(peer)
  clock.turn(35)
  peer.silence = 0
  clock.turn(29)
  t.strictSame(peer.log, ['ping'])
  clock.turn()
  t.strictSame(peer.log, ['ping', 'ping'])
})

t.test('one timer for all connections, and none for none', async t => {
  const clock = clocked(t)
  const heartbeat = new Heartbeat({ interval: 50, timeout: 200 })
  t.equal(clock.delay, undefined)
  const [one, other] = [new Fake(), new Fake()]
  heartbeat.add(one)
  heartbeat.add(other)
  t.equal(clock.delay, 5, 'a tenth of the shorter time')
  heartbeat.delete(one)
  clock.turn(10)
  t.strictSame([one.log, other.log], [[], ['ping']])
  heartbeat.delete(other)
  t.equal(clock.delay, undefined)
  heartbeat.add(one)
  t.equal(clock.delay, 5)
  heartbeat.delete(one)
})

t.test('the timeout may be without end, and the times as short as a millisecond', async t => {
  const clock = clocked(t)
  const patient = new Heartbeat({ interval: 100, timeout: Infinity })
  const silent = new Fake()
  patient.add(silent)
  clock.turn(10_000)
  t.strictSame(silent.log, ['ping'])
  patient.delete(silent)
  const hasty = new Heartbeat({ interval: 1, timeout: 1 })
  const quick = new Fake()
  hasty.add(quick)
  t.equal(clock.delay, 1)
  clock.turn(2)
  t.strictSame(quick.log, ['ping', 'heartbeat-timeout'])
  hasty.delete(quick)
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
  clock.turn(30)
  clock.pass(37.6)
  t.equal(answer(), 38)
  clock.turn(63)
  t.equal(answer(), 38, 'still known')
  clock.turn()
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
  clock.turn(20)
  await turn()
  const ping = frame('89', bytes('00000014'))
  t.equal(transport.written(), ping)
  clock.pass(12)
  feed(frame('8a', bytes('00000014')))
  await turn()
  t.equal(connection.roundTripTime, 12)
  clock.turn(29)
  await turn()
  t.equal(connection.readyState, 'open')
  clock.turn()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1006 heartbeat-timeout', 'gone'])
  t.equal(clock.delay, undefined, 'and the heartbeat has forgotten it')
})

t.test('any bytes count, even of half a frame', async t => {
  const { connection, transport, clock } = beaten(t)
  await turn()
  const half = bytes(masked(frame('81', 'hello')))
  for (let i = 0; i < half.length - 1; i++) {
    clock.turn(29)
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
  clock.turn(25)
  t.equal(connection.readyState, 'open')
  transport.takeOne()
  await turn()
  clock.turn(25)
  t.equal(connection.readyState, 'open', 'the queue has shrunk meanwhile')
  clock.turn(10)
  await journal.until('gone')
  t.ok(journal.lines.includes('close 1006 heartbeat-timeout'))
})

t.test('while it is paused, silence is its own', async t => {
  const { connection, clock, journal } = beaten(t)
  await turn()
  connection.pause()
  clock.turn(1000)
  t.equal(connection.readyState, 'open')
  connection.resume()
  await turn()
  clock.turn(30)
  await journal.until('gone')
  t.ok(journal.lines.includes('close 1006 heartbeat-timeout'))
})

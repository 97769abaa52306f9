import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { MisuseError } from '../lib/protocol/misuse-error.ts'
import { reconnecting, reconnectingBy, type Clock, type ReconnectingOptions } from '../lib/reconnecting.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { bytes, closeFrame, frame } from './helpers/frames.ts'
import { eventually, turn, within } from './helpers/journal.ts'
import { accepting, answering, RawServer, type Reply } from './helpers/raw-server.ts'
import { running } from './helpers/running.ts'
import { listenersOf } from './helpers/signals.ts'

/** A clock that stands still unless the test moves it, waits for nothing, and writes the waits down. */
class TestClock implements Clock {
  time = 1_000_000
  /** What `random` gives. */
  chance = 0.5
  readonly waits: number[] = []
  /** Waits end at once, unless the test wants them to last. */
  lasting = false

  now(): number {
    return this.time
  }

  random(): number {
    return this.chance
  }

  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.waits.push(milliseconds)
    if (!this.lasting) return
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
}

const FAST = { minDelay: 1, maxDelay: 5 }

type Loop = AsyncIterableIterator<Connection>

/** The next connection. */
async function nextOf(t: Test, loop: Loop): Promise<Connection> {
  const { value, done } = await within(loop.next(), 'a connection')
  if (done === true) throw new Error('the loop ended')
  t.teardown(() => (value as Connection).terminate())
  return value
}

/** What the loop throws. */
async function thrownBy(loop: Loop): Promise<unknown> {
  try {
    await within(loop.next(), 'an error')
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const DONE = { done: true, value: undefined }

/** A server that answers each request by the next of the replies, and then accepts. */
async function replying(t: Test, ...replies: Reply[]): Promise<RawServer> {
  return RawServer.open(t, (head, socket) => (replies.shift() ?? accepting)(head, socket))
}

t.test('a loop over connections, and one over the messages of each', async t => {
  const { port } = await running(t, {
    open: socket => {
      socket.send('hello')
      socket.close(1001)
    },
  })
  const messages: unknown[] = []
  const sockets = new Set<Connection>()
  for await (const socket of reconnecting(`ws://127.0.0.1:${port}`, FAST)) {
    sockets.add(socket)
    for await (const message of socket) messages.push(message)
    t.equal(socket.closeInfo?.code, 1001)
    if (sockets.size === 3) break
  }
  t.strictSame(messages, ['hello', 'hello', 'hello'])
})

t.test('the first attempt is made at once; later ones wait for a random part of a pause that doubles', async t => {
  const refuse: Reply = () => answering(500)
  const raw = await replying(t, ...Array.from({ length: 8 }, () => refuse))
  const clock = new TestClock()
  const errors: unknown[] = []
  const options: ReconnectingOptions = {
    minDelay: 100,
    maxDelay: 2000,
    error: (socket, error) => void errors.push([socket, (error as { status?: number }).status]),
  }
  const loop = reconnectingBy(clock, raw.url, options)
  await nextOf(t, loop)
  t.strictSame(clock.waits, [50, 100, 200, 400, 800, 1000, 1000, 1000])
  t.strictSame(errors, Array.from({ length: 8 }, () => [null, 500]))
  await loop.return?.()
})

t.test('the defaults: 1 s, 30 s; a random part from nothing to nearly all', async t => {
  const raw = await replying(t, ...Array.from({ length: 8 }, () => () => answering(500)))
  const clock = new TestClock()
  clock.chance = 1
  const loop = reconnectingBy(clock, raw.url, {})
  await nextOf(t, loop)
  t.strictSame(clock.waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  await loop.return?.()
  const other = new TestClock()
  other.chance = 0
  const raw0 = await replying(t, () => answering(500))
  const loop0 = reconnectingBy(other, raw0.url, {})
  await nextOf(t, loop0)
  t.strictSame(other.waits, [], 'no pause at all')
  await loop0.return?.()
})

t.test('network errors are repeated, and told with null; without an error callback nobody is told', async t => {
  const raw = await replying(t, (_, socket) => void socket.destroy(), () => 'SSH-2.0\r\n', () => answering(200))
  const clock = new TestClock()
  const codes: unknown[] = []
  t.teardown(() => process.off('warning', onWarning))
  const onWarning = (warning: Error): void => t.fail(String(warning)) as never
  process.on('warning', onWarning)
  const loop = reconnectingBy(clock, raw.url, { error: (_, error) => void codes.push((error as { code?: string }).code) })
  await nextOf(t, loop)
  t.strictSame(codes, ['ECONNRESET', 'handshake-invalid', 'handshake-refused'])
  await loop.return?.()
  const silent = await replying(t, () => answering(500))
  const other = reconnectingBy(clock, silent.url, {})
  await nextOf(t, other)
  await turn()
  await other.return?.()
})

t.test('an error callback that throws becomes a warning, and the loop goes on', async t => {
  const raw = await replying(t, () => answering(500))
  const warning = new Promise<Error>(resolve => process.once('warning', resolve))
  const loop = reconnectingBy(new TestClock(), raw.url, {
    error() {
      throw new Error('oops')
    },
  })
  await nextOf(t, loop)
  const { message, cause } = await within(warning, 'a warning')
  t.match(message, /^the callback error failed: Error: oops; it was told of HandshakeError: /)
  t.match(cause, { message: 'oops' })
  await loop.return?.()
})

t.test('the next connection is made when the last is over, not before, and when it is asked for', async t => {
  const raw = await RawServer.open(t, accepting)
  const clock = new TestClock()
  const loop = reconnectingBy(clock, raw.url, {})
  const first = await nextOf(t, loop)
  const second = loop.next()
  for (let i = 0; i < 20; i++) await turn()
  t.equal(raw.accepted, 1)
  for (const peer of raw.sockets) peer.end(bytes(closeFrame(1000)))
  const { value } = await within(second, 'the second')
  t.not(value, first)
  t.equal(first.readyState, 'closed')
  t.equal(raw.accepted, 2)
  for (const peer of raw.sockets) peer.end(bytes(closeFrame(1000)))
  await eventually('the end', () => (value as Connection).readyState === 'closed')
  for (let i = 0; i < 20; i++) await turn()
  t.equal(raw.accepted, 2, 'nobody asks')
  await loop.return?.()
})

t.test('a connection that lasted for stableTime sets the pause back, a shorter one does not', async t => {
  const raw = await RawServer.open(t, accepting)
  const clock = new TestClock()
  const loop = reconnectingBy(clock, raw.url, { minDelay: 100, maxDelay: 10_000, stableTime: 3000 })
  for (const lasted of [0, 2999, 2999, 3000, 0, 5000, 0]) {
    const connection = await nextOf(t, loop)
    clock.time += lasted
    connection.terminate()
  }
  await nextOf(t, loop)
  t.strictSame(clock.waits, [50, 100, 200, 50, 100, 50, 100])
  await loop.return?.()
})

t.test('stableTime is 5 s by default', async t => {
  const raw = await RawServer.open(t, accepting)
  const clock = new TestClock()
  const loop = reconnectingBy(clock, raw.url, {})
  for (const lasted of [0, 4999, 5000]) {
    const connection = await nextOf(t, loop)
    clock.time += lasted
    connection.terminate()
  }
  await nextOf(t, loop)
  t.strictSame(clock.waits, [500, 1000, 500])
  await loop.return?.()
})

t.test('Retry-After of a 429 or 503 comes on top', async t => {
  const raw = await replying(
    t,
    () => answering(503, { 'retry-after': '120' }),
    () => answering(429, { 'retry-after': new Date(1_060_000).toUTCString() }),
    () => answering(500, { 'retry-after': '120' }),
    () => answering(503, { 'retry-after': '99999999999' })
  )
  const clock = new TestClock()
  const loop = reconnectingBy(clock, raw.url, { minDelay: 100 })
  await nextOf(t, loop)
  t.strictSame(clock.waits, [120_050, 60_100, 200, 2 ** 31 - 1], 'but no more than a timer takes')
  await loop.return?.()
})

t.test('what repeating can not mend is thrown, and ends the loop', async t => {
  for (const status of [301, 302, 303, 307, 308]) {
    const raw = await replying(t, () => answering(status, { location: '/' }))
    t.match(await thrownBy(reconnecting(raw.url, FAST)), { name: 'HandshakeError', code: 'redirect-refused', status, message: /redirects/ })
    t.equal(raw.accepted, 1)
  }
  for (const status of [400, 401, 403, 404, 405, 410, 426, 501, 505]) {
    const raw = await replying(t, () => answering(status))
    const clock = new TestClock()
    const { signal } = new AbortController()
    const loop = reconnectingBy(clock, raw.url, { signal })
    t.match(await thrownBy(loop), { name: 'HandshakeError', code: 'handshake-refused', status })
    t.strictSame(await loop.next(), DONE, 'ended')
    t.strictSame([raw.accepted, clock.waits, listenersOf(signal)], [1, [], 0])
  }
  const around = await replying(t, () => 'HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\nContent-Length: 0\r\n\r\n')
  t.match(await thrownBy(reconnecting(around.url, { ...FAST, redirects: 1 })), { code: 'redirect-refused' })
  const secure = await RawServer.open(t, accepting, { tls: true })
  t.match(await thrownBy(reconnecting(secure.url)), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  const before = process.env['HTTP_PROXY']
  t.teardown(() => (before === undefined ? delete process.env['HTTP_PROXY'] : (process.env['HTTP_PROXY'] = before)))
  delete process.env['http_proxy']
  process.env['HTTP_PROXY'] = 'socks5://a'
  t.match(await thrownBy(reconnecting('ws://example.org', { proxy: 'environment' })), { name: 'MisuseError' })
})

t.test('misuse is thrown at once', async t => {
  const wrong: [url: string, options: object][] = [
    ['', {}],
    ['ws://a#b', {}],
    ['ws://a', { minDelay: -1 }],
    ['ws://a', { maxDelay: '5' }],
    ['ws://a', { stableTime: NaN }],
    ['ws://a', { minDelay: 10, maxDelay: 9 }],
    ['ws://a', { timeout: -1 }],
    ['ws://a', { retries: 5 }],
    ['ws://a', null as unknown as object],
    ['ws://a', 5 as unknown as object],
  ]
  for (const [url, options] of wrong) t.throws(() => reconnecting(url, options), MisuseError, JSON.stringify(options))
  t.throws(() => reconnecting('ws://a', { minDelay: 40_000 }), { message: 'minDelay must be at most maxDelay, which is 30000' })
  t.doesNotThrow(() => reconnecting('ws://a', { minDelay: undefined, maxDelay: undefined, stableTime: Infinity }))
  t.doesNotThrow(() => reconnecting('ws://a'))
})

t.test('aborting ends the loop with its reason, at any time', async t => {
  const raw = await RawServer.open(t, accepting)
  const silent = await RawServer.open(t, () => {})
  const clock = new TestClock()
  clock.lasting = true
  const moments: [when: string, url: string, reach: (loop: Loop) => Promise<unknown>][] = [
    ['before it begins', raw.url, async () => {}],
    ['while connecting', silent.url, async loop => (loop.next().catch(() => {}), eventually('a request', () => silent.heads.length > 0))],
    ['while it waits', 'ws://127.0.0.1:1', async loop => (loop.next().catch(() => {}), eventually('a wait', () => clock.waits.length > 0))],
    ['while connected', raw.url, loop => nextOf(t, loop)],
    ['while it waits for the end of one', raw.url, async loop => (await nextOf(t, loop), loop.next().catch(() => {}), turn())],
  ]
  for (const [when, url, reach] of moments) {
    const controller = new AbortController()
    const reason = new Error(when)
    const loop = reconnectingBy(clock, url, { signal: controller.signal })
    let thrown: unknown
    const { next } = loop
    loop.next = () => {
      const result = next.call(loop)
      result.catch(error => (thrown ??= error))
      return result
    }
    await reach(loop)
    controller.abort(reason)
    await loop.next().catch(() => {})
    t.equal(thrown, reason, when)
    t.strictSame(await within(loop.next(), 'the end'), DONE)
    t.equal(listenersOf(controller.signal), 0)
    await eventually('the servers to be left', () => silent.sockets.size === 0)
  }
})

t.test('a signal that had aborted before: nobody is connected to', async t => {
  const raw = await RawServer.open(t, accepting)
  const loop = reconnecting(raw.url, { signal: AbortSignal.abort('over') })
  t.equal(await thrownBy(loop), 'over')
  t.equal(raw.accepted, 0)
})

t.test('a loop that never began leaves nothing on the signal', async t => {
  const { signal } = new AbortController()
  reconnecting('ws://127.0.0.1:1', { signal })
  t.equal(listenersOf(signal), 0)
})

t.test('aborting closes the connection at hand with 1001, leaving the loop with 1000', async t => {
  const { port, journal } = await running(t)
  const controller = new AbortController()
  const seen: unknown[] = []
  const reason = new Error('enough')
  const whole = (async () => {
    for await (const socket of reconnecting(`ws://127.0.0.1:${port}`, { signal: controller.signal })) {
      seen.push('connected')
      setImmediate(() => controller.abort(reason))
      for await (const _ of socket) t.fail('no message')
      seen.push(socket.closeInfo?.code)
    }
  })()
  await t.rejects(within(whole, 'the end of the loop'), reason)
  t.strictSame(seen, ['connected', 1001])
  t.strictSame(await journal.until('close'), ['open', 'close 1001'])
  for (const leave of ['break', 'throw'] as const) {
    const server = await running(t)
    const controller = new AbortController()
    try {
      for await (const _ of reconnecting(`ws://127.0.0.1:${server.port}`, { signal: controller.signal })) {
        if (leave === 'break') break
        throw new Error('from the body')
      }
    } catch (error) {
      t.match(error, { message: 'from the body' })
    }
    t.strictSame(await server.journal.until('close'), ['open', 'close 1000'], leave)
    t.equal(listenersOf(controller.signal), 0)
  }
})

t.test('return while the next connection is on its way ends it without an error', async t => {
  const silent = await RawServer.open(t, () => {})
  const clock = new TestClock()
  clock.lasting = true
  for (const [url, reached] of [
    [silent.url, () => silent.heads.length > 0],
    ['ws://127.0.0.1:1', () => clock.waits.length > 0],
  ] as const) {
    const loop = reconnectingBy(clock, url, {})
    const next = loop.next()
    await eventually('it to be under way', reached)
    t.strictSame(await loop.return?.(), DONE)
    t.strictSame(await within(next, 'the end'), DONE)
    t.strictSame(await loop.next(), DONE)
  }
  await silent.left()
})

t.test('ended between the answer and whoever waits for the connection: it is closed, and handed to nobody', async t => {
  for (const way of ['abort', 'return'] as const) {
    const { port, journal } = await running(t)
    let ended = 0
    for (let depth = 0; depth < 12; depth++) {
      const controller = new AbortController()
      const loop = reconnecting(`ws://127.0.0.1:${port}`, { ...FAST, signal: controller.signal })
      const end = (): void => (way === 'abort' ? controller.abort(new Error('enough')) : void loop.return?.())
      const onOpen = (message: unknown): void => {
        if ((message as { role: string }).role === 'client') afterMicrotasks(depth, end)
      }
      subscribe('kore-ws.connection.open', onOpen)
      const result = await within(loop.next().then(({ value }) => value ?? 'the end', error => error), 'an end')
      unsubscribe('kore-ws.connection.open', onOpen)
      if (result instanceof Error || result === 'the end') ended++
      const code = way === 'abort' ? 1001 : 1000
      // Those that were handed over first are closed as well.
      await eventually(`close ${code}`, () => journal.lines.filter(line => line === `close ${code}`).length === depth + 1)
    }
    t.ok(ended > 0, 'not all were handed over')
  }
})

function afterMicrotasks(count: number, then: () => void): void {
  if (count === 0) then()
  else queueMicrotask(() => afterMicrotasks(count - 1, then))
}

t.test('calls of next that overlap come one after the other', async t => {
  const raw = await RawServer.open(t, head => Buffer.concat([Buffer.from(accepting(head)), bytes(frame('88'))]))
  const loop = reconnectingBy(new TestClock(), raw.url, {})
  const close = (): void => raw.sockets.forEach(socket => socket.end())
  raw.server.on('connection', () => setTimeout(close, 20))
  const results = await within(Promise.all([loop.next(), loop.next(), loop.next()]), 'three connections')
  t.equal(new Set(results.map(({ value }) => value as unknown)).size, 3)
  await loop.return?.()
})

t.test('callbacks are those of connect', async t => {
  const { port } = await running(t, { open: socket => (socket.send('a'), socket.close(4000, 'bye')) })
  const seen: unknown[] = []
  const options: ReconnectingOptions = {
    ...FAST,
    message: (socket, data) => {
      seen.push(data)
      throw new Error(socket.protocol + 'oops')
    },
    close: (_, code, reason) => void seen.push([code, reason]),
    error: (socket, error) => void seen.push([socket === null, (error as Error).message]),
  }
  for await (const socket of reconnecting(`ws://127.0.0.1:${port}`, options)) {
    await eventually('the end', () => socket.closeInfo !== undefined)
    break
  }
  t.strictSame(seen, ['a', [false, 'oops'], [1011, '']])
})

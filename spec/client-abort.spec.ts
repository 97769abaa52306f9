/** Aborting `connect` at every step: it rejects with the signal's reason, and no socket, timer or listener is left. */
import { Agent } from 'node:http'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf, LOOKUP, take } from './helpers/client.ts'
import { bytes, frame } from './helpers/frames.ts'
import { eventually, turn, within } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, CERT, RawServer } from './helpers/raw-server.ts'
import { listenersOf } from './helpers/signals.ts'

/** What of the process is at work, once what is ending has ended. */
async function atRest(): Promise<string[]> {
  for (let i = 0; i < 10; i++) await turn()
  return process.getActiveResourcesInfo()
}

/** Whether nothing is at work that was not at work before. */
function isNoMoreThan(before: readonly string[]): boolean {
  const left = [...before]
  return process.getActiveResourcesInfo().every(name => left.includes(name) && left.splice(left.indexOf(name), 1))
}

interface Step {
  readonly url: string
  readonly options?: ConnectOptions
  /** Resolves when the attempt has come as far as the test wants it. */
  readonly reached: () => Promise<unknown> | undefined
  /** Whether every peer has been left. */
  readonly left: () => boolean
  /** Milliseconds that what goes on behind it may take. */
  readonly ending?: number
}

/** Aborts an attempt at this step, and looks for what is left. */
async function abortAt(t: Test, step: Step): Promise<void> {
  const before = await atRest()
  const controller = new AbortController()
  const reason = new Error('enough')
  const attempt = connect(step.url, { timeout: 60_000, ...step.options, signal: controller.signal })
  let settled = false
  attempt.then(() => (settled = true), () => (settled = true))
  await within(step.reached() ?? Promise.resolve(), 'the step')
  t.equal(settled, false, 'the attempt is under way')
  controller.abort(reason)
  t.equal(await failureOf(attempt), reason)
  t.equal(listenersOf(controller.signal), 0)
  await eventually('nobody at the peers', step.left)
  await eventually(`nothing more than ${before.join()}`, () => isNoMoreThan(before), step.ending)
}

/** A server that takes connections and says nothing. */
async function silent(t: Test): Promise<Server & { port: number; open: number }> {
  const server = Object.assign(createServer(), { port: 0, open: 0 })
  server.on('connection', socket => {
    server.open++
    socket.on('error', () => {})
    socket.on('close', () => server.open--)
    socket.resume()
    t.teardown(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.port = (server.address() as { port: number }).port
  t.teardown(() => server.close())
  return server
}

t.test('before it begins: nobody is connected to', async t => {
  const raw = await RawServer.open(t, accepting)
  const reason = new Error('enough')
  t.equal(await failureOf(connect(raw.url, { signal: AbortSignal.abort(reason) })), reason)
  t.match(await failureOf(connect(raw.url, { signal: AbortSignal.abort() })), { name: 'AbortError' })
  await turn()
  t.equal(raw.accepted, 0)
})

t.test('while the name is looked up, or the connection is made', async t => {
  const raw = await RawServer.open(t, accepting)
  for (const url of [raw.url, raw.url.replace('127.0.0.1', 'localhost'), 'ws://nowhere.invalid']) {
    for (const reached of [() => undefined, () => Promise.resolve(), () => new Promise<void>(resolve => process.nextTick(resolve))]) {
      // No look-up of a name can be stopped.
      await abortAt(t, { url, reached, left: () => raw.sockets.size === 0, ending: LOOKUP })
    }
  }
})

t.test('while TLS is agreed on', async t => {
  const server = await silent(t)
  await abortAt(t, { url: `wss://127.0.0.1:${server.port}`, reached: () => once(server, 'connection'), left: () => server.open === 0 })
})

t.test('while the answer is waited for, at each byte of it', async t => {
  const raw = await RawServer.open(t, () => {})
  const { length } = accepting('GET / HTTP/1.1\r\nsec-websocket-key: x\r\n\r\n')
  for (const sent of [0, 1, 12, 40, length - 3, length - 1]) {
    await abortAt(t, {
      url: raw.url,
      async reached() {
        await eventually('the request', () => raw.sockets.size === 1 && raw.heads.length === 1)
        const [head = ''] = raw.heads.splice(0)
        for (const socket of raw.sockets) socket.write(accepting(head).slice(0, sent))
        for (let i = 0; i < 5; i++) await turn()
      },
      left: () => raw.sockets.size === 0,
    })
  }
})

t.test('while the body of a refusal is read', async t => {
  const raw = await RawServer.open(t, () => 'HTTP/1.1 403 No\r\ncontent-length: 9\r\n\r\nhello')
  await abortAt(t, {
    url: raw.url,
    async reached() {
      await eventually('the request', () => raw.heads.length === 1)
      for (let i = 0; i < 20; i++) await turn()
    },
    left: () => raw.sockets.size === 0,
  })
})

t.test('while a proxy is asked, its refusal is read, or TLS goes through it', async t => {
  const server = await silent(t)
  const mute = await openProxy(t, { reply: () => {} })
  const refusing = await openProxy(t, { reply: () => 'HTTP/1.1 407 No\r\ncontent-length: 9\r\n\r\nhello' })
  const tunnelling = await openProxy(t, { port: server.port })
  for (const proxy of [mute, refusing, tunnelling]) {
    for (const url of ['ws://example.org', 'wss://example.org']) {
      await abortAt(t, {
        url,
        options: { proxy: proxy.url },
        async reached() {
          await eventually('the CONNECT', () => proxy.targets.length === 1)
          proxy.targets.length = 0
          if (proxy === tunnelling) await eventually('the tunnel', () => server.open === 1)
          for (let i = 0; i < 20; i++) await turn()
        },
        left: () => proxy.raw.sockets.size === 0 && server.open === 0,
      })
    }
  }
  await abortAt(t, {
    url: 'ws://example.org',
    options: { proxy: `https://127.0.0.1:${server.port}` },
    reached: () => eventually('TLS with the proxy', () => server.open === 1),
    left: () => server.open === 0,
  })
})

t.test('between two redirects, and at the second server', async t => {
  const second = await RawServer.open(t, () => {})
  const first = await RawServer.open(t, () => answering(302, { location: second.url }))
  const ways: (() => Promise<unknown>)[] = [
    () => eventually('the first request', () => first.heads.length === 1),
    () => eventually('the second server', () => second.accepted === 1),
    () => eventually('the second request', () => second.heads.length === 1),
  ]
  for (const reached of ways) {
    first.heads.length = second.heads.length = second.accepted = 0
    const left = (): boolean => first.sockets.size === 0 && second.sockets.size === 0
    await abortAt(t, { url: first.url, options: { redirects: 1 }, reached, left })
  }
})

t.test('with an agent, also while its request waits for its turn', async t => {
  const raw = await RawServer.open(t, () => {})
  const agent = new Agent({ maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const busy = new AbortController()
  const first = failureOf(connect(raw.url, { agent, signal: busy.signal }))
  await eventually('the first request', () => raw.heads.length === 1)
  const waiting = new AbortController()
  const second = failureOf(connect(raw.url, { agent, signal: waiting.signal }))
  await turn()
  t.equal(Object.keys(agent.requests).length, 1)
  waiting.abort('second')
  t.equal(await second, 'second')
  busy.abort('first')
  t.equal(await first, 'first')
  await raw.left()
  t.strictSame([listenersOf(busy.signal), listenersOf(waiting.signal)], [0, 0])
})

t.test('at about the time when the answer comes: either it rejects and is gone, or it is open and stays so', async t => {
  const raw = await RawServer.open(t, accepting)
  const outcomes = { aborted: 0, open: 0 }
  // However many turns the system takes to carry an answer.
  for (let turns = 0; turns < 40 || (outcomes.open === 0 && turns < 10_000); turns++) {
    const controller = new AbortController()
    const attempt = connect(raw.url, { signal: controller.signal })
    const outcome = attempt.then(
      socket => ({ socket, error: undefined }),
      (error: unknown) => ({ socket: undefined, error })
    )
    for (let i = 0; i < turns / 2; i++) await (turns % 2 === 0 ? turn() : new Promise<void>(resolve => process.nextTick(resolve)))
    controller.abort('enough')
    const { socket, error } = await within(outcome, 'the outcome')
    t.equal(listenersOf(controller.signal), 0)
    if (socket === undefined) {
      outcomes.aborted++
      t.equal(error, 'enough')
      await eventually('nobody there', () => raw.sockets.size === 0)
    } else {
      outcomes.open++
      for (const peer of raw.sockets) peer.write(bytes(frame('81', 'still here')))
      t.strictSame(await take(socket, 1), ['still here'])
      socket.terminate()
      await eventually('nobody there', () => raw.sockets.size === 0)
    }
  }
  t.ok(outcomes.aborted > 0 && outcomes.open > 0, JSON.stringify(outcomes))
})

t.test('in the reaction to the answer itself, and later, it has no effect', async t => {
  const raw = await RawServer.open(t, accepting)
  for (const delay of [() => undefined, () => turn()]) {
    const controller = new AbortController()
    const socket = await connect(raw.url, { signal: controller.signal })
    await delay()
    controller.abort('too late')
    for (let i = 0; i < 5; i++) await turn()
    t.equal(socket.readyState, 'open')
    t.equal(listenersOf(controller.signal), 0)
    socket.terminate()
  }
  await raw.left(2)
})

t.test('a signal that is shared by many attempts keeps no listener of any', async t => {
  const raw = await RawServer.open(t, () => answering(403))
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 20 }, () => failureOf(connect(raw.url, { signal }))))
  t.equal(listenersOf(signal), 0)
  await raw.left(20)
})

t.test('after a time that ran out, nothing is left either', async t => {
  const server = await silent(t)
  const before = await atRest()
  for (const url of [`ws://127.0.0.1:${server.port}`, `wss://127.0.0.1:${server.port}`]) {
    t.match(await failureOf(connect(url, { timeout: 100, tls: { ca: CERT } })), { code: 'handshake-timeout' })
    await eventually('nobody there', () => server.open === 0 && isNoMoreThan(before))
  }
})

/** The signal of a request: what an `accept` that takes its time hears of a client that it need not decide about any more. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { refuse } from '../lib/handshake/refusal.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { Decision, ServerOptions, UpgradeRequest } from '../lib/server-options.ts'
import { closeFrame } from './helpers/frames.ts'
import { eventually, Journal, turn, within } from './helpers/journal.ts'
import { running, type Running } from './helpers/running.ts'
import { SERVER_DOORS, stranger } from './helpers/server-doors.ts'
import { subscribed } from './helpers/subscribed.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** Rejects with the reason of the signal, as `fetch` does; nothing else settles it. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

interface Asking extends Running {
  readonly requests: UpgradeRequest[]
  /** `abort` each time that a signal is aborted, `settled` when accept's promise has. */
  readonly heard: Journal
  /** A client whose handshake is before accept. */
  asked(): Promise<WireClient>
}

/** A server whose accept waits for what `answer` gives. */
async function asking(
  t: Parameters<typeof running>[0],
  answer: (request: UpgradeRequest) => Promise<Decision<unknown>>,
  options: ServerOptions<unknown> = {}
): Promise<Asking> {
  const requests: UpgradeRequest[] = []
  const heard = new Journal()
  const served = await running(t, {
    ...options,
    accept(request) {
      requests.push(request)
      request.signal.addEventListener('abort', () => heard.add('abort'))
      const answered = answer(request)
      const settled = (): void => heard.add('settled')
      answered.then(settled, settled)
      return answered
    },
  })
  const asked = async (): Promise<WireClient> => {
    const count = requests.length
    const client = await served.dial()
    client.ask()
    await eventually('accept to be asked', () => requests.length > count)
    return client
  }
  return { ...served, requests, heard, asked }
}

const LEAVING: Readonly<Record<string, (socket: Duplex) => void>> = {
  'ends its side': socket => void socket.end(),
  'is gone at once': socket => void socket.destroy(),
}

for (const door of SERVER_DOORS) {
  for (const [how, leave] of Object.entries(LEAVING)) {
    t.test(`${door.name}: aborted once where the client ${how}, and what rejects for that is no error`, async t => {
      const heard = new Journal()
      const requests: UpgradeRequest[] = []
      const told = subscribed(t, 'kore-ws.error')
      const server = new WebSocketServer({
        accept(request) {
          requests.push(request)
          request.signal.addEventListener('abort', () => heard.add('abort'))
          heard.add('asked')
          return untilAborted(request.signal)
        },
        error: (_, error) => heard.add(`error ${String(error)}`),
        open: () => heard.add('open'),
        close: () => heard.add('close'),
      })
      const client = await stranger(t, await door.open(t, server))
      client.ask()
      await heard.until('asked')
      t.equal(requests[0].signal.aborted, false)
      leave(client.socket)
      await heard.until('abort')
      t.match(requests[0].signal.reason, { name: 'AbortError' })
      for (let i = 0; i < 5; i++) await turn()
      t.strictSame([heard.lines, told, server.metrics().errors], [['asked', 'abort'], [], 0])
      t.equal(server.metrics().handshakes.pending, 0)
    })
  }
}

t.test('aborted where the client resets the connection', async t => {
  const { asked, heard, journal, server } = await asking(t, ({ signal }) => untilAborted(signal))
  const client = await asked()
  ;(client.socket as Socket).resetAndDestroy()
  await heard.until('settled')
  await turn()
  t.strictSame([heard.lines, journal.lines, server.metrics().errors], [['abort', 'settled'], [], 0])
})

t.test('aborted where limits.handshakeTime is over, never before, and the client has its 408', async t => {
  // The request itself has the same time to come, on a machine that stands still for a moment.
  const time = 1200
  const { asked, heard, journal, server } = await asking(t, ({ signal }) => untilAborted(signal), { limits: { handshakeTime: time } })
  const began = performance.now()
  const client = await asked()
  const answer = client.answer()
  await heard.until('abort')
  t.ok(performance.now() - began >= time)
  t.equal((await answer).status, 408)
  await heard.until('settled')
  await turn()
  t.strictSame([heard.lines, journal.lines], [['abort', 'settled'], []])
  t.match(server.metrics(), { errors: 0, refused: { byReason: { timeout: 1 } } })
})

t.test('aborted where the server is closed, and the client has its 503', async t => {
  const { asked, heard, journal, server } = await asking(t, ({ signal }) => untilAborted(signal))
  const client = await asked()
  const answer = client.answer()
  const closed = server.close({ timeout: 1000 })
  t.strictSame(heard.lines, ['abort'], 'at once')
  t.equal((await answer).status, 503)
  client.socket.end()
  t.strictSame(await within(closed, 'the end of the server'), { closed: 0, dropped: 0, refused: 1 })
  t.strictSame([heard.lines, journal.lines, server.metrics().errors], [['abort', 'settled'], [], 0])
})

t.test('aborted where the budget of memory has no room for the handshake', async t => {
  const { asked, heard, journal } = await asking(t, ({ signal }) => untilAborted(signal), { limits: { memory: 60_000 } })
  const client = await asked()
  const answer = client.answer()
  client.socket.write(Buffer.alloc(50_000))
  t.equal((await answer).status, 503)
  await heard.until('settled')
  t.strictSame([heard.lines, journal.lines], [['abort', 'settled'], []])
})

t.test('asked for only when all is over, the signal is aborted', async t => {
  let look: () => void = () => {}
  const looked = new Promise<void>(resolve => {
    look = resolve
  })
  const { dial, server, journal } = await running(t, {
    async accept(request) {
      journal.add('asked')
      await looked
      journal.add(`aborted ${request.signal.aborted}`)
      request.signal.throwIfAborted()
    },
  })
  const client = await dial()
  client.ask()
  await journal.until('asked')
  client.socket.destroy()
  await eventually('the client to be forgotten', () => server.metrics().handshakes.pending === 0)
  look()
  await journal.until('aborted')
  await turn()
  t.strictSame(journal.lines, ['asked', 'aborted true'])
})

/** The ways in which a promise of accept may settle, and the status that the client gets. */
const SETTLED: readonly [how: string, answer: () => Promise<Decision<unknown>>, status: number, told: readonly string[]][] = [
  ['resolves', async () => undefined, 101, ['open']],
  ['refuses', async () => refuse(401), 401, []],
  ['resolves to nonsense', async () => ({ protocol: 'nobody asked for' }), 500, ['refused: [invalid-argument]']],
  ['rejects', () => Promise.reject(new Error('oops')), 500, ['refused: oops']],
  ['rejects with nothing', () => Promise.reject(undefined), 500, ['refused: undefined']],
]

for (const [how, answer, status, told] of SETTLED) {
  t.test(`not aborted where the promise ${how}, whatever becomes of the client`, async t => {
    const { asked, heard, requests, journal, server } = await asking(t, async () => (await turn(), answer()))
    const client = await asked()
    t.equal((await client.answer()).status, status)
    await heard.until('settled')
    t.strictSame(journal.lines, told)
    if (status === 101) {
      client.send(closeFrame(1000))
      await journal.until('close 1000')
    }
    client.socket.destroy()
    await server.close({ timeout: 0 })
    t.strictSame([heard.lines, requests[0].signal.aborted], [['settled'], false])
  })
}

t.test('not aborted where accept answers at once', async t => {
  const signals: AbortSignal[] = []
  const { client, journal, server } = await running(t, { accept: ({ signal }) => void signals.push(signal) })
  const one = await client()
  one.socket.destroy()
  await journal.until('close')
  await server.close({ timeout: 0 })
  t.equal(signals[0].aborted, false)
})

t.test('what Node’s own calls reject with is no error either: their cause is the reason of the signal', async t => {
  const calls: readonly [name: string, call: (signal: AbortSignal) => Promise<unknown>][] = [
    ['events.once', signal => once(new EventTarget() as unknown as NodeJS.EventEmitter, 'never', { signal })],
    ['timers/promises', signal => wait(2 ** 30, undefined, { signal })],
  ]
  for (const [name, call] of calls) {
    const { asked, heard, journal, server } = await asking(t, async ({ signal }) => void (await call(signal)))
    const client = await asked()
    client.socket.destroy()
    await heard.until('settled')
    await turn()
    t.strictSame([heard.lines, journal.lines, server.metrics().errors], [['abort', 'settled'], [], 0], name)
  }
})

t.test('fetch ends with the client that it is made for', async t => {
  const upstream = createServer().listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const { port } = upstream.address() as AddressInfo
  const { asked, heard, journal } = await asking(t, async ({ signal }) => void (await fetch(`http://127.0.0.1:${port}`, { signal })))
  const [client] = await Promise.all([asked(), once(upstream, 'request')])
  client.socket.destroy()
  await heard.until('settled')
  await turn()
  t.strictSame([heard.lines, journal.lines], [['abort', 'settled'], []])
})

t.test('another error than that of the signal is told, though nobody waits any more', async t => {
  const { asked, heard, journal } = await asking(t, async ({ signal }) => {
    await untilAborted(signal).catch(() => {})
    throw new Error('the database is gone')
  })
  const client = await asked()
  client.socket.destroy()
  await heard.until('settled')
  await journal.until('refused')
  t.strictSame(journal.lines, ['refused: the database is gone'])
})

t.test('listeners run in the async context of whoever asked for the signal', async t => {
  const tenant = new AsyncLocalStorage<string>()
  const seen = new Journal()
  const { dial } = await running(t, {
    accept: request =>
      tenant.run(request.path, () => {
        const { path, signal } = request
        signal.addEventListener('abort', () => seen.add(`${path} in ${tenant.getStore()}`))
        return untilAborted(signal)
      }),
  })
  const clients = [await dial(), await dial()]
  for (const [i, client] of clients.entries()) client.ask({ path: `/${i}` })
  for (const client of clients) client.socket.end()
  await seen.reach(2)
  t.strictSame([...seen.lines].sort(), ['/0 in /0', '/1 in /1'])
})

/** `close` is the last callback, at every door: what fails behind it, or in it, becomes a process warning. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import * as kore from '../lib/kore.ts'
import { reconnecting } from '../lib/reconnecting.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { Journal, turn } from './helpers/journal.ts'
import { clientsOf, running } from './helpers/running.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'
import { subscribed } from './helpers/subscribed.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** What the callbacks of a door do. */
interface App {
  message(): unknown
  close(): unknown
  /** Undefined: there is no such callback. */
  error: ((error: unknown) => void) | undefined
}

/** Who is connected with the door. */
interface Peer {
  /** Causes a call of `message`. */
  speak(): void
  close(): void
  vanish(): void
}

interface Door {
  readonly name: string
  /** Whether an error of the close callback is told to the error callback: Kore's ondisconnect is like any other. */
  readonly tellsClose: boolean
  open(t: Test, app: App): Promise<Peer>
}

const ofWire = (client: WireClient): Peer => ({
  speak: () => client.send(frame('81', 'hello')),
  close: () => client.send(closeFrame(1000)),
  vanish: () => void client.socket.destroy(),
})

const ofConnection = (socket: Connection): Peer => ({
  speak: () => void socket.send('hello'),
  close: () => socket.close(1000),
  vanish: () => socket.terminate(),
})

const DOORS: readonly Door[] = [
  ...SERVER_DOORS.map(({ name, open }): Door => ({
    name,
    tellsClose: false,
    async open(t, { message, close, error }) {
      const server = new WebSocketServer({ message, close, ...(error && { error: (_, failure) => error(failure) }) })
      return ofWire(await visitor(t, await open(t, server)))
    },
  })),
  {
    name: 'kore_attach',
    tellsClose: true,
    async open(t, { message, close, error }) {
      const http = createServer().listen(0, '127.0.0.1')
      await once(http, 'listening')
      kore.kore_onerror(error)
      const detach = kore.kore_attach(http, { '/': request => kore.kore_websocket_handshake(request, null, message, close) })
      t.teardown(async () => {
        detach()
        await kore.kore_shutdown(1001, 0)
        kore.kore_onerror(undefined)
        http.close()
      })
      return ofWire(await clientsOf(t, (http.address() as AddressInfo).port).client())
    },
  },
  ...['connect', 'reconnecting'].map((name): Door => ({
    name,
    tellsClose: false,
    async open(t, { message, close, error }) {
      const { server, port } = await running(t)
      const url = `ws://127.0.0.1:${port}`
      const options = { message, close, ...(error && { error: (_: unknown, failure: unknown) => error(failure) }) }
      if (name === 'connect') {
        await connect(url, options)
      } else {
        const connections = reconnecting(url, options)
        await connections.next()
        t.teardown(() => connections.return?.())
      }
      const [peer] = server.connections
      return ofConnection(peer)
    },
  })),
]

const ENDS: readonly [how: string, end: 'close' | 'vanish'][] = [
  ['was closed', 'close'],
  ['is lost', 'vanish'],
]

interface Told {
  /** `message`, `close` and `error …`, as they were called. */
  readonly heard: Journal
  readonly warnings: Journal
  /** On the channel of errors. */
  readonly published: readonly { readonly error: unknown }[]
}

function listen(t: Test): Told {
  const warnings = new Journal()
  // What failed; spec/callback-warnings.spec.ts has what else a warning says.
  const onWarning = ({ message, cause }: Error): void => warnings.add(cause instanceof Error ? cause.message : message)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  return { heard: new Journal(), warnings, published: subscribed(t, 'kore-ws.error') }
}

/** All that might still be told has been. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
}

interface Gate {
  readonly promise: Promise<void>
  open(): void
}

function gate(): Gate {
  let open: () => void = () => {}
  const promise = new Promise<void>(resolve => {
    open = resolve
  })
  return { promise, open }
}

for (const { name, tellsClose, open } of DOORS) {
  for (const [how, end] of ENDS) {
    for (const told of ['told', 'no'] as const) {
      t.test(`${name}: a message callback that rejects when the connection ${how}, with ${told === 'no' ? 'no' : 'an'} error callback`, async t => {
        const { heard, warnings, published } = listen(t)
        const over = gate()
        let count = 0
        const peer = await open(t, {
          async message() {
            heard.add('message')
            const at = ++count
            await over.promise
            throw new Error(`late ${at}`)
          },
          close: () => heard.add('close'),
          error: told === 'no' ? undefined : error => heard.add(`error ${String(error)}`),
        })
        peer.speak()
        peer.speak()
        await heard.reach(2)
        peer[end]()
        await heard.until('close')
        await quiet()
        t.strictSame([warnings.lines, published], [[], []])
        over.open()
        await warnings.reach(2)
        await quiet()
        t.strictSame(heard.lines, ['message', 'message', 'close'], 'nothing behind it')
        t.strictSame(warnings.lines, ['late 1', 'late 2'])
        t.strictSame(published, [])
      })
    }

    for (const [fails, fail] of [
      ['throws', () => { throw new Error('last words') }],
      ['rejects', () => Promise.reject(new Error('last words'))],
      ['rejects later', async () => { await quiet(); throw new Error('last words') }],
    ] as const) {
      const told = tellsClose ? 'told to the error callback' : 'a process warning and nothing else'
      t.test(`${name}: a close callback that ${fails} where the connection ${how} is called once, which is ${told}`, async t => {
        const { heard, warnings, published } = listen(t)
        const peer = await open(t, {
          message: () => {},
          close() {
            heard.add('close')
            return fail()
          },
          error: error => heard.add(`error ${String(error)}`),
        })
        peer[end]()
        await heard.until('close')
        if (tellsClose) await heard.until('error')
        else await warnings.reach(1)
        await quiet()
        t.strictSame(heard.lines, ['close', ...(tellsClose ? ['error Error: last words'] : [])])
        t.strictSame(warnings.lines, tellsClose ? [] : ['last words'])
        t.equal(published.length, tellsClose ? 1 : 0)
      })
    }
  }

  t.test(`${name}: one that rejects before is told, and only once`, async t => {
    const { heard, warnings, published } = listen(t)
    const failure = new Error('in time')
    const peer = await open(t, {
      message: () => Promise.reject(failure),
      close: () => heard.add('close'),
      error: error => heard.add(`error ${String(error)}`),
    })
    peer.speak()
    await heard.until('close')
    await quiet()
    t.strictSame(heard.lines, ['error Error: in time', 'close'])
    t.strictSame(warnings.lines, [])
    t.match(published, [{ error: failure }])
    t.equal(published.length, 1)
  })
}

t.test('every callback of a server that rejects behind close: a warning each, and what is counted is what was told', async t => {
  const { warnings, published } = listen(t)
  const over = gate()
  const late = (what: string) => async (): Promise<never> => {
    await over.promise
    throw new Error(what)
  }
  const { server, client, journal } = await running(t, { open: late('open'), message: late('message'), pong: late('pong'), close: late('close') })
  const one = await client()
  one.send(frame('81', 'hello'), frame('8a', 'pong'), closeFrame(1000))
  await journal.until('close')
  over.open()
  await warnings.reach(4)
  await quiet()
  t.strictSame([...warnings.lines].sort(), ['close', 'message', 'open', 'pong'])
  t.strictSame(journal.lines, ['open', 'text hello', 'close 1000'])
  t.strictSame([published, server.metrics().errors], [[], 0])
  t.strictSame(server.metrics().connections.closed, { 1000: 1 })
})

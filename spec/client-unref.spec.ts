/** `ref` and `unref` of clients: whether a process that has nothing else to do ends. The clients have one to themselves. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { ClientParts } from './fixtures/holding.ts'
import { bytes, closeFrame, frame } from './helpers/frames.ts'
import { eventually, within } from './helpers/journal.ts'
import { PATIENCE } from './helpers/pool-program.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, RawServer, type Reply } from './helpers/raw-server.ts'
import { transpiled } from './helpers/transpiled.ts'
import { WireClient } from './helpers/wire-client.ts'

const program = transpiled(t, 'spec/fixtures/holding.ts')

class Child {
  readonly #exit: Promise<unknown[]>
  readonly #done: Promise<unknown>

  /** @param orders as spec/fixtures/holding.ts takes them, with spaces between */
  constructor(t: Test, clients: readonly ClientParts[], orders: string) {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const parameters = [JSON.stringify(clients), ...orders.split(' ')]
    const child = fork(program, parameters, { execArgv: [], env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    // Behind all that it has told.
    this.#exit = once(child, 'close')
    this.#done = Promise.race([once(child, 'message'), this.#exit.then(([code]) => Promise.reject(new Error(`it ended with ${code}`)))])
    this.#done.catch(() => {})
    t.teardown(() => child.kill('SIGKILL'))
  }

  /** Resolves when the orders have been followed. */
  async done(): Promise<void> {
    await within(this.#done, 'the orders to be followed', PATIENCE)
  }

  /** The code that it ended with by itself, or the signal. */
  async ended(): Promise<unknown> {
    const [code, signal] = await within(this.#exit, 'the process to end', PATIENCE)
    return code ?? signal
  }
}

interface Mute {
  readonly raw: RawServer
  readonly wires: readonly WireClient[]
}

/** A server that says nothing by itself but the answer to the handshake, and never ends a connection. */
async function mute(t: Test, options: { tls?: true; first?: Reply } = {}): Promise<Mute> {
  const { first, ...rest } = options
  const wires: WireClient[] = []
  const reply: Reply = (head, peer) => {
    if (first !== undefined && raw.heads.length === 1) return first(head, peer)
    wires.push(new WireClient(peer))
    return accepting(head)
  }
  const raw = await RawServer.open(t, reply, rest)
  return { raw, wires }
}

/** The client is asked again and again, and answers each time: its process is there. */
async function isAlive(t: Test, wire: WireClient): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const before = wire.frames.length
    wire.sendRaw(frame('89', `${i}`))
    const { first, payload } = (await wire.received(before + 1))[before]
    t.strictSame([first, String(payload)], [0x8a, `${i}`])
  }
}

/** The server takes part in the closing handshake, and ends the connection. */
function conclude({ socket }: WireClient): void {
  socket.end(bytes(closeFrame(1000)))
}

const KINDS = ['connect', 'WebSocket', 'reconnecting'] as const

t.test('clients that are unrefed do not keep their process, though their connections are open', async t => {
  for (const orders of ['open unref', 'unref open', 'open ref unref']) {
    const { raw, wires } = await mute(t)
    const child = new Child(t, KINDS.map(kind => ({ kind, url: raw.url })), orders)
    await child.done()
    t.equal(await child.ended(), 0, orders)
    await raw.left(KINDS.length)
    t.strictSame(wires.map(({ frames }) => frames), KINDS.map(() => []), 'nobody has closed')
  }
})

t.test('neither do they over TLS, through proxies, with an agent, or behind a redirect', async t => {
  const { raw: plain } = await mute(t)
  const { raw: secure } = await mute(t, { tls: true })
  const redirecting = await RawServer.open(t, () => answering(302, { location: plain.url }))
  const proxy = await openProxy(t)
  const secureProxy = await openProxy(t, { tls: true })
  const tls = { rejectUnauthorized: false }
  const ways: Omit<ClientParts, 'kind'>[] = [
    { url: secure.url, options: { tls } },
    { url: plain.url, options: { proxy: proxy.url } },
    { url: secure.url, options: { tls, proxy: proxy.url } },
    { url: secure.url, options: { tls, proxy: { url: secureProxy.url, tls } } },
    { url: plain.url, agent: true },
    { url: redirecting.url, options: { redirects: 1 } },
  ]
  for (const orders of ['open unref', 'unref open']) {
    const child = new Child(t, ways.map(way => ({ kind: 'WebSocket', ...way })), orders)
    await child.done()
    t.equal(await child.ended(), 0, orders)
  }
  t.strictSame([plain.heads.length, secure.heads.length], [6, 6])
})

t.test('one that is not, or no more, keeps it until its connection is over', async t => {
  const rows: [kind: ClientParts['kind'], orders: string][] = [
    ['connect', 'open'],
    ['connect', 'open unref ref'],
    ['WebSocket', 'open unref ref'],
    ['WebSocket', 'unref ref open'],
    ['reconnecting', 'open unref ref'],
    ['reconnecting', 'unref ref open'],
  ]
  for (const [kind, orders] of rows) {
    const { raw, wires } = await mute(t)
    const child = new Child(t, [{ kind, url: raw.url }], orders)
    await child.done()
    await isAlive(t, wires[0])
    conclude(wires[0])
    t.equal(await child.ended(), 0, `${kind}: ${orders}`)
  }
})

t.test('unrefed while they wait for an answer, they do not keep it', async t => {
  const raw = await RawServer.open(t, () => {})
  const child = new Child(t, [{ kind: 'WebSocket', url: raw.url }, { kind: 'reconnecting', url: raw.url }], 'unref')
  t.equal(await child.ended(), 0)
  await raw.left(2)
  t.equal(raw.heads.length, 2)
})

/** Far longer than any test waits. */
const ENDLESS = { limits: { closingTime: 1e9 } }

t.test('a peer that does not answer their close frame does not keep the process of those that are unrefed', async t => {
  for (const orders of ['open unref close', 'open close unref']) {
    const { raw, wires } = await mute(t)
    const kinds = ['connect', 'WebSocket'] as const
    const child = new Child(t, kinds.map(kind => ({ kind, url: raw.url, options: ENDLESS })), orders)
    t.equal(await child.ended(), 0, orders)
    await raw.left(2)
    t.strictSame(wires.map(({ frames }) => frames.map(({ first }) => first)), [[0x88], [0x88]], 'they had closed')
  }
})

t.test('it keeps the process of those that are not', async t => {
  for (const kind of ['connect', 'WebSocket'] as const) {
    const { raw, wires } = await mute(t)
    const child = new Child(t, [{ kind, url: raw.url, options: ENDLESS }], 'open close')
    await child.done()
    await wires[0].received(1)
    await isAlive(t, wires[0])
    conclude(wires[0])
    t.equal(await child.ended(), 0, kind)
  }
})

/** Says no for now. */
const later = (seconds: number): Reply => () => answering(503, { 'retry-after': `${seconds}` })

t.test('the pause between two attempts keeps the process in the same cases', async t => {
  for (const orders of ['failed unref', 'unref failed']) {
    const { raw } = await mute(t, { first: later(3600) })
    const child = new Child(t, [{ kind: 'reconnecting', url: raw.url }], orders)
    await child.done()
    t.equal(await child.ended(), 0, orders)
    t.equal(raw.accepted, 1)
  }
  for (const orders of ['failed', 'failed unref ref']) {
    const { raw, wires } = await mute(t, { first: later(1) })
    const child = new Child(t, [{ kind: 'reconnecting', url: raw.url, options: { minDelay: 0 } }], orders)
    await child.done()
    await eventually('the next attempt', () => wires.length === 1)
    await isAlive(t, wires[0])
    conclude(wires[0])
    t.equal(await child.ended(), 0, orders)
  }
})

/** Each cell of the table in docs/reference/lifecycle.md, tried on servers' and on clients' connections. */
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Topics } from '../lib/broadcast/topics.ts'
import { ConnectionClosedError } from '../lib/transport/connection-closed-error.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { connected, type Connected } from './helpers/connected.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { turn } from './helpers/journal.ts'

const STATES = ['open', 'closing', 'closed', 'gone'] as const
type State = (typeof STATES)[number]

const page = readFileSync(new URL('../docs/reference/lifecycle.md', import.meta.url), 'utf8')

/** Rows of the first table of the page: what is called, then a cell for each state. */
const table = new Map(
  page
    .split('\n\n')
    .find(part => part.startsWith('| | open'))
    ?.split('\n')
    .slice(2)
    .map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
    .map(([call, ...cells]) => [call, cells] as const)
)

/** How a promise stands after some turns: what it resolved with, `rejects`, or `pending`. */
async function outcome(promise: Promise<unknown>): Promise<{ how: 'resolves' | 'rejects' | 'pending'; value: unknown }> {
  const pending = {}
  const later = (async () => {
    for (let i = 0; i < 5; i++) await turn()
    return pending
  })()
  try {
    const value = await Promise.race([promise, later])
    return { how: value === pending ? 'pending' : 'resolves', value }
  } catch (error) {
    return { how: 'rejects', value: error }
  }
}

/** `rejects`, where that is with the error that says so. */
async function settling(promise: Promise<unknown>): Promise<string> {
  const { how, value } = await outcome(promise)
  if (how !== 'rejects') return how
  return value instanceof ConnectionClosedError && value.code === 'connection-closed' ? 'rejects' : `rejects with ${String(value)}`
}

const PONG = '8a'

/** What is tried in a state, and what to see there: a cell of the table. */
const CALLS: Readonly<Record<string, (peer: Connected & { topics: Topics<object> }, state: State) => string | Promise<string>>> = {
  '`readyState`': ({ connection }) => connection.readyState,
  '`send`': ({ connection, transport }, state) => {
    if (state !== 'open') return String(connection.send('x'))
    const first = connection.send('x')
    transport.stall()
    let sent = first
    while (sent) sent = connection.send('x'.repeat(10_000))
    return `${first}, or ${sent}: wait`
  },
  '`pong`, as `send` of control frames': ({ connection }) => String(connection.pong('x')),
  '`ping()`': async ({ connection, transport, feed }, state) => {
    transport.written()
    const answered = connection.ping()
    if (state !== 'open') return settling(answered)
    await turn()
    feed(PONG + transport.written().slice(2))
    const { how, value } = await outcome(answered)
    return typeof value === 'number' ? `${how} with the round trip` : how
  },
  '`drained()`': async ({ connection, transport }, state) => {
    if (state !== 'open') return settling(connection.drained())
    transport.stall()
    while (connection.send('x'.repeat(10_000)));
    const drained = connection.drained()
    if ((await outcome(drained)).how !== 'pending') return 'resolves at once'
    transport.goOn()
    return `${await settling(drained)} when there is room`
  },
  '`sendStream`': async ({ connection }, state) => {
    const how = await settling(connection.sendStream(['a', 'b']))
    return state === 'open' && how === 'resolves' ? 'resolves when the last piece is accepted' : how
  },
  '`closed`': ({ connection }) => settling(connection.closed),
  '`closeInfo`': async ({ connection }) => {
    if (connection.closeInfo === undefined) return 'undefined'
    return (await connection.closed) === connection.closeInfo ? 'what `closed` gave' : 'something else'
  },
  '`for await`': async ({ connection, feed }, state) => {
    const loop = connection[Symbol.asyncIterator]()
    if (state === 'open' || state === 'closing') {
      feed(frame('81', 'a'))
      const { value } = await outcome(loop.next())
      return (value as { value: unknown }).value === 'a' ? 'messages' : 'no message'
    }
    const { how, value } = await outcome(loop.next())
    return how === 'resolves' && (value as { done: boolean }).done ? 'ends or throws' : how
  },
  'callbacks': async ({ journal, feed, connection, transport }, state) => {
    const before = journal.lines.length
    feed(frame('81', 'a'), frame(PONG, 'p'))
    await turn()
    if (state === 'open') {
      transport.stall()
      while (connection.send('x'.repeat(10_000)));
      transport.goOn()
      await turn()
      await turn()
    }
    if (state === 'closing') {
      feed(closeFrame(1000))
      await turn()
    }
    const heard = journal.lines.slice(before).filter(line => line !== 'gone')
    if (state === 'open') return heard.join() === 'text a,pong,drain' ? 'any' : heard.join()
    if (state === 'closing') return heard.join() === 'text a,pong,close 1000' ? '`message`, `pong`, then `close`' : heard.join()
    return heard.length === 0 ? 'none' : heard.join()
  },
  '`subscribe`': ({ connection, topics }) => {
    connection.subscribe('room')
    return topics.count(connection) === 1 && connection.isSubscribed('room') ? 'takes part' : topics.count(connection) === 0 ? 'nothing' : 'both'
  },
  '`close`': async ({ connection, transport }, state) => {
    const before = connection.readyState
    await turn()
    transport.written()
    connection.close(1000)
    await turn()
    const written = transport.written()
    if (state === 'open') return connection.readyState === 'closing' && written !== '' ? 'closing begins' : 'no closing'
    return connection.readyState === before && written === '' ? 'nothing' : `${connection.readyState}, ${written}`
  },
}

/** A connection in that state. */
async function connectionIn(t: Test, state: State, options: object): Promise<Connected & { topics: Topics<object> }> {
  const topics = new Topics<object>()
  const hub = {
    subscribe: (socket: Connection<string>, name: string) => topics.subscribe(socket, name),
    unsubscribe: (socket: Connection<string>, name: string) => topics.unsubscribe(socket, name),
    isSubscribed: (socket: Connection<string>, name: string) => topics.has(socket, name),
    topicBytes: () => 0,
    publish: () => 0,
  }
  let heard: Connected | undefined
  const peer = connected(t, { pong: () => void heard?.journal.add('pong') }, { hub, ...options })
  heard = peer
  await turn()
  if (state !== 'open') peer.connection.close(1000)
  if (state === 'closed' || state === 'gone') {
    peer.feed(closeFrame(1000))
    await peer.journal.until('close 1000')
  }
  if (state === 'gone') {
    peer.transport.push(null)
    await peer.journal.until('gone')
  }
  await turn()
  return { ...peer, topics }
}

t.test('the table has a row for each call, and a cell for each state', async t => {
  t.strictSame([...table.keys()], Object.keys(CALLS))
  for (const [call, cells] of table) t.equal(cells.length, STATES.length, call)
})

for (const [call, cells] of table) {
  t.test(call, async t => {
    for (const [at, state] of STATES.entries()) {
      const peer = await connectionIn(t, state, call === '`for await`' ? { pulled: true, waits: true } : {})
      t.equal(await CALLS[call](peer, state), cells[at], state)
    }
  })
}

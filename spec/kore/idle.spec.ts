/** websocket_timeout and idle_timer.length: when a silent connection is closed. Deadlines are kept to within 100 ms. */
import t from 'tap'
import {
  config,
  CONN_STATE_DISCONNECTING,
  CONN_WS_CLOSE_SENT,
  kore_websocket_broadcast,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../../lib/kore.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { eventually } from '../helpers/journal.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { Time } from '../helpers/stopped-clock.ts'
import { Served } from './served.ts'

const IDLE = closeFrame(1001, 'idle')
const STEP = 100

/** Lets time pass step by step: more at once would look like a moment in which nobody could be heard. */
async function pass(time: Time, milliseconds: number, first: () => Promise<void> | void = () => {}): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += STEP) {
    await first()
    await time.pass(STEP)
  }
}

t.test('a silent connection is closed with 1001 after websocket_timeout seconds; ondisconnect once', async t => {
  const served = await Served.start(t)
  config.websocket_timeout = 1
  let seen: unknown
  served.disconnected = c => {
    seen = [c.state, c.flags, c.idle_timer.length, kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late')]
  }
  const time = new Time(t)
  const client = await served.client()
  config.websocket_timeout = 120
  await pass(time, 900)
  t.strictSame(served.events, ['connect'], 'not before')
  await pass(time, 300)
  t.equal(await client.rest(), IDLE)
  t.strictSame(served.events, ['connect', 'disconnect'])
  t.strictSame(seen, [CONN_STATE_DISCONNECTING, CONN_WS_CLOSE_SENT, 1000, false])
  t.strictSame(served.errors, [])
})

t.test('idle_timer.length: for one connection, in milliseconds; 120 s by default', async t => {
  const seen: number[] = []
  const served = await Served.start(t, request => {
    t.equal(request.owner.idle_timer.length, Infinity, 'none before the handshake')
    return served.handshake(request)
  })
  served.connected = c => {
    seen.push(c.idle_timer.length)
    if (seen.length === 1) c.idle_timer.length = 200
    seen.push(c.idle_timer.length)
  }
  const time = new Time(t)
  const first = await served.client()
  const second = await served.client()
  await pass(time, 100)
  t.equal(first.unread, '', 'not before')
  await pass(time, 300)
  t.equal(await first.rest(), IDLE)
  t.strictSame(seen, [120_000, 200, 120_000, 120_000])
  second.send(masked(closeFrame(1000)))
  t.equal(await second.rest(), closeFrame(1000), 'the other lives')
})

t.test('idle_timer.length may be set at any time, and counts from then', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  c.idle_timer.length = Infinity
  t.equal(c.idle_timer.length, Infinity)
  c.idle_timer.length = 100
  t.equal(await client.rest(), IDLE)
  for (const wrong of [-1, 1.5, NaN, '1']) {
    t.throws(
      () => {
        c.idle_timer.length = wrong as number
      },
      { name: 'MisuseError', code: 'invalid-option', message: /^idle_timer.length must be a whole number of milliseconds/ }
    )
  }
})

t.test('websocket_timeout 0: closed at the next check', async t => {
  const served = await Served.start(t)
  config.websocket_timeout = 0
  const client = await served.client()
  t.equal(await client.rest(), IDLE)
})

t.test('what keeps a connection alive: anything that comes, and anything that is sent', async t => {
  const served = await Served.start(t)
  served.connected = c => {
    c.idle_timer.length = 300
  }
  const long = masked(frame('82', Buffer.alloc(100)))
  const kinds: [name: string, act: (client: RawClient, c: KoreConnection, at: number) => void][] = [
    ['text', client => client.send(masked(frame('81', 'hi')))],
    ['pings', client => client.send(masked(frame('89')))],
    ['pongs nobody asked for', client => client.send(masked(frame('8a')))],
    ['a frame byte by byte', (client, _, at) => client.send(long.slice(2 * at, 2 * at + 2))],
    ['what the server sends', (_, c) => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'hi')],
  ]
  const time = new Time(t)
  const silent = await served.client()
  const lively = await Promise.all(kinds.map(async ([name, act]) => ({ name, act, ...(await served.pair()) })))
  let at = 0
  await pass(time, 800, async () => {
    for (const { name, act, client, c } of lively) {
      const socket = [...served.sockets].find(({ remotePort }) => remotePort === client.socket.localPort)
      const before = socket?.bytesRead ?? 0
      const sent = client.socket.bytesWritten
      act(client, c, at)
      if (client.socket.bytesWritten > sent) await eventually(`${name} to be read`, () => (socket?.bytesRead ?? 0) > before)
    }
    at++
  })
  t.equal(await silent.rest(), IDLE, 'nothing')
  t.strictSame(served.events.filter(event => event === 'disconnect'), ['disconnect'])
  for (const { name, client } of lively) t.equal(client.state, 'open', name)
  await pass(time, 500)
  for (const { name, client } of lively) t.ok((await client.rest()).endsWith(IDLE), name)
})

t.test('broadcasts keep a connection alive', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const time = new Time(t)
  c.idle_timer.length = 300
  await pass(time, 800, () => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'hi', null, WEBSOCKET_BROADCAST_LOCAL))
  t.strictSame(served.events, ['connect'])
  await pass(time, 500)
  t.ok((await client.rest()).endsWith(IDLE))
})

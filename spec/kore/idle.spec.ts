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
import type { RawClient } from '../helpers/raw-client.ts'
import { Served } from './served.ts'

const IDLE = closeFrame(1001, 'idle')

t.test('a silent connection is closed with 1001 after websocket_timeout seconds; ondisconnect once', async t => {
  const served = await Served.start(t)
  config.websocket_timeout = 1
  let seen: unknown
  served.disconnected = c => {
    seen = [c.state, c.flags, c.idle_timer.length, kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late')]
  }
  const began = performance.now()
  const client = await served.client()
  config.websocket_timeout = 120
  t.equal(await client.rest(), IDLE)
  const time = performance.now() - began
  t.ok(time >= 900 && time < 60_000, `after ${time} ms`)
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
  const began = performance.now()
  const first = await served.client()
  const second = await served.client()
  t.equal(await first.rest(), IDLE)
  const time = performance.now() - began
  t.ok(time >= 100 && time < 60_000, `after ${time} ms`)
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
  let at = 0
  const kinds: [string, (client: RawClient, c: KoreConnection) => void][] = [
    ['text', client => client.send(masked(frame('81', 'hi')))],
    ['pings', client => client.send(masked(frame('89')))],
    ['pongs nobody asked for', client => client.send(masked(frame('8a')))],
    ['a frame byte by byte', client => client.send(long.slice(at, (at += 2)))],
    ['what the server sends', (_, c) => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'hi')],
    ['nothing', () => {}],
  ]
  const ended: string[] = []
  const lives = kinds.map(async ([name, act]) => {
    const { client, c } = await served.pair()
    const began = performance.now()
    const timer = setInterval(() => act(client, c), 50)
    setTimeout(() => clearInterval(timer), 700)
    const end = await client.rest()
    clearInterval(timer)
    ended.push(name)
    const time = performance.now() - began
    t.ok(end.endsWith(IDLE), name)
    if (name !== 'nothing') t.ok(time > 800, `${name}: ${time} ms`)
  })
  await Promise.all(lives)
  t.equal(ended[0], 'nothing')
})

t.test('broadcasts keep a connection alive', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  c.idle_timer.length = 300
  const began = performance.now()
  const timer = setInterval(() => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'hi', null, WEBSOCKET_BROADCAST_LOCAL), 50)
  setTimeout(() => clearInterval(timer), 600)
  t.ok((await client.rest()).endsWith(IDLE))
  t.ok(performance.now() - began > 700)
})

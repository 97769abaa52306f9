/** kore_websocket_broadcast in one process: who gets what, in how many writes; what is refused. */
import t from 'tap'
import { clusterBus } from '../../lib/broadcast/cluster-bus.ts'
import {
  config,
  kore_connection_disconnect,
  kore_websocket_broadcast,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_GLOBAL,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_PING,
  WEBSOCKET_OP_PONG,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../../lib/kore.ts'
import { bytes, frame, masked } from '../helpers/frames.ts'
import { turn } from '../helpers/journal.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { Served } from './served.ts'

const INVALID_ARGUMENT = { name: 'MisuseError', code: 'invalid-argument' }

/** What each client gets up to a frame that is sent to it alone. */
async function received(clients: readonly RawClient[], all: readonly KoreConnection[]): Promise<string[]> {
  for (const c of all) kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'the end')
  const end = frame('81', 'the end')
  return Promise.all(
    clients.map(async client => {
      let got = ''
      while (!got.endsWith(end)) got += await client.read(1)
      return got.slice(0, -end.length)
    })
  )
}

t.test('everybody but src, once; with src null everybody; any scope but GLOBAL is LOCAL', async t => {
  const served = await Served.start(t, { '/a': request => served.handshake(request), '/b': request => served.handshake(request) })
  const one = await served.pair({ path: '/a' })
  const two = await served.pair({ path: '/a' })
  const three = await served.pair({ path: '/b' })
  const clients = [one.client, two.client, three.client]
  const all = [one.c, two.c, three.c]
  const hi = frame('81', 'hi')
  for (const scope of [WEBSOCKET_BROADCAST_LOCAL, WEBSOCKET_BROADCAST_GLOBAL, 0, 7, 4]) {
    kore_websocket_broadcast(one.c, WEBSOCKET_OP_TEXT, 'hi', 2, scope)
    t.strictSame(await received(clients, all), ['', hi, hi], `scope ${scope}, src`)
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, Buffer.from('hi'), null, scope)
    t.strictSame(await received(clients, all), [hi, hi, hi], `scope ${scope}, null`)
  }
  t.strictSame(served.events, ['connect', 'connect', 'connect'], 'no callback of a receiver is called')
})

t.test('from onmessage, as relay chats do; borrowed data with its length', async t => {
  const served = await Served.start(t)
  served.received = (c, op, data, length) => {
    kore_websocket_broadcast(c, op, data, length, WEBSOCKET_BROADCAST_GLOBAL)
    data.fill(0)
  }
  const one = await served.client()
  const two = await served.client()
  one.send(masked(frame('81', 'from one')), masked(frame('82', bytes('00ff'))))
  const expected = frame('81', 'from one') + '820200ff'
  t.equal(await two.readAs(expected), expected)
  two.send(masked(frame('81', 'from two')))
  t.equal(await one.readAs(frame('81', 'from two')), frame('81', 'from two'), 'which has not got its own')
})

t.test('every op but CLOSE, empty data, and a length', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const cases: [op: number, data: string | Buffer, length: number | null, expected: string][] = [
    [WEBSOCKET_OP_TEXT, 'é', null, frame('81', 'é')],
    [WEBSOCKET_OP_BINARY, bytes('0102'), 1, '820101'],
    [WEBSOCKET_OP_PING, 'ping', null, frame('89', 'ping')],
    [WEBSOCKET_OP_PONG, 'pong', 0, '8a00'],
    [WEBSOCKET_OP_PING, 'p'.repeat(126), 125, frame('89', 'p'.repeat(125))],
    [WEBSOCKET_OP_TEXT, '', null, '8100'],
    [WEBSOCKET_OP_TEXT, Buffer.alloc(300, 'x'), null, frame('81', 'x'.repeat(300))],
  ]
  for (const [op, data, length, expected] of cases) {
    kore_websocket_broadcast(null, op, data, length, WEBSOCKET_BROADCAST_LOCAL)
    t.strictSame(await received([client], [c]), [expected])
  }
})

t.test('larger than websocket_maxframe: the limit is for what is received', async t => {
  const served = await Served.start(t)
  config.websocket_maxframe = 10
  const clients = [await served.client(), await served.client()]
  const data = Buffer.alloc(1_000_000, 'x')
  kore_websocket_broadcast(null, WEBSOCKET_OP_BINARY, data, null, WEBSOCKET_BROADCAST_LOCAL)
  const expected = frame('82', data)
  for (const client of clients) t.ok((await client.readAs(expected)) === expected)
})

t.test('several broadcasts of one tick arrive in one chunk, in order, with what else is sent', async t => {
  const served = await Served.start(t)
  const pairs = [await served.pair(), await served.pair()]
  const before = pairs.map(({ client }) => client.chunks.length)
  const expected = ['', '']
  for (let at = 0; at < 10; at++) {
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, `broadcast ${at}`, null, WEBSOCKET_BROADCAST_LOCAL)
    kore_websocket_send(pairs[0].c, WEBSOCKET_OP_TEXT, 'for the first')
    expected[0] += frame('81', `broadcast ${at}`) + frame('81', 'for the first')
    expected[1] += frame('81', `broadcast ${at}`)
  }
  for (const [at, { client }] of pairs.entries()) {
    t.equal(await client.readAs(expected[at]), expected[at])
    t.strictSame(client.chunks.slice(before[at]), [expected[at]])
  }
})

t.test('data is copied: the caller may change it right after', async t => {
  const served = await Served.start(t)
  const clients = [await served.client(), await served.client()]
  for (const size of [20, 20_000, 70_000]) {
    const data = Buffer.alloc(size, 'a')
    const expected = frame('82', data)
    kore_websocket_broadcast(null, WEBSOCKET_OP_BINARY, data, null, WEBSOCKET_BROADCAST_LOCAL)
    data.fill('b')
    for (const client of clients) t.ok((await client.readAs(expected)) === expected, `${size} bytes`)
  }
})

t.test('many broadcasts: what a slow client has not got yet is not overwritten', async t => {
  const served = await Served.start(t)
  const client = await served.client()
  client.socket.pause()
  let expected = ''
  for (let at = 0; at < 300; at++) {
    const text = `${at} `.repeat(1000).slice(0, 3000)
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, text, null, WEBSOCKET_BROADCAST_LOCAL)
    expected += frame('81', text)
    if (at % 10 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  client.socket.resume()
  t.ok((await client.readAs(expected)) === expected)
})

t.test('who is being closed gets nothing any more; nobody there is nothing to do', async t => {
  kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'nobody', null, WEBSOCKET_BROADCAST_GLOBAL)
  const served = await Served.start(t)
  const one = await served.pair()
  const two = await served.pair()
  kore_connection_disconnect(one.c)
  kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'hi', null, WEBSOCKET_BROADCAST_LOCAL)
  kore_websocket_broadcast(one.c, WEBSOCKET_OP_TEXT, 'from one', null, WEBSOCKET_BROADCAST_LOCAL)
  const expected = frame('81', 'hi') + frame('81', 'from one')
  t.equal(await two.client.readAs(expected), expected)
  one.client.send(masked(frame('88')))
  t.equal(await one.client.rest(), '8800')
})

t.test('a misuse is thrown, and nobody gets anything', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const all = WEBSOCKET_BROADCAST_LOCAL
  for (const op of [WEBSOCKET_OP_CLOSE, 0, 3, 11, 0x81, NaN, '1', null]) {
    t.throws(() => kore_websocket_broadcast(null, op as number, '', null, all), {
      ...INVALID_ARGUMENT,
      message: `op must be WEBSOCKET_OP_TEXT, _BINARY, _PING or _PONG, and not ${typeof op === 'string' ? '"1"' : String(op)}`,
    })
  }
  for (const length of [3, -1, 0.5, '1']) {
    t.throws(() => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'hi', length as number, all), {
      ...INVALID_ARGUMENT,
      message: /^length must be 0 to 2, the bytes of data, and not /,
    })
  }
  for (const data of [null, undefined, 1, {}]) {
    t.throws(() => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, data as unknown as string, null, all), {
      ...INVALID_ARGUMENT,
      message: /^data must be a string/,
    })
  }
  for (const src of [undefined, {}, 1]) {
    t.throws(() => kore_websocket_broadcast(src as unknown as null, WEBSOCKET_OP_TEXT, 'hi', null, all), {
      ...INVALID_ARGUMENT,
      message: 'the connection must be one that a callback or request.owner gave',
    })
  }
  t.throws(() => kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, bytes('ff'), null, all), {
    ...INVALID_ARGUMENT,
    message: 'data sent as text must be valid UTF-8',
  })
  for (const op of [WEBSOCKET_OP_PING, WEBSOCKET_OP_PONG]) {
    t.throws(() => kore_websocket_broadcast(null, op, 'é'.repeat(63), null, all), {
      ...INVALID_ARGUMENT,
      message: 'the payload of a control frame must be at most 125 bytes',
    })
  }
  t.strictSame(await received([client], [c]), [''])
})

t.test('while the bus is congested, no further message is read', async t => {
  const served = await Served.start(t)
  const { client } = await served.pair()
  const bus = clusterBus()
  let congested = false
  let drain = (): void => {}
  const drained = new Promise<void>(resolve => (drain = resolve))
  Object.defineProperties(bus, {
    congested: { configurable: true, get: () => congested },
    drained: { configurable: true, value: () => drained },
  })
  t.teardown(() => {
    Reflect.deleteProperty(bus, 'congested')
    Reflect.deleteProperty(bus, 'drained')
  })
  served.received = () => void (congested = true)
  client.send(masked(frame('81', 'a')) + masked(frame('81', 'b')))
  await served.happened('text 61 1')
  await turn()
  t.strictSame(served.events, ['connect', 'text 61 1'])
  served.received = () => {}
  congested = false
  drain()
  await served.happened('text 62 1')
})

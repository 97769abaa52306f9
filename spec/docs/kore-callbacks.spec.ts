/** docs/kore.md, row by row: callbacks and the end of a connection, broadcasts, and what its Python API has. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { clusterBus } from '../../lib/broadcast/cluster-bus.ts'
import * as kore from '../../lib/kore.ts'
import {
  CONN_STATE_DISCONNECTING,
  CONN_WS_CLOSE_SENT,
  config,
  connections,
  KORE_RESULT_ERROR,
  kore_attach,
  kore_connection_disconnect,
  kore_shutdown,
  kore_websocket_broadcast,
  kore_websocket_handshake,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_GLOBAL,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
} from '../../lib/kore.ts'
import { bytes, closeFrame, frame, masked } from '../helpers/frames.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { Served } from '../kore/served.ts'
import { codeOf, heardAs, said, sending, statusOf, triedIn, tryRows } from './kore-rows.ts'

const [LOCAL, GLOBAL] = [WEBSOCKET_BROADCAST_LOCAL, WEBSOCKET_BROADCAST_GLOBAL]
const CLOSE = masked(closeFrame(1000))
const LAST = frame('81', 'last')

/** A server whose ondisconnect sends a last word; what it was told about that, and how the connection stood. */
async function withLastWord(t: Test): Promise<{ readonly served: Served; readonly seen: unknown[] }> {
  const served = await Served.start(t)
  const seen: unknown[] = []
  served.disconnected = c => void seen.push(c.state, connections.has(c), c.flags & CONN_WS_CLOSE_SENT, kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'last'))
  return { served, seen }
}

/** Ways for a client to end. */
const ENDS: Readonly<Record<string, (client: RawClient) => void>> = {
  close: client => client.send(CLOSE),
  fin: client => client.end(),
  reset: client => client.reset(),
  violation: client => client.send(frame('81', 'a')),
  'half a frame': client => void client.socket.end(bytes(said('long').slice(0, 10))),
}

tryRows('### Callbacks, and the end of a connection', {
  async 'onconnect once; onmessage for data only'(t) {
    const { events } = await sending(t, masked(frame('89', 'ping')), said('a'), masked(frame('8a', 'pong')), CLOSE)
    t.strictSame(events, ['connect', heardAs('a'), 'disconnect'])
  },
  async 'ondisconnect exactly once in every ending, a crash of the worker excepted'(t) {
    for (const [name, end] of Object.entries(ENDS)) {
      const served = await Served.start(t)
      const { client, c } = await served.pair()
      end(client)
      await served.happened('disconnect')
      await served.until('the connection to be forgotten', () => !connections.has(c))
      t.strictSame(served.events, ['connect', 'disconnect'], name)
    }
  },
  async 'in ondisconnect `state` is 3, and `c` is among the connections'(t) {
    for (const [name, end] of Object.entries(ENDS)) {
      const { served, seen } = await withLastWord(t)
      end(await served.client())
      await served.happened('disconnect')
      t.strictSame(seen.slice(0, 2), [CONN_STATE_DISCONNECTING, true], name)
    }
    t.equal(CONN_STATE_DISCONNECTING, 3)
  },
  async 'the client closes: `88 00` goes out first, then ondisconnect'(t) {
    const { served, seen } = await withLastWord(t)
    const client = await served.client()
    client.send(masked('8800'))
    t.equal(await client.rest(), '8800')
    t.equal(seen[3], false)
  },
  async '`CONN_WS_CLOSE_SENT` is set in ondisconnect then'(t) {
    const { served, seen } = await withLastWord(t)
    ENDS.close(await served.client())
    await served.happened('disconnect')
    t.equal(seen[2], CONN_WS_CLOSE_SENT)
  },
  async '`kore_connection_disconnect`, handler error: ondisconnect first, then `88 00`; a send in it arrives'(t) {
    const called = await withLastWord(t)
    const { client, c } = await called.served.pair()
    kore_connection_disconnect(c)
    t.equal(await client.readAs(`${LAST}8800`), `${LAST}8800`)
    client.send(CLOSE)
    const seen: unknown[] = []
    const served: Served = await Served.start(t, request => {
      served.handshake(request)
      return KORE_RESULT_ERROR
    })
    served.disconnected = c => void seen.push(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'last'))
    const other = await served.client()
    t.equal(await other.readAs(`${LAST}8800`), `${LAST}8800`)
    t.strictSame([seen, called.seen.at(-1)], [[true], true])
    other.send(CLOSE)
  },
  async 'protocol error, idle timeout: ondisconnect first, then `88 00`; a send in it arrives'(t) {
    for (const end of [ENDS.violation, () => {}]) {
      const { served, seen } = await withLastWord(t)
      if (end !== ENDS.violation) config.websocket_timeout = 0
      const client = await served.client()
      end(client)
      t.ok([1001, 1002].includes(codeOf(await client.rest())))
      t.strictSame(seen.slice(2), [CONN_WS_CLOSE_SENT, false], 'the close frame is out before')
    }
  },
  async 'shutdown: ondisconnect first, then `88 00`'(t, [code]) {
    const { served, seen } = await withLastWord(t)
    const client = await served.client()
    const over = kore_shutdown()
    t.equal(await client.readAs(closeFrame(code)), closeFrame(code))
    client.send(said('still sending'))
    await served.happened(heardAs('still sending'))
    t.strictSame(seen, [], 'not yet')
    client.send(masked(closeFrame(code)))
    await over
    t.equal(seen.at(-1), false)
    t.equal(await client.rest(), '')
  },
  async 'FIN, RST or half a frame without a close frame: ondisconnect once; a send in it and `88 00` are tried'(t) {
    for (const name of ['fin', 'reset', 'half a frame']) {
      const { served, seen } = await withLastWord(t)
      const client = await served.client()
      ENDS[name](client)
      await served.happened('disconnect')
      if (name !== 'reset') t.equal(await client.rest(), '', name)
      t.equal(seen.at(-1), false, name)
    }
  },
  async 'data and FIN in one go: the data is often lost'(t) {
    const served = await Served.start(t)
    const client = await served.client()
    client.socket.end(bytes(said('last')))
    t.strictSame(await served.happened(3), ['connect', heardAs('last'), 'disconnect'])
  },
  async 'a fault in a callback takes the worker down'(t, [code]) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    const other = await served.client()
    served.received = () => {
      throw new Error('oops')
    }
    client.send(said('a'))
    t.equal(codeOf(await client.rest()), code)
    t.match(served.errors, [{ error: { message: 'oops' } }])
    t.equal(served.errors[0].c, c)
    served.received = () => {}
    other.send(said('b'))
    await served.happened(heardAs('b'))
  },
})

/** Three clients of two servers, of which the second has other callbacks; what each gets. */
async function hall(t: Test): Promise<{ readonly clients: RawClient[]; readonly src: KoreConnection; readonly served: Served; got(frames: string): Promise<string[]> }> {
  const served = await Served.start(t)
  const elsewhere = createServer().listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  kore_attach(elsewhere, { '/other': request => kore_websocket_handshake(request, null, null, null) })
  const { client, c } = await served.pair()
  const clients = [client, await served.client(), await RawClient.handshake((elsewhere.address() as AddressInfo).port, { path: '/other' })]
  t.teardown(async () => {
    await clients[2].close()
    elsewhere.close()
  })
  return { clients, src: c, served, got: frames => Promise.all(clients.slice(1).map(each => each.readAs(frames))) }
}

/** Broadcasts, and sees that all but `src` get it once: behind it comes what tells the end. */
async function reaches(t: Test, scope: number, withSrc: boolean): Promise<void> {
  const { clients, src, got } = await hall(t)
  kore_websocket_broadcast(withSrc ? src : null, WEBSOCKET_OP_TEXT, 'a', null, scope)
  for (const c of connections) kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'end')
  const [once, none] = [frame('81', 'a') + frame('81', 'end'), frame('81', 'end')]
  t.strictSame(await got(once), [once, once])
  t.equal(await clients[0].readAs(withSrc ? none : once), withSrc ? none : once)
}

tryRows('### Broadcast', {
  'LOCAL with src: all of this worker but src, once': t => reaches(t, LOCAL, true),
  'LOCAL with NULL: all of this worker, once': t => reaches(t, LOCAL, false),
  async 'GLOBAL, as documented (and in 2.0.0): everybody but src, once'(t, ...rest) {
    await reaches(t, GLOBAL, true)
    await triedIn('kore/workers.spec.ts', 'GLOBAL over two workers (${how}): everybody but src, once, in the order of the sender')(t, ...rest)
  },
  async 'GLOBAL since 3.0.0, really: src gets one copy and others of its worker two'(t) {
    await reaches(t, GLOBAL, true)
  },
  async 'reaches every websocket, whatever its route, port or callbacks'(t) {
    const { got } = await hall(t)
    kore_websocket_broadcast(null, WEBSOCKET_OP_BINARY, 'b', null, LOCAL)
    t.strictSame(await got(frame('82', 'b')), [frame('82', 'b'), frame('82', 'b')])
  },
  async 'receivers\' callbacks are not called'(t) {
    const { served, got } = await hall(t)
    const before = served.events.length
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'a', null, LOCAL)
    await got(frame('81', 'a'))
    t.equal(served.events.length, before)
  },
  async 'any op'(t, _, ours) {
    const allowed = ours.replace('safer: ', '').split(', ').map(name => Reflect.get(kore, `WEBSOCKET_OP_${name}`) as number)
    await Served.start(t)
    for (let op = 0; op < 256; op++) {
      const cast = (): void => kore_websocket_broadcast(null, op, '', null, LOCAL)
      if (allowed.includes(op)) cast()
      else t.throws(cast, { code: 'invalid-argument' })
    }
    t.notOk(allowed.includes(WEBSOCKET_OP_CLOSE))
  },
  async 'no limit for its size; `websocket_maxframe` does not count'(t) {
    const { got } = await hall(t)
    const large = Buffer.alloc(2 * config.websocket_maxframe)
    kore_websocket_broadcast(null, WEBSOCKET_OP_BINARY, large, null, LOCAL)
    t.ok((await got(frame('82', large))).every(each => each === frame('82', large)))
  },
  async 'messages of one sender stay in order'(t) {
    const { got } = await hall(t)
    let all = ''
    for (let i = 0; i < 20; i++) {
      kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, `${i}`, null, i % 2 === 0 ? LOCAL : GLOBAL)
      all += frame('81', `${i}`)
    }
    t.strictSame(await got(all), [all, all])
  },
  async 'copies that go through the parent have one order on all workers'(t) {
    // The sender's own worker has its copy before the bus has anything.
    const { got } = await hall(t)
    const published = t.capture(clusterBus(), 'publish')
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'a', null, GLOBAL)
    await got(frame('81', 'a'))
    t.equal(published().length, 1)
    published.restore()
  },
  async 'GLOBAL with one worker is as with several'(t) {
    await reaches(t, GLOBAL, false)
  },
  async 'a task or timer may broadcast with NULL'(t) {
    const { got } = await hall(t)
    setTimeout(kore_websocket_broadcast, 1, null, WEBSOCKET_OP_TEXT, 'later', null, GLOBAL)
    t.strictSame(await got(frame('81', 'later')), [frame('81', 'later'), frame('81', 'later')])
  },
})

tryRows('### Python API', {
  async 'callbacks are callables (names up to 3.x), None is not allowed'(t) {
    kore.kore_load({ pythonCallback() {} })
    const served = await Served.start(t, request => kore_websocket_handshake(request, 'pythonCallback', null, () => {}))
    t.equal(await statusOf(t, {}, served), 101)
  },
  async 'send takes TEXT and BINARY only, and only `bytes`'(t, _, ours) {
    const { c } = await (await Served.start(t)).pair()
    const [ops = ''] = /more: (.*);/.exec(ours)?.slice(1) ?? []
    for (const name of ops.split(', ')) t.equal(kore_websocket_send(c, Reflect.get(kore, `WEBSOCKET_OP_${name}`) as number, ''), true, name)
  },
  async 'wrong arguments: TypeError, SystemError'(t) {
    const { c } = await (await Served.start(t)).pair()
    t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 5 as unknown as string), { name: 'MisuseError', code: 'invalid-argument' })
  },
  async 'onmessage gets str for TEXT'(t) {
    const served = await Served.start(t)
    let data: unknown
    served.received = (_, __, got) => void (data = got)
    const client = await served.client()
    client.send(said('text'))
    await served.until('the message', () => data !== undefined)
    t.ok(Buffer.isBuffer(data))
    t.equal(String(data), 'text')
  },
  async 'each callback gets a new object for the connection; use `c.fd` to tell them apart'(t) {
    const served = await Served.start(t)
    const seen = new Set<KoreConnection>()
    served.connected = served.received = served.disconnected = (c: KoreConnection) => void seen.add(c)
    const client = await served.client()
    client.send(said('a'), CLOSE)
    await served.happened('disconnect')
    t.equal(seen.size, 1)
  },
  async 'onconnect is called after a refused handshake too'(t) {
    const served = await Served.start(t)
    t.equal(await statusOf(t, { headers: { 'sec-websocket-key': null } }, served), 400)
    t.strictSame(served.events, [])
  },
  async 'invalid UTF-8, or an exception in a callback, ends the worker'(t, [invalid, failed]) {
    t.equal(codeOf((await sending(t, masked(frame('81', Buffer.from([0xff]))))).got), invalid)
    const served = await Served.start(t)
    served.received = () => {
      throw new Error('oops')
    }
    const client = await served.client()
    client.send(said('a'))
    t.equal(codeOf(await client.rest()), failed)
  },
  async 'a coroutine as callback is not run'(t) {
    const served = await Served.start(t)
    const seen: unknown[] = []
    served.received = async (_, __, data) => {
      await Promise.resolve()
      seen.push(String(data))
    }
    const client = await served.client()
    client.send(said('a'))
    await served.until('the callback', () => seen.length === 1)
    t.strictSame(seen, ['a'])
  },
})

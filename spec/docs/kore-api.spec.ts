/** docs/kore.md, row by row: the API. */
import { Duplex } from 'node:stream'
import type { Test } from 'tap'
import { clusterBus } from '../../lib/broadcast/cluster-bus.ts'
import * as kore from '../../lib/kore.ts'
import {
  config,
  connections,
  kore_connection_disconnect,
  kore_load,
  kore_request,
  kore_websocket_broadcast,
  kore_websocket_handshake,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_GLOBAL,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_TEXT,
  type KoreConnection,
  type KoreRequest,
} from '../../lib/kore.ts'
import { admission } from '../../lib/kore/shared.ts'
import { usesInternals } from '../../lib/node-internals/switch.ts'
import { frame } from '../helpers/frames.ts'
import type { HandshakeParts } from '../helpers/raw-client.ts'
import { clientsOf } from '../helpers/running.ts'
import { Served } from '../kore/served.ts'
import { codesIn } from './page.ts'
import { heardAs, isNotHere, said, statusOf, tryRows } from './kore-rows.ts'

/** kore.h, of Kore 4.1.0. */
const KORE_H = {
  ...{ WEBSOCKET_OP_CONT: 0x00, WEBSOCKET_OP_TEXT: 0x01, WEBSOCKET_OP_BINARY: 0x02 },
  ...{ WEBSOCKET_OP_CLOSE: 0x08, WEBSOCKET_OP_PING: 0x09, WEBSOCKET_OP_PONG: 0x0a },
  ...{ WEBSOCKET_BROADCAST_LOCAL: 1, WEBSOCKET_BROADCAST_GLOBAL: 2 },
  ...{ CONN_STATE_UNKNOWN: 0, CONN_STATE_TLS_SHAKE: 1, CONN_STATE_ESTABLISHED: 2, CONN_STATE_DISCONNECTING: 3 },
  ...{ CONN_PROTO_UNKNOWN: 0, CONN_PROTO_HTTP: 1, CONN_PROTO_WEBSOCKET: 2, CONN_PROTO_MSG: 3 },
  ...{ CONN_IDLE_TIMER_ACT: 0x01, CONN_CLOSE_EMPTY: 0x02, CONN_WS_CLOSE_SENT: 0x04, CONN_IS_BUSY: 0x08 },
  ...{ KORE_RESULT_ERROR: 0, KORE_RESULT_OK: 1, KORE_RESULT_RETRY: 2 },
}

/** Requests that `kore_websocket_handshake` answers with each status. */
const REQUESTS: Readonly<Record<number, HandshakeParts>> = {
  101: {},
  400: { headers: { 'sec-websocket-key': 'short' } },
  403: { headers: { origin: 'http://elsewhere.example' } },
  405: { method: 'POST' },
  426: { headers: { 'sec-websocket-version': '8' } },
  431: { headers: { a: Array.from({ length: 129 }, () => '1') } },
  500: { path: '/unknown' },
}

/** A name that only the module that is loaded first has as `first`. */
const called: string[] = []
kore_load({ rowsFirst: () => void called.push('first') })
kore_load({ rowsFirst: () => void called.push('second'), rowsOther: () => void called.push('other') })

/** A server whose handler gives callbacks by these names. */
async function named(t: Test, onconnect: string | null, onmessage: string | null = null): Promise<Served> {
  return Served.start(t, request => kore_websocket_handshake(request, onconnect, onmessage, null))
}

tryRows('### API', {
  async 'the handshake returns nothing, `req->status` tells the outcome'(t) {
    const seen: unknown[] = []
    const served: Served = await Served.start(t, request => {
      const before = request.status
      seen.push([before, kore_websocket_handshake(request, null, null, null), request.status])
    })
    for (const status of [101, 400]) t.equal(await statusOf(t, REQUESTS[status], served), status)
    t.strictSame(seen, [[0, undefined, 101], [0, undefined, 400]])
  },
  async 'statuses after it: 101, 400, 500'(t, numbers) {
    const seen: number[] = []
    const handshake = (request: KoreRequest, name: string | null): void => {
      kore_websocket_handshake(request, name, null, null)
      seen.push(request.status)
    }
    const served = await Served.start(t, {
      '/': request => handshake(request, null),
      '/unknown': request => handshake(request, 'rowsNobody'),
    })
    for (const parts of Object.values(REQUESTS)) await statusOf(t, parts, served)
    // Nobody of this machine can be one too many of an address: the count is filled for a handshake whose socket says another.
    const address = '192.0.2.1'
    let entered = 0
    while (admission.enter(address) === undefined) entered++
    t.teardown(() => {
      for (; entered > 0; entered--) admission.leave(address)
    })
    served.server.prependListener('upgrade', request => {
      if (request.url !== '/?elsewhere') return
      Object.defineProperty(request.socket, 'remoteAddress', { value: address })
      // What is asked in place of it.
      const getpeername = (out: { address?: string }): number => {
        out.address = address
        return 0
      }
      Object.assign((request.socket as unknown as { readonly _handle: object })._handle, { getpeername })
    })
    const far = await served.asking({ path: '/?elsewhere' })
    await served.until('the status', () => seen.length === 8)
    await far.close()
    while (admission.enter(undefined) === undefined) entered++
    t.equal(await statusOf(t, {}, served), 503)
    for (; entered > 1000; entered--) admission.leave(undefined)
    t.strictSame([...new Set(seen)].sort(), numbers)
  },
  async 'callbacks are three names, looked up in loaded modules in load order, at each handshake'(t) {
    const served = await Served.start(t, request => kore_websocket_handshake(request, 'rowsLate', 'rowsOther', 'rowsFirst'))
    t.equal(await statusOf(t, {}, served), 500, 'nobody has one of them yet')
    kore_load({ rowsLate: () => void called.push('late') })
    called.length = 0
    const client = await served.client()
    client.send(said('hi'))
    await served.until('the message', () => called.length === 2)
    await client.close()
    await served.until('the end', () => called.length === 3)
    t.strictSame(called, ['late', 'other', 'first'])
    const functions = await Served.start(t, request => kore_websocket_handshake(request, () => void called.push('function'), null, null))
    await functions.client()
    t.equal(called.at(-1), 'function')
  },
  async 'the first module that has the name wins'(t) {
    const served = await named(t, 'rowsFirst')
    called.length = 0
    await served.client()
    t.strictSame(called, ['first'])
  },
  async 'an unknown name ends the worker; all its clients are cut off, without `ondisconnect`'(t, [status]) {
    const served: Served = await Served.start(t, {
      '/': request => served.handshake(request),
      '/unknown': request => kore_websocket_handshake(request, 'rowsNobody', null, null),
    })
    const client = await served.client()
    t.equal(await statusOf(t, { path: '/unknown' }, served), status)
    client.send(said('hi'))
    t.strictSame(await served.happened(heardAs('hi')), ['connect', heardAs('hi')], 'others go on')
  },
  async 'names are looked up after the 101 is queued'(t) {
    const served = await named(t, 'rowsNobody')
    const client = await served.asking()
    t.match((await client.refusal()).head, / 500 /)
    t.notMatch(client.chunks.map(chunk => Buffer.from(chunk, 'hex').toString()).join(), ' 101 ')
  },
  async 'NULL as callback is skipped'(t) {
    const served = await named(t, null)
    const client = await served.client()
    client.send(said('hi'), '8980', '00000000')
    t.equal(await client.readAs('8a00'), '8a00')
  },
  async '`kore_websocket_send` returns nothing'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'a'), true)
    client.socket.pause()
    let sent = 0
    while (kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(50_000))) sent++
    t.ok(sent < 200)
    client.reset()
  },
  async 'any op can be sent, 0x03 or 0x41 too'(t, _, ours) {
    const served = await Served.start(t)
    const { c } = await served.pair()
    for (const op of [0x03, 0x41]) t.throws(() => kore_websocket_send(c, op, ''), { code: 'invalid-argument' })
    const allowed = ours.replace('safer: ', '').split(', ')
    for (const name of allowed) t.equal(kore_websocket_send(c, KORE_H[`WEBSOCKET_OP_${name}` as keyof typeof KORE_H], ''), true, name)
    t.equal(allowed.length, 5)
  },
  async 'sending on a connection that is closed or no websocket is not refused'(t) {
    let early: boolean | undefined
    const served: Served = await Served.start(t, request => {
      early = kore_websocket_send(request.owner, WEBSOCKET_OP_TEXT, 'early')
      served.handshake(request)
    })
    const { client, c } = await served.pair()
    kore_connection_disconnect(c)
    t.strictSame([early, kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late')], [false, false])
    client.end()
    t.equal(await client.rest(), '8800')
  },
  async 'data is copied when sent'(t) {
    const served = await Served.start(t)
    const client = await clientsOf(t, served.port).client()
    const [c] = [...connections].slice(-1)
    // More than the system takes at once.
    for (const size of [6, 8_000_000]) {
      const data = Buffer.alloc(size, 1)
      kore_websocket_send(c, WEBSOCKET_OP_BINARY, data)
      data.fill(2)
    }
    const frames = await client.received(2)
    t.ok(frames.every(({ payload }) => payload.equals(Buffer.alloc(payload.length, 1))))
  },
  async '`data` is borrowed, unmasked in place, has no NUL at its end'(t, _, ours) {
    const kept = async (): Promise<Buffer[]> => {
      const served = await Served.start(t)
      const messages: Buffer[] = []
      served.received = (_, __, data) => void messages.push(data)
      const client = await served.client()
      for (const text of ['first', 'other']) {
        client.send(said(text))
        await served.happened(heardAs(text))
      }
      return messages
    }
    const own = await kept()
    t.strictSame(own.map(String), ['first', 'other'])
    t.strictSame(codesIn(ours), ['config.websocket_lend'])
    config.websocket_lend = true
    t.teardown(() => void (config.websocket_lend = false))
    const [first, other] = await kept()
    for (const { byteLength, buffer } of [first, other]) t.ok(byteLength < buffer.byteLength, 'each is where it was read')
    // Portable mode has memory of its own for each read.
    if (usesInternals) t.equal(first.buffer, other.buffer, 'which is the same place')
  },
  async '`struct connection` is gone after the loop\'s turn; a pointer kept is dangling'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    await client.close()
    await served.happened('disconnect')
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late'), false)
    t.equal(c.state, kore.CONN_STATE_DISCONNECTING)
  },
  async 'headers, path and cookies die when the handler returns'(t) {
    let kept: KoreRequest | undefined
    const served: Served = await Served.start(t, request => {
      kept = request
      served.handshake(request)
    })
    await served.client({ path: '/?a=b', headers: { cookie: 'c=d' } })
    t.strictSame([kept?.url, kept?.headers.cookie], ['/?a=b', 'c=d'])
  },
  async '`hdlr_extra` set before the handshake is there in all callbacks'(t) {
    const seen: unknown[] = []
    const served: Served = await Served.start(t, request => {
      request.owner.hdlr_extra = 'mine'
      served.handshake(request)
    })
    const note = (c: KoreConnection): void => void seen.push(c.hdlr_extra)
    served.connected = served.received = served.disconnected = note
    const client = await served.client()
    client.send(said('hi'))
    await served.happened(heardAs('hi'))
    await client.close()
    await served.happened('disconnect')
    t.strictSame(seen, ['mine', 'mine', 'mine'])
  },
  '`hdlr_extra` is freed with `kore_free`': isNotHere('kore_free'),
  async '`hdlr_extra` belongs to the TCP connection, earlier requests included'(t) {
    const owners: KoreConnection[] = []
    const socket = new Duplex({ read() {}, write() {} })
    for (let i = 0; i < 2; i++) owners.push(kore_request(Object.assign(Object.create(null), { socket, rawHeaders: [] }) as KoreRequest).owner)
    owners[0].hdlr_extra = 'earlier'
    t.equal(owners[1].hdlr_extra, null)
  },
  async '`idle_timer.length` may be set in onconnect, in milliseconds'(t) {
    const served = await Served.start(t)
    served.connected = c => void (c.idle_timer.length = 5000)
    const { c } = await served.pair()
    t.equal(c.idle_timer.length, 5000)
    c.idle_timer.length = 7000
    t.equal(c.idle_timer.length, 7000)
  },
  async '`ws_connect`, `ws_message`, `ws_disconnect` are the resolved calls'(t) {
    const served = await named(t, 'rowsFirst', 'rowsOther')
    const { c } = await served.pair()
    called.length = 0
    c.ws_connect?.(c)
    c.ws_message?.(c, 1, Buffer.alloc(0), 0)
    t.strictSame([called, c.ws_disconnect], [['first', 'other'], null])
  },
  async '`connections`: all connections of this worker, in order'(t) {
    const served = await Served.start(t)
    const open = [...connections].length
    const pairs = [await served.pair(), await served.pair(), await served.pair()]
    await served.asking({ headers: { upgrade: null } })
    t.strictSame([...connections].slice(open), pairs.map(({ c }) => c))
  },
  async 'fields `tls*`, `http_requests`, `send_queue`, `disconnect`, `list`'(t, numbers, ours) {
    await isNotHere('tls', 'http_requests', 'send_queue', 'list')(t, numbers, ours)
    const served = await Served.start(t)
    const { c } = await served.pair()
    t.notOk('disconnect' in c)
  },
  async 'up to 2.0.0 the handshake took a `struct kore_wscbs *`'(t) {
    const served = await Served.start(t, request => {
      const callbacks = { connect() {}, message() {}, disconnect() {} }
      t.throws(() => kore_websocket_handshake(request, callbacks as unknown as null, null, null), { code: 'invalid-argument' })
    })
    t.equal(await statusOf(t, {}, served), 500)
  },
  'constants of kore.h'(t) {
    const constants = Object.entries(kore).filter(([, value]) => typeof value === 'number')
    t.strictSame(Object.fromEntries(constants), KORE_H)
  },
  async '`flags` has `CONN_IDLE_TIMER_ACT` while a connection may get idle'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    t.equal(c.flags, 0)
    client.send('8880', '00000000')
    await served.happened('disconnect')
    t.equal(c.flags, KORE_H.CONN_WS_CLOSE_SENT)
  },
  async 'a scope that is neither 1 nor 2 is LOCAL'(t) {
    const published = t.capture(clusterBus(), 'publish')
    const served = await Served.start(t)
    const { client } = await served.pair()
    for (const scope of [0, 1, 4, 7]) kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, String(scope), null, scope)
    const all = [0, 1, 4, 7].map(scope => frame('81', String(scope))).join('')
    t.equal(await client.readAs(all), all)
    t.equal(published().length, 0)
    kore_websocket_broadcast(null, WEBSOCKET_OP_TEXT, 'all', null, WEBSOCKET_BROADCAST_GLOBAL)
    t.equal(published().length, 1)
    published.restore()
  },
  async '`kore_connection_disconnect` also ends an HTTP connection'(t) {
    const served: Served = await Served.start(t, request => {
      kore_connection_disconnect(request.owner)
      served.handshake(request)
    })
    t.equal(await statusOf(t, {}, served), 101)
  },
  '`kore_websocket_send_clean`, `kore_worker_make_busy`': isNotHere('kore_websocket_send_clean', 'kore_worker_make_busy'),
  '`kore_msg_register`, `kore_msg_send`': isNotHere('kore_msg_register', 'kore_msg_send'),
})

/** The tables of the reference in docs/kore.md: handlers, callbacks, ops, fields, settings and constants. */
import t, { type Test } from 'tap'
import * as kore from '../../lib/kore.ts'
import { config, http_response, kore_connection_disconnect, kore_websocket_handshake, kore_websocket_send, type KoreHandler } from '../../lib/kore.ts'
import * as constants from '../../lib/kore/constants.ts'
import { resolveLimits } from '../../lib/limits.ts'
import { amountIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'
import { closeFrame, frame, hex, masked } from '../helpers/frames.ts'
import { eventually } from '../helpers/journal.ts'
import { Served } from '../kore/served.ts'
import { codeOf, heardAs, numbersIn, said, statusOf } from './kore-rows.ts'

const PAGE = pageOf('kore.md')
const CLOSE = masked('8800')

/** What a handler ends with, for a client whose request is good. */
async function answered(t: Test, handler: KoreHandler): Promise<{ status: number; served: Served }> {
  const served = await Served.start(t, handler)
  return { status: await statusOf(t, {}, served), served }
}

/** A connection whose handler does this behind the handshake; what the client gets. */
async function behind(t: Test, then: () => unknown): Promise<{ got: string; served: Served }> {
  const served: Served = await Served.start(t, request => {
    served.handshake(request)
    return then()
  })
  const client = await served.client()
  // A client is to close as well.
  client.end()
  return { got: await client.rest(), served }
}

const oops = (): never => {
  throw new Error('oops')
}

const HANDLERS: Readonly<Record<string, (t: Test, numbers: readonly number[]) => Promise<unknown>>> = {
  async 'calls `kore_websocket_handshake`'(t, [accepted]) {
    const { status, served } = await answered(t, request => kore_websocket_handshake(request, null, null, null))
    t.equal(status, accepted)
    t.equal(await statusOf(t, { headers: { 'sec-websocket-key': 'short' } }, served), 400, 'a refusal if the request is no good handshake')
  },
  async 'calls `http_response`'(t) {
    t.equal((await answered(t, request => http_response(request, 418))).status, 418)
  },
  async 'throws, rejects, or ends without an answer'(t, [failed]) {
    for (const handler of [oops, async () => oops()]) {
      const { status, served } = await answered(t, handler)
      t.equal(status, failed)
      t.match(served.errors, [{ error: { message: 'oops' }, c: null }])
    }
    t.equal((await answered(t, () => {})).status, failed)
  },
  async 'throws or rejects after the handshake'(t, [code]) {
    for (const then of [oops, async () => oops()]) {
      const { got, served } = await behind(t, then)
      t.equal(codeOf(got), code)
      t.match(served.errors, [{ error: { message: 'oops' } }])
    }
  },
  async 'returns `KORE_RESULT_ERROR` after the handshake'(t) {
    const { got, served } = await behind(t, () => kore.KORE_RESULT_ERROR)
    t.equal(got, '8800')
    t.strictSame(served.events, ['connect', 'disconnect'])
  },
  async 'takes more than 10 s'(t, [late]) {
    t.equal(config.limits.handshakeTime, amountIn('10 s'))
    // The same limits, for less time.
    const { limits } = config
    const { handshakeTime } = limits
    t.teardown(() => Object.assign(limits, { handshakeTime }))
    Object.assign(limits, { handshakeTime: 100 })
    let shakeHands = (): void => {}
    const served: Served = await Served.start(t, request => {
      shakeHands = () => served.handshake(request)
      return new Promise(() => {})
    })
    t.equal(await statusOf(t, {}, served), late)
    t.throws(shakeHands, { code: 'invalid-state' })
  },
}

t.test('what a handler does, and what the client gets', async t => {
  const { rows } = tableOf(PAGE, 'the handler', 'the client gets')
  t.strictSame(rows.map(([does = '']) => does), Object.keys(HANDLERS))
  for (const [does = '', gets = ''] of rows) await t.test(`${does}: ${gets}`, t => HANDLERS[does](t, numbersIn(gets)))
})

t.test('when each callback runs', async t => {
  const { rows } = tableOf(PAGE, 'callback', 'runs')
  t.strictSame(rows.map(([callback = '']) => codesIn(callback).join()), ['onconnect(c)', 'onmessage(c, op, data, length)', 'ondisconnect(c)'])
  let isInside = false
  const served: Served = await Served.start(t, request => {
    isInside = true
    served.handshake(request)
    isInside = false
  })
  served.connected = c => {
    t.ok(isInside, 'onconnect runs inside kore_websocket_handshake')
    kore_websocket_send(c, constants.WEBSOCKET_OP_TEXT, 'welcome')
  }
  served.received = (_, op, data, length) => {
    t.ok(op === constants.WEBSOCKET_OP_TEXT && Buffer.isBuffer(data))
    t.equal(data.length, length)
  }
  const client = await served.client()
  t.equal(client.chunks.length, 1, 'what it sends is in one write with the 101')
  t.equal(await client.readAs(frame('81', 'welcome')), frame('81', 'welcome'))
  client.send(said('hi'))
  await served.happened(heardAs('hi'))
  client.reset()
  await served.happened('disconnect')
  t.strictSame(served.events, ['connect', heardAs('hi'), 'disconnect'])
})

t.test('each op that may be sent, and no others', async t => {
  const rows = tableOf(PAGE, 'op', '').rows.map(([ops = '', how = '']) => ({ ops: codesIn(ops), how }))
  const named = rows.flatMap(({ ops }) => ops.map(name => constants[name as 'WEBSOCKET_OP_TEXT']))
  const served = await Served.start(t)
  const { c } = await served.pair()
  for (let op = 0; op < 256; op++) {
    const send = (): unknown => kore_websocket_send(c, op, '')
    if (op === constants.WEBSOCKET_OP_CLOSE) continue
    if (named.includes(op as 1)) t.equal(send(), true, `${op}`)
    else if (isSent(send)) t.fail(`${op} may be sent`)
  }
  const [messages, controls, close] = rows
  t.match(messages.how, 'bytes sent as TEXT have to be UTF-8')
  t.throws(() => kore_websocket_send(c, constants.WEBSOCKET_OP_TEXT, Buffer.from([0xff])), { code: 'invalid-argument' })
  const [most = 0] = numbersIn(controls.how)
  for (const op of controls.ops.map(name => constants[name as 'WEBSOCKET_OP_PING'])) {
    t.equal(kore_websocket_send(c, op, 'x'.repeat(most)), true)
    t.throws(() => kore_websocket_send(c, op, 'x'.repeat(most + 1)), { code: 'invalid-argument' })
  }
  t.match(close.how, 'starts the closing handshake; `data` is a close frame\'s payload: two bytes of code, a reason')
  const { client, c: other } = await served.pair()
  kore_websocket_send(other, constants.WEBSOCKET_OP_CLOSE, Buffer.from(`0fa0${hex(Buffer.from('bye'))}`, 'hex'))
  t.equal(await client.readAs(closeFrame(4000, 'bye')), closeFrame(4000, 'bye'))
})

function isSent(send: () => unknown): boolean {
  try {
    return send() === true
  } catch {
    return false
  }
}

t.test('what each field of a connection is', async t => {
  const cells = new Map(tableOf(PAGE, 'field', '').rows.map(([field = '', what = '']) => [codesIn(field).join(), what]))
  let early: unknown
  const served: Served = await Served.start(t, request => {
    const { owner } = request
    early = [owner.hdlr_extra, owner.state, owner.proto, owner.flags, owner.idle_timer.length]
    served.handshake(request)
  })
  const { client, c } = await served.pair()
  t.match(cells.get('hdlr_extra'), 'null at first')
  t.match(cells.get('proto'), '`CONN_PROTO_HTTP` before the handshake, `CONN_PROTO_WEBSOCKET` after it')
  t.strictSame(early, [null, constants.CONN_STATE_ESTABLISHED, constants.CONN_PROTO_HTTP, 0, Infinity])
  t.equal(c.proto, constants.CONN_PROTO_WEBSOCKET)
  t.match(cells.get('idle_timer.length'), 'milliseconds')
  t.equal(c.idle_timer.length, config.websocket_timeout * 1000)
  c.idle_timer.length = 5
  t.equal(c.idle_timer.length, 5, 'or later')
  c.idle_timer.length = Infinity
  t.strictSame([c.ws_connect, c.ws_message, c.ws_disconnect], [served.onconnect, served.onmessage, served.ondisconnect])
  t.equal(c.owner, served.server)
  t.strictSame(Object.keys(c.addr), [...(/`\{ (.*) \}`/.exec(cells.get('addr') ?? '')?.[1].split(', ') ?? [])])
  t.type(c.fd, 'number')
  t.match(cells.get('fd'), '-1 where the platform has none, once the socket is closed, and in portable mode')
  let last: unknown
  served.disconnected = c => void (last = [c.state, c.flags])
  kore_connection_disconnect(c)
  t.match(cells.get('state'), '`CONN_STATE_ESTABLISHED`, then `CONN_STATE_DISCONNECTING` (from `ondisconnect` on)')
  t.strictSame(last, [constants.CONN_STATE_DISCONNECTING, 0])
  t.match(cells.get('flags'), '`CONN_WS_CLOSE_SENT`, which is set when a close frame is out')
  t.equal(c.flags, constants.CONN_WS_CLOSE_SENT)
  client.send(CLOSE)
  await eventually('the socket to close', () => c.fd === -1)
})

t.test('each setting, and its default', async t => {
  const rows = tableOf(sectionOf(PAGE, '### Settings'), 'setting', 'default').rows.map(([name = '', fallback = '']) => [
    codesIn(name).join().replace('config.', ''),
    fallback,
  ])
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(config)).filter(name => name.startsWith('websocket_'))
  t.strictSame(rows.map(([name]) => name).sort(), names.sort())
  const text = Object.fromEntries(rows)
  t.equal(config.websocket_maxframe, amountIn(text.websocket_maxframe))
  t.equal(config.websocket_timeout, amountIn(text.websocket_timeout))
  t.equal(String(config.websocket_lend), text.websocket_lend)
  t.equal(config.websocket_origins, undefined)
  t.equal(text.websocket_origins, 'same host')
  t.equal(await statusOf(t, { headers: { origin: 'http://localhost' } }), 101)
  t.equal(await statusOf(t, { headers: { origin: 'http://elsewhere.example' } }), 403)
})

t.test('the constants are those of the module, with their values', async t => {
  const rows = tableOf(sectionOf(PAGE, '### Constants'), 'constant', 'value').rows.flatMap(([names = '', values = '']) => {
    const numbers = values.split(', ').map(Number)
    return codesIn(names).map((name, at) => [name, numbers[at]])
  })
  t.strictSame(Object.fromEntries(rows), { ...constants })
})

t.test('what the page says of limits is what holds', async t => {
  const { handshakeBytes, connections, connectionsPerAddress, handshakes, queuedBytes, closingTime } = resolveLimits()
  const text = PAGE.replace(/\s+/g, ' ')
  const [, bytes = '', lines = ''] = /line and headers have more than (\d+ KiB), or more than (\d+) header lines, gets 431/.exec(text) ?? []
  t.strictSame([amountIn(bytes), Number(lines)], [handshakeBytes, 128])
  const most = /an address has ([\d,]+) connections, and all have ([\d,]+), with ([\d,]+) handshakes that wait, or less where/
  const [, one = '', all = '', waiting = ''] = most.exec(text) ?? []
  t.equal(amountIn(one), connectionsPerAddress)
  t.ok(amountIn(all) >= connections && amountIn(waiting) >= handshakes)
  const [, dropped = ''] = /From (\d+ MiB) queued on, the client counts as gone/.exec(text) ?? []
  t.equal(amountIn(dropped), queuedBytes)
  const [, answer = ''] = /The client has (\d+ s) to answer/.exec(text) ?? []
  t.equal(amountIn(answer), closingTime)
})

t.test('the short names are those of the page', async t => {
  const [, names = ''] = /There are short names too: ([^]*?)\./.exec(PAGE) ?? []
  const short: Readonly<Record<string, unknown>> = {
    handshake: kore.kore_websocket_handshake,
    send: kore_websocket_send,
    broadcast: kore.kore_websocket_broadcast,
    disconnect: kore_connection_disconnect,
    attach: kore.kore_attach,
  }
  t.strictSame(codesIn(names).sort(), Object.keys(short).sort())
  for (const [name, call] of Object.entries(short)) t.equal(Reflect.get(kore, name), call, name)
})

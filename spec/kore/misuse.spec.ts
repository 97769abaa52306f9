/** Every call of Kore's given what it does not take: a MisuseError that names the argument, and nothing has happened. */
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import * as kore from '../../lib/kore.ts'
import { frame, masked } from '../helpers/frames.ts'
import { Served } from './served.ts'

/** A value of each kind. */
const KINDS: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  boolean: true,
  number: 5,
  negative: -1,
  NaN: NaN,
  fraction: 1.5,
  bigint: 5n,
  string: 'x',
  symbol: Symbol('x'),
  function: () => {},
  object: {},
  array: [],
  'object without a prototype': Object.create(null),
  'object that JSON can not have': { toJSON: () => { throw new Error('no') } },
  Map: new Map([['/x', () => {}]]),
  date: new Date(0),
}
const OBJECTS = ['object', 'object without a prototype', 'object that JSON can not have', 'date']

interface Argument {
  /** What is called, and with what wrong. */
  readonly name: string
  readonly code: string
  /** How the sentence begins, or what is in it, that names the argument. */
  readonly names: RegExp
  /** The kinds that it takes, as Kore does or as the reference says. */
  readonly takes?: readonly string[]
  call(value: never): unknown
}

/** What each argument is given, with an open websocket and a request that is not answered. */
function argumentsOf(c: kore.KoreConnection, request: kore.KoreRequest): Argument[] {
  const { WEBSOCKET_BROADCAST_LOCAL: LOCAL, WEBSOCKET_OP_TEXT: TEXT } = kore
  const code = 'invalid-argument'
  const connection = { code, names: /^the connection must be one that a callback or request\.owner gave$/ }
  const data = { code, names: /^data must be a string, /, takes: ['string'] }
  const asked = { code, names: /^request must be the one of an upgrade event, and not / }
  const named = { code, takes: ['undefined', 'null', 'string', 'function'] }
  const server = createServer()
  return [
    { ...connection, name: 'kore_websocket_send(c)', call: value => kore.kore_websocket_send(value, TEXT, 'hi') },
    { name: 'kore_websocket_send(op)', code, names: /^op must be /, call: value => kore.kore_websocket_send(c, value, 'hi') },
    { ...data, name: 'kore_websocket_send(data)', call: value => kore.kore_websocket_send(c, TEXT, value) },
    { name: 'kore_websocket_send(length)', code, names: /^length must be 0 to 2,/, takes: ['undefined'], call: value => kore.kore_websocket_send(c, TEXT, 'hi', value) },
    { ...connection, name: 'kore_websocket_broadcast(src)', takes: ['null'], call: value => kore.kore_websocket_broadcast(value, TEXT, 'hi', null, LOCAL) },
    { name: 'kore_websocket_broadcast(op)', code, names: /^op must be /, call: value => kore.kore_websocket_broadcast(null, value, 'hi', null, LOCAL) },
    { ...data, name: 'kore_websocket_broadcast(data)', call: value => kore.kore_websocket_broadcast(null, TEXT, value, null, LOCAL) },
    { name: 'kore_websocket_broadcast(length)', code, names: /^length must be 0 to 2,/, takes: ['undefined', 'null'], call: value => kore.kore_websocket_broadcast(null, TEXT, 'hi', value, LOCAL) },
    { ...connection, name: 'kore_connection_disconnect(c)', call: value => kore.kore_connection_disconnect(value) },
    { name: 'kore_shutdown(code)', code, names: /^code must be 1000 to 1003, /, takes: ['undefined'], call: value => kore.kore_shutdown(value) },
    { name: 'kore_shutdown(timeout)', code, names: /^timeout must be a whole number of milliseconds, /, takes: ['undefined', 'number'], call: value => kore.kore_shutdown(1001, value) },
    { name: 'kore_attach(server)', code, names: /^server must be an HTTP server, /, call: value => kore.kore_attach(value, { '/n': () => {} }) },
    { name: 'kore_attach(server), no routes', code, names: /^server must be an HTTP server, /, call: value => kore.kore_attach(value, {}) },
    { name: 'kore_attach(routes)', code, names: /^routes must be an object of paths and handlers, and not /, takes: OBJECTS, call: value => kore.kore_attach(server, value) },
    { name: 'kore_attach(handler)', code: 'invalid-option', names: /^the handler of \/n must be a function, and not /, takes: ['function'], call: value => kore.kore_attach(server, { '/m': () => {}, '/n': value }) },
    { name: 'kore_onerror(callback)', code, names: /^callback must be a function or undefined, and not /, takes: ['undefined', 'function'], call: value => kore.kore_onerror(value) },
    { ...asked, name: 'kore_request(request)', call: value => kore.kore_request(value) },
    { name: 'kore_request(head)', code, names: /^head must be the Buffer of an upgrade event, and not /, takes: ['undefined'], call: value => kore.kore_request(request, value) },
    { ...asked, name: 'kore_websocket_handshake(request)', call: value => kore.kore_websocket_handshake(value, null, null, null) },
    { ...named, names: /^onconnect must be /, name: 'kore_websocket_handshake(onconnect)', call: value => kore.kore_websocket_handshake(request, value, null, null) },
    { ...named, names: /^onmessage must be /, name: 'kore_websocket_handshake(onmessage)', call: value => kore.kore_websocket_handshake(request, null, value, null) },
    { ...named, names: /^ondisconnect must be /, name: 'kore_websocket_handshake(ondisconnect)', call: value => kore.kore_websocket_handshake(request, null, null, value) },
    { ...asked, name: 'http_response(request)', call: value => kore.http_response(value, 404) },
    { name: 'http_response(status)', code, names: /^status must be a whole number from 300 to 599, /, call: value => kore.http_response(request, value) },
    { name: 'http_response(body)', code, names: /^body must be a string/, takes: ['undefined', 'string'], call: value => kore.http_response(request, 404, value) },
    { ...asked, name: 'http_response_header(request)', call: value => kore.http_response_header(value, 'x-a', 'b') },
    { name: 'http_response_header(name)', code: 'invalid-header', names: /^header name .* is not a token$/, takes: ['string'], call: value => kore.http_response_header(request, value, 'b') },
    { name: 'kore_load(module)', code, names: /^module must be an object /, takes: [...OBJECTS, 'array', 'Map'], call: value => kore.kore_load(value) },
    { name: 'startWorkers(count)', code, names: /^count must be a whole number of workers, /, takes: ['number'], call: value => kore.startWorkers(value, () => {}) },
    { name: 'startWorkers(main)', code, names: /^main must be a function, and not /, takes: ['function'], call: value => kore.startWorkers(1, value) },
    { name: 'startWorkers(options)', code: 'invalid-option', names: /^options must be an object, and not /, takes: ['undefined', ...OBJECTS, 'array', 'Map'], call: value => kore.startWorkers(1, () => {}, value) },
  ]
}

/** Should a wrong argument be taken, no copy of this spec is to run as a worker. */
function forkNobody(t: Test): void {
  const { fork } = cluster
  t.teardown(() => Object.assign(cluster, { fork }))
  Object.assign(cluster, {
    fork() {
      throw new Error('a worker was forked')
    },
  })
}

async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

t.test('an argument of a wrong kind is a MisuseError that names it, and nobody is harmed', async t => {
  forkNobody(t)
  let asked: kore.KoreRequest | undefined
  let answer = (): void => {}
  const served = await Served.start(t, {
    '/': request => served.handshake(request),
    '/asked': request => {
      asked = request
      served.note('asked')
      return new Promise<void>(resolve => {
        answer = () => {
          served.handshake(request)
          resolve()
        }
      })
    },
  })
  const { client, c } = await served.pair()
  const waiting = await served.asking({ path: '/asked' })
  await served.happened('asked')
  if (asked === undefined) throw new Error('no request')
  const all = argumentsOf(c, asked)
  for (const { name, code, names, takes = [], call } of all) {
    for (const [kind, value] of Object.entries(KINDS)) {
      if (takes.includes(kind)) continue
      const error = await thrownBy(() => call(value as never))
      t.match(error, { name: 'MisuseError', code, message: names }, `${name}: ${kind}`)
    }
  }
  const exported = Object.entries(kore).flatMap(([name, value]) => (typeof value === 'function' && /_/.test(name) ? [name] : []))
  t.strictSame(exported.filter(name => !all.some(argument => argument.name.startsWith(`${name}(`))), [], 'no call was left out')

  t.equal(asked.status, 0, 'the request is not answered')
  answer()
  t.match(await waiting.head(), /^HTTP\/1\.1 101 .*\r\n\r\n$/s)
  t.strictSame([c.state, c.flags, kore.connections.has(c)], [kore.CONN_STATE_ESTABLISHED, 0, true])
  served.received = (c, op, data) => kore.kore_websocket_send(c, op, data)
  client.send(masked(frame('81', 'hi')), masked(frame('88')))
  t.equal(await client.rest(), frame('81', 'hi') + '8800', 'nothing was sent, and nobody was told to go')
  t.strictSame(served.events, ['connect', 'asked', 'connect', 'text 6869 2', 'disconnect'])
  served.received = () => {
    throw new Error('told')
  }
  waiting.send(masked(frame('81', 'hi')))
  await waiting.rest()
  t.match(served.errors, [{ error: { message: 'told' } }], 'kore_onerror is who it was')
})

t.test('numbers and names that are of the right kind, but none that may be', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const code = 'invalid-argument'
  for (const wrong of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535]) {
    await t.rejects(kore.kore_shutdown(wrong), { name: 'MisuseError', code, message: new RegExp(`^code must be .*, and not ${wrong}$`) })
  }
  for (const wrong of [-1, 0.5, 2 ** 53, -Infinity]) {
    await t.rejects(kore.kore_shutdown(1001, wrong), { name: 'MisuseError', code, message: /^timeout must be a whole number of milliseconds/ })
  }
  const server = createServer()
  for (const path of ['', 'n', '/n?a', '/n#a', '/ü', '/a b']) {
    const attach = (): unknown => kore.kore_attach(server, { '/good': () => {}, [path]: () => {} })
    t.throws(attach, { name: 'MisuseError', code: 'invalid-option', message: /^path must be / }, path)
  }
  t.equal(server.listenerCount('upgrade'), 0, 'none of the routes is there')
  t.strictSame([c.state, c.flags], [kore.CONN_STATE_ESTABLISHED, 0])
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
})

t.test('memory that was transferred is no data: nothing is sent in its place', async t => {
  const served = await Served.start(t)
  const { client, c } = await served.pair()
  const gone = (): ArrayBuffer => {
    const memory = new ArrayBuffer(8)
    structuredClone(memory, { transfer: [memory] })
    return memory
  }
  const [bytes, view] = [new Uint8Array(8), new DataView(new ArrayBuffer(8))]
  structuredClone(bytes, { transfer: [bytes.buffer] })
  structuredClone(view, { transfer: [view.buffer] })
  const misuse = { name: 'MisuseError', code: 'invalid-argument', message: /^data must be .*, and not one whose memory is gone$/ }
  for (const data of [gone(), bytes, view]) {
    for (const op of [kore.WEBSOCKET_OP_TEXT, kore.WEBSOCKET_OP_BINARY, kore.WEBSOCKET_OP_PING, kore.WEBSOCKET_OP_PONG]) {
      t.throws(() => kore.kore_websocket_send(c, op, data), misuse)
      t.throws(() => kore.kore_websocket_broadcast(null, op, data, null, kore.WEBSOCKET_BROADCAST_LOCAL), misuse)
    }
    t.throws(() => kore.kore_websocket_send(c, kore.WEBSOCKET_OP_CLOSE, data), misuse)
  }
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
})

t.test('a head that is none leaves the request as it is, with an upgrade listener of one\'s own', async t => {
  const served = new Served()
  served.server.on('upgrade', (request, _, head) => {
    for (const wrong of [null, 5, 'x', {}, new ArrayBuffer(1)]) {
      const call = (): unknown => kore.kore_request(request, wrong as unknown as Buffer)
      t.throws(call, { name: 'MisuseError', code: 'invalid-argument', message: /^head must be / })
    }
    t.notOk('owner' in request)
    served.handshake(kore.kore_request(request, head))
  })
  await served.listen(t)
  const client = await served.asking({}, masked(frame('81', 'early')))
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  await served.happened(2)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, ['connect', 'text 6561726c79 5', 'disconnect'])
})

t.test('idle_timer.length is checked before the handshake as well', async t => {
  const served = await Served.start(t, request => {
    const { owner } = request
    const misuse = { name: 'MisuseError', code: 'invalid-option', message: /^idle_timer\.length must be a whole number of milliseconds/ }
    t.throws(() => void (owner.idle_timer.length = -1), misuse)
    return served.handshake(request)
  })
  const { client, c } = await served.pair()
  t.equal(c.idle_timer.length, 120_000)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
})

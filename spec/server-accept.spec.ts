import t from 'tap'
import { refuse, type Refusal } from '../lib/handshake/refusal.ts'
import type { Decision, UpgradeRequest } from '../lib/server-options.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { running } from './helpers/running.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** A promise, and what settles it. */
function deferred<Value>(): { promise: Promise<Value>; resolve(value: Value): void; reject(error: unknown): void } {
  let resolve: (value: Value) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

function fail(message: string): never {
  throw new Error(message)
}

/** The ways to answer: at once, or with a promise. */
const WAYS: readonly [way: string, answer: (decide: () => unknown) => Decision<unknown> | Promise<Decision<unknown>>][] = [
  ['at once', decide => decide() as Decision<unknown>],
  ['with a promise', async decide => (await turn(), decide() as Decision<unknown>)],
]

t.test('accept is asked about the request', async t => {
  const seen: UpgradeRequest[] = []
  const { dial } = await running(t, { origins: 'any', accept: request => void seen.push(request) })
  const client = await dial()
  const headers = { origin: 'https://example.org', 'sec-websocket-protocol': 'b, a', cookie: 'c=d', host: 'here:80' }
  t.equal((await client.handshake({ path: '/chat?room=1', headers })).status, 101)
  const [request] = seen
  t.match(request, {
    url: '/chat?room=1',
    path: '/chat',
    host: 'here:80',
    origin: 'https://example.org',
    protocols: ['b', 'a'],
    remoteAddress: '127.0.0.1',
    headers: { cookie: 'c=d' },
  })
  t.equal(request.raw.url, '/chat?room=1')
  await (await dial()).handshake()
  t.match(seen[1], { origin: undefined, protocols: [] })
})

for (const [way, answer] of WAYS) {
  t.test(`accept answers ${way}: data, headers and protocol`, async t => {
    const data: unknown[] = []
    const { dial, server } = await running(t, {
      protocols: ['a', 'b'],
      accept: () => answer(() => ({ data: { name: 'Ada' }, headers: { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] }, protocol: 'b' })),
      open: socket => void data.push(socket.data),
    })
    const client = await dial()
    const { status, head, headers } = await client.handshake({ headers: { 'sec-websocket-protocol': 'a, b' } })
    t.equal(status, 101)
    t.match(headers, { 'sec-websocket-protocol': 'b', 'x-one': '1' })
    t.strictSame(head.filter(line => line.startsWith('set-cookie')), ['set-cookie: a=1', 'set-cookie: b=2'])
    t.strictSame(data, [{ name: 'Ada' }])
    t.equal([...server.connections][0].protocol, 'b')
  })

  t.test(`accept refuses ${way}`, async t => {
    const { dial, journal, server } = await running(t, {
      accept: () => answer(() => refuse(401, { headers: { 'www-authenticate': 'Basic' }, body: 'Who are you?\n' })),
    })
    const client = await dial()
    const { status, headers, body } = await client.handshake({}, masked(frame('81', 'early')))
    t.strictSame([status, headers['www-authenticate'], body], [401, 'Basic', 'Who are you?\n'])
    await client.journal.until('end')
    t.strictSame([journal.lines, server.connections.size], [[], 0])
  })

  t.test(`accept fails ${way}: 500, and error is told, without a connection`, async t => {
    const failures: [how: string, decision: () => unknown, told: string][] = [
      ['thrown', () => fail('oops'), 'oops'],
      ['rejected', () => Promise.reject(new Error('oops')), 'oops'],
      ['a protocol that was not offered', () => ({ protocol: 'c' }), '[invalid-argument]'],
      ['a line break in a header', () => ({ headers: { 'x-one': 'a\r\nx-two: b' } }), '[invalid-header]'],
      ["a header of the handshake's own", () => ({ headers: { Upgrade: 'x' } }), '[invalid-header]'],
      ['true', () => true, '[invalid-argument]'],
      ['null', () => null, '[invalid-argument]'],
      ['a status', () => 403, '[invalid-argument]'],
    ]
    let current: () => unknown = () => {}
    const { dial, journal } = await running(t, { accept: () => answer(current) })
    for (const [i, [how, decision, told]] of failures.entries()) {
      current = decision
      const client = await dial()
      const { status, body, headers } = await client.handshake({ headers: { 'sec-websocket-protocol': 'a, b' } })
      t.strictSame([status, body], [500, 'The handshake failed on the server.\n'], how)
      t.equal(headers['x-two'], undefined)
      t.strictSame((await journal.reach(i + 1)).at(-1), `refused: ${told}`, how)
    }
    t.equal(journal.lines.length, failures.length)
  })
}

t.test('the protocol, unless accept chooses: the first of the server’s that the client offers', async t => {
  const cases: [served: string[], decision: Decision<unknown>, offered: string | null, agreed: string | undefined][] = [
    [['a', 'b'], undefined, 'b, a', 'a'],
    [['a', 'b'], {}, 'c, b', 'b'],
    [['a', 'b'], undefined, 'c', undefined],
    [['a', 'b'], undefined, null, undefined],
    [[], undefined, 'a', undefined],
    [['a', 'b'], { protocol: 'b' }, 'a, b', 'b'],
    [['a'], { protocol: 'c' }, 'c, d', 'c'],
    [['a'], { protocol: null }, 'a', undefined],
    [['a'], { protocol: undefined }, 'a', 'a'],
  ]
  for (const [protocols, decision, offered, agreed] of cases) {
    const { dial, server } = await running(t, { protocols, accept: () => decision })
    const { status, headers } = await (await dial()).handshake({ headers: { 'sec-websocket-protocol': offered } })
    t.equal(status, 101)
    t.equal(headers['sec-websocket-protocol'], agreed, `${protocols} ${JSON.stringify(decision)} ${offered}`)
    t.equal([...server.connections][0].protocol, agreed ?? '')
  }
})

t.test('origins: the same host by default, a list, a function, any; no Origin always passes', async t => {
  const elsewhere = 'https://elsewhere.example'
  const cases: [origins: undefined | 'any' | string[] | ((origin: string, host: string) => boolean), origin: string | null, status: number][] = [
    [undefined, null, 101],
    [undefined, 'http://localhost', 101],
    [undefined, elsewhere, 403],
    [[elsewhere], null, 101],
    [[elsewhere], elsewhere, 101],
    [[elsewhere], 'http://localhost', 403],
    ['any', elsewhere, 101],
    [(origin, host) => origin === elsewhere && host === 'localhost', elsewhere, 101],
    [() => false, elsewhere, 403],
  ]
  for (const [origins, origin, expected] of cases) {
    let asked = 0
    const { dial } = await running(t, { origins, accept: () => void asked++ })
    const { status } = await (await dial()).handshake({ headers: { origin } })
    t.equal(status, expected, `${String(origins)} ${origin}`)
    t.equal(asked, expected === 101 ? 1 : 0, 'accept comes after')
  }
})

t.test('an origins function that throws: 500, and error is told', async t => {
  const { dial, journal } = await running(t, {
    origins: () => fail('oops'),
  })
  t.equal((await (await dial()).handshake({ headers: { origin: 'http://localhost' } })).status, 500)
  t.strictSame(journal.lines, ['refused: oops'])
})

t.test('while accept thinks, what the client sends ahead is kept, however much', async t => {
  const { promise, resolve } = deferred<void>()
  const { dial, journal } = await running(t, { accept: () => promise })
  const client = await dial()
  const answer = client.handshake({}, masked(frame('81', 'with the handshake')))
  const large = frame('82', Buffer.alloc(100_000))
  for (let i = 0; i < 20; i++) client.send(large)
  client.send(frame('81', 'last'))
  for (let i = 0; i < 20; i++) await turn()
  t.strictSame(journal.lines, [])
  resolve()
  t.equal((await answer).status, 101)
  await journal.until('text last')
  const messages = Array.from({ length: 20 }, () => 'binary of 100000')
  t.strictSame(journal.lines, ['open', 'text with the handshake', ...messages, 'text last'])
})

t.test('while accept thinks, a client that sends much is slowed down', async t => {
  const { dial } = await running(t, { accept: () => new Promise<void>(() => {}), limits: { handshakeTime: 60_000 } })
  const client = await dial()
  client.ask()
  for (let i = 0; i < 100; i++) client.socket.write(Buffer.alloc(200_000))
  await eventually('a client that has to wait', () => client.socket.writableNeedDrain)
  // The system takes some more, and the server what it keeps.
  let waiting = client.socket.writableLength
  for (let same = 0; same < 100; same++) {
    await turn()
    if (client.socket.writableLength !== waiting) same = 0
    waiting = client.socket.writableLength
  }
  for (let i = 0; i < 100; i++) await turn()
  t.ok(waiting > 1_000_000 && client.socket.writableLength === waiting, `${waiting} bytes wait`)
})

t.test('a client that goes away while accept thinks is forgotten, without an error', async t => {
  const leaving: [how: string, leave: (socket: { end(): void; resetAndDestroy(): void }) => void][] = [
    ['ends', socket => socket.end()],
    ['resets', socket => socket.resetAndDestroy()],
  ]
  for (const outcome of ['resolves', 'resolves to nonsense', 'rejects'] as const) {
    for (const [how, leave] of leaving) {
      const asked = deferred<Connection | void>()
      const answer = deferred<Decision<unknown>>()
      const { dial, journal, server } = await running(t, {
        accept() {
          asked.resolve()
          return answer.promise
        },
      })
      const client = await dial()
      client.ask()
      await asked.promise
      leave(client.socket as unknown as { end(): void; resetAndDestroy(): void })
      await client.journal.until('closed')
      await eventually('the server to see it', () => server.metrics().handshakes.pending === 0)
      if (outcome === 'rejects') answer.reject(new Error('too late'))
      else answer.resolve(outcome === 'resolves' ? undefined : { protocol: 'nobody asked for' })
      for (let i = 0; i < 5; i++) await turn()
      // What accept itself does wrong is told in any case.
      t.strictSame(journal.lines, outcome === 'rejects' ? ['refused: too late'] : [], `${how}, ${outcome}`)
      t.equal(server.connections.size, 0)
      await server.close()
    }
  }
})

t.test('accept takes too long: 408, and its answer does not matter any more', async t => {
  const answers = [deferred<Refusal | void>(), deferred<Refusal | void>()]
  let asked = 0
  const { dial, journal, server } = await running(t, { accept: () => answers[asked++].promise, limits: { handshakeTime: 200 } })
  const clients: WireClient[] = []
  for (const _ of answers) {
    const client = await dial()
    clients.push(client)
    const { status, body } = await client.handshake()
    t.strictSame([status, body], [408, 'The handshake took too long.\n'])
  }
  answers[0].resolve()
  answers[1].resolve(refuse(403))
  for (let i = 0; i < 5; i++) await turn()
  for (const client of clients) t.strictSame(await client.journal.until('end'), ['end'])
  t.strictSame([journal.lines, server.connections.size], [[], 0])
})

t.test('an answer in time: the time does not run on', async t => {
  const { client, dial } = await running(t, {
    accept: ({ path }) => (path === '/slow' ? new Promise<void>(() => {}) : turn()),
    // The quick one has to be in time on a machine that stands still for a moment.
    limits: { handshakeTime: 1500 },
  })
  const quick = await client()
  t.equal((await (await dial()).handshake({ path: '/slow' })).status, 408)
  quick.send(closeFrame(1000))
  t.strictSame(await quick.lines(1), ['close 1000'])
})

t.test('close while accept thinks: 503 at once', async t => {
  const answer = deferred<void>()
  const { dial, journal, server } = await running(t, { accept: () => answer.promise })
  const client = await dial()
  const handshake = client.handshake()
  await eventually('accept to be asked', () => server.metrics().handshakes.pending === 1)
  let closed = false
  const closing = server.close().then(() => {
    closed = true
  })
  const { status, body } = await handshake
  t.strictSame([status, body], [503, 'The server is closing.\n'])
  await client.journal.until('end')
  for (let i = 0; i < 10; i++) await turn()
  t.equal(closed, false, 'the client is still there')
  client.socket.end()
  await closing
  answer.resolve()
  await turn()
  t.strictSame([journal.lines, server.connections.size], [[], 0])
})

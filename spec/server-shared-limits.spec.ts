/** The limits that all clients of a server share, over real sockets. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { refuse } from '../lib/handshake/refusal.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { Decision, UpgradeRequest } from '../lib/server-options.ts'
import { Admission } from '../lib/transport/admission.ts'
import { watchBudgets } from './helpers/budget-watch.ts'
import { bytes, closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, Journal, turn } from './helpers/journal.ts'
import { heldByEach } from './helpers/memory.ts'
import { handshakeText, RawClient } from './helpers/raw-client.ts'
import { clientsOf, observedServer, running } from './helpers/running.ts'
import { MemoryTransport } from './helpers/transports.ts'
import { plainRequest, WireClient, type Answer } from './helpers/wire-client.ts'

const [TEXT, BINARY] = ['81', '82']
/** What a request counts with. */
const REQUEST = 48 * 1024
const FORWARDED = { header: 'x-forwarded-for', proxies: ['loopback'] }

/** What is told on the channel from now on: the names of the limits. */
function limitsReached(t: Test): string[] {
  const names: string[] = []
  const listener = (message: unknown): void => void names.push((message as { limit: string }).limit)
  subscribe('kore-ws.limit', listener)
  t.teardown(() => unsubscribe('kore-ws.limit', listener))
  return names
}

/** A line each time that a connection is gone, or that a handshake has come to nothing: there is room again. */
function departures(t: Test): Journal {
  const journal = new Journal()
  const { leave } = Admission.prototype
  t.intercept(Admission.prototype, 'leave', {
    value(this: Admission, address: string | undefined) {
      leave.call(this, address)
      journal.add('gone')
    },
  })
  return journal
}

/** The servers' ends of what is accepted from now on, oldest first. */
function accepted(t: Test): Socket[] {
  const sockets: Socket[] = []
  const listener = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket)
  subscribe('net.server.socket', listener)
  t.teardown(() => unsubscribe('net.server.socket', listener))
  return sockets
}

interface Answers {
  accept(): Promise<Decision<unknown>>
  answerAll(): void
  refuse(): void
  fail(): void
  readonly asked: number
}

/** Answers that come when the test says so. */
function deferredAnswers(): Answers {
  const waiting: { resolve(decision: Decision<unknown>): void; reject(error: Error): void }[] = []
  let asked = 0
  return {
    accept: () => {
      asked++
      return new Promise((resolve, reject) => void waiting.push({ resolve, reject }))
    },
    refuse: () => waiting.splice(0).forEach(({ resolve }) => resolve(refuse(403))),
    answerAll: () => waiting.splice(0).forEach(({ resolve }) => resolve(undefined)),
    fail: () => waiting.splice(0).forEach(({ reject }) => reject(new Error('no'))),
    get asked() {
      return asked
    },
  }
}

async function status(client: WireClient, headers: Record<string, string> = {}): Promise<number> {
  return (await client.handshake({ headers })).status
}

t.test('connections: 503 over the limit, and room again as soon as one is gone, whichever way', async t => {
  const reached = limitsReached(t)
  const left = departures(t)
  const { dial, client, server } = await running(t, { limits: { connections: 2 } })
  const ends: ((wire: WireClient) => void)[] = [
    wire => void (wire.socket as Socket).resetAndDestroy(),
    wire => void wire.socket.end(),
    wire => void wire.socket.end(bytes(masked(closeFrame(1000)))),
    wire => void wire.socket.end(bytes('ffff')),
  ]
  await client()
  for (const [i, end] of ends.entries()) {
    const second = await client()
    const third = await dial()
    const answer = await third.handshake()
    t.strictSame([answer.status, answer.headers['retry-after'], answer.body], [503, '10', 'The server has too much to do.\n'])
    t.equal(server.connections.size, 2)
    end(second)
    await left.reach(i + 1)
    t.equal(server.connections.size, 1)
  }
  await client()
  t.strictSame(reached, ['connections', 'connections', 'connections', 'connections'])
})

t.test('connections: a handshake that waits for accept counts, until it comes to nothing', async t => {
  const answers = deferredAnswers()
  const left = departures(t)
  // Time enough for those that are to be answered before.
  const { dial, server } = await running(t, { accept: answers.accept, limits: { connections: 1, handshakeTime: 1500 } })
  const ends: ((wire: WireClient, answer: Promise<Answer>) => Promise<unknown> | void)[] = [
    async (_, answer) => (answers.fail(), t.equal((await answer).status, 500)),
    async (_, answer) => (answers.refuse(), t.equal((await answer).status, 403)),
    async (_, answer) => t.equal((await answer).status, 408, 'it takes too long'),
    wire => void (wire.socket as Socket).resetAndDestroy(),
  ]
  for (const [i, end] of ends.entries()) {
    const first = await dial()
    const answer = first.handshake()
    answer.catch(() => {})
    await eventually('accept', () => answers.asked === i + 1)
    t.equal(await status(await dial()), 503)
    t.equal(answers.asked, i + 1)
    await end(first, answer)
    await left.reach(i + 1)
  }
  const last = (await dial()).handshake()
  await eventually('accept', () => answers.asked === 5)
  answers.answerAll()
  t.equal((await last).status, 101)
  t.equal(server.connections.size, 1)
})

t.test('connections per address: 429; a given number counts this machine too', async t => {
  const reached = limitsReached(t)
  const left = departures(t)
  const { dial, client } = await running(t, { limits: { connectionsPerAddress: 2 } })
  const [one] = [await client(), await client()]
  const answer = await (await dial()).handshake()
  t.strictSame([answer.status, answer.headers['retry-after']], [429, '10'])
  t.strictSame(reached, ['connectionsPerAddress'])
  one.socket.destroy()
  await left.reach(1)
  await client()
})

t.test('connections per address: by default this machine is not counted', async t => {
  const { client, server } = await running(t, { trustProxy: FORWARDED })
  for (let i = 0; i < 5; i++) await client({ headers: { 'x-forwarded-for': '10.0.0.1' } })
  t.equal(server.connections.size, 5)
})

t.test('connections per address: as a trusted proxy says it, by /64, and both notations of IPv4', async t => {
  const seen: (string | undefined)[] = []
  const left = departures(t)
  const { dial, server } = await running(t, {
    trustProxy: FORWARDED,
    limits: { connectionsPerAddress: 1 },
    accept: ({ remoteAddress }) => void seen.push(remoteAddress),
  })
  const from = async (address: string): Promise<number> => status(await dial(), { 'x-forwarded-for': `1.1.1.1, ${address}` })
  t.equal(await from('192.0.2.1'), 101)
  t.equal(await from('::ffff:192.0.2.1'), 429)
  t.equal(await from('192.0.2.2'), 101)
  t.equal(await from('2001:db8::1'), 101)
  t.equal(await from('[2001:db8::2]:443'), 429)
  t.equal(await from('2001:db8:0:1::2'), 101)
  const expected = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::2']
  t.strictSame(seen, expected)
  t.strictSame([...server.connections].map(({ remoteAddress }) => remoteAddress), expected)
  for (const connection of server.connections) connection.terminate()
  await left.reach(expected.length)
  for (const address of expected) t.equal(await from(address), 101, address)
})

/** The request of an upgrade, as from this address, on a socket in memory. */
function upgradeFrom(t: Test, server: WebSocketServer, remoteAddress: string, url = '/'): MemoryTransport {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const rawHeaders = handshakeText().split('\r\n').slice(1, -2).flatMap(line => line.split(': '))
  const head = { method: 'GET', url, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders, headers: {} }
  server.upgrade({ ...head, socket: { remoteAddress } } as unknown as IncomingMessage, transport, Buffer.alloc(0))
  return transport
}

t.test('connections per address: by default 1,000 of the internet, any number of this machine and private networks', async t => {
  const { server } = observedServer(t, { heartbeat: false })
  for (const address of ['10.0.0.1', '127.0.0.1', '192.0.2.1']) {
    for (let i = 0; i < 1000; i++) upgradeFrom(t, server, address)
  }
  t.equal(server.connections.size, 3000)
  upgradeFrom(t, server, '10.0.0.1')
  upgradeFrom(t, server, '127.0.0.1')
  t.equal(server.connections.size, 3002)
  const refused = upgradeFrom(t, server, '192.0.2.1')
  t.match(Buffer.from(refused.written(), 'hex').toString(), /^HTTP\/1\.1 429 /)
  t.equal(server.connections.size, 3002)
})

t.test('many that are refused at once are kept up to the limit too', async t => {
  const { server } = observedServer(t, { path: '/here', limits: { handshakes: 2 } })
  const all = Array.from({ length: 5 }, () => upgradeFrom(t, server, '192.0.2.1', '/elsewhere'))
  t.strictSame(all.map(({ destroyed }) => destroyed), [true, true, true, false, false])
})

t.test('without a limit a connection has the address that the proxy says all the same', async t => {
  const limits = { connectionsPerAddress: Infinity }
  const { client, server } = await running(t, { trustProxy: FORWARDED, limits })
  await client({ headers: { 'x-forwarded-for': '192.0.2.1' } })
  t.equal([...server.connections][0].remoteAddress, '192.0.2.1')
  const { client: other, server: plain } = await running(t, { limits })
  await other({ headers: { 'x-forwarded-for': '192.0.2.1' } })
  t.equal([...plain.connections][0].remoteAddress, '127.0.0.1')
})

t.test('an untrusted peer can’t choose its address', async t => {
  const seen: (string | undefined)[] = []
  const { dial } = await running(t, {
    trustProxy: { header: 'x-forwarded-for', proxies: ['192.0.2.0/24'] },
    limits: { connectionsPerAddress: 1 },
    accept: ({ remoteAddress }) => void seen.push(remoteAddress),
    open: socket => void seen.push(socket.remoteAddress),
  })
  t.equal(await status(await dial(), { 'x-forwarded-for': '1.1.1.1' }), 101)
  t.equal(await status(await dial(), { 'x-forwarded-for': '1.1.1.2' }), 429)
  t.strictSame(seen, ['127.0.0.1', '127.0.0.1'])
})

t.test('unix sockets are not counted by address, and may be proxies', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'socket')
  for (const trustProxy of [false, { header: 'forwarded', proxies: ['unix'] }] as const) {
    const server = new WebSocketServer({ limits: { connectionsPerAddress: 1 }, trustProxy })
    t.teardown(() => server.close({ timeout: 0 }))
    await server.listen({ path })
    const statuses: number[] = []
    for (const forwarded of ['for=unknown', 'for=unknown', 'for=192.0.2.1', 'for=192.0.2.1']) {
      const wire = await WireClient.to({ path })
      t.teardown(() => wire.socket.destroy())
      statuses.push(await status(wire, { forwarded }))
    }
    t.strictSame(statuses, [101, 101, 101, trustProxy === false ? 101 : 429])
    await server.close({ timeout: 0 })
  }
})

t.test('handshakes: at most so many calls of accept at a time; for one too many it is not called', async t => {
  const reached = limitsReached(t)
  const answers = deferredAnswers()
  const { server } = observedServer(t, { accept: answers.accept, limits: { handshakes: 2 } })
  const http = createServer()
  server.attach(http)
  http.listen(0, '127.0.0.1')
  t.teardown(() => http.close())
  await once(http, 'listening')
  const { dial } = clientsOf(t, (http.address() as AddressInfo).port)
  const idle = await Promise.all([dial(), dial(), dial()])
  const waiting = [await dial(), await dial()].map(client => client.handshake())
  await eventually('two to be asked', () => answers.asked === 2)
  t.strictSame(reached, [])
  t.equal(await status(await dial()), 503)
  t.strictSame([answers.asked, reached], [2, ['handshakes']])
  answers.answerAll()
  for (const each of await Promise.all(waiting)) t.equal(each.status, 101)
  for (const each of idle.slice(1)) each.ask()
  await eventually('two more to be asked', () => answers.asked === 4)
  for (const { socket } of idle.slice(1)) socket.destroy()
  await eventually('room', () => server.metrics().handshakes.pending === 0)
  idle[0].ask()
  await eventually('one more to be asked', () => answers.asked === 5)
  const next = idle[0].answer()
  answers.answerAll()
  t.equal((await next).status, 101)
})

t.test('handshakes: an accept that answers at once, or throws, leaves none behind', async t => {
  let decide: () => Decision<unknown> = () => undefined
  const { dial } = await running(t, { accept: () => decide(), limits: { handshakes: 1 } })
  const decisions: [() => Decision<unknown>, number][] = [
    [() => undefined, 101],
    [() => refuse(403), 403],
    [() => { throw new Error('oops') }, 500],
    [() => ({ headers: { 'a b': 'c' } }), 500],
  ]
  for (const [decision, expected] of [...decisions, ...decisions]) {
    decide = decision
    t.equal(await status(await dial()), expected)
  }
})

t.test('handshakes: of requests that do not come whole, the oldest has to go, with a 503', async t => {
  const reached = limitsReached(t)
  const sockets = accepted(t)
  const { dial, port, journal } = await running(t, { limits: { handshakes: 3 } })
  const slow: RawClient[] = []
  for (let i = 0; i < 3; i++) {
    slow.push(await RawClient.open(port))
    slow[i].text('GET / HTTP/1.1\r\nHost: a\r\n')
  }
  // A socket that is destroyed with something unread is reset.
  await eventually('all to be read', () => sockets.length === 3 && sockets.every(({ bytesRead }) => bytesRead > 0))
  t.strictSame(reached, [])
  const quick = await dial()
  const { status: first, body } = await slow[0].refusal()
  t.strictSame([first, body, slow[0].state], [503, 'The server has too much to do.\n', 'ended'])
  t.equal(await status(quick), 101)
  t.strictSame(reached, ['handshakes'])
  slow[1].text(handshakeText().slice(handshakeText().indexOf('upgrade')))
  t.match(await slow[1].head(), /^HTTP\/1\.1 101 /)
  t.equal(slow[2].state, 'open')
  await journal.reach(2)
})

t.test('handshakes: what a socket that was refused still sends starts nothing', async t => {
  const { dial, port, journal } = await running(t, { limits: { handshakes: 1 } })
  for (const rest of [handshakeText(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'nonsense\r\n\r\n']) {
    const slow = await RawClient.open(port, true)
    await turn()
    const quick = await dial()
    t.match(await slow.head(), /^HTTP\/1\.1 503 /)
    slow.text(rest)
    t.equal(await status(quick), 101)
    const left = await slow.rest()
    t.notMatch(bytes(left.replace(' reset', '')).toString(), /HTTP/)
    slow.end()
  }
  t.strictSame(journal.lines, ['open', 'open', 'open'])
})

t.test('handshakes: plain requests are none', async t => {
  const { client, port } = await running(t, { limits: { handshakes: 1 } })
  for (let i = 0; i < 5; i++) t.equal((await plainRequest(port)).status, 426)
  await client()
})

t.test('refused sockets that do not go away are kept up to the limit of handshakes', async t => {
  const { port } = await running(t, { path: '/here', limits: { handshakes: 2 } })
  const refused: WireClient[] = []
  for (let i = 0; i < 5; i++) {
    const client = await WireClient.to({ port, host: '127.0.0.1' })
    t.teardown(() => client.socket.destroy())
    t.equal((await client.handshake({ path: '/elsewhere' })).status, 404)
    client.socket.write('more')
    refused.push(client)
  }
  for (const client of refused.slice(0, 3)) {
    await client.journal.until('end')
    // What is sent to a socket that is gone is answered with a reset.
    await eventually('a reset', () => client.socket.destroyed || (client.socket.write('more'), false))
  }
  for (const client of refused.slice(3)) {
    for (let i = 0; i < 20; i++) {
      client.socket.write('more')
      await turn()
    }
    t.equal(client.socket.destroyed, false)
  }
})

t.test('memory: many large messages that are never complete do not pass the budget, and small ones are answered', async t => {
  const watched = watchBudgets(t)
  const limit = 4 * 2 ** 20
  const reached = limitsReached(t)
  const { client, server, journal } = await running(t, {
    limits: { memory: limit, closingTime: 500 },
    message: (socket, data) => socket.send(data),
  })
  const small = await client()
  const large = await Promise.all(Array.from({ length: 40 }, () => client()))
  const head = bytes(masked(frame(BINARY, Buffer.alloc(2 ** 20)))).subarray(0, 2 ** 20 - 100)
  for (const [i, each] of large.entries()) {
    for (let at = 0; at < head.length; at += 50_000) each.socket.write(head.subarray(at, at + 50_000))
    small.send(frame(TEXT, `hello ${i}`))
    await small.journal.until(`text hello ${i}`)
    await turn()
  }
  await eventually('the budget to be used', () => watched.most > limit / 2)
  t.ok(watched.most <= limit, `${watched.most} of ${limit}`)
  t.ok(server.connections.size >= 3, 'not all are dropped')
  for (const { socket } of large) (socket as Socket).resetAndDestroy()
  small.socket.end(bytes(masked(closeFrame(1000))))
  // Those that are not read don't see that their client is gone, until 10 seconds are over.
  watched.budget?.onDeadline()
  await eventually('the end', () => server.connections.size === 0)
  await eventually('all to be counted back', () => watched.budget?.bytes === 0)
  t.equal(watched.budget?.holders, 0)
  const dropped = journal.lines.filter(line => line === 'close 1013 memory' || line === 'close 1006 memory')
  t.equal(reached.filter(name => name === 'memory').length, dropped.length)
})

t.test('memory: clients that never read do not pass the budget, and the others get what they are sent', async t => {
  const watched = watchBudgets(t)
  const limit = 8 * 2 ** 20
  const { client, server, journal } = await running(t, { limits: { memory: limit } })
  const stuck = await Promise.all(Array.from({ length: 20 }, () => client()))
  for (const { socket } of stuck) socket.pause()
  const reader = await client()
  const message = Buffer.alloc(100_000)
  let sent = 0
  while (!journal.lines.includes('close 1006 memory') && sent < 2000) {
    server.broadcast(message)
    sent++
    await reader.received(sent)
  }
  t.ok(journal.lines.includes('close 1006 memory'))
  t.ok(watched.most <= limit, `${watched.most}`)
  t.notOk(reader.socket.destroyed)
  await server.close({ timeout: 0 })
  t.strictSame([watched.budget?.bytes, watched.budget?.holders], [0, 0])
})

t.test('memory: what is sent ahead while accept thinks counts; over the budget it is 503', async t => {
  const watched = watchBudgets(t)
  const answers = deferredAnswers()
  const limit = 190_000
  const limits = { memory: limit, handshakes: 10 }
  const { dial, journal, server } = await running(t, { accept: answers.accept, limits })
  const early = masked(frame(BINARY, Buffer.alloc(60_000)))
  const [one, other] = [await dial(), await dial()]
  const first = one.handshake({}, early)
  await eventually('the first to be counted', () => (watched.budget?.bytes ?? 0) >= 60_000 + 2 * REQUEST)
  const second = other.handshake({}, early)
  const refused = await Promise.race([first, second])
  t.equal(refused.status, 503)
  t.ok(watched.most <= limit)
  answers.answerAll()
  t.strictSame([(await first).status, (await second).status].sort(), [101, 503])
  await journal.until('binary of 60000')
  // One that was refused counts until it is gone.
  for (const { socket } of [one, other]) socket.destroy()
  await eventually('nothing to be held', () => watched.budget?.bytes === 0)
  await server.close({ timeout: 0 })
  t.equal(watched.budget?.holders, 0)
})

/** A request that never ends, of so many header lines. */
function endless(lines: number): string {
  return 'GET / HTTP/1.1\r\nhost: a\r\n' + Array.from({ length: lines - 1 }, (_, at) => `h${at}: 1\r\n`).join('')
}

/** A handshake of so many header lines. */
function withLines(count: number): string {
  const [line, ...rest] = handshakeText().split('\r\n')
  return [line, ...Array.from({ length: count - (rest.length - 2) }, (_, at) => `h${at}: 1`), ...rest].join('\r\n')
}

t.test('header lines: 128 pass, more get 431, in whatever pieces they come; listening, attached, and to plain requests', async t => {
  const sockets = accepted(t)
  const listening = await running(t)
  const attached = observedServer(t)
  const http = createServer()
  attached.server.attach(http)
  http.listen(0, '127.0.0.1')
  t.teardown(() => http.close())
  await once(http, 'listening')
  for (const port of [listening.port, (http.address() as AddressInfo).port]) {
    for (const [lines, expected] of [[127, 101], [128, 101], [129, 431], [130, 431], [161, 431], [1000, 431]]) {
      for (const piece of [100_000, 61]) {
        const before = sockets.length
        const client = await RawClient.open(port, true)
        const text = withLines(lines)
        await eventually('it to be there', () => sockets.length > before)
        const [socket] = sockets.slice(before)
        // What is sent to a server that has answered and gone is answered with a reset, and the answer may be lost.
        for (let at = 0; at < text.length && socket.writable; at += piece) {
          client.text(text.slice(at, at + piece))
          const sent = Math.min(at + piece, text.length)
          await eventually('it to be read', () => socket.bytesRead >= sent || !socket.writable)
        }
        const head = await client.head()
        t.equal(Number(head.split(' ')[1]), expected, `${lines} lines`)
        await client.close()
      }
    }
  }
  for (const lines of [128, 129, 1000]) {
    const client = await RawClient.open(listening.port)
    client.text(`${endless(lines)}\r\n`)
    t.equal((await client.refusal()).status, lines === 128 ? 426 : 431, `a plain request of ${lines} lines`)
  }
})

t.test('memory: requests that never end hold little, however many lines they have, and count', async t => {
  const watched = watchBudgets(t)
  // From release 22 on Node refuses more than it is to take.
  const lines = Number.parseInt(process.versions.node) < 22 ? 900 : 120
  const { port, client, server } = await running(t, { limits: { memory: 1000 * REQUEST, handshakeTime: Infinity } })
  await client()
  const clients: RawClient[] = []
  const each = await heldByEach(async () => {
    const slow = await RawClient.open(port)
    clients.push(slow)
    slow.text(endless(lines))
    await eventually('the request to be read', () => watched.budget?.bytes === clients.length * REQUEST)
  })
  t.ok(each < 25_000, `${each} bytes for each`)
  for (const slow of clients) slow.reset()
  await eventually('them to be gone', () => watched.budget?.bytes === 0)
  t.equal(server.connections.size, 1)
})

t.test('memory: over the budget the oldest requests that have not come whole get 503, and the others go on', async t => {
  const watched = watchBudgets(t)
  const reached = limitsReached(t)
  const limit = 10 * REQUEST
  const { port, dial } = await running(t, { limits: { memory: limit, handshakes: 1000 } })
  const slow: RawClient[] = []
  for (let i = 0; i < 10; i++) {
    slow.push(await RawClient.open(port))
    slow[i].text('GET / HTTP/1.1\r\nHost: a\r\n')
    await eventually('it to be counted', () => watched.budget?.bytes === (i + 1) * REQUEST)
  }
  t.strictSame(reached, [])
  const quick = await dial()
  for (const client of slow.slice(0, 6)) t.equal((await client.refusal()).status, 503)
  t.equal(await status(quick), 101)
  t.ok(watched.most <= limit)
  slow[9].text(handshakeText().slice(handshakeText().indexOf('upgrade')))
  t.match(await slow[9].head(), /^HTTP\/1\.1 101 /)
  t.equal(slow[6].state, 'open')
  t.strictSame(reached, ['memory'])
})

t.test('memory: a handshake that waits for accept holds nothing but its request, and its table of headers is not made', async t => {
  const asked: UpgradeRequest[] = []
  let looks = false
  const accept = (request: UpgradeRequest): Promise<never> =>
    new Promise(() => {
      asked.push(request)
      if (looks) void request.headers
    })
  const { dial, server } = await running(t, { accept, limits: { handshakeTime: Infinity } })
  // More comes in one read than the request: a view of that would hold on to all of it.
  const lines = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`h${at}`, 'x'.repeat(90)]))
  const text = handshakeText({ headers: lines })
  const early = Buffer.from(masked(frame(TEXT, 'early')), 'hex').toString('latin1')
  const handshake = async (): Promise<void> => {
    const client = await dial()
    const before = asked.length
    client.socket.write(text + early, 'latin1')
    await eventually('accept to be asked', () => asked.length > before)
  }
  const each = await heldByEach(handshake)
  // Both ends of it; a view of the read would hold as much as the text once more.
  t.ok(each < 22_000 + text.length / 2, `${each} bytes for each`)
  looks = true
  const looked = await heldByEach(handshake)
  t.ok(looked > each + 3000, `${looked} bytes with the table`)
  const [request] = asked
  t.equal(Object.keys(request).includes('headers'), true)
  t.equal({ ...request }.headers.h99, 'x'.repeat(90))
  t.equal(server.connections.size, 0)
})

t.test('strings that a connection keeps hold on to no header', async t => {
  const LONG = 10_000
  const { client, server } = await running(t, {
    trustProxy: { header: 'x-forwarded-for', proxies: ['loopback', '10.0.0.0/8'] },
    accept: ({ protocols, path }) => ({ protocol: protocols[0], data: path }),
  })
  const connect = (): Promise<WireClient> =>
    client({
      path: `/a-path-that-is-not-short?${'x'.repeat(LONG / 4)}`,
      headers: {
        'sec-websocket-protocol': `a-protocol-that-is-not-short,${'x'.repeat(LONG / 4)}`,
        'x-forwarded-for': `1.1.1.1, 2001:db8::1111:2222:3333, ${'10.0.0.1, '.repeat(LONG / 40)}10.0.0.1`,
      },
    })
  const each = await heldByEach(connect)
  const [connection] = server.connections
  t.strictSame(
    [connection.protocol, connection.remoteAddress, connection.data],
    ['a-protocol-that-is-not-short', '2001:db8::1111:2222:3333', '/a-path-that-is-not-short']
  )
  t.ok(each < 11_000, `${each} bytes for each, both ends of it`)
})

t.test('topics: one more than the limit closes with 1008, what is left again does not count', async t => {
  const reached = limitsReached(t)
  const { client, server, journal } = await running(t, {
    limits: { topics: 2 },
    message: (socket, data) => (String(data).startsWith('-') ? socket.unsubscribe(String(data).slice(1)) : socket.subscribe(String(data))),
  })
  const one = await client()
  for (const name of ['a', 'b', 'a', '-a', 'c']) one.send(frame(TEXT, name))
  await journal.until('text c')
  t.strictSame([server.publish('b', 'x'), server.publish('c', 'x'), reached.length], [1, 1, 0])
  one.send(frame(TEXT, 'd'))
  await journal.until('close 1008 more topics than the limit')
  await one.journal.until('close 1008 more topics than the limit')
  t.strictSame(reached, ['topics'])
  t.strictSame(['a', 'b', 'c', 'd'].map(name => server.publish(name, 'x')), [0, 0, 0, 0])
})

t.test('memory: Infinity is no budget', async t => {
  const watched = watchBudgets(t)
  const { client, journal } = await running(t, { limits: { memory: Infinity } })
  const one = await client()
  one.send(frame(BINARY, Buffer.alloc(300_000)))
  await journal.until('binary of 300000')
  t.equal(watched.budget, undefined)
})

import t, { type Test } from 'tap'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Progress } from '../../lib/conformance/progress.ts'
import { selectCases } from '../../lib/conformance/select.ts'
import { serveCases, type CaseServer, type ServeOptions } from '../../lib/conformance/serve-cases.ts'
import { within } from '../helpers/journal.ts'
import { handshakeText } from '../helpers/raw-client.ts'
import { plainRequest, WireClient } from '../helpers/wire-client.ts'
import { runClient, type Client } from './broken-clients.ts'
import type { Fault } from './raw-echo.ts'

const LIGHT = { cases: ['autobahn'], exclude: ['9.*', '12.*', '13.*'] }
const HEAVY = { cases: ['9.1.1', '9.7.2', '12.1.3', '12.2.4', '12.4.4', '13.*.4', '13.*.11'], quick: true }
const FULL_OFFER =
  'permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover; server_max_window_bits=10'

async function serving(t: Test, options: ServeOptions = {}): Promise<CaseServer> {
  const server = await serveCases({ port: 0, ...options })
  t.teardown(() => server.close())
  return server
}

/** Runs all selected cases with a client, side by side, and returns the verdicts that are not OK. */
async function verdicts(server: CaseServer, count: number, client: Client): Promise<string[]> {
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  const next = numbers.values()
  const one = async (): Promise<void> => {
    for (const number of next) await runClient(server.port, `/runCase?case=${number}&agent=raw`, client)
  }
  await Promise.all(Array.from({ length: 8 }, one))
  const all = server.results.list('raw').map(({ id, behavior, behaviorClose }) => `${id} ${behavior} ${behaviorClose}`)
  return all.filter(line => !/ (OK OK|INFORMATIONAL INFORMATIONAL)$/.test(line))
}

t.test('a client without a fault', async t => {
  for (const [selection, client] of [
    [LIGHT, {}],
    [HEAVY, { offer: FULL_OFFER }],
  ] as const) {
    const seen: Progress[] = []
    const server = await serving(t, { ...selection, progress: progress => void seen.push(progress) })
    const count = selectCases(selection, 'client').length
    t.same(await verdicts(server, count, client), [])
    t.equal(server.results.list('raw').length, count)
    t.match(seen.pop(), { done: count, total: count, failed: 0 })
    t.ok(server.results.list('raw').every(({ isServer }) => isServer))
  }
})

const FAULTS: readonly (readonly [fault: Fault, cases: readonly string[], found: readonly string[]])[] = [
  ['takes-any-close-code', ['7.7.1', '7.9.1', '7.9.9'], ['7.9.1 FAILED WRONG CODE', '7.9.9 FAILED WRONG CODE']],
  ['never-pongs', ['1.1.1', '2.1', '2.7'], ['2.1 FAILED OK']],
  ['ignores-reserved-bits', ['1.1.1', '3.1'], ['3.1 FAILED FAILED']],
  ['forgets-to-mask', ['1.1.1', '3.1'], ['1.1.1 FAILED UNCLEAN', '3.1 OK FAILED']],
  // To drop TCP is for the server to do: a client that waits is right.
  ['keeps-tcp-after-close', ['1.1.1', '3.1', '7.1.1'], []],
  ['drops-tcp-on-close', ['1.1.1', '7.9.1'], ['1.1.1 OK UNCLEAN']],
  ['keeps-its-context', ['12.1.4', '13.1.4', '13.2.4'], ['13.2.4 FAILED OK']],
  ['uses-a-large-window', ['13.1.4', '13.3.4', '13.4.4'], ['13.3.4 FAILED OK']],
]
for (const [fault, cases, found] of FAULTS) {
  t.test(`a client that ${fault.replaceAll('-', ' ')}`, async t => {
    const server = await serving(t, { cases, quick: true })
    t.same(await verdicts(server, cases.length, { fault, offer: FULL_OFFER }), found)
  })
}

t.test('compression, or a window, that a client does not offer, it is not asked for', async t => {
  const cases = ['12.1.3', '13.1.3', '13.2.3', '13.3.3', '13.5.3', '13.7.3']
  const server = await serving(t, { cases, quick: true })
  t.same(
    await verdicts(server, cases.length, {}),
    cases.map(id => `${id} UNIMPLEMENTED OK`)
  )
  const other = await serving(t, { cases, quick: true })
  t.same(await verdicts(other, cases.length, { offer: 'permessage-deflate; client_max_window_bits' }), [], 'as most clients')
  const least = await serving(t, { cases, quick: true })
  t.same(await verdicts(least, cases.length, { offer: 'permessage-deflate' }), ['13.3.3 UNIMPLEMENTED OK', '13.5.3 UNIMPLEMENTED OK'])
})

t.test("Autobahn's other paths", async t => {
  let updates = 0
  const server = await serving(t, { cases: ['1.1.1', '6.4.*'], updateReports: () => updates++ })
  /** What a path's one message says; undefined where there is none. */
  const ask = async (path: string): Promise<unknown> => {
    const client = await WireClient.to({ port: server.port, host: '127.0.0.1' })
    t.equal((await client.handshake({ path })).status, 101, path)
    await client.journal.until('close')
    client.send('8800')
    await client.journal.until('end')
    client.socket.destroy()
    const [first] = client.frames
    return first.first === 0x81 ? (JSON.parse(first.payload.toString()) as unknown) : undefined
  }
  t.equal(await ask('/getCaseCount'), 5)
  t.equal(await ask('/getCaseCount?agent=any'), 5)
  t.match(await ask('/getCaseInfo?case=2'), { id: '6.4.1', description: /in three fragments/ })
  t.match(await ask('/getCaseInfo?casetuple=6.4.3'), { id: '6.4.3' })
  const status = ask('/getCaseStatus?case=1&agent=raw')
  await runClient(server.port, '/runCase?case=1&agent=raw')
  t.same(await status, { behavior: 'OK' }, 'it comes when the case is done')
  t.same(await ask('/getCaseStatus?case=1&agent=raw'), { behavior: 'OK' })
  t.equal(await ask('/updateReports?agent=raw'), undefined)
  t.equal(updates, 1)
  let done = false
  void server.done.then(() => (done = true))
  t.notOk(done)
  await ask('/updateReports?agent=raw&shutdownOnComplete=true')
  await within(server.done, 'the end that a client asked for')
  t.equal(updates, 2)
})

t.test('a status that nobody waits for any more', async t => {
  const server = await serving(t, { cases: ['1.1.1'] })
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  socket.write(handshakeText({ path: '/getCaseStatus?case=1&agent=raw' }))
  await once(socket, 'data')
  socket.destroy()
  await once(socket, 'close')
  await runClient(server.port, '/runCase?case=1&agent=raw')
  t.match(server.results.get('raw', '1.1.1'), { behavior: 'OK' })
})

t.test('requests that are refused', async t => {
  const server = await serving(t, { cases: ['1.1.*'] })
  const wrong: [path: string, status: number, body: RegExp][] = [
    ['/', 404, /There is no \/; there are \/getCaseCount/],
    ['/toString', 404, /there are/],
    ['/runCase?agent=raw', 400, /needs a case from 1 to 8/],
    ['/runCase?case=0&agent=raw', 400, /from 1 to 8/],
    ['/runCase?case=9&agent=raw', 400, /from 1 to 8/],
    ['/runCase?case=1.5&agent=raw', 400, /from 1 to 8/],
    ['/runCase?case=1', 400, /an agent/],
    ['/runCase?casetuple=6.4.1&agent=raw', 400, /needs a case/],
    ['/getCaseInfo', 400, /needs a case/],
    ['/getCaseStatus?case=1', 400, /an agent/],
    ['/updateReports', 400, /an agent/],
  ]
  for (const [path, status, body] of wrong) {
    const answer = await runClient(server.port, path)
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} .*${body.source}`, 's'), path)
  }
  t.match(await plainRequest(server.port), { status: 400, body: /Upgrade has to be websocket/ })
  t.same(server.results.agents, [])
})

t.test('paths with two slashes, as drivers write them behind a URL that ends with one', async t => {
  const server = await serving(t, { cases: ['1.1.1'] })
  t.match(await runClient(server.port, '//'), /^HTTP\/1\.1 404 /)
  t.match(await runClient(server.port, '//getCaseCount'), /^HTTP\/1\.1 101 /)
  await runClient(server.port, '//runCase?case=1&agent=raw')
  t.match(server.results.get('raw', '1.1.1'), { behavior: 'OK' })
})

t.test('what goes wrong with one connection ends that one', async t => {
  const server = await serving(t, {
    cases: ['1.1.1'],
    updateReports: () => {
      throw new Error('the disk is full')
    },
  })
  const warning = once(process, 'warning')
  await runClient(server.port, '/updateReports?agent=raw')
  t.match(await within(warning, 'a warning'), [{ message: 'A connection failed: Error: the disk is full' }])
  await runClient(server.port, '/runCase?case=1&agent=raw')
  t.match(server.results.get('raw', '1.1.1'), { behavior: 'OK' })
})

t.test('connections that say nothing, or not enough, are let go at the end', async t => {
  const server = await serveCases({ port: 0, cases: ['1.1.1'] })
  const sockets = Array.from({ length: 2 }, () => connect({ port: server.port, host: '127.0.0.1' }))
  sockets[1].write('GET / HTTP/1.1\r\n')
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  for (const socket of sockets) socket.on('error', () => {})
  const gone = Promise.all(sockets.map(socket => once(socket, 'close')))
  await new Promise(resolve => setTimeout(resolve, 20))
  await within(server.close(), 'the server to close')
  await within(gone, 'the connections to end')
  t.pass('all are gone')
})

t.test('over TLS', async t => {
  const read = (name: string): Buffer => readFileSync(new URL(`../fixtures/localhost.${name}.pem`, import.meta.url))
  const cert = read('cert')
  const server = await serving(t, { cases: ['1.1.1'], tls: { key: read('key'), cert } })
  t.match(server.url, /^wss:\/\/127\.0\.0\.1:\d+$/)
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: cert, servername: 'localhost' })
  socket.write(handshakeText({ path: '/getCaseCount' }))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 101 /)
  socket.destroy()
})

t.test('options, and a port in use', async t => {
  await t.rejects(serveCases({ cases: ['8.*'] }), { code: 'invalid-option' })
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  await t.rejects(serveCases({ port: (other.address() as AddressInfo).port }), { code: 'EADDRINUSE' })
})

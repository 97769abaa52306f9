/** The table of refusals in docs/guide/operate.md: each is provoked, and answered and counted as its row says. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { refuse, REFUSALS } from '../../lib/handshake/refusal.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import { subscribed } from '../helpers/subscribed.ts'
import { eventually } from '../helpers/journal.ts'
import { handshakeText, type HandshakeParts } from '../helpers/raw-client.ts'
import { clientsOf, observedServer, running, type Running } from '../helpers/running.ts'
import { plainRequest, type Answer } from '../helpers/wire-client.ts'
import { codesIn, pageOf, sectionOf, tableOf } from './page.ts'

const PAGE = pageOf('guide/operate.md')
const { rows } = tableOf(PAGE, 'reason', 'status')
/** The reason of what the application refuses. */
const OWN = 'accept'
const NEVER = new Promise<undefined>(() => {})
const MANY = Array.from({ length: 129 }, (_, i) => `a${i}`)

interface Trial {
  readonly options?: ServerOptions<unknown>
  /** What the client asks with: parts of a handshake, or text in place of it. */
  readonly ask: HandshakeParts | string
  /** What happens before, or while the client waits. */
  readonly first?: (server: Running) => Promise<unknown>
}

const header = (name: string, value: string | readonly string[] | null): HandshakeParts => ({ headers: { [name]: value } })

/** Every way to be refused, by its reason: some of them several. */
const TRIALS: Readonly<Record<keyof typeof REFUSALS | typeof OWN, readonly Trial[]>> = {
  request: [{ ask: 'what is this\r\n\r\n' }],
  body: [{ ask: header('content-length', '1') }, { ask: header('transfer-encoding', 'chunked') }],
  host: [{ ask: header('host', null) }, { ask: header('host', ['a.example', 'b.example']) }],
  key: [
    { ask: header('sec-websocket-key', null) },
    { ask: header('sec-websocket-key', 'c2hvcnQ=') },
    { ask: header('sec-websocket-key', ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ==']) },
  ],
  protocol: [
    { ask: header('sec-websocket-protocol', 'a b') },
    { ask: header('sec-websocket-protocol', 'a, a') },
    { ask: header('sec-websocket-protocol', MANY.join()) },
  ],
  extensions: [{ ask: header('sec-websocket-extensions', 'a;') }, { ask: header('sec-websocket-extensions', MANY.join()) }],
  origin: [{ ask: header('origin', 'https://elsewhere.example') }],
  path: [{ options: { path: '/chat' }, ask: { path: '/' } }],
  method: [{ ask: { method: 'POST' } }],
  timeout: [
    { options: { limits: { handshakeTime: 0 } }, ask: 'GET / HTTP/1.1\r\n' },
    { options: { limits: { handshakeTime: 100 }, accept: () => NEVER }, ask: {} },
  ],
  upgrade: [{ ask: header('upgrade', 'h2c') }],
  version: [{ ask: header('sec-websocket-version', '8') }],
  address: [{ options: { limits: { connectionsPerAddress: 1 } }, ask: {}, first: ({ client }) => client() }],
  headSize: [
    { options: { limits: { handshakeBytes: 50 } }, ask: {} },
    { ask: header('a', MANY) },
  ],
  failure: [
    {
      options: {
        accept() {
          throw new Error('oops')
        },
      },
      ask: {},
    },
    {
      options: {
        origins() {
          throw new Error('oops')
        },
      },
      ask: header('origin', 'https://page.example'),
    },
  ],
  busy: [
    { options: { limits: { connections: 0 } }, ask: {} },
    { options: { limits: { handshakes: 0 }, accept: () => NEVER }, ask: {} },
    { options: { limits: { memory: 0 } }, ask: {} },
  ],
  closing: [
    {
      options: { accept: () => NEVER },
      ask: {},
      async first({ server }) {
        await eventually('the handshake', () => server.metrics().handshakes.pending === 1)
        void server.close({ timeout: 100 })
      },
    },
  ],
  [OWN]: [{ options: { accept: () => refuse(418) }, ask: {} }],
}

async function answerTo(t: Test, { options, ask, first }: Trial): Promise<{ answer: Answer; server: Running }> {
  const server = await running(t, options)
  const before = first !== undefined && options?.accept === undefined
  if (before) await first(server)
  const client = await server.dial()
  const answered = client.answer()
  client.socket.write(typeof ask === 'string' ? ask : handshakeText(ask))
  if (!before) await first?.(server)
  return { answer: await answered, server }
}

t.test('the table has each reason that there is, and no others', async t => {
  t.strictSame(rows.map(([reason = '']) => codesIn(reason).join()).sort(), [...Object.keys(REFUSALS), OWN].sort())
})

t.test('each status is that of the refusal, and the rows are in their order', async t => {
  const statuses = rows.slice(0, -1).map(([, status]) => Number(status))
  t.strictSame(rows.at(-1)?.slice(0, 2), [`\`${OWN}\``, 'yours'])
  t.strictSame(statuses, [...statuses].sort((a, b) => a - b))
  for (const [reason = '', status] of rows.slice(0, -1)) {
    t.equal(REFUSALS[codesIn(reason).join() as keyof typeof REFUSALS].status, Number(status), reason)
  }
})

for (const [cell = '', status = ''] of rows) {
  const [reason = ''] = codesIn(cell)
  t.test(`${reason}: ${status}`, async t => {
    for (const trial of TRIALS[reason as keyof typeof TRIALS]) {
      const told = subscribed(t, 'kore-ws.handshake.refused')
      const { answer, server } = await answerTo(t, trial)
      t.equal(answer.status, reason === OWN ? 418 : Number(status), JSON.stringify(trial.ask).slice(0, 100))
      const later = ['address', 'busy'].includes(reason) ? '10' : undefined
      t.equal(answer.headers['retry-after'], later, 'when to come back')
      t.strictSame(server.server.metrics().refused, { total: 1, byStatus: { [answer.status]: 1 }, byReason: { [reason]: 1 } })
      t.match(told, [{ role: 'server', status: answer.status, reason }])
      t.equal(told.length, 1)
    }
  })
}

t.test('the limits and options that rows name are those that refuse', async t => {
  const named = new Map(rows.map(([reason = '', , who = '']) => [codesIn(reason).join(), codesIn(who)]))
  t.strictSame(named.get('busy'), ['limits.connections', 'limits.handshakes', 'limits.memory'])
  t.strictSame(named.get('address'), ['limits.connectionsPerAddress'])
  t.strictSame(named.get('headSize'), ['limits.handshakeBytes'])
  t.strictSame(named.get('timeout'), ['limits.handshakeTime', 'accept'])
  t.strictSame(named.get('failure'), ['accept', 'origins'])
})

t.test('a plain request to a port of the server’s own gets 426, and counts nowhere', async t => {
  t.match(sectionOf(PAGE, '### Refusals'), /A plain HTTP request to a port of the server's own gets 426; it is no\nhandshake, and counts nowhere/)
  const { port, server } = await running(t)
  t.equal((await plainRequest(port)).status, 426)
  t.equal(server.metrics().refused.total, 0)
})

t.test('a path that no attached server has is on the channel only', async t => {
  const told = subscribed(t, 'kore-ws.handshake.refused')
  const { server } = observedServer(t, { path: '/chat' })
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  server.attach(http)
  const { dial } = clientsOf(t, (http.address() as AddressInfo).port)
  const { status } = await (await dial()).handshake({ path: '/other' })
  t.strictSame([status, server.metrics().refused.total], [404, 0])
  t.match(told, [{ status: 404, reason: 'path' }])
})

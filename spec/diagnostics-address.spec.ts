/** Which address the channel `kore-ws.handshake.refused` tells, behind a proxy and without one. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { refuse } from '../lib/handshake/refusal.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { ServerOptions } from '../lib/server-options.ts'
import { eventually, turn } from './helpers/journal.ts'
import type { HandshakeParts } from './helpers/raw-client.ts'
import { clientsOf } from './helpers/running.ts'
import { SERVER_DOORS, stranger, type Dial } from './helpers/server-doors.ts'
import { subscribed } from './helpers/subscribed.ts'

const CLIENT = '192.0.2.7'
const TRUST = { header: 'x-forwarded-for', proxies: ['loopback', 'unix'] } as const

interface Case {
  readonly options?: ServerOptions<unknown>
  readonly parts?: HandshakeParts
  /** What happens before the client asks, and behind that. */
  readonly before?: (visit: Visit) => Promise<unknown>
  readonly behind?: (visit: Visit) => unknown
  readonly status: number
  /** Those that know of it. */
  readonly doors?: RegExp
}

interface Visit {
  readonly t: Test
  readonly server: WebSocketServer
  readonly dial: Dial
}

const forwarded = (address: string, { headers, ...parts }: HandshakeParts = {}): HandshakeParts => ({
  ...parts,
  headers: { 'x-forwarded-for': address, ...headers },
})

/** Somebody else who is let in. */
const another = async ({ t, dial }: Visit): Promise<void> => {
  const client = await stranger(t, dial)
  t.equal((await client.handshake(forwarded(CLIENT))).status, 101)
}

const never = (): Promise<void> => new Promise(() => {})

/** Every way to be refused once the request is there, by the reason that is told, and more words where it has several. */
const REASONS: Readonly<Record<string, Case>> = {
  origin: { parts: { headers: { origin: 'http://elsewhere.example' } }, status: 403 },
  key: { parts: { headers: { 'sec-websocket-key': 'x' } }, status: 400 },
  version: { parts: { headers: { 'sec-websocket-version': '8' } }, status: 426 },
  host: { parts: { headers: { host: ['a', 'b'] } }, status: 400 },
  // A server of ours does not even read such a request.
  headSize: { options: { limits: { handshakeBytes: 500 } }, parts: { headers: { 'x-more': 'x'.repeat(500) } }, status: 431, doors: /attach|upgrade/ },
  accept: { options: { accept: () => refuse(401) }, status: 401 },
  'failure, of accept': { options: { accept: () => Promise.reject(new Error('oops')) }, status: 500 },
  'failure, of what it gave at once': { options: { accept: () => ({ protocol: 'x' }) }, status: 500 },
  'failure, of what it gave later': { options: { accept: async () => ({ protocol: 'x' }) }, status: 500 },
  'failure, of origins': {
    options: {
      origins() {
        throw new Error('oops')
      },
    },
    parts: { headers: { origin: 'http://localhost' } },
    status: 500,
  },
  // The request has to come in that time.
  timeout: { options: { accept: never, limits: { handshakeTime: 1000 } }, status: 408 },
  closing: { options: { accept: never }, behind: ({ server }) => void server.close({ timeout: 1000 }), status: 503 },
  busy: { options: { limits: { connections: 1 } }, before: another, status: 503 },
  address: { options: { limits: { connectionsPerAddress: 1 } }, before: another, status: 429 },
}

for (const door of SERVER_DOORS) {
  for (const [why, { options, parts, before, behind, status, doors }] of Object.entries(REASONS)) {
    if (doors?.test(door.name) === false) continue
    t.test(`${door.name}: refused for ${why}, with the address that trustProxy says`, async t => {
      const refused = subscribed(t, 'kore-ws.handshake.refused')
      const server = new WebSocketServer({ error() {}, message() {}, ...options, trustProxy: TRUST })
      const visit = { t, server, dial: await door.open(t, server) }
      await before?.(visit)
      const client = await stranger(t, visit.dial)
      const answer = client.answer()
      client.ask(forwarded(`198.51.100.1, ${CLIENT}`, parts))
      if (behind !== undefined) {
        await eventually('accept to be asked', () => server.metrics().handshakes.pending === 1)
        behind(visit)
      }
      t.equal((await answer).status, status)
      const [reason] = why.split(',')
      t.strictSame(refused, [{ role: 'server', status, reason, remoteAddress: CLIENT }])
    })
  }

  t.test(`${door.name}: without trustProxy, or from nobody who is trusted, the header says nothing`, async t => {
    const refused = subscribed(t, 'kore-ws.handshake.refused')
    for (const trustProxy of [undefined, false, { ...TRUST, proxies: ['203.0.113.1'] }] as const) {
      const server = new WebSocketServer({ trustProxy, accept: () => refuse(401), message() {} })
      const client = await stranger(t, await door.open(t, server))
      t.equal((await client.handshake(forwarded(CLIENT))).status, 401)
      const remoteAddress = door.name.includes('unix') ? undefined : '127.0.0.1'
      t.strictSame(refused.pop(), { role: 'server', status: 401, reason: 'accept', remoteAddress })
    }
    t.equal(refused.length, 0)
  })
}

t.test('upgrade: a path that is not its own', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const server = new WebSocketServer({ path: '/here', trustProxy: TRUST, message() {} })
  for (const { name, open } of SERVER_DOORS.filter(({ name }) => name.startsWith('upgrade'))) {
    const client = await stranger(t, await open(t, server))
    t.equal((await client.handshake(forwarded(CLIENT, { path: '/there' }))).status, 404, name)
    t.strictSame(refused, [{ role: 'server', status: 404, reason: 'path', remoteAddress: CLIENT }])
  }
})

t.test('a server that has been closed, and one that is being closed', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const server = new WebSocketServer({ trustProxy: TRUST, message() {} })
  http.on('upgrade', (request, socket, head) => server.upgrade(request, socket, head))
  const { dial } = clientsOf(t, (http.address() as AddressInfo).port)
  for (let i = 0; i < 2; i++) {
    const closed = server.close()
    if (i > 0) await closed
    t.equal((await (await dial()).handshake(forwarded(CLIENT))).status, 503)
    t.strictSame(refused.pop(), { role: 'server', status: 503, reason: 'closing', remoteAddress: CLIENT })
  }
})

t.test('what is no request has no header to look at: the address of the socket', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const server = new WebSocketServer({ trustProxy: TRUST, message() {} })
  const [{ open }] = SERVER_DOORS
  const client = await stranger(t, await open(t, server))
  const answer = client.answer()
  client.socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: ${CLIENT}\r\nno header\r\n\r\n`)
  t.equal((await answer).status, 400)
  await turn()
  t.strictSame(refused, [{ role: 'server', status: 400, reason: 'request', remoteAddress: '127.0.0.1' }])
})

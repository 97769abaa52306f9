/** What docs/guide/server.md and docs/security.md say of listening, messages, the heartbeat and proxies. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { resolveLimits } from '../../lib/limits.ts'
import { usesInternals } from '../../lib/node-internals/switch.ts'
import { WebSocketServer } from '../../lib/server.ts'
import { HIGH_WATER } from '../../lib/transport/outbox.ts'
import { resolveHeartbeat } from '../../lib/transport/heartbeat.ts'
import { connected } from '../helpers/connected.ts'
import { frame } from '../helpers/frames.ts'
import { eventually, turn } from '../helpers/journal.ts'
import { clientsOf, observedServer, running } from '../helpers/running.ts'
import { plainRequest, type WireClient } from '../helpers/wire-client.ts'
import { amountIn, amountsIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'

const PAGE = pageOf('guide/server.md')
const SECURITY = pageOf('security.md')
const BINARY = '82'

t.test('the ways to listen: each is a call, and answers what its row says', async t => {
  const rows = new Map(tableOf(PAGE, 'call', 'for').rows.map(([call = '', what = '']) => [/server\.(\w+)/.exec(call)?.[1] ?? '', what]))
  t.strictSame([...rows.keys()], ['listen', 'attach', 'upgrade'])
  const { port, server, client } = await running(t)
  await client()
  t.equal((server.address as AddressInfo).port, port, '`server.address` tells which')
  t.match(rows.get('listen'), `Plain HTTP requests get ${(await plainRequest(port)).status}`)

  const http = createServer((_, response) => response.end('page')).listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const { port: shared } = http.address() as AddressInfo
  const clients = clientsOf(t, shared)
  for (const path of ['/one', '/two']) observedServer(t).server.attach(http, { path })
  for (const path of ['/one', '/two']) await clients.client({ path })
  t.match(await plainRequest(shared), { status: 200, body: 'page' }, 'its requests stay yours')
  const { status } = await (await clients.dial()).handshake({ path: '/three' })
  const h2c = await (await clients.dial()).handshake({ path: '/one', headers: { upgrade: 'h2c' } })
  t.strictSame([h2c.status, h2c.body], [200, 'page'])
  const alone = `A path that nobody serves gets ${status}, and an upgrade to another protocol is an ordinary request, but only if nobody else`
  t.match(rows.get('attach'), `${alone} listens for upgrades`)
  http.on('upgrade', (_, socket) => socket.end('mine'))
  const other = await clients.dial()
  other.ask({ path: '/three' })
  await other.journal.until('end')

  const one = observedServer(t).server
  const handing = createServer().on('upgrade', (request, socket, head) => one.upgrade(request, socket, head)).listen(0, '127.0.0.1')
  await once(handing, 'listening')
  t.teardown(() => handing.close())
  await clientsOf(t, (handing.address() as AddressInfo).port).client()
  t.match(rows.get('upgrade'), 'one request from an `upgrade` event of yours')
})

t.test('binary messages: which share their ArrayBuffer, and how to get one of the message alone', async t => {
  const [, first = '', above = ''] = /From (\d+) bytes to below (\d+ KiB) `data\.buffer` may be shared/.exec(PAGE) ?? []
  const buffersOf = async (size: number): Promise<ArrayBufferLike[]> => {
    const kept: Buffer[] = []
    const { client } = await running(t, { message: (_, data) => void kept.push(data as Buffer) })
    const peer = await client()
    for (let i = 1; i <= 3; i++) {
      peer.send(frame(BINARY, Buffer.alloc(size, i)))
      await eventually('the message', () => kept.length === i)
    }
    t.ok(kept.every((data, i) => Buffer.alloc(size, i + 1).equals(data)), `${size} bytes are as they came`)
    const [data] = kept
    const own = Uint8Array.from(data).buffer
    t.equal(own.byteLength, size)
    structuredClone(own, { transfer: [own] })
    t.equal(data.length, size, 'what was transferred was a copy')
    return kept.map(({ buffer }) => buffer)
  }
  for (const size of [Number(first), 256, 257, 1000, 4096, amountIn(above) - 8, amountIn(above) - 1]) {
    const buffers = await buffersOf(size)
    t.ok(buffers.every(({ byteLength }) => byteLength > size), `${size} bytes are a part`)
    // Each begins at a multiple of 8 bytes: the largest have no room for another beside them.
    if (usesInternals && size <= amountIn(above) - 8) t.ok(new Set(buffers).size < buffers.length, `${size} bytes share`)
  }
  for (const size of [1, Number(first) - 1, amountIn(above), 20_000]) {
    const buffers = await buffersOf(size)
    t.equal(new Set(buffers).size, buffers.length, `${size} bytes have their own`)
    // In portable mode a message may keep what it was read into, its frame's header included.
    if (usesInternals) t.equal(buffers[0].byteLength, size)
  }
  t.match(PAGE, '`Uint8Array.from(data).buffer` is an ArrayBuffer of the')
})

t.test('send returns false from so many bytes on; buffers of so many are not copied', async t => {
  const [, high = ''] = /or false once (\d+ KiB) or more are queued/.exec(PAGE) ?? []
  t.equal(amountIn(high), HIGH_WATER)
  const [, size = ''] = /Buffers of (\d+ KiB) and more are not copied/.exec(PAGE) ?? []
  for (const [length, isCopied] of [[amountIn(size), false], [amountIn(size) - 1, true]] as const) {
    const { connection, transport } = connected(t)
    const data = Buffer.alloc(length)
    connection.send(data)
    await turn()
    t.equal(transport.writes.flat().some(({ buffer }) => buffer === data.buffer), !isCopied, `${length} bytes`)
  }
})

t.test('so many pings wait at a time', async t => {
  const [, most = ''] = /At most (\d+) pings wait at a time, and one more\s+is a MisuseError/.exec(PAGE) ?? []
  const { connection } = connected(t)
  for (let i = 0; i < Number(most); i++) void connection.ping()
  t.throws(() => connection.ping(), { name: 'MisuseError', code: 'invalid-state' })
})

t.test('a ping rejects where the connection closes first, and that may be left alone', async t => {
  t.match(PAGE.replace(/\s+/g, ' '), 'rejects with a `ConnectionClosedError` if the connection closes first; it may be left alone')
  const { connection, transport } = connected(t)
  const ping = connection.ping()
  void connection.ping()
  transport.destroy()
  await t.rejects(ping, { name: 'ConnectionClosedError' })
})

t.test('request.signal is aborted where the client goes away, is too late, or the server closes; its reason is no failure', async t => {
  const [, cases = ''] = /\* (A client that goes away while `accept` runs[^]*?)\n\n/.exec(PAGE) ?? []
  t.match(cases.replace(/\s+/g, ' '), '`request.signal` is aborted in each of these cases')
  t.match(cases.replace(/\s+/g, ' '), 'An `accept` that rejects with the signal\'s reason then has not failed')
  const ends: [handshakeTime: number, end: (client: WireClient, server: WebSocketServer) => void, status: number | undefined][] = [
    [10_000, client => client.socket.destroy(), undefined],
    // The request has to come in that time.
    [1000, () => {}, 408],
    [10_000, (_, server) => void server.close({ timeout: 100 }), 503],
  ]
  for (const [handshakeTime, end, status] of ends) {
    const signals: AbortSignal[] = []
    const { server, dial, journal } = await running(t, {
      limits: { handshakeTime },
      accept: ({ signal }) =>
        new Promise((_, reject) => {
          signals.push(signal)
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    })
    const client = await dial()
    const answer = status === undefined ? undefined : client.answer()
    client.ask()
    await eventually('accept', () => signals.length === 1)
    t.equal(signals[0].aborted, false)
    end(client, server)
    t.equal((await answer)?.status, status)
    if (status !== undefined) t.match(cases, `gets ${status}`)
    await eventually('the signal', () => signals[0].aborted)
    await turn()
    t.strictSame(journal.lines, [], 'nothing has failed')
  }
})

t.test('the times of the heartbeat', async t => {
  const section = sectionOf(PAGE, '## Heartbeat')
  const [, silent = '', later = ''] = /silent for (\d+) seconds gets a ping; if (\d+) seconds later/.exec(section) ?? []
  const { interval, timeout } = resolveHeartbeat() ?? { interval: 0, timeout: 0 }
  t.strictSame([Number(silent) * 1000, Number(later) * 1000], [interval, timeout])
  t.match(section, `found within ${(interval + timeout) / 1000} seconds`)
})

t.test('security.md: what a slow or silent peer costs has the times and sizes in force', async t => {
  const [, how = ''] = tableOf(SECURITY, 'promise', 'how').rows.find(([promise]) => promise === 'slow and silent peers cost little') ?? []
  const { handshakeTime, closingTime, queuedBytes } = resolveLimits()
  const { interval, timeout } = resolveHeartbeat() ?? { interval: 0, timeout: 0 }
  t.strictSame(amountsIn(how), [handshakeTime, handshakeTime, 408, closingTime, interval, timeout, queuedBytes])
})

t.test('security.md: the memory of an open connection is the one that limits.connections reckons with', async t => {
  const [, size = ''] = /open connection may take (\d+ KiB) besides, which `limits\.connections` reckons with/.exec(SECURITY) ?? []
  const row = tableOf(pageOf('reference/limits.md'), 'limit', 'unit', 'default').rows.find(([name]) => name === '`connections`')
  t.equal(amountIn(size), amountsIn(row?.[2] ?? '')[1])
})

t.test('no page reads a proxy’s header in accept, and nginx is to pass Host on with its port', async t => {
  const pages = ['guide/server.md', 'guide/client.md', 'guide/operate.md', 'kore.md', 'reference/limits.md', 'security.md'].map(pageOf)
  for (const page of pages) t.notMatch(page, /headers(?:\.|\[['"`])[\w-]*(?:forwarded|real-ip|connecting-ip)/i)
  const section = sectionOf(PAGE, '## Behind a proxy').replace(/\s+/g, ' ')
  t.match(section, 'proxy_set_header Host $http_host')
  t.match(section, 'Don\'t read such a header in `accept`')
})

t.test('trustProxy: the names of the pages are those that it takes', async t => {
  const section = sectionOf(pageOf('reference/limits.md'), '### Behind a proxy')
  const [, names = ''] = /^\* `proxies`: ([^]*?)\n\n/m.exec(section) ?? []
  for (const proxy of codesIn(names)) {
    t.doesNotThrow(() => new WebSocketServer({ trustProxy: { header: 'x-forwarded-for', proxies: [proxy] } }), proxy)
  }
  t.ok(codesIn(names).includes('private') && codesIn(names).includes('unix'))
  t.throws(() => new WebSocketServer({ trustProxy: { header: 'a', proxies: ['others'] } }), { code: 'invalid-option' })
})

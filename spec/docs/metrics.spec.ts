/** docs/guide/operate.md: each figure, series and route is there, and none that the page does not have. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { clusterBus } from '../../lib/broadcast/cluster-bus.ts'
import { MetricsPage } from '../../lib/cli/metrics-page.ts'
import { CONTENT_TYPE, formatMetrics } from '../../lib/cli/prometheus.ts'
import { attachRoutes } from '../../lib/cli/routes.ts'
import { clientMetrics } from '../../lib/client.ts'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { takeMetrics, type Metrics } from '../../lib/metrics.ts'
import { WebSocketServer } from '../../lib/server.ts'
import { parseExposition } from '../helpers/exposition.ts'
import { frame } from '../helpers/frames.ts'
import { clientsOf } from '../helpers/running.ts'
import { plainRequest } from '../helpers/wire-client.ts'
import { codesIn, pageOf, pathsIn, sectionOf, tableOf } from './page.ts'

const PAGE = pageOf('guide/operate.md')
const TEXT = '81'

/** `uptime`, `connections.open` and so on: all that a snapshot has, records as one. */
function figuresOf(metrics: Metrics): string[] {
  return Object.entries(metrics).flatMap(([name, value]) => {
    const parts = typeof value === 'object' ? Object.keys(value as object) : []
    return parts.length === 0 ? [name] : parts.map(part => `${name}.${part}`)
  })
}

/** A snapshot that has something in every record. */
function busyMetrics(): Metrics {
  const diagnostics = new Diagnostics()
  const connection = { data: 0, protocol: '', extensions: '', remoteAddress: '', readyState: 'open', bufferedAmount: 0, retainedBytes: 0, roundTripTime: 1 } as const
  diagnostics.connectionOpened(connection)
  diagnostics.connectionClosed(connection, 3000, '')
  diagnostics.refusedBy(403, 'origin')
  diagnostics.messageDropped('drop-oldest', connection)
  diagnostics.limitReached('queuedBytes', connection)
  return takeMetrics(diagnostics, [connection])
}

/** The types of series by their names, and the labels of each beyond `route` and `worker`. */
function seriesOf(text: string): { readonly types: Record<string, string>; readonly labels: Record<string, string[]> } {
  const { types, samples } = parseExposition(text)
  const labels: Record<string, string[]> = {}
  for (const key of samples.keys()) {
    const [, name = '', inner = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(key) ?? []
    labels[name] = [...inner.matchAll(/(\w+)="/g)].map(([, label = '']) => label)
  }
  return { types: Object.fromEntries(types), labels }
}

t.test('the table of figures has each that there is, and no others; of servers and of clients', async t => {
  const named = tableOf(PAGE, 'figure', 'what it is').rows.flatMap(([names = '']) => pathsIn(names))
  t.strictSame([...named].sort(), figuresOf(new WebSocketServer().metrics()).sort())
  t.strictSame([...named].sort(), figuresOf(clientMetrics()).sort())
})

t.test('the figures that are objects have the parts that the table names', async t => {
  const cell = tableOf(PAGE, 'figure', 'what it is').rows.find(([names = '']) => names.includes('compression.received'))?.[1] ?? ''
  const { received, sent } = new WebSocketServer().metrics().compression
  for (const part of Object.keys({ ...received, ...sent })) t.ok(codesIn(cell).includes(part), part)
})

t.test('a figure that only grows is a counter for Prometheus, and one of now is a gauge', async t => {
  // A snapshot in which each figure is a number of its own, to be found again in the text.
  const kinds = new Map<number, string>()
  let next = 100
  const numbered = (value: unknown, cell: string): unknown => {
    if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value)
      return Object.fromEntries(entries.map(([key, part]) => [key, key === 'ratio' ? null : numbered(part, cell)]))
    }
    kinds.set(++next, cell)
    return next
  }
  const metrics = busyMetrics() as unknown as Record<string, Record<string, unknown>>
  const whole: Record<string, unknown> = { ...metrics }
  for (const [names = '', cell = ''] of tableOf(PAGE, 'figure', 'what it is').rows) {
    for (const path of pathsIn(names)) {
      const [group = '', part] = path.split('.')
      if (part === undefined) whole[group] = numbered(metrics[group], cell)
      else whole[group] = { ...(whole[group] as object), [part]: numbered(metrics[group][part], cell) }
    }
  }
  const { samples, types } = parseExposition(formatMetrics([{ route: '/', worker: 1, metrics: whole as unknown as Metrics }]))
  let compared = 0
  for (const [key, value] of samples) {
    const cell = kinds.get(value)
    if (cell === undefined || !/\bonly grows?\b|^now\b/.test(cell)) continue
    compared++
    t.equal(types.get(key.replace(/\{.*/, '')), /only grow/.test(cell) ? 'counter' : 'gauge', `${key}: ${cell}`)
  }
  t.ok(compared > 20, `${compared} are compared`)
})

t.test('what to watch is there', async t => {
  const figures = figuresOf(new WebSocketServer().metrics())
  const groups = figures.map(figure => figure.split('.')[0])
  const named = tableOf(PAGE, 'figure', 'ask yourself').rows.flatMap(([names = '']) => pathsIn(names).map(path => path.replace(/\[\d+\]/, '')))
  t.ok(named.length > 10)
  for (const path of named.filter(path => path.includes('.') || groups.includes(path))) {
    t.ok(figures.some(figure => path === figure || path.startsWith(`${figure}.`)), path)
  }
})

t.test('the table of series has each that there is with its type and labels, and no others', async t => {
  const { types, labels } = seriesOf(formatMetrics([{ route: '/echo', worker: 1, metrics: busyMetrics() }]))
  const rows = tableOf(PAGE, 'series', 'type').rows.flatMap(([names = '', type = '']) =>
    codesIn(names)
      .filter(name => name.startsWith('kore_ws_'))
      .map(name => ({ name: name.replace(/\{.*/, ''), own: /\{(\w+)\}/.exec(name)?.slice(1) ?? [], type: /^\w+/.exec(type)?.[0] ?? '' }))
  )
  t.strictSame(Object.fromEntries(rows.map(({ name, type }) => [name, type])), types)
  for (const { name, own } of rows) t.strictSame(labels[name], name === 'kore_ws_workers' ? [] : ['route', 'worker', ...own], name)
  t.match(PAGE, CONTENT_TYPE.replace(/.*version=([\d.]+).*/, 'version $1'))
})

t.test('the alerts ask for series and labels that there are', async t => {
  const { types, labels } = seriesOf(formatMetrics([{ route: '/echo', worker: 1, metrics: busyMetrics() }]))
  const asked = [...sectionOf(PAGE, '## What to alert on').matchAll(/(kore_ws_\w+)(?:\{(\w+)=)?/g)]
  t.ok(asked.length > 5)
  for (const [, name = '', label] of asked) {
    t.ok(name in types, name)
    if (label !== undefined) t.ok(labels[name].includes(label), `${name}{${label}}`)
  }
  const grouped = [...sectionOf(PAGE, '## What to alert on').matchAll(/by \((\w+)\)/g)].map(([, label = '']) => label)
  t.strictSame(grouped.filter(label => !['route', 'worker'].includes(label)), [])
})

/** The routes of `kore-ws serve`, on a port of their own. */
async function routes(t: Test): Promise<ReturnType<typeof clientsOf> & { metrics(): Promise<string> }> {
  const page = new MetricsPage(clusterBus(), 1, 1)
  const server = createServer(page.listener((_, response) => void response.writeHead(404).end()))
  const closeAll = attachRoutes(server, undefined, false, page)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    const closed = closeAll(1001)
    server.close()
    server.closeAllConnections()
    await closed
  })
  const { port } = server.address() as AddressInfo
  return { ...clientsOf(t, port), metrics: async () => (await plainRequest(port, '/metrics')).body }
}

t.test('the table of routes has those of kore-ws serve, and each does what it says', async t => {
  const { client, metrics } = await routes(t)
  const rows = tableOf(PAGE, 'route', 'what it does').rows.map(([name = '', what = '']) => [codesIn(name).join(), what])
  const { labels } = parseExposition(await metrics())
  t.strictSame(rows.map(([name]) => name).sort(), [...new Set(labels.flatMap(({ route }) => route ?? []))].sort())
  t.match(Object.fromEntries(rows), {
    '/echo': 'sends every message back',
    '/chat': 'sends every message to all others',
    '/people': 'sends how many are in the chat, as a text: at once, and when the number changes. What clients send is dropped',
  })
  const people = await client({ path: '/people' })
  people.send(frame(TEXT, 'is dropped'))
  t.strictSame(await people.lines(1), ['text 0'])
  const [one, other, echo] = [await client({ path: '/chat' }), await client({ path: '/chat' }), await client({ path: '/echo' })]
  echo.send(frame(TEXT, 'a'))
  t.strictSame(await echo.lines(1), ['text a'])
  one.send(frame(TEXT, 'b'))
  t.strictSame(await other.lines(1), ['text b'])
  t.match(await people.journal.until('text 2'), ['text 0'])
  t.strictSame(one.journal.lines, [])
  for (const peer of [people, one, other, echo]) {
    peer.send(frame('88'))
    await peer.journal.until('close')
  }
})

t.test('every route has the series of the bus; those that publish on none have 0', async t => {
  const { metrics } = await routes(t)
  const { samples } = parseExposition(await metrics())
  const row = tableOf(PAGE, 'series', 'type').rows.find(([names = '']) => names.includes('kore_ws_bus_queued_bytes'))?.[0] ?? ''
  const [name = '', ...without] = codesIn(row)
  t.strictSame(without, ['/echo', '/people'])
  for (const series of [name, 'kore_ws_bus_missed_total', 'kore_ws_bus_malformed_total']) {
    for (const route of ['/echo', '/chat', '/people']) t.equal(samples.get(`${series}{route="${route}",worker="1"}`), 0, `${series} of ${route}`)
  }
})

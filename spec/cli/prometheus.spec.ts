import t from 'tap'
import { CONTENT_TYPE, formatMetrics } from '../../lib/cli/prometheus.ts'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { takeMetrics, type Metrics } from '../../lib/metrics.ts'
import { parseExposition, type Exposition } from '../helpers/exposition.ts'

/** The figures of a server to which this has happened. */
function after(happen: (diagnostics: Diagnostics) => void, connections: Parameters<typeof takeMetrics>[1] = []): Metrics {
  const diagnostics = new Diagnostics()
  happen(diagnostics)
  const metrics = takeMetrics(diagnostics, connections, {
    bus: { queued: 30, missed: 4 },
    memory: { bytes: 50, kept: 60, limit: 70 },
    admission: { pending: 7, incomplete: 8, refused: 9 },
  })
  return { ...metrics, uptime: 1500 }
}

const measured = (roundTripTime: number) => ({
  data: 0,
  protocol: '',
  extensions: '',
  remoteAddress: '',
  readyState: 'open' as const,
  bufferedAmount: 10,
  retainedBytes: 20,
  roundTripTime,
})

function parsed(route: string, metrics: Metrics, worker = 1): Exposition {
  return parseExposition(formatMetrics([{ route, worker, metrics }]))
}

t.test('the type of the content', async t => {
  t.equal(CONTENT_TYPE, 'text/plain; version=0.0.4; charset=utf-8')
})

t.test('nothing to tell: the workers alone, every family has its head', async t => {
  const { samples, types } = parseExposition(formatMetrics([]))
  t.strictSame(Object.fromEntries(samples), { kore_ws_workers: 0 })
  t.equal(types.size, 28)
  for (const [name, type] of types) {
    t.match(name, /^kore_ws_[a-z_]+$/)
    t.equal(type === 'counter', name.endsWith('_total'), `${name} is a ${type}`)
  }
})

t.test('each figure, in base units', async t => {
  const metrics = after(
    diagnostics => {
      const some = measured(0)
      Object.assign(diagnostics, { messagesReceived: 1, messagesSent: 2, bytesReceived: 3, bytesSent: 2 ** 70 })
      for (let i = 0; i < 7; i++) diagnostics.connectionOpened(some)
      for (const code of [1000, 1006, 1006, 2999, 3000, 3999, 4000]) diagnostics.connectionClosed(some, code, '')
      diagnostics.refusedBy(403, 'origin')
      diagnostics.refusedBy(403, 'accept')
      diagnostics.limitReached('queuedBytes', some)
      diagnostics.messageDropped('drop-oldest', some)
      diagnostics.failed(new Error(), some)
      Object.assign(diagnostics.compression, { receivedPlain: 5, receivedCompressed: 6, sentPlain: 7, sentCompressed: 8 })
    },
    [measured(8), measured(250)]
  )
  const { samples, types } = parsed('/echo', metrics, 3)
  const at = 'route="/echo",worker="3"'
  t.strictSame(Object.fromEntries(samples), {
    kore_ws_workers: 1,
    [`kore_ws_uptime_seconds{${at}}`]: 1.5,
    [`kore_ws_connections{${at}}`]: 0,
    [`kore_ws_connections_opened_total{${at}}`]: 7,
    [`kore_ws_connections_closed_total{${at},code="1000"}`]: 1,
    [`kore_ws_connections_closed_total{${at},code="1006"}`]: 2,
    [`kore_ws_connections_closed_total{${at},code="2999"}`]: 1,
    [`kore_ws_connections_closed_total{${at},code="3xxx"}`]: 2,
    [`kore_ws_connections_closed_total{${at},code="4xxx"}`]: 1,
    [`kore_ws_handshakes_refused_total{${at},status="403"}`]: 2,
    [`kore_ws_handshake_refusals_total{${at},reason="origin"}`]: 1,
    [`kore_ws_handshake_refusals_total{${at},reason="accept"}`]: 1,
    [`kore_ws_messages_received_total{${at}}`]: 1,
    [`kore_ws_messages_sent_total{${at}}`]: 2,
    [`kore_ws_messages_dropped_total{${at},policy="drop-oldest"}`]: 1,
    [`kore_ws_received_bytes_total{${at}}`]: 3,
    [`kore_ws_sent_bytes_total{${at}}`]: 2 ** 70,
    [`kore_ws_queued_bytes{${at}}`]: 20,
    [`kore_ws_retained_bytes{${at}}`]: 40,
    [`kore_ws_memory_held_bytes{${at}}`]: 50,
    [`kore_ws_memory_kept_bytes{${at}}`]: 60,
    [`kore_ws_memory_limit_bytes{${at}}`]: 70,
    [`kore_ws_handshakes_pending{${at}}`]: 7,
    [`kore_ws_handshakes_incomplete{${at}}`]: 8,
    [`kore_ws_handshakes_refused{${at}}`]: 9,
    [`kore_ws_plain_bytes_total{${at},direction="received"}`]: 5,
    [`kore_ws_plain_bytes_total{${at},direction="sent"}`]: 7,
    [`kore_ws_compressed_bytes_total{${at},direction="received"}`]: 6,
    [`kore_ws_compressed_bytes_total{${at},direction="sent"}`]: 8,
    [`kore_ws_bus_queued_bytes{${at}}`]: 30,
    [`kore_ws_bus_missed_total{${at}}`]: 4,
    [`kore_ws_bus_malformed_total{${at}}`]: 0,
    [`kore_ws_limits_reached_total{${at},limit="queuedBytes"}`]: 1,
    [`kore_ws_errors_total{${at}}`]: 1,
    [`kore_ws_round_trip_seconds{${at},quantile="0.5"}`]: 0.008,
    [`kore_ws_round_trip_seconds{${at},quantile="0.9"}`]: 0.25,
    [`kore_ws_round_trip_seconds{${at},quantile="0.99"}`]: 0.25,
  })
  t.equal(types.get('kore_ws_round_trip_seconds'), 'summary')
  t.equal(types.get('kore_ws_connections'), 'gauge')
})

t.test('without a round trip the quantiles are no numbers; an infinite value is +Inf', async t => {
  const nothing = after(() => {})
  const { samples } = parsed('/', { ...nothing, bytes: { ...nothing.bytes, queued: Infinity } })
  for (const quantile of ['0.5', '0.9', '0.99']) {
    t.ok(Number.isNaN(samples.get(`kore_ws_round_trip_seconds{route="/",worker="1",quantile="${quantile}"}`)), quantile)
  }
  t.equal(samples.get('kore_ws_queued_bytes{route="/",worker="1"}'), Infinity)
})

t.test('labels are escaped', async t => {
  const text = formatMetrics([{ route: '/"\\\n"\\', worker: 1, metrics: after(() => {}) }])
  t.match(text, 'kore_ws_connections{route="/\\"\\\\\\n\\"\\\\",worker="1"} 0\n')
  const { labels } = parseExposition(text)
  t.strictSame(labels.filter(({ route }) => route !== undefined).every(({ route }) => route === '/"\\\n"\\'), true)
})

t.test('routes and workers stand together, family by family', async t => {
  const routes = [1, 2, 3].flatMap(worker =>
    ['/a', '/b'].map(route => ({ route, worker, metrics: after(diagnostics => void Object.assign(diagnostics, { messagesReceived: worker })) }))
  )
  const { samples } = parseExposition(formatMetrics(routes))
  t.equal(samples.get('kore_ws_workers'), 3)
  for (const worker of [1, 2, 3]) {
    for (const route of ['/a', '/b']) {
      t.equal(samples.get(`kore_ws_messages_received_total{route="${route}",worker="${worker}"}`), worker)
    }
  }
})

/** Figures as text for Prometheus: its exposition format, version 0.0.4. Pure: snapshots in, text out. */
import type { Metrics } from '../metrics.ts'

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** The figures of one route of one worker. */
export interface RouteMetrics {
  readonly route: string
  readonly worker: number
  readonly metrics: Metrics
}

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'summary'
  readonly help: string
  samples(metrics: Metrics): readonly Sample[]
}

const MILLISECONDS = 1000
/** Close codes from here on are applications', up to 4999, and a peer may send any. */
const PRIVATE_CODES = 3000

const FAMILIES: readonly Family[] = [
  gauge('uptime_seconds', 'Time since the route began to count.', m => m.uptime / MILLISECONDS),
  gauge('connections', 'Open connections.', m => m.connections.open),
  counter('connections_opened_total', 'Connections that were opened.', m => m.connections.opened),
  counters('connections_closed_total', 'Connections that are over, by close code.', 'code', m => grouped(m.connections.closed)),
  counters('handshakes_refused_total', 'Refused handshakes, by HTTP status.', 'status', m => m.refused.byStatus),
  counters('handshake_refusals_total', 'The same handshakes, by what was wrong.', 'reason', m => m.refused.byReason),
  counter('messages_received_total', 'Whole messages that came.', m => m.messages.received),
  counter('messages_sent_total', 'Messages accepted for sending, a broadcast once for each receiver.', m => m.messages.sent),
  counters('messages_dropped_total', 'Messages skipped for slow receivers.', 'policy', m => m.messages.dropped),
  counter('received_bytes_total', 'Bytes read from sockets.', m => m.bytes.received),
  counter('sent_bytes_total', 'Bytes handed to sockets.', m => m.bytes.sent),
  gauge('queued_bytes', 'Bytes that wait to be taken by the system.', m => m.bytes.queued),
  gauge('retained_bytes', 'Memory kept for messages that are not whole or not read.', m => m.bytes.retained),
  gauge('memory_held_bytes', 'Bytes that count for the memory budget.', m => m.memory.held),
  gauge('memory_kept_bytes', 'Bytes of these that the application has not finished with.', m => m.memory.kept),
  gauge('memory_limit_bytes', 'The memory budget; +Inf where it is off.', m => m.memory.limit ?? Infinity),
  gauge('handshakes_pending', 'Handshakes that wait for an answer of the application.', m => m.handshakes.pending),
  gauge('handshakes_incomplete', 'Requests that have not come whole.', m => m.handshakes.incomplete),
  gauge('handshakes_refused', 'Sockets that were refused and are not gone.', m => m.handshakes.refused),
  byDirection('plain_bytes_total', 'Payloads that went compressed, before compression.', 'plain'),
  byDirection('compressed_bytes_total', 'The same payloads as they were on the wire.', 'compressed'),
  gauge('bus_queued_bytes', 'Broadcasts that wait to leave the worker for the others.', m => m.bus.queued),
  counter('bus_missed_total', 'Broadcasts of other workers that the worker did not take and has missed.', m => m.bus.missed),
  counter('bus_malformed_total', 'Messages of the bus that were dropped: no broadcasts, or of another version.', m => m.bus.malformed),
  counters('limits_reached_total', 'Limits that peers reached.', 'limit', m => m.limitsReached),
  counter('errors_total', 'Callbacks that failed, and peers that broke the protocol.', m => m.errors),
  {
    name: 'round_trip_seconds',
    type: 'summary',
    help: 'The last heartbeat of each open connection.',
    samples: ({ roundTrip: { p50, p90, p99 } }) => [quantile('0.5', p50), quantile('0.9', p90), quantile('0.99', p99)],
  },
]

/** Everything that is known, family by family, with the number of workers that have a part in it. */
export function formatMetrics(routes: readonly RouteMetrics[]): string {
  const workers = new Set(routes.map(({ worker }) => worker)).size
  let text = head('workers', 'gauge', 'Worker processes that are part of this answer.') + `kore_ws_workers ${workers}\n`
  for (const { name, type, help, samples } of FAMILIES) {
    text += head(name, type, help)
    for (const { route, worker, metrics } of routes) {
      for (const [labels, value] of samples(metrics)) {
        text += `kore_ws_${name}${formatLabels({ route, worker: String(worker), ...labels })} ${formatValue(value)}\n`
      }
    }
  }
  return text
}

/** Every code from 3000 on would be a series of its own, for a peer to make: these are two. */
function grouped(closed: Readonly<Record<string, number>>): Record<string, number> {
  const groups: Record<string, number> = {}
  for (const [code, count] of Object.entries(closed)) {
    const group = Number(code) < PRIVATE_CODES ? code : `${code[0]}xxx`
    groups[group] = (groups[group] ?? 0) + count
  }
  return groups
}

function head(name: string, type: Family['type'], help: string): string {
  return `# HELP kore_ws_${name} ${help}\n# TYPE kore_ws_${name} ${type}\n`
}

/** A label's value has three characters escaped: backslash, quote, line feed. */
function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    return `${name}="${escaped}"`
  })
  return `{${pairs.join(',')}}`
}

/** As Go reads numbers. */
function formatValue(value: number): string {
  return value === Infinity ? '+Inf' : String(value)
}

function gauge(name: string, help: string, read: (metrics: Metrics) => number): Family {
  return { name, type: 'gauge', help, samples: metrics => [[{}, read(metrics)]] }
}

function counter(name: string, help: string, read: (metrics: Metrics) => number): Family {
  return { name, type: 'counter', help, samples: metrics => [[{}, read(metrics)]] }
}

function counters(
  name: string,
  help: string,
  label: string,
  read: (metrics: Metrics) => Readonly<Record<string, number>>
): Family {
  const samples = (metrics: Metrics): Sample[] =>
    Object.entries(read(metrics)).map(([kind, count]) => [{ [label]: kind }, count])
  return { name, type: 'counter', help, samples }
}

function byDirection(name: string, help: string, figure: 'plain' | 'compressed'): Family {
  return counters(name, help, 'direction', ({ compression: { received, sent } }) => ({
    received: received[figure],
    sent: sent[figure],
  }))
}

/** Without a measurement it is no number, as summaries have it. */
function quantile(quantile: string, milliseconds: number | null): Sample {
  return [{ quantile }, milliseconds === null ? NaN : milliseconds / MILLISECONDS]
}

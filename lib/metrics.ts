/** A server's figures at one moment: what `metrics()` returns, made of the counts and of the connections there are. */
import type { Diagnostics, MeasuredConnection } from './diagnostics.ts'

/**
 * Plain frozen objects of numbers, ready for JSON. What is called a total only ever grows, as do the counts in records,
 * whose entries come with the first of their kind.
 */
export interface Metrics {
  /** Milliseconds since counting began: when the server was made, or this package was loaded for clients. */
  readonly uptime: number
  readonly connections: {
    /** Now: handshake done, and `close` not called yet. */
    readonly open: number
    /** Total. */
    readonly opened: number
    /** Totals by the close code that the `close` callback got: 1006 where there was no closing handshake. */
    readonly closed: Readonly<Record<string, number>>
  }
  /** Totals of handshakes that were refused; for clients, of those that a server or proxy refused or got wrong. */
  readonly refused: {
    readonly total: number
    /** By the status of the answer. */
    readonly byStatus: Readonly<Record<string, number>>
    /** By the reason: see the channel `kore-ws.handshake.refused`. */
    readonly byReason: Readonly<Record<string, number>>
  }
  readonly messages: {
    /** Total of whole messages that came, text and binary, whether or not somebody took them. */
    readonly received: number
    /** Total of messages accepted for sending; a broadcast counts once for each receiver. */
    readonly sent: number
    /**
     * Totals of those skipped because a receiver was too slow, by the policy that did it. Under 'drop-oldest' they had been
     * accepted before, unless there was no room for the newest; under 'drop-newest' they never were.
     */
    readonly dropped: Readonly<Record<string, number>>
  }
  readonly bytes: {
    /** Total read from sockets behind the request of the handshake: control frames, headers, what broke the protocol. */
    readonly received: number
    /** Total handed to sockets; for a server the 101 response is part of it. */
    readonly sent: number
    /** Now: accepted for sending, and not taken by the system. */
    readonly queued: number
    /** Now: memory kept for messages that are not whole, being decompressed, or not read because of a pause. */
    readonly retained: number
  }
  /** Of the server's memory budget; 0 for clients, which have none. See `limits.memory` for what counts. */
  readonly memory: {
    /** Now: bytes that connections, handshakes and the application hold. */
    readonly held: number
    /** Now: bytes of these that the application has got and not finished with, also of connections that are over. */
    readonly kept: number
    /** The budget, in bytes; null where it is off. */
    readonly limit: number | null
  }
  /** Of a server's handshakes, as `limits.handshakes` counts them; 0 for clients. */
  readonly handshakes: {
    /** Now: those that wait for `accept`. */
    readonly pending: number
    /** Now: requests that have not come whole, on a port of the server's own. */
    readonly incomplete: number
    /** Now: sockets that a refusal has gone to, and that are not gone yet. */
    readonly refused: number
  }
  readonly compression: { readonly received: CompressionFigures; readonly sent: CompressionFigures }
  /** Of the bus, which all servers on it in this process share; 0 without one. */
  readonly bus: {
    /** Now: bytes published with `scope: 'global'` that have not left this process. */
    readonly queued: number
    /** Total of messages of other processes that were dropped because this one did not take them. */
    readonly missed: number
    /** Total of what came over the bus for this server and was dropped: no broadcast, or of another version of this package. */
    readonly malformed: number
  }
  /** Totals of limits reached, by their names in `limits`. */
  readonly limitsReached: Readonly<Record<string, number>>
  /** Total of what the `error` callback got: callbacks that failed, peers that broke the protocol. */
  readonly errors: number
  /** Now: the last round trip of each open connection whose heartbeat has measured one; milliseconds. */
  readonly roundTrip: {
    /** How many connections. */
    readonly connections: number
    /** Of so many per cent of them it is no longer than this (nearest rank); null where there are none. */
    readonly p50: number | null
    readonly p90: number | null
    readonly p99: number | null
  }
}

/** Of the messages that went compressed: payloads only, without headers. */
export interface CompressionFigures {
  /** Total of bytes before compression. */
  readonly plain: number
  /** Total of bytes on the wire. */
  readonly compressed: number
  /** `compressed / plain`: 0.25 is a quarter of the bytes; null where nothing went compressed. */
  readonly ratio: number | null
}

/** What a server has besides its connections. */
export interface MeasuredParts {
  /** Connections that are over and whose transport is not gone yet: what is queued for them counts. */
  readonly ending?: Iterable<MeasuredConnection> | undefined
  /** What carries broadcasts to other processes. */
  readonly bus?: { readonly queued?: number; readonly missed?: number } | undefined
  readonly malformed?: number | undefined
  readonly memory?: { readonly bytes: number; readonly kept: number; readonly limit: number } | undefined
  readonly admission?: Metrics['handshakes'] | undefined
}

/** @param open the open connections */
export function takeMetrics(diagnostics: Diagnostics, open: Iterable<MeasuredConnection>, parts: MeasuredParts = {}): Metrics {
  const { ending = [], bus = {}, memory = { bytes: 0, kept: 0, limit: Infinity }, admission } = parts
  const { compression, connectionsOpened, closedByCode } = diagnostics
  const roundTrips: number[] = []
  let queued = 0
  let retained = 0
  for (const { bufferedAmount, retainedBytes, roundTripTime } of open) {
    queued += bufferedAmount
    retained += retainedBytes
    if (roundTripTime !== undefined) roundTrips.push(roundTripTime)
  }
  for (const { bufferedAmount } of ending) queued += bufferedAmount
  let over = 0
  for (const times of closedByCode.values()) over += times
  return freeze({
    uptime: Math.round(performance.now() - diagnostics.since),
    connections: { open: connectionsOpened - over, opened: connectionsOpened, closed: recordOf(closedByCode) },
    refused: {
      total: diagnostics.handshakesRefused,
      byStatus: recordOf(diagnostics.refusedByStatus),
      byReason: recordOf(diagnostics.refusedByReason),
    },
    messages: {
      received: diagnostics.messagesReceived,
      sent: diagnostics.messagesSent,
      dropped: recordOf(diagnostics.messagesDropped),
    },
    bytes: { received: diagnostics.bytesReceived, sent: diagnostics.bytesSent, queued, retained },
    memory: { held: memory.bytes, kept: memory.kept, limit: memory.limit === Infinity ? null : memory.limit },
    handshakes: {
      pending: admission?.pending ?? 0,
      incomplete: admission?.incomplete ?? 0,
      refused: admission?.refused ?? 0,
    },
    compression: {
      received: figuresOf(compression.receivedPlain, compression.receivedCompressed),
      sent: figuresOf(compression.sentPlain, compression.sentCompressed),
    },
    bus: { queued: bus.queued ?? 0, missed: bus.missed ?? 0, malformed: parts.malformed ?? 0 },
    limitsReached: recordOf(diagnostics.limitsReached),
    errors: diagnostics.errors,
    roundTrip: percentilesOf(roundTrips),
  })
}

function recordOf(counts: ReadonlyMap<string | number, number>): Record<string, number> {
  return Object.fromEntries(counts)
}

function figuresOf(plain: number, compressed: number): CompressionFigures {
  return { plain, compressed, ratio: plain === 0 ? null : compressed / plain }
}

function percentilesOf(unsorted: readonly number[]): Metrics['roundTrip'] {
  const sorted = Float64Array.from(unsorted).sort()
  const at = (percent: number): number | null => sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? null
  return { connections: sorted.length, p50: at(50), p90: at(90), p99: at(99) }
}

function freeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) freeze(part)
  }
  return Object.freeze(value)
}

/** A Connection over a transport in memory, with what it does written down. */
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import type { Diagnostics } from '../../lib/diagnostics.ts'
import { resolveLimits, type LimitOptions } from '../../lib/limits.ts'
import type { Compression } from '../../lib/protocol/message-codec.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { Violation } from '../../lib/protocol/violation.ts'
import type { ConnectionHandlers, Gate, TopicHub } from '../../lib/transport/connection-setup.ts'
import { Connection } from '../../lib/transport/connection.ts'
import type { Heartbeat } from '../../lib/transport/heartbeat.ts'
import type { MemoryBudget } from '../../lib/transport/memory-budget.ts'
import type { Message } from '../../lib/transport/message.ts'
import { clock } from '../../lib/transport/read-turns.ts'
import { resolveSlowReceivers, type SlowReceiverOptions } from '../../lib/transport/slow-receiver.ts'
import { bytes, hex, masked } from './frames.ts'
import { Journal } from './journal.ts'
import { MemoryTransport } from './transports.ts'

// No read waits for its turn, however busy the machine is.
clock.now = () => 0

export type Handlers = Partial<ConnectionHandlers<Connection<string>>>

export interface ConnectedOptions {
  readonly role?: 'server' | 'client'
  readonly limits?: LimitOptions | undefined
  readonly diagnostics?: Diagnostics
  readonly slowReceivers?: SlowReceiverOptions
  readonly hub?: TopicHub<Connection<string>>
  readonly heartbeat?: Heartbeat
  readonly memory?: MemoryBudget
  readonly gate?: Gate<Connection<string>>
  readonly protocol?: string
  readonly greeting?: string
  readonly extensions?: string
  readonly compression?: Compression | undefined
  /** What came along with the handshake, as it came. */
  readonly early?: string
  /** Leaves messages to the iterator. */
  readonly pulled?: boolean
  /** Has messages wait for the iterator from the start, as a client without a callback does. */
  readonly waits?: boolean
}

/** Starts a Connection whose calls are written down: `open`, `text a`, `binary 61`, `drain`, `close 1000 bye`, `failed …`, `gone`. */
export function startConnection(t: Test, transport: Duplex, handlers: Handlers = {}, options: ConnectedOptions = {}): Started {
  const journal = new Journal()
  const log =
    <Rest extends unknown[]>(describe: (...rest: Rest) => string, then?: (connection: Connection<string>, ...rest: Rest) => unknown) =>
    (connection: Connection<string>, ...rest: Rest): unknown => {
      journal.add(describe(...rest))
      return then?.(connection, ...rest)
    }
  const recorded: ConnectionHandlers<Connection<string>> = {
    open: log(() => 'open', handlers.open),
    ...(handlers.rawMessage && { rawMessage: handlers.rawMessage }),
    ...(options.pulled !== true && { message: log(describeMessage, handlers.message) }),
    drain: log(() => 'drain', handlers.drain),
    ...(handlers.pong && { pong: handlers.pong }),
    close: log((code: number, reason: string) => `close ${code} ${reason}`.trimEnd(), handlers.close),
    failed: log((error: unknown) => `failed ${describeError(error)}`),
    gone: log(() => 'gone'),
  }
  const { role = 'server', limits, diagnostics, hub, heartbeat, protocol = '', greeting, extensions, compression, early } = options
  const connection = new Connection<string>({
    terms: {
      role,
      handlers: recorded,
      limits: resolveLimits(limits),
      diagnostics,
      slowReceivers: resolveSlowReceivers(options.slowReceivers),
      hub,
      heartbeat,
      memory: options.memory,
      gate: options.gate,
    },
    transport,
    protocol,
    extensions,
    compression,
    data: 'data',
    pulled: options.waits,
    greeting,
  })
  t.teardown(() => transport.destroy())
  connection.start(early === undefined ? undefined : bytes(early))
  return { connection, journal }
}

export interface Started {
  readonly connection: Connection<string>
  readonly journal: Journal
}

export interface Connected extends Started {
  readonly transport: MemoryTransport
  /** Lets unmasked frames arrive, masked as a client sends them, in one chunk. */
  feed(...frames: string[]): void
}

/** The same over a MemoryTransport of its own. */
export function connected(t: Test, handlers: Handlers = {}, options: ConnectedOptions = {}): Connected {
  const transport = new MemoryTransport()
  const started = startConnection(t, transport, handlers, options)
  return {
    ...started,
    transport,
    feed: (...frames) => void transport.push(bytes(frames.map(frame => masked(frame)).join(''))),
  }
}

/** `text a`, `binary 61`; long ones as their length. */
export function describeMessage(message: Message): string {
  const kind = typeof message === 'string' ? 'text' : 'binary'
  if (message.length > 200) return `${kind} of ${message.length}`
  return `${kind} ${typeof message === 'string' ? message : hex(message)}`.trimEnd()
}

export function describeError(error: unknown): string {
  if (error instanceof Violation || error instanceof MisuseError) return `[${error.code}]`
  return error instanceof Error ? error.message : String(error)
}

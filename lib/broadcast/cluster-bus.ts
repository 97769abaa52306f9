/** A Bus over the channels between the workers of node:cluster and their primary, which relays. */
import cluster, { type Worker } from 'node:cluster'
import type { Bus } from './bus.ts'

/** The shape of what travels. Bytes go as they are where the channel can carry them, else as base64. */
interface Envelope {
  readonly 'kore-ws': 'broadcast'
  readonly channel: string
  readonly bytes: Uint8Array | string
}

/** What the primary tells workers as others come and go: whether there are any. */
interface Company {
  readonly 'kore-ws': 'company'
  readonly alone: boolean
}

/** What a worker asks when it begins to listen. */
const WHO_IS_THERE = { 'kore-ws': 'who is there?' } as const

/** Set for workers whose channel carries bytes (cluster's `serialization: 'advanced'`). */
export const BYTES_CHANNEL = 'KORE_WS_BYTES_CHANNEL'

type Listener = (bytes: Buffer) => void

/** The worker's end. In a process that is no worker nobody else is on the bus. */
class ClusterBus implements Bus {
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #carriesBytes = process.env[BYTES_CHANNEL] === '1'
  #listening = false
  /** Nobody else is on the bus: a message for nobody is not sent. */
  #alone = !cluster.isWorker

  publish(channel: string, bytes: Uint8Array): void {
    if (this.#alone || process.connected !== true) return
    const envelope: Envelope = {
      'kore-ws': 'broadcast',
      channel,
      bytes: this.#carriesBytes ? bytes : Buffer.from(bytes).toString('base64'),
    }
    // A channel that closes meanwhile means that the primary is gone, and the others with it.
    process.send?.(envelope, undefined, undefined, () => {})
  }

  subscribe(channel: string, listener: Listener): () => void {
    this.#listen()
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
    return () => {
      listeners.delete(listener)
    }
  }

  #listen(): void {
    if (this.#listening || !cluster.isWorker) return
    this.#listening = true
    process.on('message', message => {
      if (isCompany(message)) this.#alone = message.alone
      if (!isEnvelope(message)) return
      const { bytes } = message
      const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : Buffer.from(bytes)
      for (const listener of this.#listeners.get(message.channel) ?? []) listener(buffer)
    })
    if (process.connected) process.send?.(WHO_IS_THERE, undefined, undefined, () => {})
  }
}

const bus = new ClusterBus()

/** The bus of this process. */
export function clusterBus(): Bus {
  return bus
}

/** Who is on the bus: not cluster's own list, from which a worker is taken while it still has clients. */
const relayed = new Set<Worker>()
let relaying = false

/**
 * Makes the primary relay what workers publish to all the others; `startWorkers` does it for you. Once is enough, before
 * or after the workers are forked.
 */
export function relayBroadcasts(): void {
  if (relaying || !cluster.isPrimary) return
  relaying = true
  for (const worker of Object.values(cluster.workers ?? {})) {
    if (worker !== undefined) relayFrom(worker)
  }
  cluster.on('fork', relayFrom)
}

function relayFrom(source: Worker): void {
  if (relayed.has(source)) return
  relayed.add(source)
  tellCompany()
  for (const end of ['disconnect', 'exit']) {
    source.once(end, () => {
      if (relayed.delete(source)) tellCompany()
    })
  }
  source.on('message', message => {
    if (isOurs(message, WHO_IS_THERE['kore-ws'])) tellCompany()
    if (!isEnvelope(message)) return
    for (const worker of relayed) {
      // A worker that is going down must not stop the others' messages.
      if (worker !== source && worker.isConnected()) worker.send(message, undefined, () => {})
    }
  })
}

/** With three or more, everybody knows. */
function tellCompany(): void {
  if (relayed.size > 2) return
  const company: Company = { 'kore-ws': 'company', alone: relayed.size === 1 }
  for (const worker of relayed) {
    if (worker.isConnected()) worker.send(company, undefined, () => {})
  }
}

function isCompany(message: unknown): message is Company {
  return isOurs(message, 'company')
}

function isEnvelope(message: unknown): message is Envelope {
  return isOurs(message, 'broadcast')
}

function isOurs(message: unknown, kind: string): boolean {
  return typeof message === 'object' && message !== null && 'kore-ws' in message && message['kore-ws'] === kind
}

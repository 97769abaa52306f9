/** A Bus over the channels between the workers of node:cluster and their primary, which relays. */
import cluster from 'node:cluster'
import { makeShared } from '../transport/async-context.ts'
import { callEach } from '../transport/each.ts'
import { flushAtEndOfTick, type Flushable } from '../transport/flush-queue.ts'
import { Batch, unpack } from './batch.ts'
import type { Bus } from './bus.ts'
import { costOf, isNote, type Envelope, type Note } from './cluster-notes.ts'

export { relayBroadcasts } from './cluster-relay.ts'

/** Set for workers whose channel carries bytes (cluster's `serialization: 'advanced'`). */
export const BYTES_CHANNEL = 'KORE_WS_BYTES_CHANNEL'

/**
 * With so many bytes on their way to the primary the bus is congested ... The channel itself takes some 200 KiB at a time,
 * so more would only wait longer, and use memory in each worker.
 */
const HIGH = 1024 * 1024
/** ... until no more than so many are: enough that the channel does not run empty before more comes. */
const LOW = 256 * 1024

/** Milliseconds in which a primary that relays has answered. */
const ANSWER_TIME = 900

type Listener = (bytes: Buffer) => void

/** The worker's end. In a process that is no worker nobody else is on the bus. */
class ClusterBus implements Required<Bus>, Flushable {
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #carriesBytes = process.env[BYTES_CHANNEL] === '1'
  readonly #batch = new Batch()
  #listening = false
  /** Nobody else is on the bus: a message for nobody is not sent. */
  #alone = !cluster.isWorker
  /** Bytes that the channel has not taken. */
  #underway = 0
  /** The primary says that others do not keep up. */
  #told = false
  #congested = false
  #missed = 0
  /** Whether the primary has said anything. */
  #answered = false
  #hasWarned = false
  #waiters: (() => void)[] = []

  get congested(): boolean {
    return this.#congested
  }

  get queued(): number {
    return this.#underway + this.#batch.size
  }

  get missed(): number {
    return this.#missed
  }

  drained(): Promise<void> {
    return this.#congested ? new Promise(resolve => void this.#waiters.push(resolve)) : Promise.resolve()
  }

  publish(channel: string, bytes: Uint8Array): void {
    if (this.#alone || process.connected !== true) return
    if (this.#batch.size === 0) this.#flushLater()
    if (!this.#batch.add(channel, bytes)) {
      this.flush()
      this.#flushLater()
      this.#batch.add(channel, bytes)
    }
    if (this.queued > HIGH) this.#congested = true
  }

  subscribe(channel: string, listener: Listener): () => void {
    this.#listen()
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(channel) === listeners) this.#listeners.delete(channel)
    }
  }

  /** Sends what was published. */
  flush(): void {
    if (this.#batch.size === 0) return
    const { channels, bytes, count } = this.#batch.take()
    const envelope: Envelope = {
      'kore-ws': 'broadcast',
      channels,
      bytes: this.#carriesBytes ? bytes : bytes.toString('base64'),
      count,
    }
    const cost = costOf(envelope)
    this.#underway += cost
    const taken = (): void => {
      this.#underway -= cost
      this.#settle()
    }
    // A channel that closes meanwhile means that the primary is gone, and the others with it: it calls back as well.
    if (process.send === undefined) taken()
    else process.send(envelope, undefined, undefined, taken)
  }

  #flushLater(): void {
    flushAtEndOfTick(this)
  }

  #listen(): void {
    if (this.#listening || !cluster.isWorker) return
    this.#listening = true
    process.on('message', message => {
      if (isNote(message)) this.#hear(message)
    })
    // Nobody will tell to go on any more.
    process.once('disconnect', () => this.#tell(false))
    // What is published in the last tick leaves like the rest.
    process.once('exit', () => this.flush())
    if (!process.connected) return
    process.send?.({ 'kore-ws': 'who is there?' } satisfies Note, undefined, undefined, () => {})
    const warn = (): void => {
      if (this.#answered || !process.connected) return
      process.emitWarning(
        'the primary process of this cluster relays no broadcasts: messages with scope global reach nobody in other workers. ' +
          'Call relayBroadcasts() in the primary, or use startWorkers()',
        { code: 'KORE_WS_NO_RELAY' }
      )
    }
    makeShared(() => setTimeout(warn, ANSWER_TIME).unref())
  }

  #hear(note: Note): void {
    this.#answered = true
    if (note['kore-ws'] === 'company') this.#alone = note.alone
    else if (note['kore-ws'] === 'traffic') this.#tell(note.wait)
    else if (note['kore-ws'] === 'missed') this.#missed += note.count
    else if (note['kore-ws'] === 'broadcast') this.#deliver(note)
  }

  #deliver({ channels, bytes }: Envelope): void {
    const buffer =
      typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const whole = unpack(channels, buffer, (channel, message) => {
      callEach(this.#listeners.get(channel) ?? [], listener => listener(message))
    })
    if (whole || this.#hasWarned) return
    this.#hasWarned = true
    process.emitWarning('a message from the primary is no batch of broadcasts: it was dropped', { code: 'KORE_WS_MALFORMED' })
  }

  #tell(wait: boolean): void {
    this.#told = wait
    if (wait) this.#congested = true
    else this.#settle()
  }

  #settle(): void {
    if (!this.#congested || this.#told || this.queued > LOW) return
    this.#congested = false
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}

const bus = new ClusterBus()

/** The bus of this process. */
export function clusterBus(): Required<Bus> {
  return bus
}

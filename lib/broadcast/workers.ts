/** Worker processes on node:cluster, as Kore has them: each serves the same port, one that dies is replaced. */
import cluster, { type Worker } from 'node:cluster'
import { checkAmount } from '../protocol/amount.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { BYTES_CHANNEL, relayBroadcasts } from './cluster-bus.ts'
import { mendCluster } from '../node-internals/cluster-mending.ts'

/** A worker that lives for less than this is replaced only after so long, in milliseconds: no fork bomb. */
const MIN_LIFE = 1000
/** Milliseconds in which a worker that is being replaced still completes the handshakes of clients that it has accepted. */
const GRACE = 1000

export interface WorkerOptions {
  /** Milliseconds for a new worker to listen, at `reload`; then it is killed, and the old one stays. Default 10,000. */
  readonly readyTime?: number | undefined
  /** Milliseconds from SIGTERM to the end of a worker; then it is killed. Default 30,000. */
  readonly endingTime?: number | undefined
}

/** The primary's hold on its workers. */
export interface WorkerPool {
  /**
   * Asks every worker to end (SIGTERM), kills after `endingTime` those that have not, and resolves when all are gone. None
   * is replaced any more.
   */
  close(): Promise<void>
  /**
   * Replaces the workers, one after another, by new ones, which run the program as it is on the disk now. A new one
   * listens before the old one is let go: it gets no new client, completes for a second the handshakes of those it has
   * (`cluster.worker.exitedAfterDisconnect` is true then), and is asked to end as by `close`. A call while another reload
   * is at work begins when that is done.
   *
   * @returns resolves when all are replaced, or the pool was closed meanwhile; rejects with an Error where a new worker
   *   ended, or did not listen within `readyTime`: then the old ones that are left stay
   */
  reload(): Promise<void>
}

/**
 * Runs `main` in `count` worker processes. The process that calls this first becomes their primary: it forks them,
 * relays their GLOBAL broadcasts and replaces each that dies. `main` should end the process on SIGTERM, when its clients
 * have taken leave. If the primary ends first, its workers are killed.
 *
 * `cluster.setupPrimary` is called with `serialization: 'advanced'`, and with a count of 1 `cluster.schedulingPolicy` is
 * set to SCHED_NONE, unless NODE_CLUSTER_SCHED_POLICY is set: both are of the whole process, for workers of others too.
 *
 * @param count how many workers, 1 or more. One alone accepts its clients itself; several get them dealt out by the primary
 * @param main what each worker runs; it is not called in the primary
 * @returns in the primary, a hold on the workers; undefined in a worker
 * @throws MisuseError `invalid-argument` for another count or a main that is no function, `invalid-option` for a time that is none
 */
export function startWorkers(count: number, main: () => unknown, options: WorkerOptions = {}): WorkerPool | undefined {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new MisuseError('invalid-argument', `count must be a whole number of workers, 1 or more, and not ${show(count)}`)
  }
  if (typeof main !== 'function') throw new MisuseError('invalid-argument', `main must be a function, and not ${show(main)}`)
  if (typeof options !== 'object' || options === null) throw new MisuseError('invalid-option', `options must be an object, and not ${show(options)}`)
  const readyTime = checkAmount('readyTime', options.readyTime ?? 10_000, 'milliseconds')
  const endingTime = checkAmount('endingTime', options.endingTime ?? 30_000, 'milliseconds')
  if (cluster.isWorker) {
    main()
    return undefined
  }
  // Dealing out costs a message for each client, and there is nobody else to deal to.
  if (count === 1 && process.env.NODE_CLUSTER_SCHED_POLICY === undefined) cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ serialization: 'advanced' })
  relayBroadcasts()
  mendCluster()
  return new Pool(count, { readyTime, endingTime })
}

/** 'new': forked by `reload`, not ready yet; 'leaving': it has a successor, or is about to get one. */
type Part = 'serving' | 'new' | 'leaving'

interface Member {
  readonly worker: Worker
  readonly gone: Promise<void>
  part: Part
  /** How many servers of it listen. */
  listening: number
  ending?: Promise<void>
}

class Pool implements WorkerPool {
  readonly #members = new Set<Member>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #times: { readonly readyTime: number; readonly endingTime: number }
  #closing = false
  #reloading: Promise<void> = Promise.resolve()

  constructor(count: number, times: { readonly readyTime: number; readonly endingTime: number }) {
    this.#times = times
    for (let i = 0; i < count; i++) this.#fork('serving')
    process.once('exit', () => {
      for (const { worker } of this.#members) worker.process.kill('SIGKILL')
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([...this.#members].map(member => this.#end(member)))
  }

  reload(): Promise<void> {
    const reload = this.#reloading.then(() => this.#replaceAll())
    this.#reloading = reload.catch(() => {})
    return reload
  }

  async #replaceAll(): Promise<void> {
    for (const old of [...this.#members]) {
      if (old.part === 'serving' && this.#members.has(old) && !this.#closing) await this.#replace(old)
    }
  }

  async #replace(old: Member): Promise<void> {
    const expected = Math.max(...[...this.#members].map(({ listening }) => listening))
    old.part = 'leaving'
    const successor = this.#fork('new')
    const ready = await this.#isReady(successor, expected)
    if (this.#closing) return
    if (!ready) {
      successor.worker.process.kill('SIGKILL')
      if (this.#members.has(old)) old.part = 'serving'
      else this.#fork('serving')
      throw new Error(`a new worker did not listen within ${this.#times.readyTime} ms, or ended: the old ones stay`)
    }
    successor.part = 'serving'
    if (old.worker.isConnected()) old.worker.disconnect()
    await settled(GRACE, old.gone)
    await this.#end(old)
  }

  /** Whether so many servers of the worker listen in time. */
  #isReady({ worker, gone }: Member, expected: number): Promise<boolean> {
    let left = expected
    const listens = new Promise<void>(resolve => {
      if (expected === 0) worker.once('online', resolve)
      worker.on('listening', () => {
        left--
        if (left <= 0) resolve()
      })
    })
    const ended = gone.then(() => false)
    return settled(this.#times.readyTime, Promise.race([listens.then(() => true), ended])).then(ready => ready === true)
  }

  #end(member: Member): Promise<void> {
    const { worker, gone } = member
    member.ending ??= (async () => {
      worker.process.kill('SIGTERM')
      if ((await settled(this.#times.endingTime, gone.then(() => true))) !== true) worker.process.kill('SIGKILL')
      await gone
    })()
    return member.ending
  }

  #fork(part: Part): Member {
    const worker = cluster.fork({ [BYTES_CHANNEL]: '1' })
    const born = performance.now()
    const gone = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    const member: Member = { worker, gone, part, listening: 0 }
    this.#members.add(member)
    // Without a listener a channel that breaks as its worker dies would end the primary.
    worker.on('error', () => {})
    worker.on('listening', () => void member.listening++)
    worker.on('exit', () => {
      this.#members.delete(member)
      if (this.#closing || member.part !== 'serving') return
      if (performance.now() - born >= MIN_LIFE) this.#fork('serving')
      else this.#forkLater()
    })
    return member
  }

  #forkLater(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#fork('serving')
    }, MIN_LIFE)
    this.#timers.add(timer)
  }
}

/** The promise's value; undefined if it has none within `time` milliseconds. */
async function settled<Value>(time: number, promise: Promise<Value>): Promise<Value | undefined> {
  if (time === Infinity) return promise
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, time, undefined)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

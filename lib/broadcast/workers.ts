/** Worker processes on node:cluster, as Kore has them: each serves the same port, one that dies is replaced. */
import cluster, { type Worker } from 'node:cluster'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { BYTES_CHANNEL, relayBroadcasts } from './cluster-bus.ts'

/** A worker that lives for less than this is replaced only after so long, in milliseconds: no fork bomb. */
const MIN_LIFE = 1000

/** The primary's hold on its workers. */
export interface WorkerPool {
  /** Asks every worker to end (SIGTERM) and resolves when all have; none is replaced any more. */
  close(): Promise<void>
}

/**
 * Runs `main` in `count` worker processes. The process that calls this first becomes their primary: it forks them,
 * relays their GLOBAL broadcasts and replaces each that dies.
 *
 * @param count how many workers, 1 or more
 * @param main what each worker runs; it is not called in the primary
 * @returns in the primary, a hold on the workers; undefined in a worker
 * @throws MisuseError `invalid-argument` for another count
 */
export function startWorkers(count: number, main: () => unknown): WorkerPool | undefined {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new MisuseError('invalid-argument', `count must be a whole number of workers, 1 or more, and not ${show(count)}`)
  }
  if (cluster.isWorker) {
    main()
    return undefined
  }
  cluster.setupPrimary({ serialization: 'advanced' })
  relayBroadcasts()
  return new Pool(count)
}

class Pool implements WorkerPool {
  readonly #workers = new Set<Worker>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #closing = false
  #onEmpty: (() => void)[] = []

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.#fork()
  }

  close(): Promise<void> {
    this.#closing = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const worker of this.#workers) worker.process.kill('SIGTERM')
    return this.#workers.size === 0 ? Promise.resolve() : new Promise(resolve => this.#onEmpty.push(resolve))
  }

  #fork(): void {
    const worker = cluster.fork({ [BYTES_CHANNEL]: '1' })
    const born = performance.now()
    this.#workers.add(worker)
    // Without a listener a channel that breaks as its worker dies would end the primary.
    worker.on('error', () => {})
    worker.on('exit', () => {
      this.#workers.delete(worker)
      if (this.#closing) {
        if (this.#workers.size === 0) for (const resolve of this.#onEmpty) resolve()
      } else if (performance.now() - born >= MIN_LIFE) {
        this.#fork()
      } else {
        this.#forkLater()
      }
    })
  }

  #forkLater(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#fork()
    }, MIN_LIFE)
    this.#timers.add(timer)
  }
}

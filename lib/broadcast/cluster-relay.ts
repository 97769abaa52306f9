/** The primary's part of the bus: what a worker publishes goes to all others, of which none may cost it its memory. */
import cluster, { type Worker } from 'node:cluster'
import { costOf, isNote, type Envelope, type Note } from './cluster-notes.ts'

/** From so many bytes on that a worker has not taken, all workers are asked to wait ... */
const HIGH = 8 * 1024 * 1024
/** ... until it has taken all but so many ... */
const LOW = 2 * 1024 * 1024
/** ... or for so many milliseconds: one that is stopped, or busy for long, must not stop the others. */
const PATIENCE = 1000
/** Then as many bytes may wait for it: half a minute of 2 MiB a second. What comes beyond them is dropped, whole. */
const LIMIT = 64 * 1024 * 1024

/** Who is on the bus: not cluster's own list, from which a worker is taken while it still has clients. */
const recipients = new Map<Worker, Recipient>()
/** Those that the others wait for. */
const awaited = new Set<Recipient>()
let relaying = false

class Recipient {
  readonly #worker: Worker
  /** Bytes that it has not taken. */
  #waiting = 0
  /** Broadcasts that it was not given, and has not been told of. */
  #missed = 0
  #hasWarned = false
  /** Set from HIGH down to LOW. */
  #patience: NodeJS.Timeout | undefined

  constructor(worker: Worker) {
    this.#worker = worker
  }

  tell(note: Note): void {
    // A worker that is going down must not stop the others' messages.
    if (this.#worker.isConnected()) this.#worker.send(note, undefined, () => {})
  }

  relay(envelope: Envelope): void {
    if (!this.#worker.isConnected()) return
    const cost = costOf(envelope)
    if (this.#waiting > 0 && this.#waiting + cost > LIMIT) {
      this.#drop(envelope)
      return
    }
    this.#waiting += cost
    this.#worker.send(envelope, undefined, () => this.#taken(cost))
    if (this.#waiting > HIGH && this.#patience === undefined) {
      waitFor(this)
      this.#patience = setTimeout(release, PATIENCE, this).unref()
    }
  }

  /** The worker is gone. */
  end(): void {
    clearTimeout(this.#patience)
    release(this)
  }

  #taken(cost: number): void {
    this.#waiting -= cost
    if (this.#waiting > LOW) return
    clearTimeout(this.#patience)
    this.#patience = undefined
    release(this)
    if (this.#missed === 0) return
    this.tell({ 'kore-ws': 'missed', count: this.#missed })
    this.#missed = 0
  }

  #drop({ count }: Envelope): void {
    this.#missed += count
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { id, process: { pid } } = this.#worker
    process.emitWarning(`worker ${id} (process ${pid}) does not take the others' broadcasts: it misses some`, {
      code: 'KORE_WS_MISSED',
    })
  }
}

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
  // Those that have asked already had nobody to answer them.
  if (recipients.size > 2) tellAll({ 'kore-ws': 'company', alone: false })
  cluster.on('fork', relayFrom)
}

function relayFrom(source: Worker): void {
  if (recipients.has(source)) return
  const own = new Recipient(source)
  recipients.set(source, own)
  tellCompany()
  for (const end of ['disconnect', 'exit']) {
    source.once(end, () => {
      if (!recipients.delete(source)) return
      own.end()
      tellCompany()
    })
  }
  source.on('message', message => {
    if (!isNote(message)) return
    if (message['kore-ws'] === 'who is there?') {
      own.tell({ 'kore-ws': 'company', alone: recipients.size === 1 })
      if (awaited.size > 0) own.tell({ 'kore-ws': 'traffic', wait: true })
    } else if (message['kore-ws'] === 'broadcast') {
      for (const recipient of recipients.values()) if (recipient !== own) recipient.relay(message)
    }
  })
}

/** With three or more, everybody knows. */
function tellCompany(): void {
  if (recipients.size > 2) return
  tellAll({ 'kore-ws': 'company', alone: recipients.size === 1 })
}

function waitFor(recipient: Recipient): void {
  awaited.add(recipient)
  if (awaited.size === 1) tellAll({ 'kore-ws': 'traffic', wait: true })
}

function release(recipient: Recipient): void {
  if (awaited.delete(recipient) && awaited.size === 0) tellAll({ 'kore-ws': 'traffic', wait: false })
}

function tellAll(note: Note): void {
  for (const recipient of recipients.values()) recipient.tell(note)
}

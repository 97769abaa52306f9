/** The end of many connections at once: closing handshakes for all (RFC 6455, section 7.1.2), and how each of them went. */
import { CloseCode } from '../protocol/close-code.ts'
import { Deadline } from './deadlines.ts'
import { callEach } from './each.ts'

/** How it went with those that were there. */
export interface CloseCounts {
  /** Connections that ended with a complete closing handshake. */
  readonly closed: number
  /** Connections that ended without: dropped at the end of the time, failed, or lost before. */
  readonly dropped: number
  /** Handshakes that were refused meanwhile. */
  readonly refused: number
}

/** A connection, as its end sees it. */
interface Draining {
  close(code: number): void
  closeWithin(time: number, code: number): void
  terminate(reason: string): void
}

export class Drain<Connection extends Draining> {
  /** Resolves when nothing is left of any of the connections. */
  readonly done: Promise<CloseCounts>
  readonly #left: Set<Connection>
  readonly #failed = new WeakSet<Connection>()
  readonly #deadline = new Deadline({ onDeadline: () => this.#drop() })
  #closed = 0
  #dropped = 0
  #refused = 0
  #resolve: (counts: CloseCounts) => void = () => {}

  /** @param over those whose end has been told already: they are waited for, and not counted */
  constructor(open: Iterable<Connection>, over: Iterable<Connection>) {
    this.#left = new Set([...open, ...over])
    this.done = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** @param time milliseconds for all of it; what is left then is dropped. Undefined: each has its own time */
  start(time: number | undefined, code: number): this {
    callEach(this.#left, connection => {
      if (time === undefined) connection.close(code)
      else connection.closeWithin(time, code)
    })
    this.#deadline.set(time ?? Infinity)
    this.#check()
    return this
  }

  /** A handshake was refused. */
  refused(): void {
    this.#refused++
  }

  /** The connection fails (section 7.1.7): whatever code it ends with, that is no closing handshake. */
  failed(connection: Connection): void {
    this.#failed.add(connection)
  }

  /** The connection's `close` is told. */
  ended(connection: Connection, code: number): void {
    if (!this.#left.has(connection)) return
    if (code === CloseCode.abnormal || this.#failed.has(connection)) this.#dropped++
    else this.#closed++
  }

  /** Nothing is left of the connection. */
  gone(connection: Connection): void {
    if (this.#left.delete(connection)) this.#check()
  }

  #drop(): void {
    callEach(this.#left, connection => connection.terminate('close-timeout'))
  }

  #check(): void {
    if (this.#left.size > 0) return
    this.#deadline.clear()
    this.#resolve({ closed: this.#closed, dropped: this.#dropped, refused: this.#refused })
  }
}

/** Pings on silence, and an end to peers that don't answer (RFC 6455, section 5.5.2): one deadline for all connections. */
import { checkAmount } from '../protocol/amount.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkNames, type KnownNames } from '../protocol/option-names.ts'
import { HEARTBEAT_NAMES } from '../foreign-names.ts'
import { Deadline, RESOLUTION } from './deadlines.ts'
import { callEach } from './each.ts'

export interface HeartbeatOptions {
  /**
   * Milliseconds without a byte from the peer, after which it gets a ping. Default 30,000. Both times are kept to within
   * a tenth of the shorter one, but no better than 100 ms and no worse than a second.
   */
  readonly interval?: number | undefined
  /**
   * Milliseconds that a silent peer has from there on; then the connection is dropped (1006, `heartbeat-timeout`). Any
   * byte from the peer counts, and so does its taking what is queued for it. Default 10,000.
   */
  readonly timeout?: number | undefined
}

/** The times in force, in milliseconds. */
export interface HeartbeatTimes {
  readonly interval: number
  readonly timeout: number
}

/** false: no heartbeat. */
export type HeartbeatOption = false | HeartbeatOptions

/** A connection, as the heartbeat sees it. */
export interface Beating {
  /**
   * Called at each turn: how many turns nothing has come of the peer, this one included; 0 while it is not read. Where it
   * is not read, whatever the reason, it pings by itself: after 2, 4, 8 turns and so on, then every `pingAt`.
   */
  countSilence(pingAt: number): number
  beat(payload: Buffer): void
  terminate(reason: string): void
}

const DEFAULTS = { interval: 30_000, timeout: 10_000 } as const
const KNOWN: KnownNames = { prefix: 'heartbeat.', names: Object.keys(DEFAULTS), foreign: HEARTBEAT_NAMES }
/** Turns in the shorter of the two times, where the wheel of deadlines turns so often. */
const TURNS = 10
const LONGEST_TURN = 1000
/** Round trips of up to so many turns are measured. */
const REMEMBERED = 64

/** Of one server, or of all clients that keep the same times. */
export class Heartbeat {
  readonly #connections: ReadonlySet<Beating>
  /** Undefined where somebody else keeps the connections. */
  readonly #own: Set<Beating> | undefined
  readonly #turnTime: number
  readonly #pingAt: number
  readonly #dropAt: number
  readonly #deadline = new Deadline({ onDeadline: () => this.#turn() })
  #turns = 0
  /** When the pings of a turn were sent, by turn. */
  readonly #sentAt: number[] = new Array<number>(REMEMBERED).fill(0)

  /** @param connections those that have been added and not deleted, where somebody keeps them anyway */
  constructor({ interval, timeout }: HeartbeatTimes, connections?: ReadonlySet<Beating>) {
    if (connections === undefined) this.#connections = this.#own = new Set()
    else this.#connections = connections
    const ticks = Math.floor(Math.min(interval, timeout) / TURNS / RESOLUTION)
    this.#turnTime = Math.max(RESOLUTION, Math.min(LONGEST_TURN, ticks * RESOLUTION))
    this.#pingAt = Math.ceil(interval / this.#turnTime)
    this.#dropAt = this.#pingAt + Math.ceil(timeout / this.#turnTime)
  }

  add(connection: Beating): void {
    this.#own?.add(connection)
    if (this.#deadline.due === 0) this.#deadline.set(this.#turnTime)
  }

  delete(connection: Beating): void {
    this.#own?.delete(connection)
    const left = this.#connections.size - (this.#connections.has(connection) ? 1 : 0)
    if (left === 0) this.#deadline.clear()
  }

  /** Milliseconds since the ping that this pong answers; undefined where it answers none of ours. */
  roundTrip(bytes: Buffer, start: number, end: number): number | undefined {
    if (end - start !== PAYLOAD_SIZE) return undefined
    const turn = bytes.readUInt32BE(start)
    if (turn === 0 || turn > this.#turns || turn <= this.#turns - REMEMBERED) return undefined
    return Math.round(performance.now() - this.#sentAt[turn % REMEMBERED])
  }

  /** A turn that comes late is one turn all the same: nobody could be heard while the thread was held up. */
  #turn(): void {
    this.#deadline.setFromTurn(this.#turnTime)
    this.#turns++
    this.#sentAt[this.#turns % REMEMBERED] = performance.now()
    const payload = Buffer.alloc(PAYLOAD_SIZE)
    payload.writeUInt32BE(this.#turns)
    callEach(this.#connections, connection => {
      const silence = connection.countSilence(this.#pingAt)
      if (silence === this.#pingAt) connection.beat(payload)
      else if (silence >= this.#dropAt) connection.terminate('heartbeat-timeout')
    })
  }
}

const PAYLOAD_SIZE = 4

/**
 * @returns undefined for none
 * @throws MisuseError `invalid-option`, naming the option and what it may be
 */
export function resolveHeartbeat(option: HeartbeatOption = {}): HeartbeatTimes | undefined {
  if (option === false) return undefined
  if (typeof option !== 'object' || option === null) {
    throw new MisuseError('invalid-option', `heartbeat must be false or an object of interval and timeout, and not ${show(option)}`)
  }
  checkNames('heartbeat', option, KNOWN)
  const { interval = DEFAULTS.interval, timeout = DEFAULTS.timeout } = option
  checkTime('heartbeat.interval', interval)
  checkTime('heartbeat.timeout', timeout)
  return interval === Infinity ? undefined : { interval, timeout }
}

function checkTime(name: string, value: number): void {
  if (value === 0) throw new MisuseError('invalid-option', `${name} must be at least 1 millisecond; heartbeat: false is for none`)
  checkAmount(name, value, 'milliseconds')
}

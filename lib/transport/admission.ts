/** How many may connect to a server: all together, from one address, and at a time; and what those hold that do not yet. */
import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Diagnostics } from '../diagnostics.ts'
import { REFUSALS, type Refusal } from '../handshake/refusal.ts'
import { requestSize, type Limits } from '../limits.ts'
import { addressKey, isNear } from './client-address.ts'
import { destroyAfter, refuseUpgrade } from './http1.ts'
import type { Holder, MemoryBudget } from './memory-budget.ts'

export type AdmissionLimits = Pick<Limits, 'connections' | 'connectionsPerAddress' | 'handshakes' | 'handshakeBytes'>

/** What a socket takes that a refusal has gone to, rounded up, in bytes: of its request nothing is left. */
const REFUSED_SIZE = 4 * 1024

/** For the budget it is one holder: of all requests that have not come whole, and all sockets that were refused. */
export class Admission implements Holder {
  readonly connection = null
  readonly #limits: AdmissionLimits
  readonly #countsNear: boolean
  readonly #diagnostics: Diagnostics | undefined
  readonly #memory: MemoryBudget | undefined
  readonly #requestSize: number
  /** Bytes that the budget was told of. */
  #counted = 0
  #connections = 0
  #waiting = 0
  /** How many each address has, by its key; none of them 0. */
  readonly #byAddress = new Map<string, number>()
  /** Sockets whose request has not come whole, oldest first. */
  readonly #incomplete = new Set<Duplex>()
  /** Sockets that a refusal has gone to, and that are not gone yet, oldest first. */
  readonly #refused = new Set<Duplex>()
  /** One listener for all of them. */
  readonly #onClose: (this: Duplex) => void
  #refuse: (socket: Duplex, refusal: Refusal) => void = () => {}

  /**
   * @param countsNear whether connections of this machine and of private networks count as those of their address
   * @param memory is told what requests that have not come whole hold, and refused sockets
   */
  constructor(limits: AdmissionLimits, countsNear: boolean, diagnostics?: Diagnostics, memory?: MemoryBudget) {
    this.#limits = limits
    this.#countsNear = countsNear
    this.#diagnostics = diagnostics
    this.#memory = memory
    this.#requestSize = requestSize(limits)
    const forget = (socket: Duplex): void => {
      if (this.#incomplete.delete(socket) || this.#refused.delete(socket)) this.recount()
    }
    this.#onClose = function () {
      forget(this)
    }
  }

  /** Connections, and handshakes that may become one. */
  get connections(): number {
    return this.#connections
  }

  /** All that `limits.handshakes` is about. */
  get handshakes(): number {
    return this.#waiting + this.#incomplete.size + this.#refused.size
  }

  /** Handshakes that wait for `accept`. */
  get pending(): number {
    return this.#waiting
  }

  /** Requests that have not come whole. */
  get incomplete(): number {
    return this.#incomplete.size
  }

  /** Sockets that a refusal has gone to, and that are not gone yet. */
  get refused(): number {
    return this.#refused.size
  }

  /** Addresses that have a connection, as far as they are counted. */
  get addresses(): number {
    return this.#byAddress.size
  }

  /**
   * Somebody wants to connect. Where there is no refusal, `leave` has to follow, once.
   *
   * @param address undefined for a unix socket
   */
  enter(address: string | undefined): Refusal | undefined {
    if (this.#connections >= this.#limits.connections) return this.#reached('connections', REFUSALS.busy)
    if (this.#memory?.isScarce === true) return this.#reached('memory', REFUSALS.busy)
    const key = this.#keyOf(address)
    if (key !== undefined) {
      const count = this.#byAddress.get(key) ?? 0
      if (count >= this.#limits.connectionsPerAddress) return this.#reached('connectionsPerAddress', REFUSALS.address)
      this.#byAddress.set(key, count + 1)
    }
    this.#connections++
    return undefined
  }

  /** The connection is gone, or there will be none. */
  leave(address: string | undefined): void {
    this.#connections--
    const key = this.#keyOf(address)
    if (key === undefined) return
    const count = this.#byAddress.get(key) ?? 0
    if (count > 1) this.#byAddress.set(key, count - 1)
    else this.#byAddress.delete(key)
  }

  /** A handshake has to wait for its answer. Where there is no refusal, `settle` has to follow, once. */
  wait(): Refusal | undefined {
    if (this.handshakes >= this.#limits.handshakes) {
      const refusal = this.#reached('handshakes', REFUSALS.busy)
      if (!this.#makeRoom()) return refusal
    }
    this.#waiting++
    return undefined
  }

  settle(): void {
    this.#waiting--
  }

  /**
   * Counts the requests of an HTTP server that have not come whole.
   *
   * @param refuse answers on a socket that still belongs to the HTTP server, and destroys it
   */
  watch(http: HttpServer, refuse: (socket: Duplex, refusal: Refusal) => void): void {
    this.#refuse = refuse
    http.on('connection', socket => this.#connected(socket))
    http.on('request', request => this.arrived(request.socket))
  }

  /** The socket's request has come. */
  arrived(socket: Duplex): void {
    this.#forget(this.#incomplete, socket)
  }

  /**
   * Refuses a handshake whose request has come, as `refuseUpgrade` does. The socket counts until it is gone.
   *
   * @param address the client's, where it is not the socket's
   */
  refuse(socket: Duplex, refusal: Refusal, closingTime: number, address?: string | undefined): void {
    this.#diagnostics?.refused(refusal, socket, address)
    refuseUpgrade(socket, refusal, closingTime)
    if (socket.destroyed) return
    this.#refused.add(socket)
    socket.on('close', this.#onClose)
    if (this.handshakes > this.#limits.handshakes) this.#makeRoom()
    this.recount()
  }

  /** Sockets that were refused have no longer than this many milliseconds from now on. */
  endRefused(time: number): void {
    for (const socket of this.#refused) destroyAfter(socket, time)
  }

  recount(): void {
    const before = this.#counted
    this.#counted = this.#held
    if (this.#counted !== before) this.#memory?.report(this, before, this.#counted)
  }

  /** A request under way has its own limit, and counts with it from the start. */
  stopReading(): void {}

  resumeReading(): void {}

  /** Half of them have to go, those that have waited longest. If that is not enough, the budget asks again. */
  dropHeld(): void {
    this.#counted = 0
    for (let left = this.#refused.size / 2; left > 0; left--) this.#destroyOldest()
    for (let left = this.#incomplete.size / 2; left > 0; left--) this.#giveUpOldest()
    this.recount()
  }

  get #held(): number {
    return this.#incomplete.size * this.#requestSize + this.#refused.size * REFUSED_SIZE
  }

  #connected(socket: Socket): void {
    this.#incomplete.add(socket)
    socket.on('close', this.#onClose)
    if (this.handshakes > this.#limits.handshakes) {
      this.#reached('handshakes', REFUSALS.busy)
      this.#makeRoom()
    }
    this.recount()
  }

  #makeRoom(): boolean {
    return this.#destroyOldest() || this.#giveUpOldest()
  }

  /** A refused socket has its answer. It is kept only for the answer to arrive. */
  #destroyOldest(): boolean {
    const [oldest] = this.#refused
    if (oldest === undefined) return false
    this.#forget(this.#refused, oldest)
    oldest.destroy()
    return true
  }

  /** Whoever has waited longest for the rest of a request is the least likely to send it. */
  #giveUpOldest(): boolean {
    const [oldest] = this.#incomplete
    if (oldest === undefined) return false
    this.#forget(this.#incomplete, oldest)
    this.#refuse(oldest, REFUSALS.busy)
    return true
  }

  #forget(sockets: Set<Duplex>, socket: Duplex): void {
    if (!sockets.delete(socket)) return
    socket.off('close', this.#onClose)
    this.recount()
  }

  #keyOf(address: string | undefined): string | undefined {
    if (address === undefined || this.#limits.connectionsPerAddress === Infinity) return undefined
    return this.#countsNear || !isNear(address) ? addressKey(address) : undefined
  }

  #reached(limit: keyof Limits, refusal: Refusal): Refusal {
    this.#diagnostics?.limitReached(limit, null)
    return refusal
  }
}

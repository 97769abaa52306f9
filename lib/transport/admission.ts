/** How many may connect to a server: all together, from one address, and at a time. */
import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Diagnostics } from '../diagnostics.ts'
import { REFUSALS, type Refusal } from '../handshake/refusal.ts'
import type { Limits } from '../limits.ts'
import { addressKey, isNear } from './client-address.ts'

export type AdmissionLimits = Pick<Limits, 'connections' | 'connectionsPerAddress' | 'handshakes'>

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #countsNear: boolean
  readonly #diagnostics: Diagnostics | undefined
  #connections = 0
  #waiting = 0
  /** How many each address has, by its key; none of them 0. */
  readonly #byAddress = new Map<string, number>()
  /** Sockets whose request has not come whole, oldest first. */
  readonly #incomplete = new Set<Duplex>()
  /** One listener for all of them. */
  readonly #onClose: (this: Duplex) => void
  #refuse: (socket: Duplex, refusal: Refusal) => void = () => {}

  /** @param countsNear whether connections of this machine and of private networks count as those of their address */
  constructor(limits: AdmissionLimits, countsNear: boolean, diagnostics?: Diagnostics) {
    this.#limits = limits
    this.#countsNear = countsNear
    this.#diagnostics = diagnostics
    const incomplete = this.#incomplete
    this.#onClose = function () {
      incomplete.delete(this)
    }
  }

  /** Connections, and handshakes that may become one. */
  get connections(): number {
    return this.#connections
  }

  /** Handshakes that wait for `accept`, and requests that have not come whole. */
  get handshakes(): number {
    return this.#waiting + this.#incomplete.size
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
      if (!this.#giveUpOldest()) return refusal
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
   * @param refuse answers on a socket that still belongs to the HTTP server
   */
  watch(http: HttpServer, refuse: (socket: Duplex, refusal: Refusal) => void): void {
    this.#refuse = refuse
    http.on('connection', socket => this.#connected(socket))
    http.on('request', request => this.arrived(request.socket))
  }

  /** The socket's request has come. */
  arrived(socket: Duplex): void {
    if (this.#incomplete.delete(socket)) socket.off('close', this.#onClose)
  }

  #connected(socket: Socket): void {
    this.#incomplete.add(socket)
    socket.on('close', this.#onClose)
    if (this.handshakes <= this.#limits.handshakes) return
    this.#reached('handshakes', REFUSALS.busy)
    this.#giveUpOldest()
  }

  /** Whoever has waited longest for the rest of a request is the least likely to send it. */
  #giveUpOldest(): boolean {
    const [oldest] = this.#incomplete
    if (oldest === undefined) return false
    this.arrived(oldest)
    this.#refuse(oldest, REFUSALS.busy)
    return true
  }

  #keyOf(address: string | undefined): string | undefined {
    if (address === undefined || this.#limits.connectionsPerAddress === Infinity) return undefined
    return this.#countsNear || !isNear(address) ? addressKey(address) : undefined
  }

  #reached(limit: keyof AdmissionLimits, refusal: Refusal): Refusal {
    this.#diagnostics?.limitReached(limit, null)
    return refusal
  }
}

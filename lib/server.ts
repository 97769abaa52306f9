/** The server: handshakes in, connections with callbacks out, and all its public calls with their terms (hence the length). */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo, ListenOptions } from 'node:net'
import type { Duplex } from 'node:stream'
import type { InspectOptions } from 'node:util'
import { Broadcaster } from './broadcast/broadcaster.ts'
import { createCompression } from './deflate/compression.ts'
import { negotiate } from './deflate/negotiation.ts'
import { Diagnostics } from './diagnostics.ts'
import { Refusal, REFUSALS } from './handshake/refusal.ts'
import { pathOf, readRequest, type HandshakeOffer } from './handshake/request.ts'
import { chooseProtocol, formatAcceptance } from './handshake/response.ts'
import { requestSize } from './limits.ts'
import { takeMetrics, type Metrics } from './metrics.ts'
import { CloseCode } from './protocol/close-code.ts'
import { MisuseError } from './protocol/misuse-error.ts'
import { ownString } from './protocol/own-string.ts'
import { checkAttachOptions, checkCloseOptions, checkDecision, checkOptions, checkServerBroadcast, describeRequest } from './server-options.ts'
import type { AttachOptions, BroadcastOptions, CheckedOptions, Choices, CloseOptions, Decision, ServerOptions, ServerOptionsWithData } from './server-options.ts'
import { Admission } from './transport/admission.ts'
import { addressOf, clientAddress } from './transport/client-address.ts'
import { Connection } from './transport/connection.ts'
import type { ConnectionHandlers, ConnectionTerms, PublishOptions } from './transport/connection-setup.ts'
import { Drain, type CloseCounts } from './transport/drain.ts'
import { Heartbeat } from './transport/heartbeat.ts'
import { INSPECT, showAs, type Inspect } from './transport/inspect.ts'
import { LazyAbort } from './transport/lazy-abort.ts'
import { MemoryBudget } from './transport/memory-budget.ts'
import { PendingUpgrade, refuseAtOnce, takeOver } from './transport/http1.ts'
import { afterAnswers } from './transport/http-answers.ts'
import { checkListenOptions, createOwnHttp, listenOn } from './transport/own-http.ts'
import type { Payload } from './transport/payload.ts'
import { reportError, type Failure } from './transport/report.ts'
import { checkPublishOptions } from './transport/send-options.ts'
import { stayAlive } from './transport/stay-alive.ts'
import { isThenable } from './transport/thenable.ts'
import { checkUpgrade, routerOf, type UpgradeRouter } from './transport/upgrade-router.ts'

export class WebSocketServer<Data = unknown> {
  readonly #options: CheckedOptions<Data>
  readonly #terms: ConnectionTerms<Connection<Data>>
  readonly #connections = new Set<Connection<Data>>()
  readonly #broadcaster: Broadcaster<Data>
  readonly #diagnostics = new Diagnostics()
  readonly #admission: Admission
  readonly #pending = new Set<Pending>()
  readonly #attached: { readonly router: UpgradeRouter; readonly path: string | undefined; detach(): void }[] = []
  /** Connections that are over, but whose transport is not gone yet. */
  readonly #lingering = new Set<Connection<Data>>()
  #http: HttpServer | undefined
  #closing: Promise<CloseCounts> | undefined
  #drain: Drain<Connection<Data>> | undefined

  /**
   * @param options with an `accept` that gives `data`, unless `Data` allows undefined
   * @throws MisuseError `invalid-option`, naming the option and what it may be; `invalid-state` where another server of this
   *   process has the same name, or none, on the same bus
   */
  constructor(options: ServerOptionsWithData<Data>)
  constructor(...options: undefined extends Data ? [options?: ServerOptions<Data>] : [options: ServerOptionsWithData<Data>])
  constructor(options: ServerOptions<Data> = {}) {
    const checked = checkOptions(options)
    this.#options = checked
    const { limits, slowReceivers } = checked
    const memory = limits.memory === Infinity ? undefined : new MemoryBudget(limits.memory, this.#diagnostics)
    this.#admission = new Admission(limits, checked.countsNear, this.#diagnostics, memory)
    this.#broadcaster = new Broadcaster(this.#connections, checked.bus, checked.name ?? '')
    const handlers: ConnectionHandlers<Connection<Data>> = {
      ...(checked.open && { open: checked.open }),
      ...(checked.message && { message: checked.message }),
      ...(checked.drain && { drain: checked.drain }),
      ...(checked.pong && { pong: checked.pong }),
      close: (socket, code, reason) => {
        this.#connections.delete(socket)
        this.#lingering.add(socket)
        this.#broadcaster.leave(socket)
        this.#drain?.ended(socket, code)
        return checked.close?.(socket, code, reason)
      },
      failed: (socket, error, failure) => {
        this.#drain?.failed(socket)
        this.#report(socket, error, failure)
      },
      gone: socket => {
        this.#lingering.delete(socket)
        this.#admission.leave(socket.admittedAddress)
        this.#drain?.gone(socket)
      },
    }
    this.#terms = {
      role: 'server',
      handlers,
      limits,
      slowReceivers,
      diagnostics: this.#diagnostics,
      hub: this.#broadcaster,
      gate: this.#broadcaster.gate,
      heartbeat: checked.heartbeat && new Heartbeat(checked.heartbeat, this.#connections),
      memory,
    }
  }

  /** The open connections. */
  get connections(): ReadonlySet<Connection<Data>> {
    return this.#connections
  }

  /** What has happened so far, and how things stand: plain numbers, ready for JSON. Takes time for each connection. */
  metrics(): Metrics {
    const { malformed } = this.#broadcaster
    const parts = { ending: this.#lingering, bus: this.#options.bus, malformed, memory: this.#terms.memory, admission: this.#admission }
    return takeMetrics(this.#diagnostics, this.#connections, parts)
  }

  /** Where `listen` listens: an address and port, or the path of a unix socket; null if it does not. */
  get address(): AddressInfo | string | null {
    return this.#http?.address() ?? null
  }

  /**
   * Listens on a port or unix socket of its own; a plain HTTP request there is answered with 426.
   *
   * @param options what `net.Server.listen` takes: `port` (0 for any free one), `host`, `path`, `fd`, `backlog`, …
   * @returns where it listens; rejects with the system's error, such as EADDRINUSE
   * @throws MisuseError (rejects) `invalid-argument` for what is no object, `invalid-state` where it listens already or is closed
   */
  async listen(options: ListenOptions & { fd?: number }): Promise<AddressInfo | string | null> {
    checkListenOptions(options)
    if (this.#http !== undefined || this.#closing !== undefined) {
      throw new MisuseError('invalid-state', 'listen can be called once, and not after close')
    }
    const http = createOwnHttp(this.#options.limits, {
      upgrade: (request, socket, head) => this.upgrade(request, socket, head),
      refused: (socket, refusal, address) => this.#diagnostics.refused(refusal, socket, address),
    })
    this.#http = http
    this.#admission.watch(http, (socket, refusal) => {
      this.#diagnostics.refused(refusal, socket)
      this.#drain?.refused()
      refuseAtOnce(socket, refusal)
    })
    try {
      await listenOn(http, options)
    } catch (error) {
      this.#http = undefined
      throw error
    }
    http.on('error', error => this.#report(null, error))
    return this.address
  }

  /**
   * Serves the upgrades of an HTTP server that is somebody else's: its requests, its other upgrades and its end stay
   * theirs. Several servers may share one, by path. A path that nobody serves is answered with 404, but only when
   * nobody else listens for upgrades.
   *
   * @throws MisuseError `invalid-argument` for what is no HTTP server, `invalid-option` for a path that no request can have,
   *   `invalid-state` for a path that is taken
   */
  attach(server: HttpServer | HttpsServer, options: AttachOptions = {}): this {
    const router = routerOf(server)
    checkAttachOptions(options)
    const path = options.path ?? this.#options.path
    const detach = router.add(path, (request, socket, head) => this.#handshake(request, socket, head))
    this.#attached.push({ router, path, detach })
    return this
  }

  /**
   * Takes over one request from an `upgrade` event of yours, and answers it in every case.
   *
   * @throws MisuseError `invalid-argument` for other arguments than those of an `upgrade` event
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    checkUpgrade(request, socket, head)
    const { path } = this.#options
    this.#admission.arrived(socket)
    afterAnswers(socket, () => {
      if (path !== undefined && pathOf(request.url) !== path) this.#refuse(socket, REFUSALS.path, this.#toldAddress(request))
      else this.#handshake(request, socket, head)
    })
  }

  /**
   * Sends to everybody who takes part in the topic; returns to how many of this process.
   *
   * @throws MisuseError `invalid-argument` for another topic, data or options than there are; `invalid-state` for
   *   `scope: 'global'` without a bus
   */
  publish(topic: string, data: Payload, options: PublishOptions = {}): number {
    checkPublishOptions(options)
    return this.#broadcaster.publish(topic, data, options, undefined)
  }

  /** How many connections of this process take part in the topic. */
  subscriberCount(topic: string): number {
    return this.#broadcaster.subscriberCount(topic)
  }

  /** Sends to every connection but `except`; returns to how many of this process. @throws MisuseError as `publish` */
  broadcast(data: Payload, options: BroadcastOptions<Data> = {}): number {
    checkServerBroadcast(options)
    return this.#broadcaster.broadcast(data, options, options.except)
  }

  /**
   * Stops accepting: its own port is closed; on HTTP servers that it is attached to, handshakes get 503 until all is
   * over, unless another server attaches to the path. What was sent to a peer still goes out, the close frame behind it;
   * what is left after `timeout` is dropped. Resolves when nothing is left; a second call gives the same promise.
   *
   * @returns how many connections ended with a closing handshake, how many without, and how many handshakes were refused
   * @throws MisuseError `invalid-option` for a code that may not travel, or a timeout that is no amount of milliseconds;
   *   nothing is closed then
   */
  close(options: CloseOptions = {}): Promise<CloseCounts> {
    checkCloseOptions(options)
    const { code = CloseCode.goingAway, timeout } = options
    this.#closing ??= this.#shutDown(code, timeout)
    return this.#closing
  }

  /** `await using`: as `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  [INSPECT](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { address, connections } = this
    const attached = this.#attached.map(({ path }) => path ?? 'every path')
    const fields = { address, attached, path: this.#options.path, closing: this.#closing !== undefined, connections: connections.size }
    return showAs('WebSocketServer', fields, depth, options, inspect)
  }

  async #shutDown(code: number, timeout: number | undefined): Promise<CloseCounts> {
    const drain = new Drain(this.#connections, this.#lingering)
    this.#drain = drain
    for (const { router, path } of this.#attached) router.offer(path)
    for (const pending of this.#pending) pending.refuse(REFUSALS.closing)
    this.#admission.endRefused(timeout ?? this.#options.limits.closingTime)
    drain.start(timeout, code)
    const http = this.#http
    const stopped =
      http === undefined ? undefined : new Promise<void>(resolve => void http.close(() => resolve()))
    // Requests that never end would keep the HTTP server open.
    http?.closeAllConnections()
    await stayAlive(Promise.all([drain.done, stopped]))
    for (const { detach } of this.#attached) detach()
    this.#broadcaster.close()
    return drain.done
  }

  #handshake(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    takeOver(socket)
    // It was answered before it had come whole.
    if (!socket.writable) {
      socket.destroy()
      return
    }
    if (this.#closing !== undefined) {
      this.#refuse(socket, REFUSALS.closing, this.#toldAddress(request))
      return
    }
    let asked: 'accept' | 'origins' = 'origins'
    try {
      const offer = readRequest(request, this.#options.origins, this.#options.limits.handshakeBytes)
      if (offer instanceof Refusal) {
        this.#refuse(socket, offer, this.#toldAddress(request))
        return
      }
      asked = 'accept'
      const address = this.#addressOf(request)
      const refusal = this.#admission.enter(address)
      if (refusal === undefined) this.#decide(request, { ...offer, address }, socket, head)
      else this.#refuse(socket, refusal, address)
    } catch (error) {
      this.#reportHandshake(asked, error, clientAddress(request, this.#options.trustProxy))
      this.#refuse(socket, REFUSALS.failure, this.#toldAddress(request))
    }
  }

  /** Asks `accept`, if as many as may wait are not waiting for it already. */
  #decide(request: IncomingMessage, entrant: Entrant, socket: Duplex, head: Buffer): void {
    const { accept, trustProxy } = this.#options
    let decision: Decision<Data> | Promise<Decision<Data>> = accept && this.#admission.wait()
    const abort = new LazyAbort()
    if (accept !== undefined && decision === undefined) {
      try {
        decision = accept(describeRequest(request, entrant, trustProxy, abort))
      } catch (error) {
        decision = Promise.reject(error)
      }
      if (isThenable(decision)) {
        this.#await(Promise.resolve(decision), entrant, socket, head, abort)
        return
      }
      this.#admission.settle()
    }
    this.#conclude(decision, entrant, socket, head)
  }

  /** The client's address, where it is not simply what the connection says or has to be counted. */
  #addressOf(request: IncomingMessage): string | undefined {
    const { limits, trustProxy } = this.#options
    if (limits.connectionsPerAddress === Infinity && trustProxy === undefined) return undefined
    return clientAddress(request, trustProxy)
  }

  /** Waits for the answer of an asynchronous `accept`. */
  #await(decision: Promise<Decision<Data>>, entrant: Entrant, socket: Duplex, head: Buffer, abort: LazyAbort): void {
    let settled = false
    const settle = (): Buffer | undefined => {
      if (settled) return undefined
      settled = true
      this.#pending.delete(entry)
      this.#admission.settle()
      return upgrade.finish()
    }
    const entry: Pending = {
      refuse: (refusal, settled = false) => {
        if (settle() === undefined) return
        this.#conclude(refusal, entrant, socket, EMPTY)
        if (!settled) abort.abort()
      },
    }
    const upgrade = new PendingUpgrade(
      socket,
      head,
      this.#options.limits.handshakeTime,
      why => entry.refuse(why === 'timeout' ? REFUSALS.timeout : REFUSALS.busy),
      () => {
        settled = true
        this.#pending.delete(entry)
        this.#admission.settle()
        this.#admission.leave(entrant.address)
        abort.abort()
      },
      this.#terms.memory,
      requestSize(this.#options.limits)
    )
    this.#pending.add(entry)
    upgrade.recount()
    decision.then(
      answer => {
        const early = settle()
        if (early === undefined) return
        try {
          this.#conclude(answer, entrant, socket, early)
        } catch (error) {
          this.#reportHandshake('accept', error, entrant.address ?? addressOf(socket))
          this.#refuse(socket, REFUSALS.failure, entrant.address)
        }
      },
      error => {
        if (abort.explains(error)) return
        this.#reportHandshake('accept', error, entrant.address ?? addressOf(socket))
        entry.refuse(REFUSALS.failure, true)
      }
    )
  }

  #conclude(decision: Decision<Data>, entrant: Entrant, socket: Duplex, early: Buffer): void {
    let connection: Connection<Data> | undefined
    try {
      const answer = this.#drain === undefined ? checkDecision(decision) : REFUSALS.closing
      if (answer instanceof Refusal) this.#refuse(socket, answer, entrant.address)
      else connection = this.#connect(answer, entrant, socket)
    } finally {
      if (connection === undefined) this.#admission.leave(entrant.address)
    }
    connection?.start(early)
  }

  #connect(decision: Choices<Data> | undefined, entrant: Entrant, socket: Duplex): Connection<Data> | undefined {
    const chosen = decision?.protocol
    const protocol = chosen === undefined ? chooseProtocol(entrant.protocols, this.#options.protocols) : (chosen ?? '')
    const { compression } = this.#options
    const agreed = compression && negotiate(entrant.extensions, compression)
    const greeting = formatAcceptance(entrant, protocol, decision?.headers, agreed?.response)
    if (socket.destroyed) return undefined
    const connection = new Connection<Data>({
      terms: this.#terms,
      transport: socket,
      remoteAddress: entrant.address,
      // The name that `accept` chose may be cut from a header.
      protocol: chosen === undefined ? protocol : ownString(protocol),
      extensions: agreed?.response,
      compression:
        agreed && compression && createCompression('server', agreed.agreement, compression, this.#diagnostics.compression),
      data: decision?.data as Data,
      pulled: this.#options.message === undefined,
      greeting,
    })
    this.#connections.add(connection)
    return connection
  }

  /** The client's address as `trustProxy` says; undefined where it is the socket's. */
  #toldAddress(request: IncomingMessage): string | undefined {
    const { trustProxy } = this.#options
    return trustProxy && clientAddress(request, trustProxy)
  }

  #refuse(socket: Duplex, refusal: Refusal, address: string | undefined): void {
    this.#drain?.refused()
    this.#admission.refuse(socket, refusal, this.#options.limits.closingTime, address)
  }

  #report(socket: Connection<Data> | null, error: unknown, failure?: Failure): void {
    if (socket === null) this.#diagnostics.failed(error, null)
    const { error: callback } = this.#options
    reportError(error, callback && (error => callback(socket, error)), failure)
  }

  /** A callback of the handshake threw or rejected, or its answer is none. */
  #reportHandshake(callback: 'accept' | 'origins', error: unknown, from: string | undefined): void {
    this.#report(null, error, { callback, outcome: `the handshake from ${from ?? 'an unknown address'} was answered with 500` })
  }
}

/** A handshake that waits for `accept`; `settled`: its promise has, so that nothing is left to be aborted. */
interface Pending {
  refuse(refusal: Refusal, settled?: boolean): void
}

/** A handshake that `Admission.enter` has let in, as coming from this address. */
type Entrant = HandshakeOffer & { readonly address: string | undefined }

const EMPTY = Buffer.alloc(0)

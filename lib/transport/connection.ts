/**
 * An Endpoint on a Duplex: reading, backpressure, deadlines, and all public calls with their terms (hence the length).
 * The Duplex is a socket of net or tls, a unix socket, or an HTTP/2 stream; server or client is a value.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../limits.ts'
import { checkAmount } from '../protocol/amount.ts'
import { CloseCode } from '../protocol/close-code.ts'
import { Endpoint } from '../protocol/endpoint.ts'
import { Opcode, type DataOpcode } from '../protocol/opcode.ts'
import { EndpointState } from '../protocol/states.ts'
import type { Violation } from '../protocol/violation.ts'
import type { ConnectionHandlers, ConnectionSetup, PublishOptions, SendOptions, TopicHub } from './connection-setup.ts'
import { coarseNow, Deadline } from './deadlines.ts'
import { toMessage } from './message.ts'
import { MessageIterator } from './message-iterator.ts'
import { closedError, HIGH_WATER, isClosedError, Outbox } from './outbox.ts'
import { checkBytes, checkPayload, type Payload } from './payload.ts'
import { isArena, readIntoArena } from './receive-arena.ts'
import { isThenable } from './thenable.ts'

const connectionOf = Symbol('kore-ws connection')
type Attached = Duplex & { [connectionOf]: Connection<unknown> }

/** Who holds back reading. */
const HOLD = { user: 1, iterator: 2 } as const

/** Also the sink of its endpoint, the owner of its outbox and deadline, and what its iterator holds back. */
export class Connection<Data = unknown> {
  /** Whatever `accept` returned as `data`, or what you put here. */
  data: Data
  /** The subprotocol agreed on; empty for none. */
  readonly protocol: string

  readonly #transport: Duplex
  readonly #handlers: ConnectionHandlers<Connection<Data>>
  readonly #limits: Limits
  readonly #hub: TopicHub<Connection<Data>> | undefined
  readonly #endpoint: Endpoint
  readonly #outbox: Outbox
  /** Made when something has to happen in time: an idle connection without a limit has none. */
  #deadline: Deadline | undefined
  readonly #role: 'server' | 'client'
  #idleTime: number
  #activeAt = 0
  #reading = false
  #muted = false
  #awaitsArena = false
  #holds = 0
  /** Why the transport was destroyed from our side, or what error it had. */
  #lost = ''
  #closingTime: number
  #closed: { readonly code: number; readonly reason: string } | undefined
  #iterator: MessageIterator | undefined

  constructor(setup: ConnectionSetup<Connection<Data>, Data>) {
    this.#role = setup.role
    this.#transport = setup.transport
    this.#handlers = setup.handlers
    this.#limits = setup.limits
    this.#hub = setup.hub
    this.#idleTime = setup.limits.idleTime
    this.#closingTime = setup.limits.closingTime
    this.#outbox = new Outbox(setup.transport, this)
    this.#endpoint = new Endpoint(this, this.#outbox, {
      role: setup.role,
      maxMessageBytes: setup.limits.messageBytes,
    })
    this.protocol = setup.protocol
    this.data = setup.data
    if (setup.greeting !== undefined) this.#outbox.append(Buffer.from(setup.greeting, 'latin1'))
  }

  /** 'open': messages go both ways; 'closing': our close frame is out; 'closed': over. */
  get readyState(): 'open' | 'closing' | 'closed' {
    if (this.#lost !== '') return 'closed'
    const state = this.#endpoint.state
    return state === EndpointState.open ? 'open' : state === EndpointState.closeSent ? 'closing' : 'closed'
  }

  /** How it ended, once it has. */
  get closed(): { readonly code: number; readonly reason: string } | undefined {
    return this.#closed
  }

  /** Bytes, framing included, that `send` has accepted and the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#outbox.queued
  }

  /** The peer's IP address, where the transport has one. */
  get remoteAddress(): string | undefined {
    return this.#transport instanceof Socket ? this.#transport.remoteAddress : undefined
  }

  /** Milliseconds without a byte in or out after which the connection is closed with 1001; Infinity for never. */
  get idleTime(): number {
    return this.#idleTime
  }

  set idleTime(milliseconds: number) {
    this.#idleTime = checkAmount('idleTime', milliseconds, 'milliseconds')
    if (this.#endpoint.state === EndpointState.open) this.#watchIdle()
  }

  /**
   * Sends a message. It leaves in one write with all else that is sent in the same read or tick.
   *
   * Over `limits.queuedBytes` the connection is dropped, and its `close` callback says `slow-consumer`. A large Buffer
   * is not copied: leave it alone until it is sent.
   *
   * @returns true: go on; false: 64 KiB or more are queued, wait for `drain` or `drained()`; or the
   *   connection is no longer open, and nothing was sent
   * @throws MisuseError `invalid-argument` for data of another type, or bytes sent as text that are not UTF-8
   */
  send(data: Payload, options?: SendOptions): boolean {
    const payload = checkPayload(data)
    const binary = options?.binary ?? typeof payload !== 'string'
    return this.#send(binary ? Opcode.binary : Opcode.text, payload, false)
  }

  /** @internal As `send`, but the memory of `payload` is the caller's again right after. */
  sendLent(opcode: DataOpcode, payload: string | Uint8Array): boolean {
    return this.#send(opcode, payload, true)
  }

  /** @internal Sends a frame that is encoded already, unmasked as a server's are, by reference; false if not open. */
  sendFrame(bytes: Buffer, start: number, end: number): boolean {
    if (this.readyState !== 'open') return false
    const before = this.#outbox.size
    this.#outbox.appendRange(bytes, start, end)
    this.#settle(before)
    return true
  }

  /**
   * Sends a ping (RFC 6455, section 5.5.2) of at most 125 bytes. False where the connection is no longer open.
   *
   * @throws MisuseError `invalid-argument` for a longer payload or one of another type
   */
  ping(payload: Payload = ''): boolean {
    const before = this.#outbox.size
    const sent = this.#endpoint.ping(checkBytes(payload, 'payload'))
    if (sent) this.#settle(before)
    return sent
  }

  /** Sends a pong that no ping asked for (section 5.5.3), with the terms of `ping`; pings are answered without it. */
  pong(payload: Payload = ''): boolean {
    const before = this.#outbox.size
    const sent = this.#endpoint.pong(checkBytes(payload, 'payload'))
    if (sent) this.#settle(before)
    return sent
  }

  /**
   * Starts the closing handshake; what was sent before still goes out. Without effect once it has begun. Messages that
   * come until the peer's close frame are handed over, unless the connection is paused: then they are thrown away, for
   * the peer's answer comes behind them.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; without it the close frame is empty
   * @param reason at most 123 bytes of UTF-8
   * @throws MisuseError `invalid-argument` for other codes and reasons
   */
  close(code?: number, reason?: string): void {
    const begins = this.readyState === 'open'
    this.#endpoint.close(code, reason)
    if (!begins) return
    this.#setDeadline(this.#closingTime)
    this.#outbox.queueFlush()
    if (this.#holds !== 0) this.#mute()
  }

  /** @internal As `close`, with another time to wait for the peer's close frame, in milliseconds. */
  closeWithin(time: number, code: number): void {
    this.#closingTime = time
    this.close(code)
    // A closing handshake that had begun before is cut short as well.
    this.#setDeadline(time)
  }

  /** @internal Fails the connection (RFC 6455, section 7.1.7): no message is taken any more. */
  fail(code: number, reason: string): void {
    this.#endpoint.fail(code, reason)
  }

  /** Drops the connection at once, with whatever is still queued. `close` gets 1006 and `reason`. */
  terminate(reason = 'terminated'): void {
    if (this.#lost === '') this.#lost = reason
    // Nothing that has been read already is handed over either.
    this.#endpoint.pause()
    this.#transport.destroy()
  }

  /** No message is handed over after the one at hand until `resume`, and the peer is slowed down. */
  pause(): void {
    this.#hold(HOLD.user)
  }

  resume(): void {
    this.#release(HOLD.user)
  }

  /**
   * Resolves once the system takes more; rejects with an Error of code
   * `connection-closed` if the connection ends first.
   */
  drained(): Promise<void> {
    return this.readyState === 'closed' ? Promise.reject(closedError()) : this.#outbox.drained()
  }

  /** Takes part in a topic: gets what `publish` sends to it. */
  subscribe(topic: string): void {
    if (this.readyState === 'open') this.#hub?.subscribe(this, topic)
  }

  unsubscribe(topic: string): void {
    this.#hub?.unsubscribe(this, topic)
  }

  /** Sends to everybody who takes part in the topic, but not to this connection. Returns to how many of this process. */
  publish(topic: string, data: Payload, options: PublishOptions = {}): number {
    return this.#hub?.publish(topic, data, options, this) ?? 0
  }

  /**
   * The messages from here on, in place of the `message` callback. While none is asked for, the peer is slowed down.
   * Ends when the connection does, whichever way; `closed` tells how.
   */
  [Symbol.asyncIterator](): MessageIterator {
    this.#iterator ??= new MessageIterator(this)
    if (this.#closed !== undefined) this.#iterator.end()
    return this.#iterator
  }

  /** @internal Calls `open` and starts to read. */
  start(early: Buffer | undefined): void {
    const transport = this.#transport
    Object.assign(transport, { [connectionOf]: this })
    transport.on('error', Connection.#onError)
    transport.on('close', Connection.#onClose)
    transport.on('drain', Connection.#onDrain)
    this.#watchIdle()
    this.#outbox.queueFlush()
    this.#guard(this.#handlers.open)
    process.nextTick(Connection.#readFrom, this, early)
  }

  /** @internal */
  onMessage(opcode: DataOpcode, bytes: Buffer, start: number, end: number, ascii: boolean): void {
    if (this.#muted) return
    const handlers = this.#handlers
    try {
      let result: unknown
      if (handlers.rawMessage !== undefined) {
        result = handlers.rawMessage(this, opcode, bytes, start, end)
      } else if (this.#iterator !== undefined) {
        this.#iterator.push(toMessage(opcode, bytes, start, end, ascii, !isArena(bytes)))
      } else if (handlers.message !== undefined) {
        result = handlers.message(this, toMessage(opcode, bytes, start, end, ascii, !isArena(bytes)))
      }
      if (result !== undefined) this.#follow(result)
    } catch (error) {
      this.#callbackFailed(error)
    }
  }

  /** @internal */
  onPing(): void {}

  /** @internal */
  onPong(): void {}

  /** @internal */
  onClose(code: number, reason: string, violation: Violation | undefined): void {
    // The endpoint knows only that its transport is gone; why is known here.
    const why = code === CloseCode.abnormal ? this.#lost : reason
    this.#closed = { code, reason: why }
    this.#iterator?.end()
    if (violation !== undefined) this.#handlers.failed(this, violation)
    this.#guard(this.#handlers.close, code, why)
    this.#outbox.end()
    if (!this.#transport.destroyed) this.#endTransport()
  }

  /** @internal */
  onDeadline(): void {
    if (this.#endpoint.state !== EndpointState.open) {
      this.terminate('close-timeout')
      return
    }
    const left = this.#activeAt + this.#idleTime - coarseNow()
    if (left > 0) this.#setDeadline(left)
    else this.fail(CloseCode.goingAway, 'idle')
  }

  /** @internal Calls a callback of the user's; what it throws, or its promise rejects with, is dealt with. */
  runCallback(callback: () => unknown): void {
    try {
      const result = callback()
      if (result !== undefined) this.#follow(result)
    } catch (error) {
      this.#callbackFailed(error)
    }
  }

  /** @internal For the iterator. */
  hold(): void {
    this.#hold(HOLD.iterator)
  }

  /** @internal */
  release(): void {
    this.#release(HOLD.iterator)
  }

  /** @internal */
  detach(): void {
    this.#iterator = undefined
    this.#release(HOLD.iterator)
  }

  /** @internal */
  onFlush(): void {
    this.#activeAt = coarseNow()
  }

  /** @internal */
  onUnblocked(): void {
    this.#activeAt = coarseNow()
    this.#endpoint.outputUnblocked()
  }

  /** @internal */
  onDrain(): void {
    this.#guard(this.#handlers.drain)
  }

  #startReading(early: Buffer | undefined): void {
    if (early !== undefined && early.length > 0) this.#receive(early, early.length)
    const transport = this.#transport
    if (transport.destroyed) return
    transport.on('data', Connection.#onData)
    this.#enterArena()
    transport.on('end', Connection.#onEnd)
    if (this.#holds === 0) transport.resume()
    else transport.pause()
  }

  /** Reads without allocating from here on, where that is possible; else through `data` events. */
  #enterArena(): void {
    const answer = readIntoArena(this.#transport, Connection.#onArena)
    this.#awaitsArena = answer === 'later'
    if (answer === 'yes') this.#transport.off('data', Connection.#onData)
  }

  /** The peer ended its side; without a closing handshake nothing more can come of it. */
  #ended(): void {
    this.#endpoint.transportEnded()
    this.#outbox.flush()
    this.#transport.end()
  }

  #gone(): void {
    this.#deadline?.clear()
    this.#endpoint.transportEnded()
    this.#handlers.gone(this)
  }

  #receive(chunk: Buffer, length: number): void {
    this.#activeAt = coarseNow()
    this.#reading = true
    this.#outbox.cork()
    this.#endpoint.receive(chunk, 0, length)
    this.#reading = false
    this.#outbox.uncork()
    if (this.#holds !== 0) this.#transport.pause()
  }

  #send(opcode: DataOpcode, payload: string | Uint8Array, lent: boolean): boolean {
    if (this.#lost !== '') return false
    const before = this.#outbox.size
    return this.#endpoint.send(opcode, payload, lent) && this.#settle(before)
  }

  /** Sees to it that what was added to the batch leaves in time, and that the queue keeps to its limit. */
  #settle(before: number): boolean {
    const outbox = this.#outbox
    const message = outbox.size - before
    const goOn = outbox.settle()
    const limit = this.#limits.queuedBytes
    if (goOn && limit >= HIGH_WATER) return true
    if (outbox.queued > limit) outbox.flush()
    const { queued } = outbox
    if (queued <= limit || queued <= message) return goOn
    this.terminate('slow-consumer')
    return false
  }

  #guard<Rest extends unknown[]>(
    callback: ((connection: Connection<Data>, ...rest: Rest) => unknown) | undefined,
    ...rest: Rest
  ): void {
    if (callback !== undefined) this.runCallback(() => callback.call(this.#handlers, this, ...rest))
  }

  #follow(result: unknown): void {
    if (!isThenable(result)) return
    Promise.resolve(result).then(undefined, error => this.#callbackFailed(error))
  }

  #callbackFailed(error: unknown): void {
    // A callback that waited for `drained()` when its connection ended has not failed.
    if (isClosedError(error) && this.readyState === 'closed') return
    this.#handlers.failed(this, error)
    this.fail(CloseCode.internalError, '')
    this.#outbox.queueFlush()
  }

  /** Reads on, but hands nothing over: all that is waited for is the peer's close frame. */
  #mute(): void {
    this.#muted = true
    this.#release(this.#holds)
  }

  #hold(who: number): void {
    if (this.readyState === 'closing') {
      this.#muted = true
      return
    }
    this.#holds |= who
    this.#endpoint.pause()
    if (!this.#reading) this.#transport.pause()
  }

  #release(who: number): void {
    // What has been terminated hands nothing over any more.
    if (this.#holds === 0 || this.#lost !== '') return
    this.#holds &= ~who
    if (this.#holds !== 0) return
    if (this.#reading) this.#endpoint.resume()
    else process.nextTick(Connection.#goOnWith, this)
  }

  /** Reads on after a pause: first what was read before it. */
  #goOn(): void {
    if (this.#holds !== 0 || this.#transport.destroyed) return
    this.#reading = true
    this.#outbox.cork()
    this.#endpoint.resume()
    this.#reading = false
    this.#outbox.uncork()
    if (this.#holds === 0) this.#transport.resume()
  }

  /** @param delay milliseconds; Infinity takes the deadline back */
  #setDeadline(delay: number): void {
    if (delay !== Infinity) this.#deadline ??= new Deadline(this)
    this.#deadline?.set(delay)
  }

  #watchIdle(): void {
    this.#activeAt = coarseNow()
    this.#setDeadline(this.#idleTime)
  }

  /**
   * The closing handshake is over, or failed: the server ends the transport, the client waits for the server to do so
   * (RFC 6455, section 7.1.1). What still comes is read and thrown away, because closing a socket with unread input
   * resets it, and the peer might lose our close frame.
   */
  #endTransport(): void {
    this.#setDeadline(this.#closingTime)
    this.#outbox.flush()
    if (this.#role === 'server') this.#transport.end()
    this.#holds = 0
    this.#transport.resume()
  }

  // One listener each for all connections: one of its own would cost every idle connection a closure.

  static #onData(this: Attached, chunk: Buffer): void {
    const connection = this[connectionOf]
    connection.#receive(chunk, chunk.length)
    if (connection.#awaitsArena) connection.#enterArena()
  }

  static #onArena(this: Socket, length: number, arena: Buffer): boolean {
    ;(this as Duplex as Attached)[connectionOf].#receive(arena, length)
    return true
  }

  static #onEnd(this: Attached): void {
    this[connectionOf].#ended()
  }

  static #onDrain(this: Attached): void {
    this[connectionOf].#outbox.unblocked()
  }

  static #onError(this: Attached, error: NodeJS.ErrnoException): void {
    const connection = this[connectionOf]
    if (connection.#lost === '') connection.#lost = error.code ?? error.message
  }

  static #onClose(this: Attached): void {
    this[connectionOf].#gone()
  }

  static #readFrom(connection: Connection<unknown>, early: Buffer | undefined): void {
    connection.#startReading(early)
  }

  static #goOnWith(connection: Connection<unknown>): void {
    connection.#goOn()
  }
}

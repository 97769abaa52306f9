/**
 * An Endpoint on a Duplex: reading, backpressure, deadlines, and all public calls with their terms (hence the length).
 * What only some connections need is elsewhere and made on demand; what every one has is here, because each object more
 * would cost an idle connection 40 bytes and up, and all of it looks at the same few fields: who holds back reading, what is
 * queued, whether it is over. The Duplex is a socket of net or tls, a unix socket, or an HTTP/2 stream; server or client is a value.
 */
import type { AsyncResource } from 'node:async_hooks'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { InspectOptions } from 'node:util'
import type { Limits } from '../limits.ts'
import { checkAmount } from '../protocol/amount.ts'
import { CloseCode } from '../protocol/close-code.ts'
import { Endpoint } from '../protocol/endpoint.ts'
import { MisuseError } from '../protocol/misuse-error.ts'
import { Opcode, type DataOpcode } from '../protocol/opcode.ts'
import { EndpointState } from '../protocol/states.ts'
import { Violation } from '../protocol/violation.ts'
import { captureContext } from './async-context.ts'
import { ConnectionCounts } from './connection-counts.ts'
import { ConnectionExtras } from './connection-extras.ts'
import type {
  ConnectionSetup,
  ConnectionTerms,
  HandshakeResponse,
  PublishOptions,
  SendOptions,
  SharedMessage,
  TopicHub,
} from './connection-setup.ts'
import { coarseNow, Deadline, RESOLUTION } from './deadlines.ts'
import { forgetContexts, watchContexts } from './idle-contexts.ts'
import { INSPECT, showAs, type Inspect } from './inspect.ts'
import { CALLBACK_COST, clearWith, KeptAccount } from './kept-account.ts'
import { LARGE_TEXT, LargeText } from './large-text.ts'
import { memoryOf, toMessage } from './message.ts'
import { MessageIterator, type Waiting } from './message-iterator.ts'
import { MessageStreams } from './message-streams.ts'
import { ConnectionClosedError, isRegularEnd, type CloseInfo } from './connection-closed-error.ts'
import { HIGH_WATER, Outbox } from './outbox.ts'
import { OutstandingPings, uniquePayload } from './outstanding-pings.ts'
import { checkBytes, checkPayload, type Payload } from './payload.ts'
import { GRANULARITY } from './memory-budget.ts'
import { beginReading, endReading, isTimeUp, isTurnOver, isWorkBefore, waitForTurn, waitToWork } from './read-turns.ts'
import { isArena, isRead, readIntoArena } from '../node-internals/receive-arena.ts'
import { reportError, type Failure } from './report.ts'
import { checkPublishOptions, checkSendOptions } from './send-options.ts'
import { sendStream, type PieceSource } from './send-stream.ts'
import { frameSize, sendUnderPolicy, type Leniency } from './slow-receiver.ts'
import { isSystemSocket } from './system-socket.ts'
import { checkTopic } from './topic.ts'
import { isThenable } from './thenable.ts'
import { countMessageMemory } from '../node-internals/young-garbage.ts'

/** Messages whose callback has not settled, and the bytes of memory that they take. */
interface PendingMessages {
  count: number
  bytes: number
  readonly account: KeptAccount
}

const connectionOf = Symbol('kore-ws connection')
type Attached = Duplex & { [connectionOf]: Connection<unknown> }

/** Who holds back reading. */
const HOLD = { user: 1, iterator: 2, inflating: 4, pending: 8, slow: 16, memory: 32, gate: 64, turn: 128 } as const
/** Those that end by themselves. */
const PASSING_HOLDS = HOLD.inflating | HOLD.pending | HOLD.slow | HOLD.gate | HOLD.turn
/** Those that nobody has to end: once closing, what still comes is thrown away instead, for the peer's answer is behind it. */
const LASTING_HOLDS = HOLD.user | HOLD.memory

/**
 * States beside the endpoint's. `muted`: messages are discarded until the peer's close frame. `awaitingArena`: the arena is
 * not proved yet. `pulled`: messages wait for a loop. `ended`: the peer has ended its side, and input before it is held.
 */
const IS = { reading: 1, muted: 2, awaitingArena: 4, pulled: 8, ended: 16 } as const

/** Limits that a Violation tells of. */
const LIMIT_OF: { readonly [Code in Violation['code']]?: keyof Limits } = {
  'message-too-big': 'messageBytes',
  'too-much-retained': 'retainedBytes',
}

/** A read of fewer bytes causes too little work to wait for a turn, and may be all that a quiet peer says. */
const WAITS_FROM = 4 * 1024

/** Milliseconds that a client waits for the server to end TCP, once both close frames are out; then it ends it itself. */
const END_TIME = 2000
const NO_BYTES = new Uint8Array(0)

/** Also the sink of its endpoint, the owner of its outbox and deadline, and what its iterator holds back. */
export class Connection<Data = unknown> {
  /** Whatever `accept` returned as `data`, or what you put here. */
  data: Data
  /** The subprotocol agreed on; empty for none. */
  readonly protocol: string
  /** The extensions agreed on, as the handshake's header names them; empty for none. */
  readonly extensions: string
  /** The server's answer to the handshake, cookies and all; undefined on servers. */
  readonly response: HandshakeResponse | undefined

  readonly #transport: Duplex
  /** What it shares with the other connections of its server: one field for all. */
  readonly #terms: ConnectionTerms<Connection<Data>>
  readonly #endpoint: Endpoint
  readonly #outbox: Outbox
  /** Of the handshake: others cause callbacks too, by shared timers and queues. */
  readonly #context: AsyncResource = captureContext()
  /** Made when something has to happen in time: an idle connection without a limit has none. */
  #deadline: Deadline | undefined
  /** On the coarse clock. */
  #activeAt = 0
  /** Turns of the heartbeat without a byte from the peer. */
  #silence = 0
  /** Bits of IS, in one field: an idle connection has 8 bytes for each. */
  #is = 0
  #holds = 0
  /** Messages whose callback has not settled. */
  #pending: PendingMessages | undefined
  /** Made when one of its counts is needed. */
  #counts: ConnectionCounts | undefined
  #extras: ConnectionExtras | undefined
  /** Why the transport was destroyed from our side, or what error it had. */
  #lost = ''
  /** Bytes that the server's budget was told of; -1 where it is told no more. */
  #held = 0
  readonly #remoteAddress: string | undefined
  #iterator: MessageIterator | MessageStreams | undefined

  constructor(setup: ConnectionSetup<Connection<Data>, Data>) {
    const { terms } = setup
    this.#terms = terms
    this.#transport = setup.transport
    this.#remoteAddress = setup.remoteAddress
    this.#outbox = new Outbox(setup.transport, this)
    this.#endpoint = new Endpoint(this, this.#outbox, {
      role: terms.role,
      maxMessageBytes: terms.limits.messageBytes,
      maxRetainedBytes: terms.limits.retainedBytes,
      compression: setup.compression,
    })
    this.protocol = setup.protocol
    this.extensions = setup.extensions ?? ''
    this.response = setup.response
    this.data = setup.data
    if (setup.pulled === true) {
      this.#is = IS.pulled
      this.#iterator = new MessageIterator(this, true)
    }
    if (setup.greeting !== undefined) this.#outbox.append(Buffer.from(setup.greeting, 'latin1'))
  }

  /** 'open': messages go both ways; 'closing': our close frame is out; 'closed': over. */
  get readyState(): 'open' | 'closing' | 'closed' {
    if (this.#lost !== '') return 'closed'
    const state = this.#endpoint.state
    return state === EndpointState.open ? 'open' : state === EndpointState.closeSent ? 'closing' : 'closed'
  }

  /** How it ended; undefined before. */
  get closeInfo(): CloseInfo | undefined {
    return this.#extras?.closeInfo
  }

  /** Resolves with how it ended, when it has; never rejects. */
  get closed(): Promise<CloseInfo> {
    const extras = this.#extra
    extras.closed ??= new Promise(resolve => {
      if (this.#endpoint.state === EndpointState.closed && extras.closeInfo !== undefined) resolve(extras.closeInfo)
      else extras.resolveClosed = resolve
    })
    return extras.closed
  }

  /** Bytes, framing included, that `send` has accepted and the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#outbox.queued
  }

  /** Messages that a policy of `slowReceivers` has skipped. */
  get droppedMessages(): number {
    return this.#counts?.dropped ?? 0
  }

  /** @internal Bytes of memory that are kept for what the peer has sent. */
  get retainedBytes(): number {
    return this.#endpoint.retained
  }

  /** The peer's IP address, where the transport has one; of a server's client, as its `trustProxy` says. */
  get remoteAddress(): string | undefined {
    if (this.#remoteAddress !== undefined) return this.#remoteAddress
    return this.#transport instanceof Socket ? this.#transport.remoteAddress : undefined
  }

  /** @internal The address that it was admitted with; the transport no longer has one when it is gone. */
  get admittedAddress(): string | undefined {
    return this.#remoteAddress
  }

  /** Milliseconds that the last ping of the heartbeat took to be answered; undefined before the first answer. */
  get roundTripTime(): number | undefined {
    return this.#counts?.roundTripTime
  }

  /** Milliseconds without a byte in or out after which the connection is closed with 1001; Infinity for never. */
  get idleTime(): number {
    return this.#extras?.idleTime ?? this.#terms.limits.idleTime
  }

  set idleTime(milliseconds: number) {
    const time = checkAmount('idleTime', milliseconds, 'milliseconds')
    this.#extra.idleTime = time
    if (this.#endpoint.state === EndpointState.open) this.#watchIdle()
  }

  /**
   * Sends a message. It leaves in one write with all else that is sent in the same read or tick.
   *
   * Over `limits.queuedBytes` the connection is dropped, and its `close` callback says `slow-consumer`, unless
   * `slowReceivers` says otherwise. A Buffer of 64 KiB or more is not copied: leave it alone until it is sent.
   *
   * @returns true: go on; false: 64 KiB or more are queued, wait for `drain` or `drained()`; or the
   *   connection is no longer open, and nothing was sent; or a policy of `slowReceivers` skipped it
   * @throws MisuseError `invalid-argument` for data of another type, bytes sent as text that are not UTF-8, or options that
   *   are none
   */
  send(data: Payload, options?: SendOptions): boolean {
    if (options !== undefined) checkSendOptions(options)
    const payload = checkPayload(data)
    const binary = options?.binary ?? typeof payload !== 'string'
    return this.#send(binary ? Opcode.binary : Opcode.text, payload, false, options?.compress)
  }

  /** @internal As `send`, but the memory of `payload` is the caller's again right after. */
  sendLent(opcode: DataOpcode, payload: string | Uint8Array): boolean {
    return this.#send(opcode, payload, true, undefined)
  }

  /** @internal Sends what others send as well, by reference: unmasked, as a server's frames are; false if not open. */
  sendShared(message: SharedMessage, compress: boolean | undefined): boolean {
    if (this.readyState !== 'open') return false
    const { opcode } = message
    const isMessage = opcode === Opcode.text || opcode === Opcode.binary
    const compressor = isMessage ? this.#endpoint.compressorFor(message.payload, compress) : undefined
    if (isMessage && compressor?.contextTakeover === true) {
      // A context makes the bytes this connection's own.
      return this.#sendOwn(opcode, message.payload, false, true, this.#terms.slowReceivers?.broadcast) !== undefined
    }
    const frame = message.frameFor(compressor)
    const { bytes, start, end } = frame
    const outbox = this.#outbox
    const policy = isMessage ? this.#terms.slowReceivers?.broadcast : undefined
    if (policy !== undefined) {
      const write = (): void => this.#endpoint.whenSent(end - start, () => outbox.appendRange(bytes, start, end))
      const sent = this.#sendUnder(policy, end - start, true, write) !== undefined
      if (sent) this.#terms.diagnostics?.sharedSent(message.payload.length, frame)
      return sent
    }
    if (isMessage) this.#terms.diagnostics?.sharedSent(message.payload.length, frame)
    const before = outbox.accepted
    if (this.#endpoint.sendsLater) this.#endpoint.whenSent(end - start, () => outbox.appendRange(bytes, start, end))
    else outbox.appendRange(bytes, start, end)
    this.#settle(before)
    return true
  }

  /**
   * Sends a ping (RFC 6455, section 5.5.2), and measures how long the pong takes.
   *
   * @param payload at most 125 bytes; default one of its own, that no other ping has
   * @returns resolves with the milliseconds until the pong, or the pong of a later ping. Rejects with a
   *   ConnectionClosedError where the connection is closing, over, or ends first; that may be left alone
   * @throws MisuseError `invalid-argument` for a longer payload or one of another type, `invalid-state` where 128 pings
   *   wait for their pongs already
   */
  ping(payload?: Payload): Promise<number> {
    // A copy: it is compared with what comes back.
    const bytes = payload === undefined ? uniquePayload() : Buffer.from(checkBytes(payload, 'payload'))
    const pings = (this.#extra.pings ??= new OutstandingPings())
    pings.checkRoom()
    const answered = this.sendPing(bytes) ? pings.add(bytes) : Promise.reject<number>(this.#closedError())
    // Whoever only wants the ping to be sent need not look at it.
    answered.catch(ignore)
    return answered
  }

  /** @internal Only sends one; false where the connection is no longer open. */
  sendPing(payload: Uint8Array): boolean {
    const before = this.#outbox.accepted
    const sent = this.#endpoint.ping(payload)
    if (sent) this.#settle(before, this.#controlLimit)
    return sent
  }

  /**
   * Sends a pong that no ping asked for (section 5.5.3); pings are answered without it.
   *
   * @param payload at most 125 bytes; default none
   * @returns false where the connection is no longer open
   * @throws MisuseError `invalid-argument` for a longer payload or one of another type
   */
  pong(payload: Payload = ''): boolean {
    const before = this.#outbox.accepted
    const sent = this.#endpoint.pong(checkBytes(payload, 'payload'))
    if (sent) this.#settle(before, this.#controlLimit)
    return sent
  }

  /**
   * Starts the closing handshake; what was sent before still goes out. Without effect once it has begun. Messages that
   * come until the peer's close frame are handed over, to a loop as long as it asks for them, and at most for
   * `limits.closingTime`. Where the connection is paused, or more waits for a loop than is kept for it, they are thrown
   * away, for the peer's answer comes behind them.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; without it the close frame is empty
   * @param reason at most 123 bytes of UTF-8
   * @throws MisuseError `invalid-argument` for other codes and reasons
   */
  close(code?: number, reason?: string): void {
    const begins = this.readyState === 'open'
    this.#endpoint.close(code, reason)
    if (!begins) return
    this.#outbox.rejectWaiters(() => new ConnectionClosedError())
    this.#setDeadline(this.#closingTime)
    this.#outbox.queueFlush()
    if (this.#wouldLast(this.#holds)) this.#mute()
  }

  /** @internal As `close`, with another time to wait for the peer's close frame, in milliseconds. */
  closeWithin(time: number, code: number): void {
    this.#extra.closingTime = time
    this.close(code)
    // A closing handshake that had begun before is cut short as well.
    this.#setDeadline(time)
  }

  /** @internal Fails the connection (RFC 6455, section 7.1.7): no message is taken any more. */
  fail(code: number, reason: string): void {
    if (this.closeInfo === undefined) this.#extra.failed = true
    this.#endpoint.fail(code, reason)
  }

  /** As `fail`, behind the call of a user's in which it is found: no callback is called inside of it. */
  #failLater(code: number, reason: string): void {
    process.nextTick(() => {
      this.fail(code, reason)
      this.#outbox.queueFlush()
    })
  }

  /** Drops the connection at once, with whatever is still queued. `close` gets 1006 and `reason`. */
  terminate(reason = 'terminated'): void {
    if (this.#lost === '') {
      this.#lost = reason
      this.#extra.closeInfo ??= { code: CloseCode.abnormal, reason, clean: false }
    }
    // Nothing that has been read already is handed over either.
    this.#endpoint.pause()
    this.#transport.destroy()
  }

  /** The socket keeps the process alive again, as it does at first. Without effect on streams that are no sockets. */
  ref(): this {
    const { ref } = this.#transport as Partial<Socket>
    ref?.call(this.#transport)
    return this
  }

  /** The process may end though the connection is open, or waits for its peer's close frame. As Node's sockets. */
  unref(): this {
    const { unref } = this.#transport as Partial<Socket>
    unref?.call(this.#transport)
    return this
  }

  /** `await using`: closes with 1000, and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close(CloseCode.normal)
    await this.closed
  }

  /** @internal */
  [INSPECT](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { readyState, closeInfo, remoteAddress, protocol, extensions, bufferedAmount, data } = this
    const ended = closeInfo && { closeInfo }
    return showAs('Connection', { readyState, ...ended, remoteAddress, protocol, extensions, bufferedAmount, data }, depth, options, inspect)
  }

  /** No message is handed over after the one at hand until `resume`, and the peer is slowed down. */
  pause(): void {
    this.#hold(HOLD.user)
  }

  resume(): void {
    this.#release(HOLD.user)
  }

  /**
   * Resolves once the system takes more.
   *
   * @throws ConnectionClosedError (rejects) where the connection is closing or over, or begins to close first
   */
  drained(): Promise<void> {
    return this.readyState === 'open' ? this.#outbox.drained() : Promise.reject(this.#closedError())
  }

  /**
   * Takes part in a topic: gets what `publish` sends to it. One topic more than `limits.topics` closes the connection with
   * 1008. Without effect once the connection is no longer open.
   *
   * @param topic a name of at most 255 characters
   * @throws MisuseError `invalid-argument` for another name, `invalid-state` on a client
   */
  subscribe(topic: string): void {
    const { limits, diagnostics } = this.#terms
    const hub = this.#hub
    checkTopic(topic)
    if (this.readyState !== 'open') return
    const count = hub.subscribe(this, topic)
    if (count > limits.topics) {
      hub.unsubscribe(this, topic)
      diagnostics?.limitReached('topics', this)
      this.#failLater(CloseCode.policyViolation, 'more topics than the limit')
      return
    }
    this.#extra.topicBytes = hub.topicBytes(this)
    this.#noteHeld()
  }

  /** @throws MisuseError as `subscribe` */
  unsubscribe(topic: string): void {
    const hub = this.#hub
    hub.unsubscribe(this, topic)
    this.#extra.topicBytes = hub.topicBytes(this)
  }

  /** Whether it takes part in the topic. @throws MisuseError as `subscribe` */
  isSubscribed(topic: string): boolean {
    return this.#hub.isSubscribed(this, topic)
  }

  /**
   * Sends to everybody who takes part in the topic, but not to this connection.
   *
   * @returns to how many of this process
   * @throws MisuseError as `subscribe`, and as `send`; `invalid-state` for `scope: 'global'` without a bus
   */
  publish(topic: string, data: Payload, options: PublishOptions = {}): number {
    checkPublishOptions(options)
    return this.#hub.publish(topic, data, options, this)
  }

  /** @throws MisuseError `invalid-state` where there are no topics */
  get #hub(): TopicHub<Connection<Data>> {
    const { hub } = this.#terms
    if (hub !== undefined) return hub
    throw new MisuseError('invalid-state', 'topics are kept by a WebSocketServer: this connection has none, send to its server instead')
  }

  /**
   * The messages from here on, in place of the `message` callback. While none is asked for, the peer is slowed down.
   * Where there is no `message` callback, messages wait for the first loop, and between one that was left and the next.
   *
   * Ends with the connection where the closing handshake was complete, with 1000, 1001, 1005 or 3000 to 4999.
   *
   * @throws ConnectionClosedError (rejects) where the connection ended in any other way
   */
  [Symbol.asyncIterator](): MessageIterator {
    const known = this.#iterator
    if (known instanceof MessageIterator) return known
    if (known !== undefined) throw new MisuseError('invalid-state', 'the messages are being read as streams: leave that loop first')
    const iterator = new MessageIterator(this)
    this.#iterator = iterator
    this.#endLoop(iterator)
    return iterator
  }

  /**
   * As `for await` over the connection; with `stream: true` each message comes while it is still on its way, as an async
   * iterable of its pieces, of which no more is kept than one read. A compressed message comes as one piece, and so do
   * those that had begun before. `limits.messageBytes` still holds for the message.
   *
   * @throws MisuseError `invalid-state` where the messages are being read the other way
   */
  messages(options?: { readonly stream?: false | undefined }): MessageIterator
  messages(options: { readonly stream: true }): MessageStreams
  messages(options: { readonly stream?: boolean | undefined } = {}): MessageIterator | MessageStreams {
    if (options.stream !== true) return this[Symbol.asyncIterator]()
    const known = this.#iterator
    if (known instanceof MessageStreams) return known
    const waiting = known?.handOver()
    if (known !== undefined && waiting === undefined) {
      throw new MisuseError('invalid-state', 'the messages are being read whole: leave that loop first')
    }
    const streams = new MessageStreams(this, waiting)
    this.#iterator = streams
    this.#endpoint.streaming = true
    this.#endLoop(streams)
    return streams
  }

  /**
   * Sends one message, piece by piece as `source` gives them, each as a fragment, at the pace of the peer. Other messages
   * wait until it is complete; pings and pongs don't. It is not compressed.
   *
   * @param source an iterable or async iterable, such as a readable stream, of strings or bytes. Large pieces are not
   *   copied: leave them alone
   * @param options `binary`: default as the first piece is, a string for text
   * @returns resolves when the last piece is accepted. Rejects with an Error of code `connection-closed` where the
   *   connection ends first; with what `source` threw, and with a MisuseError `invalid-argument` for a piece of another
   *   type or text that is not UTF-8, which close the connection with 1011: half a message can't be taken back.
   *   Wherever it rejects, the source is told to end: `return` of its iterator, or `destroy` of a stream
   */
  sendStream(source: PieceSource, options: { readonly binary?: boolean | undefined } = {}): Promise<void> {
    return sendStream(this, source, options.binary)
  }

  /** @internal */
  beginParts(): Promise<void> {
    if (this.readyState !== 'open') return Promise.reject(this.#closedError())
    return new Promise((resolve, reject) => {
      const ended = this.#whenEnded(reject)
      this.#endpoint.whenSent(0, () => {
        ended.delete(reject)
        this.#endpoint.beginParts()
        resolve()
      })
    })
  }

  /** @internal */
  whileOpen(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const ended = this.#whenEnded(reject)
      const settle = (): void => void ended.delete(reject)
      work.then(resolve, reject).finally(settle)
    })
  }

  /** Calls `reject` when the connection is over, unless it is deleted from the set before. */
  #whenEnded(reject: (error: Error) => void): Set<(error: Error) => void> {
    const endListeners = (this.#extra.endListeners ??= new Set())
    if (this.closeInfo === undefined) endListeners.add(reject)
    else reject(this.#closedError())
    return endListeners
  }

  /** @internal */
  sendPart(opcode: Opcode, data: Uint8Array, last: boolean): boolean {
    const before = this.#outbox.accepted
    const taken = this.#transport.writableLength === 0
    if (this.#lost !== '' || !this.#endpoint.sendPart(opcode, data, last)) throw this.#closedError()
    if (taken || last) this.#closeLater()
    if (last && this.#terms.diagnostics !== undefined) this.#terms.diagnostics.messagesSent++
    this.#settle(before, this.#controlLimit)
    return this.#outbox.keepsUp
  }

  /** @internal */
  partTaken(): Promise<void> {
    return this.#outbox.taken()
  }

  /** @internal */
  giveUp(): void {
    if (this.readyState === 'closed') return
    this.fail(CloseCode.internalError, '')
    this.#outbox.queueFlush()
  }

  /** @internal Calls `open` and starts to read. */
  start(early: Buffer | undefined): void {
    const transport = this.#transport
    ;(transport as Attached)[connectionOf] = this
    transport.on('error', Connection.onError)
    transport.on('close', Connection.onClose)
    transport.on('drain', Connection.onDrain)
    if (this.#terms.limits.lifetime !== Infinity) this.#extra.startedAt = coarseNow()
    this.#watchIdle()
    this.#terms.heartbeat?.add(this)
    if (this.#endpoint.hasContexts) watchContexts(this)
    this.#outbox.queueFlush()
    this.#terms.diagnostics?.connectionOpened(this)
    this.#guard('open', this.#terms.handlers.open)
    const read = (): void => process.nextTick(Connection.readFrom, this, early)
    // A client's caller gets its connection by a promise: the reactions to that come in front of the first message.
    if (this.#terms.role === 'client') queueMicrotask(read)
    else read()
  }

  /** @internal */
  onMessage(opcode: DataOpcode, bytes: Buffer, start: number, end: number, ascii: boolean, lent: boolean): void {
    if (this.#terms.diagnostics !== undefined) this.#terms.diagnostics.messagesReceived++
    if ((this.#is & IS.muted) !== 0) return
    const handlers = this.#terms.handlers
    try {
      if (handlers.rawMessage !== undefined) {
        const result = handlers.rawMessage(this, opcode, bytes, start, end)
        if (result !== undefined) this.#followMessage(result, end - start)
      } else if (this.#iterator instanceof MessageIterator) {
        const message = this.#decoded(bytes, end - start) ?? toMessage(opcode, bytes, start, end, ascii, !lent && !isArena(bytes))
        this.#iterator.push(message, memoryOf(message, ascii))
      } else if (this.#iterator !== undefined) {
        this.#iterator.push(opcode, bytes, start, end)
        this.#iterator.endMessage(opcode)
      } else if (handlers.message !== undefined) {
        const message = this.#decoded(bytes, end - start) ?? toMessage(opcode, bytes, start, end, ascii, !lent && !isArena(bytes))
        const result = handlers.message(this, message)
        if (result !== undefined) this.#followMessage(result, memoryOf(message, ascii))
      }
    } catch (error) {
      // Of the message, not of a callback.
      if (error instanceof Violation) throw error
      this.#callbackFailed(error, 'message')
    }
    if (this.#terms.gate?.closed === true) this.#waitAtGate()
    if (isTimeUp(end - start)) this.#waitForTurn()
  }

  /** The text that was decoded in parts. */
  #decoded(bytes: Buffer, size: number): string | undefined {
    if (size < LARGE_TEXT || this.#extras?.decoding === undefined) return undefined
    const { bytes: of, text, isWhole } = this.#extras.decoding
    this.#extras.decoding = undefined
    if (of !== bytes || !isWhole) return undefined
    countMessageMemory(size)
    return text
  }

  /** @internal */
  onMessagePiece(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void {
    const reader = this.#readerOfMessage()
    if (reader !== 'nobody' && (this.#is & IS.muted) === 0) reader.push(opcode, bytes, start, end)
  }

  /** @internal */
  onMessageEnd(opcode: DataOpcode): void {
    if (this.#terms.diagnostics !== undefined) this.#terms.diagnostics.messagesReceived++
    const reader = this.#readerOfMessage()
    if (reader !== 'nobody' && (this.#is & IS.muted) === 0) reader.endMessage(opcode)
    this.#extra.reader = undefined
    if (this.#terms.gate?.closed === true) this.#waitAtGate()
    if (isTimeUp(0)) this.#waitForTurn()
  }

  #readerOfMessage(): MessageStreams | 'nobody' {
    const extras = this.#extra
    extras.reader ??= this.#iterator instanceof MessageStreams ? this.#iterator : 'nobody'
    return extras.reader
  }

  /** @internal */
  onBusy(busy: boolean): void {
    if (busy) {
      this.#watch()
      this.#holds |= HOLD.inflating
      if ((this.#is & IS.reading) === 0) this.#transport.pause()
    } else {
      this.#holds &= ~HOLD.inflating
      if (this.#holds === 0) this.#unwatch()
      this.#noteHeld()
      if (isTurnOver()) this.#waitForTurn()
      else this.#goOn()
    }
  }

  /** @internal */
  onRetained(): void {
    this.#noteHeld()
  }

  /** @internal A large message is complete: it waits where the time for reading is over, and so does the rest of a text. */
  isReady(opcode: DataOpcode, bytes: Buffer, ascii: boolean): boolean {
    if (this.#extras?.decoding?.bytes === bytes) return this.#isDecoded(this.#extras.decoding)
    if (isTurnOver()) {
      this.#waitForTurn()
      return false
    }
    if (opcode !== Opcode.text || ascii || bytes.length < LARGE_TEXT || !this.#takesText) return true
    if (!isWorkBefore(this)) return this.#isDecoded((this.#extra.decoding = new LargeText(bytes)))
    this.#waitToWork(false)
    return false
  }

  /** Goes on decoding a large text. */
  #isDecoded(decoding: LargeText): boolean {
    while (!decoding.isWhole && !isTimeUp(decoding.decodePiece()));
    this.#noteHeld()
    if (!decoding.isWhole) this.#waitToWork(true)
    return decoding.isWhole
  }

  #waitToWork(begun: boolean): void {
    if ((this.#holds & HOLD.turn) !== 0) return
    this.#hold(HOLD.turn)
    if ((this.#holds & HOLD.turn) !== 0) waitToWork(this, begun)
  }

  /** Whether messages are handed over as strings and Buffers. */
  get #takesText(): boolean {
    if ((this.#is & IS.muted) !== 0 || this.#terms.handlers.rawMessage !== undefined) return false
    return this.#iterator === undefined ? this.#terms.handlers.message !== undefined : this.#iterator instanceof MessageIterator
  }

  /** @internal */
  onOutput(): void {
    this.#closeLater()
    this.#outbox.queueFlush()
  }

  /** @internal */
  onPing(): void {
    this.#countControlFrame()
  }

  /** @internal */
  onPong(bytes: Buffer, start: number, end: number): void {
    const time = this.#terms.heartbeat?.roundTrip(bytes, start, end)
    if (time !== undefined) this.#count.roundTripTime = time
    this.#extras?.pings?.answered(bytes, start, end)
    this.#countControlFrame()
    const { pong } = this.#terms.handlers
    if (pong !== undefined) this.#guard('pong', pong, Buffer.from(bytes.subarray(start, end)))
  }

  get #extra(): ConnectionExtras {
    this.#extras ??= new ConnectionExtras()
    return this.#extras
  }

  /** Milliseconds, from the last time that the peer took something. */
  get #closingTime(): number {
    const time = this.#extras?.closingTime ?? this.#terms.limits.closingTime
    return this.#awaitsEnd ? Math.min(time, END_TIME) : time
  }

  /** When its lifetime is over, on the coarse clock: that may be behind by a turn, and nothing ends early. */
  get #endsAt(): number {
    return (this.#extras?.startedAt ?? 0) + RESOLUTION + this.#terms.limits.lifetime
  }

  get #idleAt(): number {
    return this.#activeAt + RESOLUTION + this.idleTime
  }

  /** Whether a client has had the server's close frame, and waits for the end of TCP. */
  get #awaitsEnd(): boolean {
    return this.#terms.role === 'client' && this.closeInfo !== undefined && this.#outbox.queued === 0
  }

  get #count(): ConnectionCounts {
    this.#counts ??= new ConnectionCounts()
    return this.#counts
  }

  #countControlFrame(): void {
    if (this.#count.countControlFrame(this.#terms.limits.controlFrames)) return
    this.#terms.diagnostics?.limitReached('controlFrames', this)
    this.fail(CloseCode.policyViolation, 'more pings and pongs a second than the limit')
  }

  /** @internal */
  countSilence(pingAt: number): number {
    if (this.#held > 0 || this.#holds !== 0) this.recount()
    const queued = this.#transport.writableLength
    // A connection that does not read can't hear.
    if (this.#holds !== 0 || queued < (this.#counts?.queuedBefore ?? 0)) this.#silence = 0
    else this.#silence++
    if (queued > 0 || this.#counts !== undefined) this.#count.queuedBefore = queued
    this.#pingWhereHeld(pingAt, queued)
    return this.#silence
  }

  /**
   * Pings a peer whose input is held back. The end of the connection lies behind that input. If the peer is gone, its
   * system answers the ping with a reset, the next write fails, and the input is dropped.
   */
  #pingWhereHeld(pingAt: number, queued: number): void {
    if (this.#holds === 0) {
      // Between two reads it is not held back either.
      if (this.#counts !== undefined && this.#silence > 1) this.#counts.heldTurns = 0
      return
    }
    const turns = ++this.#count.heldTurns
    const due = turns < pingAt ? turns > 1 && (turns & (turns - 1)) === 0 : turns % pingAt === 0
    if (due && queued === 0) this.sendPing(NO_BYTES)
  }

  /** @internal */
  beat(payload: Buffer): void {
    this.sendPing(payload)
  }

  /** @internal */
  onClose(code: number, reason: string, cause: unknown): void {
    this.#context.runInAsyncScope(this.#over, this, code, reason, cause)
  }

  #over(code: number, reason: string, cause: unknown): void {
    // The endpoint knows only that its transport is gone; why is known here.
    const why = code === CloseCode.abnormal ? this.#lost : reason
    const extras = this.#extra
    if (cause !== undefined) extras.failed = true
    extras.closeInfo = { code, reason: why, clean: code !== CloseCode.abnormal && !extras.failed }
    extras.decoding = undefined
    this.#terms.heartbeat?.delete(this)
    forgetContexts(this)
    if (this.#iterator !== undefined) this.#endLoop(this.#iterator)
    for (const reject of extras.endListeners ?? []) reject(this.#closedError())
    extras.pings?.end(this.#closedError())
    extras.resolveClosed?.(extras.closeInfo)
    const limit = cause instanceof Violation ? LIMIT_OF[cause.code] : undefined
    if (limit !== undefined) this.#terms.diagnostics?.limitReached(limit, this)
    this.#terms.diagnostics?.connectionClosed(this, code, why)
    if (cause !== undefined) this.#failed(cause)
    // Before its end is told, a server takes it out of its topics.
    this.#extra.topicBytes = 0
    extras.told = true
    this.#guard('close', this.#terms.handlers.close, code, why)
    this.#outbox.end(() => this.#closedError())
    if (!this.#transport.destroyed) this.#endTransport()
  }

  /** @internal */
  onDeadline(): void {
    this.#context.runInAsyncScope(this.#timeUp, this)
  }

  #timeUp(): void {
    if (this.#endpoint.state !== EndpointState.open) {
      // A server that leaves the end to its client is no fault of anybody (RFC 6455, section 7.1.1).
      if (!this.#awaitsEnd) this.#terms.diagnostics?.limitReached('closingTime', this)
      this.terminate('close-timeout')
      return
    }
    const now = coarseNow()
    const endsAt = this.#endsAt
    const idleAt = this.#idleAt
    if (now >= endsAt) {
      this.#terms.diagnostics?.limitReached('lifetime', this)
      this.close(CloseCode.goingAway, 'lifetime')
    } else if (now >= idleAt) {
      this.#terms.diagnostics?.limitReached('idleTime', this)
      this.fail(CloseCode.goingAway, 'idle')
    } else {
      this.#setDeadlineAt(Math.min(endsAt, idleAt))
    }
  }

  /**
   * @internal Calls a callback of the user's, in the connection's async context; what it throws, or its promise rejects
   * with, is dealt with.
   *
   * @param name of the callback, for the error report
   */
  runCallback(name: string, callback: () => unknown): void {
    this.#context.runInAsyncScope(() => {
      try {
        const result = callback()
        if (result !== undefined) this.#follow(name, result)
      } catch (error) {
        this.#callbackFailed(error, name)
      }
    })
  }

  /** @internal When bytes came or went last, on the coarse clock. */
  get activeAt(): number {
    return this.#activeAt
  }

  /** @internal */
  releaseContexts(): void {
    this.#endpoint.releaseContexts()
  }

  /** @internal For the iterator. */
  hold(): void {
    this.#hold(HOLD.iterator)
  }

  /** @internal */
  release(): void {
    this.#release(HOLD.iterator)
    this.#noteHeld()
  }

  /** @internal */
  resized(): void {
    this.#noteHeld()
  }

  #closedError(): ConnectionClosedError {
    return new ConnectionClosedError(this.closeInfo)
  }

  /** Ends a loop where the connection has ended, as that has. */
  #endLoop(loop: MessageIterator | MessageStreams): void {
    const info = this.closeInfo
    if (info !== undefined) loop.end(isRegularEnd(info) ? undefined : this.#closedError())
  }

  /** @internal */
  left(): void {
    if (this.readyState === 'closing' && this.#wouldLast(this.#holds)) this.#mute()
  }

  /** @internal */
  detach(iterator: object): void {
    // Two loops that share an iterator leave it one after the other: a third may have begun between.
    if (this.#iterator !== iterator) return
    this.#iterator = undefined
    this.#endpoint.streaming = false
    this.release()
    if ((this.#is & IS.pulled) !== 0) this.#waitForLoop(iterator instanceof MessageStreams ? iterator.takeWhole() : [])
  }

  /** Messages wait again, and these are the first. */
  #waitForLoop(messages: readonly Waiting[]): void {
    const iterator = new MessageIterator(this, true)
    this.#iterator = iterator
    for (const { message, size } of messages) iterator.push(message, size)
    this.#endLoop(iterator)
    void iterator.return()
  }

  /** @internal */
  onFlush(size: number): void {
    this.#activeAt = coarseNow()
    if (this.#terms.diagnostics !== undefined) this.#terms.diagnostics.bytesSent += size
  }

  /** @internal */
  onQueueChanged(): void {
    this.#noteHeld()
  }

  /** @internal */
  get connection(): this {
    return this
  }

  /** @internal Tells the server's budget of memory what is held, where that has changed. */
  recount(): void {
    const { memory } = this.#terms
    const before = this.#held
    const held = this.#holding
    if (memory === undefined || before < 0 || held === before) return
    if (held > 0 && Math.abs(held - before) < GRANULARITY) return
    this.#held = held
    memory.report(this, before, held)
  }

  /** Bytes that are free again when the connection is dropped. */
  get #holding(): number {
    // What is not read may wait in a stream that reads ahead, such as TLS.
    const read = this.#endpoint.retained + (this.#holds === 0 ? 0 : this.#transport.readableLength)
    const contexts = this.#endpoint.hasContexts ? this.#endpoint.contextBytes : 0
    return read + contexts + this.#outbox.held + (this.#extras?.topicBytes ?? 0) + (this.#extras?.decoding?.memory ?? 0)
  }

  /**
   * As `recount`; but that less is held can wait for the next turn of the heartbeat, or until the budget asks: the bytes of
   * a message under way go up and down with every read.
   */
  #noteHeld(): void {
    if (this.#iterator !== undefined || this.#extras?.waiting !== undefined) this.#noteWaiting()
    const held = this.#holding
    if (held > this.#held || (held < this.#held && this.#terms.memory?.isTight === true)) this.recount()
  }

  /** Messages that wait for a loop are the application's: they are counted behind the end too, until they are taken. */
  #noteWaiting(): void {
    const extras = this.#extra
    extras.waiting ??= new KeptAccount(this.#terms.memory)
    extras.waiting.bytes = this.#iterator?.size ?? 0
  }

  /** @internal The server holds too much. */
  stopReading(): void {
    if (this.readyState === 'open') this.#hold(HOLD.memory)
    if (!this.#endpoint.hasContexts) return
    // A context may be given up at any time: the next message begins another. That may be all that it holds.
    this.#endpoint.releaseContexts()
    this.recount()
  }

  /** @internal */
  resumeReading(): void {
    this.#release(HOLD.memory)
  }

  /** @internal As `stopReading`, and it is not enough. Behind what is queued no close frame would get through in time. */
  dropHeld(): void {
    this.#held = -1
    if (this.readyState === 'open' && this.#outbox.queued === 0) this.#failLater(CloseCode.tryAgainLater, 'memory')
    else this.terminate('memory')
  }

  #waitAtGate(): void {
    if ((this.#holds & HOLD.gate) !== 0) return
    this.#hold(HOLD.gate)
    if ((this.#holds & HOLD.gate) !== 0) this.#terms.gate?.wait(this)
  }

  /** @internal */
  passGate(): void {
    this.#release(HOLD.gate)
  }

  /** @internal A peer that takes what is queued for it is there: it is not cut, but for a time that all have to end in. */
  onProgress(): void {
    this.#silence = 0
    const fixed = this.#extras?.closingTime !== undefined
    if (this.#endpoint.state !== EndpointState.open && !fixed && this.#deadline !== undefined && this.#deadline.due !== 0) {
      this.#setDeadline(this.#closingTime)
    }
  }

  /** @internal */
  onUnblocked(): void {
    this.#activeAt = coarseNow()
    this.#endpoint.outputUnblocked()
  }

  /** @internal */
  onDrain(): void {
    if (this.readyState === 'open') this.#guard('drain', this.#terms.handlers.drain)
  }

  #startReading(early: Buffer | undefined): void {
    if (early !== undefined && early.length > 0) this.#receive(early, early.length)
    const transport = this.#transport
    if (transport.destroyed) return
    transport.on('data', Connection.onData)
    this.#enterArena()
    transport.on('end', Connection.onEnd)
    if (this.#holds === 0) transport.resume()
    else transport.pause()
  }

  /** Reads without allocating from here on, where that is possible; else through `data` events. */
  #enterArena(): void {
    const transport = this.#transport
    const answer = isSystemSocket(transport) ? readIntoArena(transport, Connection.onArena) : 'no'
    this.#is = answer === 'later' ? this.#is | IS.awaitingArena : this.#is & ~IS.awaitingArena
    if (answer === 'yes') transport.off('data', Connection.onData)
  }

  /** The peer ended its side; without a closing handshake nothing more can come of it. */
  #ended(): void {
    // Not every stream keeps its end to itself while it is paused. What has come before goes first.
    if ((this.#holds & PASSING_HOLDS) !== 0) {
      this.#is |= IS.ended
      return
    }
    const transport = this.#transport
    this.#outbox.flush()
    // A system's socket that has nothing to send is simply closed: to shut it down first takes 8 % of a handshake (Node 20).
    if (isSystemSocket(transport) && this.#outbox.queued === 0) transport.destroy()
    this.#endpoint.transportEnded()
    if (transport.destroyed) return
    this.#outbox.endTransport()
  }

  #gone(): void {
    this.#deadline?.clear()
    this.#endpoint.transportEnded()
    this.#outbox.discard()
    this.#unwatch()
    this.#terms.memory?.report(this, Math.max(0, this.#held), 0)
    this.#held = -1
    this.#leaveKept()
    this.#terms.handlers.gone(this)
  }

  /** The application's part is counted on, by what holds it: until it is let go, or collected. */
  #leaveKept(): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) clearWith(pending, pending.account)
    const waiting = this.#extras?.waiting
    if (waiting !== undefined && this.#iterator !== undefined) clearWith(this.#iterator, waiting)
  }

  #receive(chunk: Buffer, length: number): void {
    this.#activeAt = coarseNow()
    if (this.#terms.diagnostics !== undefined) this.#terms.diagnostics.bytesReceived += length
    this.#silence = 0
    // What others have published counts as well: this read is kept as it is.
    if (this.#terms.gate?.closed === true) this.#waitAtGate()
    if (length >= GRANULARITY && this.#terms.memory?.isFull === true) this.#refuseInput()
    // Held back, the read is kept as it is.
    if (length >= WAITS_FROM && isTurnOver()) this.#waitForTurn()
    beginReading()
    this.#is |= IS.reading
    this.#outbox.cork()
    this.#endpoint.receive(chunk, 0, length)
    this.#is &= ~IS.reading
    this.#outbox.uncork()
    endReading(length)
    if (this.#holds !== 0) this.#transport.pause()
    // There may be more to read at once: libuv reads up to 32 times before it looks at other sockets.
    else if (length >= WAITS_FROM && isTurnOver()) this.#waitForTurn()
  }

  /** The application keeps as many bytes as all may hold: it might keep more input as well. */
  #refuseInput(): void {
    if (this.readyState !== 'open') return
    this.#terms.diagnostics?.limitReached('memory', this)
    this.fail(CloseCode.tryAgainLater, 'memory')
    this.#outbox.queueFlush()
  }

  #waitForTurn(): void {
    if ((this.#holds & HOLD.turn) !== 0) return
    this.#hold(HOLD.turn)
    if ((this.#holds & HOLD.turn) !== 0) waitForTurn(this)
  }

  /** @internal */
  takeTurn(): void {
    this.#holds &= ~HOLD.turn
    if (this.#holds === 0) this.#unwatch()
    if (this.#lost === '') this.#goOn()
  }

  #send(opcode: DataOpcode, payload: string | Uint8Array, lent: boolean, compress: boolean | undefined): boolean {
    const policy = this.#terms.slowReceivers?.send
    const goOn = this.#sendOwn(opcode, payload, lent, compress, policy)
    if (goOn === undefined && policy !== undefined && this.readyState === 'open') this.#outbox.askToWait()
    return goOn ?? false
  }

  /** Undefined: not sent, by the policy, or because it is no longer open. */
  #sendOwn(
    opcode: DataOpcode,
    payload: string | Uint8Array,
    lent: boolean,
    compress: boolean | undefined,
    policy: Leniency | undefined
  ): boolean | undefined {
    if (this.#lost !== '') return undefined
    if (policy !== undefined) {
      const write = (): void => void this.#endpoint.send(opcode, payload, lent, compress)
      // Later messages refer back to what a context has compressed.
      const droppable = this.#endpoint.compressorFor(payload, compress)?.contextTakeover !== true
      const goOn = this.#sendUnder(policy, frameSize(payload, this.#terms.role === 'client'), droppable, write)
      if (goOn !== undefined && this.#terms.diagnostics !== undefined) this.#terms.diagnostics.messagesSent++
      return goOn
    }
    const before = this.#outbox.accepted
    if (!this.#endpoint.send(opcode, payload, lent, compress)) return undefined
    if (this.#terms.diagnostics !== undefined) this.#terms.diagnostics.messagesSent++
    return this.#settle(before)
  }

  #sendUnder(policy: Leniency, size: number, droppable: boolean, write: () => void): boolean | undefined {
    if (this.#endpoint.state !== EndpointState.open) return undefined
    return sendUnderPolicy(this, this.#outbox, { policy, limit: this.#terms.limits.queuedBytes, size, droppable, write })
  }

  /** No policy skips these: what it leaves of the queue has to have room for them. */
  get #controlLimit(): number {
    const { queuedBytes } = this.#terms.limits
    return this.#terms.slowReceivers === undefined ? queuedBytes : 2 * queuedBytes
  }

  /** @internal */
  messageDropped(policy: Leniency): void {
    this.#count.dropped++
    this.#terms.diagnostics?.messageDropped(policy, this)
  }

  /** @internal */
  dropSlow(): void {
    this.#terms.diagnostics?.limitReached('queuedBytes', this)
    this.terminate('slow-consumer')
  }

  /** @internal */
  holdSlow(): void {
    if ((this.#holds & HOLD.slow) === 0) this.#terms.diagnostics?.limitReached('queuedBytes', this)
    this.#hold(HOLD.slow)
  }

  /** @internal */
  releaseSlow(): void {
    this.#release(HOLD.slow)
  }

  /** Sees to it that what was added to the batch leaves in time, and that the queue keeps to its limit. */
  #settle(before: number, limit = this.#terms.limits.queuedBytes): boolean {
    const outbox = this.#outbox
    const message = outbox.accepted - before
    const goOn = outbox.settle()
    if (goOn && limit >= HIGH_WATER && !outbox.isCrowded) return true
    if (!outbox.fits(0, limit)) outbox.flush()
    if (outbox.fits(0, limit) || (outbox.queued <= message && !outbox.isCrowded)) {
      this.#noteHeld()
      return goOn
    }
    this.dropSlow()
    return false
  }

  #guard<Rest extends unknown[]>(
    name: string,
    callback: ((connection: Connection<Data>, ...rest: Rest) => unknown) | undefined,
    ...rest: Rest
  ): void {
    if (callback !== undefined) this.runCallback(name, () => callback.call(this.#terms.handlers, this, ...rest))
  }

  #follow(name: string, result: unknown): void {
    if (!isThenable(result)) return
    Promise.resolve(result).then(undefined, error => this.#callbackFailed(error, name))
  }

  /**
   * As `#follow`; while too many of these promises are pending, or for messages of too many bytes, nothing is read.
   *
   * @param size bytes of memory that the message takes
   */
  #followMessage(result: unknown, size: number): void {
    if (!isThenable(result)) return
    const { pendingMessages, retainedBytes } = this.#terms.limits
    const pending = (this.#pending ??= { count: 0, bytes: 0, account: new KeptAccount(this.#terms.memory) })
    const settle = (change: 1 | -1): void => {
      pending.count += change
      pending.bytes += change * size
      pending.account.bytes += change * (size + CALLBACK_COST)
    }
    settle(1)
    if (pending.count >= pendingMessages || pending.bytes >= retainedBytes) {
      this.#terms.diagnostics?.limitReached('pendingMessages', this)
      this.#hold(HOLD.pending)
    }
    const done = (): void => {
      settle(-1)
      const few = pending.count < pendingMessages && pending.bytes < retainedBytes
      if (few || pending.count === 0) this.#release(HOLD.pending)
    }
    // One that rejects ends the connection, and all holds with it.
    Promise.resolve(result).then(done, error => {
      settle(-1)
      this.#callbackFailed(error, 'message')
    })
  }

  #callbackFailed(error: unknown, callback: string): void {
    // A callback that waited for `drained()` when its connection ended has not failed.
    if (error instanceof ConnectionClosedError && this.readyState !== 'open') return
    const end = this.closeInfo === undefined ? 'is closed with 1011' : 'was over'
    this.#failed(error, { callback, outcome: `its connection with ${this.remoteAddress ?? 'a peer without an address'} ${end}` })
    this.fail(CloseCode.internalError, '')
    this.#outbox.queueFlush()
  }

  #failed(error: unknown, failure?: Failure): void {
    if (this.#extras?.told === true) {
      // Nothing is told of a connection behind its `close`: not that this threw, nor that a promise rejected late.
      reportError(error, undefined, failure)
      return
    }
    this.#terms.diagnostics?.failed(error, this)
    this.#terms.handlers.failed(this, error, failure)
  }

  /** Reads on, but hands nothing over: all that is waited for is the peer's close frame. */
  #mute(): void {
    this.#is |= IS.muted
    this.#release(HOLD.user | HOLD.iterator | HOLD.memory)
  }

  /** Whether these holds may never end. The iterator's does as long as somebody goes on asking. */
  #wouldLast(holds: number): boolean {
    if ((holds & LASTING_HOLDS) !== 0) return true
    return (holds & HOLD.iterator) !== 0 && this.#iterator instanceof MessageIterator && this.#iterator.isIdle
  }

  #hold(who: number): void {
    const { readyState } = this
    // Input behind the end is discarded, and has to be read for that; its reads wait in line as all do.
    if (readyState === 'closed' && who !== HOLD.turn) return
    if (readyState === 'closing' && this.#wouldLast(who)) {
      this.#mute()
      return
    }
    this.#watch()
    this.#holds |= who
    this.#endpoint.pause()
    if ((this.#is & IS.reading) === 0) this.#transport.pause()
  }

  #release(who: number): void {
    // What has been terminated hands nothing over any more.
    if (this.#holds === 0 || this.#lost !== '') return
    this.#holds &= ~who
    if (this.#holds !== 0) return
    this.#unwatch()
    if ((this.#is & IS.reading) !== 0) this.#endpoint.resume()
    else process.nextTick(Connection.goOnWith, this)
  }

  /** Reading stops now, unless it has already: a stream that is no socket of the system reads ahead meanwhile. */
  #watch(): void {
    if (this.#holds === 0 && !isSystemSocket(this.#transport)) this.#terms.memory?.watch(this)
  }

  #unwatch(): void {
    if (!isSystemSocket(this.#transport)) this.#terms.memory?.unwatch(this)
  }

  /** Reads on after a pause: first what was read before it. */
  #goOn(): void {
    if (this.#holds !== 0 || this.#transport.destroyed) return
    this.#context.runInAsyncScope(this.#readOn, this)
  }

  #readOn(): void {
    beginReading()
    this.#is |= IS.reading
    this.#outbox.cork()
    this.#endpoint.resume()
    this.#is &= ~IS.reading
    this.#outbox.uncork()
    endReading(0)
    if (this.#holds !== 0) return
    if ((this.#is & IS.ended) !== 0) this.#ended()
    else this.#transport.resume()
  }

  /** @internal Something was thrown that nobody expects, such as an error of the transport's `write`. It ends this connection, and no more. */
  broken(error: unknown): void {
    this.#failed(error)
    this.terminate('internal-error')
  }

  /** @param delay milliseconds; Infinity takes the deadline back */
  #setDeadline(delay: number): void {
    if (delay !== Infinity) this.#deadline ??= new Deadline(this)
    this.#deadline?.set(delay)
  }

  /** @param time on the coarse clock */
  #setDeadlineAt(time: number): void {
    if (time !== Infinity) this.#deadline ??= new Deadline(this)
    this.#deadline?.setFromTurn(time - coarseNow())
  }

  /**
   * Where our close frame waits behind a message that is still being made, and that the peer takes, its time has not begun.
   * A time that all has to end in goes on.
   */
  #closeLater(): void {
    if (this.#endpoint.state !== EndpointState.closeSent || this.#extras?.closingTime !== undefined) return
    this.#setDeadline(this.#terms.limits.closingTime)
  }

  #watchIdle(): void {
    this.#activeAt = coarseNow()
    this.#setDeadlineAt(Math.min(this.#idleAt, this.#endsAt))
  }

  /**
   * The closing handshake is over, or failed: the server ends the transport, the client waits for the server to do so
   * (RFC 6455, section 7.1.1). What still comes is read and thrown away, because closing a socket with unread input
   * resets it, and the peer might lose our close frame.
   */
  #endTransport(): void {
    if (this.#terms.role === 'server' || (this.#is & IS.ended) !== 0) this.#outbox.endTransport()
    else this.#outbox.flush()
    this.#setDeadline(this.#closingTime)
    this.#holds = 0
    this.#unwatch()
    this.#transport.resume()
  }

  // One listener each for all connections: one of its own would cost every idle connection a closure. Not private: V8's
  // code cache gives private static methods the wrong class.

  /** @internal */
  static onData(this: Attached, chunk: Buffer): void {
    const connection = this[connectionOf]
    countMessageMemory(chunk.length)
    connection.#receive(chunk, chunk.length)
    if ((connection.#is & IS.awaitingArena) !== 0) connection.#enterArena()
  }

  /** @internal */
  static onArena(this: Socket, length: number, arena: Buffer): boolean {
    const connection = (this as Duplex as Attached)[connectionOf]
    if (isRead(arena, length)) connection.#receive(arena, length)
    else connection.broken(new Error('this build of Node does not read as it should: KORE_WS_PORTABLE=1 does without'))
    return true
  }

  /** @internal */
  static onEnd(this: Attached): void {
    this[connectionOf].#ended()
  }

  /** @internal */
  static onDrain(this: Attached): void {
    this[connectionOf].#outbox.unblocked()
  }

  /** @internal */
  static onError(this: Attached, error: NodeJS.ErrnoException): void {
    const connection = this[connectionOf]
    if (connection.#lost === '') connection.#lost = error.code ?? error.message
  }

  /** @internal */
  static onClose(this: Attached): void {
    this[connectionOf].#gone()
  }

  /** @internal */
  static readFrom(connection: Connection<unknown>, early: Buffer | undefined): void {
    connection.#startReading(early)
  }

  /** @internal */
  static goOnWith(connection: Connection<unknown>): void {
    // Promises of callbacks settle one after another in one turn.
    if (isTurnOver()) connection.#waitForTurn()
    else connection.#goOn()
  }
}

function ignore(): void {}

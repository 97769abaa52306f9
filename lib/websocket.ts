/** The browser's `WebSocket` over a Connection: the WebSockets Standard (websockets.spec.whatwg.org), section 3. */
import type { InspectOptions } from 'node:util'
import { establish, type Established } from './client.ts'
import { checkConnectOptions, type ConnectOptions, type ConnectPlan } from './client-options.ts'
import { HandshakeError } from './handshake/handshake-error.ts'
import type { Target } from './handshake/client-target.ts'
import { CloseCode } from './protocol/close-code.ts'
import { MisuseError } from './protocol/misuse-error.ts'
import { Opcode, type DataOpcode } from './protocol/opcode.ts'
import type { Connection } from './transport/connection.ts'
import { ConnectionClosedError } from './transport/connection-closed-error.ts'
import { INSPECT, showAs, type Inspect } from './transport/inspect.ts'
import { toMessage } from './transport/message.ts'
import { ProcessHold } from './transport/process-hold.ts'
import { checkCode, checkProtocols, checkReason, readUrl } from './websocket/checks.ts'
import { closeEvent, type CloseEventInit } from './websocket/close-event.ts'
import { errorEvent, type ErrorEventInit } from './websocket/error-event.ts'
import { EventHandlers, type EventHandler } from './websocket/event-handlers.ts'
import { toClampedShort, toOptions, toProtocols, toSendable, toText } from './websocket/idl.ts'
import { SendQueue, sizeOf } from './websocket/send-queue.ts'

const CALLBACKS = ['message', 'drain', 'pong', 'close', 'error', 'signal'] as const

/** What the constructor takes in place of `protocols`, as the class of Node's does: options of `connect`. */
export interface WebSocketInit extends Omit<ConnectOptions, (typeof CALLBACKS)[number] | 'headers'> {
  /** As for `connect`; or a Headers object, or pairs of names and values (Fetch Standard, HeadersInit). */
  readonly headers?: ConnectOptions['headers'] | Iterable<readonly string[]>
}

/** The types of events, and what their listeners are given. */
export interface WebSocketEventMap {
  open: Event
  message: MessageEvent
  error: Event & ErrorEventInit
  close: Event & CloseEventInit
}

type Handler<Type extends keyof WebSocketEventMap> = EventHandler<WebSocket, WebSocketEventMap[Type]>

/** A handler as it is read: with nothing that lib.dom's has not, so that the class can take the place of that one. */
type ReadHandler<Type extends keyof WebSocketEventMap> =
  | ((event: Type extends 'error' ? Event : Type extends 'message' ? Event & { readonly data: unknown } : WebSocketEventMap[Type]) => unknown)
  | null

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
const { CONNECTING, OPEN, CLOSING, CLOSED } = STATES

/** What the constructor says `close` is when no closing handshake was completed. */
const NOT_CLEAN: CloseEventInit = { wasClean: false, code: CloseCode.abnormal, reason: '' }

/** `send` can't say that the queue is full, so there is a limit only where one is given; the check is for others. */
function withoutQueueLimit(limits: ConnectOptions['limits']): ConnectOptions['limits'] {
  if (limits === undefined) return { queuedBytes: Infinity }
  return typeof limits === 'object' && limits !== null && limits.queuedBytes === undefined ? { ...limits, queuedBytes: Infinity } : limits
}

export class WebSocket extends EventTarget {
  declare static readonly CONNECTING: 0
  declare static readonly OPEN: 1
  declare static readonly CLOSING: 2
  declare static readonly CLOSED: 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  readonly #url: URL
  readonly #handlers = new EventHandlers(this)
  readonly #abort = new AbortController()
  #readyState: 0 | 1 | 2 | 3 = CONNECTING
  #protocol = ''
  #extensions = ''
  #binaryType: 'blob' | 'arraybuffer' = 'blob'
  #queue: SendQueue | undefined
  /** Bytes given to `send` when it was too late. */
  #refused = 0
  /** Why it failed, where that is known. */
  #cause: unknown
  readonly #hold = new ProcessHold()
  /** Set when the closing handshake is over, or has failed. */
  #ending = NOT_CLEAN

  /**
   * @param url ws:, wss:, http: (becomes ws:) or https: (becomes wss:), absolute, without a fragment
   * @param protocols the subprotocols offered, one of which the server has to take; or options of `connect`
   * @throws DOMException SyntaxError for another URL, or subprotocols that are no tokens or not different;
   *   MisuseError for wrong options
   */
  constructor(url: string | URL, protocols?: string | readonly string[] | WebSocketInit) {
    super()
    if (arguments.length === 0) throw new TypeError('url is missing')
    const { url: parsed, target } = readUrl(toText(url))
    this.#url = parsed
    const given = toProtocols(protocols)
    const init: ConnectOptions = Array.isArray(given) ? {} : toOptions(given)
    const late = CALLBACKS.find(name => init[name] !== undefined)
    if (late !== undefined) {
      throw new MisuseError('invalid-option', `${late} is no option here: there are events and close()`)
    }
    const offered = Array.isArray(given) ? given : toProtocols(init.protocols)
    const limits = withoutQueueLimit(init.limits)
    const plan = checkConnectOptions({ ...init, limits, protocols: checkProtocols(offered), signal: this.#abort.signal })
    this.#connect(target, plan)
  }

  get url(): string {
    return this.#url.href
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState
  }

  /** Bytes of application data given to `send` that are not on their way yet. */
  get bufferedAmount(): number {
    return this.#refused + (this.#queue?.bufferedAmount ?? 0)
  }

  get extensions(): string {
    return this.#extensions
  }

  /** The subprotocol that the server took; empty where none was offered. */
  get protocol(): string {
    return this.#protocol
  }

  /** What binary messages come as. Another value than the two is passed over. */
  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    const before = this.#binaryType
    const given = `${type}`
    this.#binaryType = given === 'blob' || given === 'arraybuffer' ? given : before
  }

  get onopen(): ReadHandler<'open'> {
    return this.#handlers.get('open') as ReadHandler<'open'>
  }

  set onopen(handler: Handler<'open'>) {
    this.#handlers.set('open', handler)
  }

  get onmessage(): ReadHandler<'message'> {
    return this.#handlers.get('message') as ReadHandler<'message'>
  }

  set onmessage(handler: Handler<'message'>) {
    this.#handlers.set('message', handler)
  }

  get onerror(): ReadHandler<'error'> {
    return this.#handlers.get('error') as ReadHandler<'error'>
  }

  set onerror(handler: Handler<'error'>) {
    this.#handlers.set('error', handler)
  }

  get onclose(): ReadHandler<'close'> {
    return this.#handlers.get('close') as ReadHandler<'close'>
  }

  set onclose(handler: Handler<'close'>) {
    this.#handlers.set('close', handler)
  }

  /**
   * Sends a message: text for a string, binary for bytes, which may be changed again right after, and for a Blob. Once
   * closing has begun nothing is sent, and `bufferedAmount` grows for good.
   *
   * @throws DOMException InvalidStateError while connecting; TypeError for shared or resizable memory
   */
  send(data: string | ArrayBufferView | ArrayBufferLike | Pick<Blob, 'arrayBuffer' | 'size' | 'type'>): void {
    // Whether it is a WebSocket comes before what it is given, as Web IDL has it.
    const state = this.#readyState
    if (arguments.length === 0) throw new TypeError('data is missing')
    const sendable = toSendable(data)
    if (state === CONNECTING) throw new DOMException('there is no connection yet', 'InvalidStateError')
    if (state === OPEN) this.#queue?.send(sendable)
    else this.#refused += sizeOf(sendable)
  }

  /**
   * Closes the connection behind all that was sent; one that is not open yet fails.
   *
   * @param code 1000, or 3000 to 4999; 1000 where only a reason is given
   * @param reason at most 123 bytes of UTF-8
   * @throws DOMException InvalidAccessError for another code, SyntaxError for a longer reason
   */
  close(code?: number, reason?: string): void {
    // As in `send`.
    const state = this.#readyState
    const checkedCode = code === undefined ? undefined : checkCode(toClampedShort(code))
    const checkedReason = reason === undefined ? '' : checkReason(toText(reason))
    if (state === CLOSING || state === CLOSED) return
    this.#readyState = CLOSING
    if (state === CONNECTING) this.#abort.abort()
    else this.#queue?.close(checkedCode ?? (checkedReason === '' ? undefined : CloseCode.normal), checkedReason)
  }

  /** It keeps the process alive again, as it does at first. Not of the standard: as Node's sockets. */
  ref(): this {
    this.#hold.ref()
    return this
  }

  /** The process may end though it is connecting, open or closing. Not of the standard: as Node's sockets. */
  unref(): this {
    this.#hold.unref()
    return this
  }

  /** @internal */
  [INSPECT](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { url, readyState, protocol, extensions, bufferedAmount, binaryType } = this
    return showAs('WebSocket', { url, readyState, protocol, extensions, bufferedAmount, binaryType }, depth, options, inspect)
  }

  #connect(target: Target, plan: ConnectPlan): void {
    const handlers = {
      rawMessage: (_: unknown, opcode: DataOpcode, bytes: Buffer, start: number, end: number) =>
        this.#onMessage(opcode, bytes, start, end),
      // Only the peer's violations, which the end tells of: no callback here throws.
      failed: (_: unknown, error: unknown) => void (this.#cause = error),
      drain: () => void this.#queue?.look(),
      close: ({ closeInfo }: Connection, code: number, reason: string) => {
        this.#cause ??= new ConnectionClosedError(closeInfo)
        this.#onClosing({ wasClean: closeInfo?.clean === true, code, reason })
      },
      gone: () => this.#onClosed(),
    }
    establish(target, plan, handlers, this.#hold).then(
      established => this.#onEstablished(established, plan),
      (error: unknown) => {
        this.#cause = error
        this.#onClosed()
      }
    )
  }

  #onEstablished({ connection, protocol, extensions }: Established, plan: ConnectPlan): void {
    // Step 2 of "establish a WebSocket connection": a server that takes none of the subprotocols is no good.
    const unacknowledged = plan.protocols.length > 0 && protocol === ''
    if (this.#readyState !== CONNECTING || unacknowledged) {
      if (unacknowledged) this.#cause = new HandshakeError('handshake-invalid', 'the server took none of the subprotocols')
      this.#readyState = CLOSING
      connection.terminate()
      return
    }
    this.#queue = new SendQueue(connection)
    this.#readyState = OPEN
    this.#protocol = protocol
    this.#extensions = extensions.map(({ name }) => name).join(', ')
    this.dispatchEvent(new Event('open'))
  }

  #onMessage(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void {
    if (this.#readyState !== OPEN) return
    const data = opcode === Opcode.text ? toMessage(opcode, bytes, start, end, false, false) : this.#binary(bytes.subarray(start, end))
    this.dispatchEvent(new MessageEvent('message', { data, origin: this.#url.origin }))
  }

  /** The bytes are lent, so both are copies. */
  #binary(bytes: Buffer): Blob | ArrayBuffer {
    return this.#binaryType === 'blob' ? new Blob([bytes]) : new Uint8Array(bytes).buffer
  }

  /** Nothing more is sent or received; the transport is still there. */
  #onClosing(ending: CloseEventInit): void {
    this.#readyState = CLOSING
    // Nothing else is told of a connection that has failed (section 7, "when the WebSocket connection is closed").
    if (ending.wasClean) this.#ending = ending
    this.#queue?.end(ending.wasClean)
  }

  #onClosed(): void {
    this.#readyState = CLOSED
    // RFC 6455, section 7.2.1: what ends without a closing handshake has failed.
    if (!this.#ending.wasClean) this.dispatchEvent(errorEvent(this.#cause))
    this.dispatchEvent(closeEvent(this.#ending))
  }
}

type Listener = Parameters<EventTarget['addEventListener']>[1]
type ListenerOptions = Parameters<EventTarget['addEventListener']>[2]

/** Listeners of the events that there are, told what they are given. */
export interface WebSocket {
  addEventListener<Type extends keyof WebSocketEventMap>(
    type: Type,
    listener: Handler<Type> | { handleEvent(event: WebSocketEventMap[Type]): void },
    options?: ListenerOptions
  ): void
  addEventListener(type: string, listener: Listener, options?: ListenerOptions): void
  removeEventListener<Type extends keyof WebSocketEventMap>(
    type: Type,
    listener: Handler<Type> | { handleEvent(event: WebSocketEventMap[Type]): void },
    options?: ListenerOptions
  ): void
  removeEventListener(type: string, listener: Listener, options?: ListenerOptions): void
}

// As Web IDL wants it: constants of class and prototype that can't be changed, members that can be enumerated, lengths
// that count the arguments there have to be.
for (const name of Object.getOwnPropertyNames(WebSocket.prototype)) {
  if (name !== 'constructor') Object.defineProperty(WebSocket.prototype, name, { enumerable: true })
}
for (const [name, value] of Object.entries(STATES)) {
  Object.defineProperty(WebSocket, name, { value, enumerable: true })
  Object.defineProperty(WebSocket.prototype, name, { value, enumerable: true })
}
Object.defineProperty(WebSocket, 'length', { value: 1, configurable: true })
Object.defineProperty(WebSocket.prototype.close, 'length', { value: 0, configurable: true })
Object.defineProperty(WebSocket.prototype, Symbol.toStringTag, { value: 'WebSocket', configurable: true })

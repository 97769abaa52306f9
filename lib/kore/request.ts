/** Kore's `struct http_request`, as far as a handshake needs it: the request of an `upgrade` event, until it is answered. */
import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { types } from 'node:util'
import { isToken } from '../handshake/grammar.ts'
import { refuse, REFUSALS, type Refusal } from '../handshake/refusal.ts'
import { isTooLarge } from '../handshake/request.ts'
import { requestSize } from '../limits.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { ownString } from '../protocol/own-string.ts'
import { ownHead, PendingUpgrade, takeOver } from '../transport/http1.ts'
import { config } from './config.ts'
import { KoreConnection } from './connection.ts'
import { admission, memory } from './shared.ts'

/** A request with its connection, as Kore's handlers get it. */
export interface KoreRequest extends IncomingMessage {
  /** The connection that it came on; `owner.hdlr_extra` may be set before the handshake. */
  owner: KoreConnection
  /** How it was answered: 0 before, 101 after a handshake, else the status of the refusal. */
  status: number
}

/** What is known of a request that is not answered yet. */
class OpenRequest {
  readonly socket: Duplex
  /** Response headers that the handler has set, by name in lower case. */
  readonly headers = new Map<string, string[]>()
  /** The client went away while the handler took its time. */
  gone = false
  #head: Buffer
  #pending: PendingUpgrade | undefined

  constructor(socket: Duplex, head: Buffer) {
    this.socket = socket
    this.#head = ownHead(head)
    // Nobody else listens until the request is answered, and an error without a listener ends the process.
    socket.on('error', ignore)
  }

  /** The handler takes its time. */
  wait(onEnough: (why: 'timeout' | 'memory') => void, onGone: () => void): void {
    const gone = (): void => {
      admission.settle()
      onGone()
    }
    const { limits } = config
    const size = requestSize(limits)
    this.#pending = new PendingUpgrade(this.socket, this.#head, limits.handshakeTime, onEnough, gone, memory, size)
    this.#pending.recount()
  }

  /** It is being answered; returns what the client sent ahead. */
  finish(): Buffer {
    this.socket.off('error', ignore)
    if (this.#pending !== undefined) admission.settle()
    return this.#pending?.finish() ?? this.#head
  }
}

function ignore(): void {}

const open = new WeakMap<IncomingMessage, OpenRequest>()

/**
 * Makes the request of an `upgrade` event one of Kore's, with `owner`. `kore_attach` does it for you; with an `upgrade`
 * listener of your own call it first, because only `head` holds what the client sent along with the request.
 *
 * @throws MisuseError `invalid-argument` for what is no request, or a head that is no Buffer
 */
export function kore_request(request: IncomingMessage, head: Buffer = Buffer.alloc(0)): KoreRequest {
  if (!(Object(request).socket instanceof Duplex && Array.isArray(Object(request).rawHeaders))) {
    throw new MisuseError('invalid-argument', `request must be the one of an upgrade event, and not ${show(request)}`)
  }
  if (!types.isUint8Array(head)) throw new MisuseError('invalid-argument', `head must be the Buffer of an upgrade event, and not ${show(head)}`)
  if (!('owner' in request)) {
    takeOver(request.socket)
    open.set(request, new OpenRequest(request.socket, head))
    Object.assign(request, { owner: new KoreConnection(request.socket), status: 0 })
  }
  return request as KoreRequest
}

/**
 * Adds a header to the answer, as Kore's call does; a `sec-websocket-protocol` chooses the subprotocol.
 *
 * @throws MisuseError `invalid-header` for a name that is no token, `invalid-state` once the request is answered
 */
export function http_response_header(request: IncomingMessage, name: string, value: string): void {
  if (typeof name !== 'string' || !isToken(name)) throw new MisuseError('invalid-header', `header name ${show(name)} is not a token`)
  const { headers } = openRequest(request)
  const key = name.toLowerCase()
  // A value may be cut from a longer text, and the subprotocol is kept for as long as the connection.
  headers.set(key, [...(headers.get(key) ?? []), typeof value === 'string' ? ownString(value) : value])
}

/**
 * Refuses the handshake with a status of 300 to 599, as a Kore handler answers a request with `http_response`.
 *
 * @throws MisuseError as `refuse` does, and `invalid-state` once the request is answered
 */
export function http_response(request: IncomingMessage, status: number, body = ''): void {
  answer(request, refuse(status, { headers: responseHeaders(request), body }))
}

/** Sends a refusal, if there is still somebody to send it to. */
export function answer(request: IncomingMessage, refusal: Refusal): void {
  if (!isOpen(request)) return
  const { socket } = takeRequest(request)
  kore_request(request).status = refusal.status
  admission.refuse(socket, refusal, config.limits.closingTime)
}

/** The request's socket and what the client sent ahead; from now on it counts as answered. */
export function takeRequest(request: IncomingMessage): { socket: Duplex; early: Buffer } {
  const taken = openRequest(request)
  open.delete(request)
  return { socket: taken.socket, early: taken.finish() }
}

/** The headers that the handler has set, their names in lower case. */
export function responseHeaders(request: IncomingMessage): Record<string, string[]> {
  return Object.fromEntries(openRequest(request).headers)
}

/** @throws MisuseError `invalid-state` for a request that is answered */
export function checkOpen(request: IncomingMessage): void {
  openRequest(request)
}

/** Whether nobody has answered it, and its client is there. */
export function isOpen(request: IncomingMessage): boolean {
  const found = open.get(request)
  return found !== undefined && !found.gone && !found.socket.destroyed
}

/**
 * Keeps a request whose handler takes its time. Too much time is answered with 408, too many such requests with 503, and
 * one that is larger than a handshake may be with 431. A client that goes away is forgotten.
 */
export function keepWaiting(request: IncomingMessage): void {
  const waiting = openRequest(request)
  const refusal = isTooLarge(request, config.limits.handshakeBytes) ? REFUSALS.headSize : admission.wait()
  if (refusal !== undefined) {
    answer(request, refusal)
    return
  }
  waiting.wait(
    why => answer(request, why === 'timeout' ? REFUSALS.timeout : REFUSALS.busy),
    () => {
      waiting.gone = true
    }
  )
}

function openRequest(request: IncomingMessage): OpenRequest {
  kore_request(request)
  const found = open.get(request)
  if (found === undefined) throw new MisuseError('invalid-state', 'the request is answered already')
  return found
}

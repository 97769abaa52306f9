/// <reference types="node" preserve="true" />
/** The entry point `kore-ws/kore`: the websocket calls of Kore, with Kore's documented meaning and the RFC's rules. */
import cluster from 'node:cluster'
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { deliver } from './broadcast/broadcaster.ts'
import { BusChannel } from './broadcast/bus-channel.ts'
import { BusGate } from './broadcast/bus-gate.ts'
import { clusterBus } from './broadcast/cluster-bus.ts'
import { encodeShared } from './broadcast/shared-frame.ts'
import { Refusal, REFUSALS } from './handshake/refusal.ts'
import { readRequest, type HandshakeOffer } from './handshake/request.ts'
import { formatAcceptance } from './handshake/response.ts'
import { config } from './kore/config.ts'
import { KoreConnection, type OnConnect, type OnDisconnect, type OnMessage } from './kore/connection.ts'
import {
  CONN_STATE_DISCONNECTING,
  KORE_RESULT_ERROR,
  WEBSOCKET_BROADCAST_GLOBAL,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_PING,
  WEBSOCKET_OP_PONG,
  WEBSOCKET_OP_TEXT,
} from './kore/constants.ts'
import { inKoresWords, checkCallback, resolveCallback } from './kore/modules.ts'
import { answer, checkOpen, isOpen, keepWaiting, kore_request, responseHeaders, takeRequest, type KoreRequest } from './kore/request.ts'
import { admission, diagnostics, memory } from './kore/shared.ts'
import { takeMetrics, type Metrics } from './metrics.ts'
import { checkAmount } from './protocol/amount.ts'
import { CloseCode, isWireCloseCode, WIRE_CLOSE_CODES } from './protocol/close-code.ts'
import { parseClosePayload } from './protocol/close-payload.ts'
import { MisuseError, show } from './protocol/misuse-error.ts'
import { MAX_CONTROL_PAYLOAD, type DataOpcode, type Opcode } from './protocol/opcode.ts'
import type { Violation } from './protocol/violation.ts'
import { peerAddress } from './node-internals/peer-address.ts'
import { Connection } from './transport/connection.ts'
import type { ConnectionHandlers, ConnectionTerms } from './transport/connection-setup.ts'
import { Drain, type CloseCounts } from './transport/drain.ts'
import { ownBytes } from './transport/message.ts'
import { checkBytes, checkPayload, type Payload } from './transport/payload.ts'
import { reportError, type Failure } from './transport/report.ts'
import { stayAlive } from './transport/stay-alive.ts'
import { isThenable } from './transport/thenable.ts'
import { checkPath, routerOf, type UpgradeListener } from './transport/upgrade-router.ts'

export { startWorkers, type WorkerOptions, type WorkerPool } from './broadcast/workers.ts'
export { relayBroadcasts } from './broadcast/cluster-bus.ts'
export * from './kore/constants.ts'
export { config } from './kore/config.ts'
export type { CloseCounts } from './transport/drain.ts'
export type { KoreConnection, OnConnect, OnDisconnect, OnMessage } from './kore/connection.ts'
export { kore_load } from './kore/modules.ts'
export { http_response, http_response_header, kore_request, type KoreRequest } from './kore/request.ts'

/** Takes an upgrade request: calls `kore_websocket_handshake` or `http_response`, now or before its promise resolves. */
export type KoreHandler = (request: KoreRequest) => unknown

const CHANNEL = 'kore'
const MESSAGES: ReadonlySet<number> = new Set([WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY])
const CONTROLS: ReadonlySet<number> = new Set([WEBSOCKET_OP_PING, WEBSOCKET_OP_PONG])
const live = new Set<KoreConnection>()
/** Websockets that are over, but whose transport is not gone yet. */
const lingering = new Set<Connection<KoreConnection>>()
const drains = new Set<Drain<Connection<KoreConnection>>>()
/** What connections wait at while GLOBAL broadcasts can't get away. */
const gate = new BusGate<Connection<KoreConnection>>(clusterBus())
let channel: BusChannel | undefined
let onError: ((error: unknown, c: KoreConnection | null) => void) | undefined

/** The websocket connections of this worker, oldest first: walk it for rooms, as Kore programs walk `connections`. */
export const connections: ReadonlySet<KoreConnection> = live

/**
 * Answers an upgrade request with the handshake. onconnect runs inside this call; what it sends arrives right behind the
 * 101 response. onmessage gets TEXT and BINARY messages; ondisconnect runs exactly once.
 *
 * A request that is no good handshake is refused as RFC 6455 says, and one too many as a WebSocketServer does. A callback name that no loaded module has, or a
 * response header that can't be sent, is answered with 500 and reported to `kore_onerror`. Either way no callback runs,
 * nobody else is harmed, and `request.status` tells the outcome.
 *
 * @param request what the `upgrade` event or `kore_attach` gave
 * @param onconnect a function, the name of one in a module given to `kore_load`, or null; so for the others
 * @throws MisuseError `invalid-argument` for a callback of another type, `invalid-state` where the request is answered
 */
export function kore_websocket_handshake(
  request: IncomingMessage,
  onconnect: OnConnect | string | null,
  onmessage: OnMessage | string | null,
  ondisconnect: OnDisconnect | string | null
): void {
  checkCallback('onconnect', onconnect)
  checkCallback('onmessage', onmessage)
  checkCallback('ondisconnect', ondisconnect)
  const koreRequest = kore_request(request)
  checkOpen(request)
  // A client that went away meanwhile is forgotten.
  if (!isOpen(request)) return
  try {
    const offer = readRequest(request, config.websocket_origins, config.limits.handshakeBytes)
    if (offer instanceof Refusal) {
      answer(request, offer)
      return
    }
    const { owner } = koreRequest
    owner.ws_connect = resolveCallback('onconnect', onconnect)
    owner.ws_message = resolveCallback('onmessage', onmessage)
    owner.ws_disconnect = resolveCallback('ondisconnect', ondisconnect)
    accept(koreRequest, offer)
  } catch (error) {
    report(error, null)
    answer(request, REFUSALS.failure)
  }
}

/**
 * Sends a frame. TEXT and BINARY are messages, PING and PONG control frames; CLOSE, with a close frame's payload, starts
 * the closing handshake. The data is copied.
 *
 * @param length how many bytes of `data`; all of them without it
 * @returns as `Connection.send`: false to wait, or where the connection is no longer open
 * @throws MisuseError `invalid-argument` for another op, a length that `data` does not have, text that is not UTF-8, or
 *   a control frame of over 125 bytes
 */
export function kore_websocket_send(c: KoreConnection, op: number, data: Payload, length?: number): boolean {
  if (!MESSAGES.has(op) && !CONTROLS.has(op) && op !== WEBSOCKET_OP_CLOSE) {
    throw badOp('WEBSOCKET_OP_TEXT, _BINARY, _PING, _PONG or _CLOSE', op)
  }
  const payload = cut(data, length)
  const connection = checkConnection(c).websocket
  if (connection === undefined) return false
  if (op === WEBSOCKET_OP_CLOSE) return sendClose(c, connection, payload)
  if (op === WEBSOCKET_OP_PING) return connection.sendPing(checkBytes(payload, 'data'))
  if (op === WEBSOCKET_OP_PONG) return connection.pong(payload)
  return connection.sendLent(op as DataOpcode, payload)
}

/**
 * Sends a frame to every websocket connection but `src`, once: those of this worker, or with WEBSOCKET_BROADCAST_GLOBAL
 * those of all workers. Encoded once; several of one tick leave in one write per receiver.
 *
 * @param src a connection that is left out, or null
 * @param length how many bytes of `data`; null for all of them
 * @param scope WEBSOCKET_BROADCAST_GLOBAL; anything else is LOCAL, as in Kore
 * @throws MisuseError `invalid-argument` as `kore_websocket_send`, and for CLOSE
 */
export function kore_websocket_broadcast(
  src: KoreConnection | null,
  op: number,
  data: Payload,
  length: number | null,
  scope: number
): void {
  if (!MESSAGES.has(op) && !CONTROLS.has(op)) throw badOp('WEBSOCKET_OP_TEXT, _BINARY, _PING or _PONG', op)
  const payload = cut(data, length ?? undefined)
  if (CONTROLS.has(op) && Buffer.byteLength(payload) > MAX_CONTROL_PAYLOAD) {
    throw new MisuseError('invalid-argument', 'the payload of a control frame must be at most 125 bytes')
  }
  const except = src === null ? undefined : checkConnection(src)
  const frame = encodeShared(op as Opcode, payload)
  if (scope === WEBSOCKET_BROADCAST_GLOBAL) {
    onBus().publish({ opcode: frame.opcode, topic: undefined, compress: undefined, payload: frame.payload })
  }
  deliver(live, frame, undefined, except)
}

/**
 * Ends a connection: ondisconnect runs at once and may still send, then the closing handshake starts. No message is
 * delivered any more. Without effect the second time.
 */
export function kore_connection_disconnect(c: KoreConnection): void {
  const connection = checkConnection(c).websocket
  if (connection === undefined || !c.markDisconnected()) return
  connection.runCallback('ondisconnect', () => c.ws_disconnect?.(c))
  live.delete(c)
  lingering.add(connection)
  c.markCloseSent()
  connection.close()
}

/**
 * Ends every websocket connection of this worker, as Kore does when it stops: a close frame with `code`, then
 * ondisconnect as each ends. What was sent before still arrives. Resolves when all are gone.
 *
 * @param code default 1001, going away; of a worker that is being replaced 1012, service restart
 * @param timeout milliseconds for all of it, after which the rest is dropped. Default: no such end. Each peer has 10
 *   seconds since it last took something of what is queued for it
 * @returns how many ended with a closing handshake, and how many without; none is refused
 * @throws MisuseError (rejects) `invalid-argument` for a code that may not travel, or a timeout that is no amount of milliseconds
 */
export async function kore_shutdown(code: number = defaultCode(), timeout?: number): Promise<CloseCounts> {
  if (!isWireCloseCode(code)) throw new MisuseError('invalid-argument', `code must be ${WIRE_CLOSE_CODES}, and not ${show(code)}`)
  if (timeout !== undefined) checkAmount('timeout', timeout, 'milliseconds', 'invalid-argument')
  for (const c of live) c.markCloseSent()
  const open = [...live].flatMap(({ websocket }) => websocket ?? [])
  const drain = new Drain(open, lingering)
  drains.add(drain)
  try {
    return await stayAlive(drain.start(timeout, code).done)
  } finally {
    drains.delete(drain)
  }
}

/** Whoever is told to go away may find no other place; after a restart there is one. */
function defaultCode(): number {
  return cluster.worker?.exitedAfterDisconnect === true ? CloseCode.serviceRestart : CloseCode.goingAway
}

/**
 * Routes the upgrades of an HTTP server to handlers by path, as Kore's routes do. A handler that throws, or returns
 * without having answered, is answered with 500; one that returns KORE_RESULT_ERROR after the handshake ends the
 * connection.
 *
 * @returns what takes the routes back
 * @throws MisuseError `invalid-option` for a path that no request can have or a handler that is no function,
 *   `invalid-argument` for what is no HTTP server or no object of routes, `invalid-state` for a path that is taken; none of the routes is there then
 */
export function kore_attach(server: HttpServer | HttpsServer, routes: Readonly<Record<string, KoreHandler>>): () => void {
  const router = routerOf(server)
  if (typeof routes !== 'object' || routes === null || Symbol.iterator in routes) {
    throw new MisuseError('invalid-argument', `routes must be an object of paths and handlers, and not ${show(routes)}`)
  }
  const detachers: (() => void)[] = []
  const detach = (): void => {
    for (const detachOne of detachers) detachOne()
  }
  try {
    for (const [path, handler] of Object.entries(routes)) {
      checkPath(path)
      if (typeof handler !== 'function') throw new MisuseError('invalid-option', `the handler of ${path} must be a function, and not ${show(handler)}`)
      const listener: UpgradeListener = (request, _, head) => void run(handler, kore_request(request, head))
      detachers.push(router.add(path, listener))
    }
  } catch (error) {
    detach()
    throw error
  }
  return detach
}

/**
 * Who is told of errors: a callback that threw (its connection is closed with 1011), a name that no module has, a
 * Violation of a peer. Without it, errors of your own code become process warnings.
 *
 * @throws MisuseError `invalid-argument` for what is no function
 */
export function kore_onerror(callback: ((error: unknown, c: KoreConnection | null) => void) | undefined): void {
  if (callback !== undefined && typeof callback !== 'function') {
    throw new MisuseError('invalid-argument', `callback must be a function or undefined, and not ${show(callback)}`)
  }
  onError = callback
}

/** @internal As a server's `metrics()`. Kore has no such call. */
export function koreMetrics(): Metrics {
  const open = [...live].flatMap(({ websocket }) => websocket ?? [])
  return takeMetrics(diagnostics, open, { ending: lingering, bus: clusterBus(), malformed: channel?.malformed, memory, admission })
}

export {
  kore_attach as attach,
  kore_connection_disconnect as disconnect,
  kore_websocket_broadcast as broadcast,
  kore_websocket_handshake as handshake,
  kore_websocket_send as send,
}

const handlers: ConnectionHandlers<Connection<KoreConnection>> = {
  open: ({ data: c }) => c.ws_connect?.(c),
  rawMessage({ data: c }, opcode, bytes, start, end) {
    // After kore_connection_disconnect the peer may still be sending.
    if (c.ws_message === null || c.state === CONN_STATE_DISCONNECTING) return undefined
    const data = config.websocket_lend ? bytes.subarray(start, end) : ownBytes(bytes, start, end)
    return c.ws_message(c, opcode, data, end - start)
  },
  close(connection, code) {
    const { data: c } = connection
    if (code !== CloseCode.abnormal) c.markCloseSent()
    for (const drain of drains) drain.ended(connection, code)
    try {
      if (!c.markDisconnected()) return
      const result = c.ws_disconnect?.(c)
      if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => disconnectFailed(error, connection))
    } catch (error) {
      disconnectFailed(error, connection)
    } finally {
      live.delete(c)
      gate.leave(connection)
      lingering.add(connection)
    }
  },
  failed(connection, error, failure) {
    for (const drain of drains) drain.failed(connection)
    report(error, connection.data, failure && inKoresWords(failure))
  },
  gone(connection) {
    lingering.delete(connection)
    admission.leave(connection.admittedAddress)
    for (const drain of drains) drain.gone(connection)
  },
}

let terms: ConnectionTerms<Connection<KoreConnection>> = { role: 'server', handlers, limits: config.limits, diagnostics, memory, gate }

function accept(request: KoreRequest, offer: HandshakeOffer): void {
  const { 'sec-websocket-protocol': protocols, ...headers } = responseHeaders(request)
  const protocol = protocols?.[0] ?? ''
  const greeting = formatAcceptance(offer, protocol, headers)
  const remoteAddress = peerAddress(request.socket)
  const refusal = admission.enter(remoteAddress)
  if (refusal !== undefined) {
    answer(request, refusal)
    return
  }
  const { socket, early } = takeRequest(request)
  const c = request.owner
  if (terms.limits !== config.limits) terms = { ...terms, limits: config.limits }
  const connection = new Connection({ terms, transport: socket, remoteAddress, protocol, data: c, greeting })
  c.become(connection)
  request.status = 101
  live.add(c)
  onBus()
  connection.start(early)
}

/** What carries GLOBAL broadcasts; from the first connection or broadcast on this worker gets those of others. */
function onBus(): BusChannel {
  channel ??= new BusChannel(clusterBus(), CHANNEL, ({ opcode, payload }) => {
    deliver(live, encodeShared(opcode, payload), undefined, undefined)
  })
  return channel
}

async function run(handler: KoreHandler, request: KoreRequest): Promise<void> {
  try {
    let result = handler(request)
    if (isThenable(result)) {
      if (isOpen(request)) keepWaiting(request)
      result = await result
    }
    if (isOpen(request)) answer(request, REFUSALS.failure)
    else if (result === KORE_RESULT_ERROR) kore_connection_disconnect(request.owner)
  } catch (error) {
    const outcome = isOpen(request) ? 'its request was answered with 500' : 'its connection, if it has one, is closed with 1011'
    report(error, null, { callback: 'handler', outcome })
    if (isOpen(request)) answer(request, REFUSALS.failure)
    else request.owner.websocket?.fail(CloseCode.internalError, '')
  }
}

function sendClose(c: KoreConnection, connection: Connection<KoreConnection>, payload: string | Uint8Array): boolean {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload)
  let close
  try {
    close = parseClosePayload(bytes, 0, bytes.length)
  } catch (error) {
    throw new MisuseError('invalid-argument', `data of a close frame: ${(error as Violation).message}`)
  }
  const sent = connection.readyState === 'open'
  connection.close(close.code === CloseCode.noStatus ? undefined : close.code, close.reason)
  if (sent) c.markCloseSent()
  return sent
}

/** The first `length` bytes of `data`. */
function cut(data: Payload, length: number | undefined): string | Uint8Array {
  const payload = checkPayload(data)
  if (length === undefined) return payload
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload
  if (Number.isSafeInteger(length) && length >= 0 && length <= bytes.length) return bytes.subarray(0, length)
  throw new MisuseError('invalid-argument', `length must be 0 to ${bytes.length}, the bytes of data, and not ${show(length)}`)
}

function checkConnection(c: KoreConnection): KoreConnection {
  if (c instanceof KoreConnection) return c
  throw new MisuseError('invalid-argument', 'the connection must be one that a callback or request.owner gave')
}

function badOp(allowed: string, op: number): MisuseError {
  return new MisuseError('invalid-argument', `op must be ${allowed}, and not ${show(op)}`)
}

/** Kore's last callback is ondisconnect, and its errors are told like those of any other. */
function disconnectFailed(error: unknown, connection: Connection<KoreConnection>): void {
  diagnostics.failed(error, connection)
  report(error, connection.data, { callback: 'ondisconnect', outcome: 'its connection was over' })
}

function report(error: unknown, c: KoreConnection | null, failure?: Failure): void {
  if (c === null) diagnostics.failed(error, null)
  reportError(error, onError && (error => onError?.(error, c)), failure)
}

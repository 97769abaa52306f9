/** The options of a WebSocketServer and of its calls, and their check. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Bus } from './broadcast/bus.ts'
import { resolveCompression, type CompressionOption, type CompressionSettings } from './deflate/compression.ts'
import { DECISION_NAMES, SERVER_NAMES } from './foreign-names.ts'
import { isToken } from './handshake/grammar.ts'
import { checkOriginPolicy, type OriginPolicy } from './handshake/origin.ts'
import { Refusal } from './handshake/refusal.ts'
import { pathOf, type HandshakeOffer } from './handshake/request.ts'
import type { Acceptance } from './handshake/response.ts'
import { LIMITS, resolveLimits, type LimitOptions, type Limits } from './limits.ts'
import { checkAmount } from './protocol/amount.ts'
import { isWireCloseCode, WIRE_CLOSE_CODES } from './protocol/close-code.ts'
import { describe, MisuseError, show } from './protocol/misuse-error.ts'
import { checkNames, type KnownNames } from './protocol/option-names.ts'
import { ownString } from './protocol/own-string.ts'
import { isPlain } from './protocol/plain-object.ts'
import { clientAddress, resolveTrustProxy, type TrustedProxies, type TrustProxyOption } from './transport/client-address.ts'
import { Connection } from './transport/connection.ts'
import { resolveHeartbeat, type HeartbeatOption, type HeartbeatTimes } from './transport/heartbeat.ts'
import type { PublishOptions } from './transport/connection-setup.ts'
import type { LazyAbort } from './transport/lazy-abort.ts'
import type { Message } from './transport/message.ts'
import { checkBroadcastOptions } from './transport/send-options.ts'
import { resolveSlowReceivers, type SlowReceiverOptions, type SlowReceivers } from './transport/slow-receiver.ts'
import { checkPath } from './transport/upgrade-router.ts'

export interface CloseOptions {
  /** The close code that every peer gets. Default 1001, going away. */
  readonly code?: number | undefined
  /**
   * Milliseconds for all of it; then what is left is dropped. Default: no such end. Each peer has `limits.closingTime`
   * since it last took something of what is queued for it.
   */
  readonly timeout?: number | undefined
}

export interface AttachOptions {
  /** The path served on this HTTP server. Default: the server's own `path` option. */
  readonly path?: string | undefined
}

export interface BroadcastOptions<Data> extends PublishOptions {
  /** The connection that gets nothing. Default: none. */
  readonly except?: Connection<Data> | undefined
}

/** What an `accept` callback is asked about. */
export interface UpgradeRequest {
  /** The request's target, query included. */
  readonly url: string
  /** The part in front of the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly host: string
  /** The page's origin; undefined for clients that are not browsers. */
  readonly origin: string | undefined
  /** The subprotocols offered, in the client's order of preference. */
  readonly protocols: readonly string[]
  /** The client's IP address: with `trustProxy`, what a trusted proxy says. Undefined on a unix socket. */
  readonly remoteAddress: string | undefined
  /** Aborted where the client goes away, or is refused, before a promise of `accept` has settled. */
  readonly signal: AbortSignal
  /** The request itself. It is let go once the connection is open: keep what you need in `data`. */
  readonly raw: IncomingMessage
}

/** What `accept` is told of a handshake. */
export function describeRequest(
  request: IncomingMessage,
  offer: HandshakeOffer,
  proxies: TrustedProxies | undefined,
  abort: LazyAbort
): UpgradeRequest {
  const { url = '' } = request
  const path = pathOf(url)
  return {
    url,
    // It may be kept for as long as the connection, and without the query.
    path: path.length === url.length ? url : ownString(path),
    // Their table is made when it is asked for: it would take more memory than all else of a handshake that waits.
    get headers() {
      return request.headers
    },
    host: offer.host,
    origin: offer.origin,
    protocols: offer.protocols,
    remoteAddress: clientAddress(request, proxies),
    get signal() {
      return abort.signal
    },
    raw: request,
  }
}

/** Choices of `accept` about a handshake that may go on. */
export interface Choices<Data> extends Acceptance {
  /** Becomes `socket.data`. */
  readonly data?: Data | undefined
}

/** What `accept` may return: nothing for yes, choices, or what `refuse` made. */
export type Decision<Data> = Choices<Data> | Refusal | undefined | void

export interface ServerOptions<Data> {
  /** The one path served, such as `/chat`; 404 for others. Default: every path. */
  readonly path?: string | undefined
  /**
   * Which pages may connect: a list of origins (`https://example.org`), a function, or 'any'. Default: pages of the
   * host and port that they connect to. Clients that send no Origin are no browsers, and pass.
   */
  readonly origins?: OriginPolicy | undefined
  /** Subprotocols in order of preference: the first that a client offers is agreed on, unless `accept` chooses. */
  readonly protocols?: readonly string[] | undefined
  /** May answer a handshake, or a promise of the answer; what it throws is answered with 500. */
  readonly accept?: ((request: UpgradeRequest) => Decision<Data> | Promise<Decision<Data>>) | undefined
  /** A connection is open. What is sent here leaves together with the handshake's answer. */
  readonly open?: ((socket: Connection<Data>) => unknown) | undefined
  /** A message: a string for text, a Buffer of its own for binary. */
  readonly message?: ((socket: Connection<Data>, data: Message) => unknown) | undefined
  /** After a `send` that returned false: go on. */
  readonly drain?: ((socket: Connection<Data>) => unknown) | undefined
  /** A pong came, whether or not a ping asked for it; `data` is a copy of its payload of at most 125 bytes. */
  readonly pong?: ((socket: Connection<Data>, data: Buffer) => unknown) | undefined
  /**
   * Once for each opened connection: it is over. 1006 where there was no closing handshake; `reason` says why if that
   * is known here (`slow-consumer`, `close-timeout`, `terminated`, or the code of a network error).
   */
  readonly close?: ((socket: Connection<Data>, code: number, reason: string) => unknown) | undefined
  /**
   * A callback of yours threw or rejected, which closes its connection with 1011; or a peer broke the protocol (a
   * Violation). `socket` is null for `accept` and `origins`. Default: your callbacks' errors become process warnings.
   */
  readonly error?: ((socket: Connection<Data> | null, error: unknown) => void) | undefined
  readonly limits?: LimitOptions | undefined
  /** What becomes of messages for a peer that takes them too slowly. Default: its connection is dropped. */
  readonly slowReceivers?: SlowReceiverOptions | undefined
  /**
   * permessage-deflate (RFC 7692) with clients that offer it. true or 'shared': no memory for a connection; 'dedicated':
   * better compression, for memory of each connection; an object: choices in detail. Default false.
   */
  readonly compression?: CompressionOption | undefined
  /** Pings on silence, and an end to peers that don't answer; false for none. Default: after 30 s, and 10 s more. */
  readonly heartbeat?: HeartbeatOption | undefined
  /** Carries what is published with scope 'global' to other processes: `clusterBus()`. Default: none. */
  readonly bus?: Bus | undefined
  /**
   * What sets this server apart on its bus: servers of the same name, in all processes, get each other's broadcasts. Where
   * two servers of a process share a bus, each needs one.
   */
  readonly name?: string | undefined
  /**
   * Which proxies may say, in which header, what address a client has: it is the last in the header that is not one of
   * theirs, and becomes `remoteAddress`. Default false: the address of whoever is connected.
   */
  readonly trustProxy?: TrustProxyOption | undefined
}

/** What `accept` has to return where `socket.data` has a type without undefined. */
export type DecisionWithData<Data> = (Acceptance & { readonly data: Data }) | Refusal

/** The options where `socket.data` has a type without undefined: `accept` is there, and gives it. */
export interface ServerOptionsWithData<Data> extends ServerOptions<Data> {
  /** As of `ServerOptions`, with `data` for every handshake that may go on. */
  readonly accept: (request: UpgradeRequest) => DecisionWithData<Data> | Promise<DecisionWithData<Data>>
}

/** The options as a server uses them. */
export interface CheckedOptions<Data>
  extends Omit<ServerOptions<Data>, 'compression' | 'heartbeat' | 'limits' | 'protocols' | 'slowReceivers' | 'trustProxy'> {
  readonly heartbeat: HeartbeatTimes | undefined
  readonly compression: CompressionSettings | undefined
  readonly limits: Limits
  readonly slowReceivers: SlowReceivers | undefined
  readonly protocols: readonly string[]
  readonly trustProxy: TrustedProxies | undefined
  /** Whether connections of this machine and of private networks count for `limits.connectionsPerAddress`. */
  readonly countsNear: boolean
}

const CALLBACKS = ['accept', 'open', 'message', 'drain', 'pong', 'close', 'error'] as const
const NAMES: readonly string[] = [
  ...CALLBACKS,
  ...['path', 'origins', 'protocols', 'limits', 'slowReceivers', 'compression', 'heartbeat', 'bus', 'name', 'trustProxy'],
]

const KNOWN: KnownNames = {
  names: NAMES,
  example: '{ message(socket, data) { … } }',
  foreign: new Map([...LIMITS.map(name => [name, `write limits: { ${name} }`] as const), ...SERVER_NAMES]),
}
const OF_CLOSE: KnownNames = { names: ['code', 'timeout'], example: '{ code: 1001 }', foreign: new Map([['reason', 'a server closes with a code alone']]) }
const OF_ATTACH: KnownNames = { names: ['path'], example: "{ path: '/chat' }" }
const OF_DECISION: KnownNames = {
  prefix: 'accept: ',
  kind: 'part of its answer',
  names: ['protocol', 'headers', 'data'],
  foreign: DECISION_NAMES,
  hint: 'what is yours goes into data, as in { data: { user } }',
  code: 'invalid-argument',
}

/** @throws MisuseError `invalid-option`, naming the option and what it may be */
export function checkOptions<Data>(options: ServerOptions<Data>): CheckedOptions<Data> {
  checkNames('options', options, KNOWN)
  for (const name of CALLBACKS) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw invalid(`${name} must be a function, and not ${show(options[name])}`)
  }
  checkPath(options.path)
  checkBus(options.bus)
  if (options.name !== undefined && typeof options.name !== 'string') throw invalid(`name must be a string, and not ${show(options.name)}`)
  const protocols: unknown = options.protocols === undefined ? [] : options.protocols
  if (!Array.isArray(protocols) || !protocols.every(name => typeof name === 'string' && isToken(name))) {
    throw invalid('protocols must be a list of tokens (letters, digits and !#$%&\'*+-.^_`|~)')
  }
  return {
    ...options,
    origins: checkOriginPolicy(options.origins),
    protocols: [...protocols] as string[],
    limits: resolveLimits(options.limits),
    slowReceivers: resolveSlowReceivers(options.slowReceivers),
    compression: resolveCompression(options.compression === undefined ? false : options.compression),
    heartbeat: resolveHeartbeat(options.heartbeat),
    trustProxy: resolveTrustProxy(options.trustProxy),
    countsNear: options.limits?.connectionsPerAddress !== undefined,
  }
}

/** @throws MisuseError `invalid-option` */
export function checkCloseOptions(options: CloseOptions): void {
  checkNames('options', options, OF_CLOSE)
  const { code, timeout } = options
  if (timeout !== undefined) checkAmount('timeout', timeout, 'milliseconds')
  if (code !== undefined && !isWireCloseCode(code)) throw invalid(`code must be ${WIRE_CLOSE_CODES}, and not ${show(code)}`)
}

/** @throws MisuseError `invalid-option` */
export function checkAttachOptions(options: AttachOptions): void {
  checkNames('options', options, OF_ATTACH)
  checkPath(options.path)
}

/** @throws MisuseError `invalid-argument` */
export function checkServerBroadcast<Data>(options: BroadcastOptions<Data>): void {
  if (options instanceof Connection) throw new MisuseError('invalid-argument', 'options must be an object, as in { except: socket }, and not a connection')
  checkBroadcastOptions(options)
  const { except } = options
  if (except === undefined || except instanceof Connection) return
  throw new MisuseError('invalid-argument', `except must be one connection, or left out, and not ${show(except)}`)
}

/**
 * What `accept` has answered.
 *
 * @throws MisuseError `invalid-argument` for what is no answer, or has parts that none has
 */
export function checkDecision<Data>(decision: Decision<Data>): Choices<Data> | Refusal | undefined {
  if (decision === undefined) return undefined
  if (decision instanceof Refusal) return decision
  // What has a class, such as a Response that refuses, would be taken for a yes without choices.
  if (!isPlain(decision)) {
    const hint = typeof decision === 'boolean' ? ': yes is nothing, no is refuse(403)' : ''
    throw new MisuseError(
      'invalid-argument',
      `accept must return nothing, a plain object of protocol, headers and data, or what refuse() made, and not ${describe(decision)}${hint}`
    )
  }
  checkNames('the answer of accept', decision, OF_DECISION)
  return decision
}

function checkBus(bus: unknown): void {
  if (bus === undefined) return
  const { publish, subscribe } = Object(bus) as Partial<Bus>
  if (typeof publish === 'function' && typeof subscribe === 'function') return
  throw invalid(`bus must be what clusterBus() gives, or an object that has publish and subscribe, and not ${show(bus)}`)
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-option', sentence)
}

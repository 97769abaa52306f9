/** The options of `connect`, and their check. */
import type { Agent } from 'node:http'
import { resolveCompression, type CompressionOption, type CompressionSettings } from './deflate/compression.ts'
import { checkRequestHeaders } from './handshake/client-request.ts'
import { CLIENT_NAMES } from './foreign-names.ts'
import { isToken } from './handshake/grammar.ts'
import { isFieldValue, type Headers } from './handshake/response-headers.ts'
import { LIMITS, resolveLimits, SERVER_LIMITS, type LimitOptions, type Limits } from './limits.ts'
import { checkAmount } from './protocol/amount.ts'
import { MisuseError, show } from './protocol/misuse-error.ts'
import { checkNames, type KnownNames } from './protocol/option-names.ts'
import type { Connection } from './transport/connection.ts'
import { resolveHeartbeat, type HeartbeatOption, type HeartbeatTimes } from './transport/heartbeat.ts'
import type { Message } from './transport/message.ts'
import { checkTls, type TlsOptions } from './transport/open-socket.ts'
import { checkProxy, type ProxyOption, type ProxySource } from './transport/proxy-option.ts'
import { resolveSlowReceivers, type SlowReceiverOptions, type SlowReceivers } from './transport/slow-receiver.ts'

export interface ConnectOptions {
  /**
   * A message: a string for text, a Buffer of its own for binary. Without this option messages wait until they are
   * pulled: `for await (const message of socket)`.
   */
  readonly message?: ((socket: Connection, data: Message) => unknown) | undefined
  /** After a `send` that returned false: go on. */
  readonly drain?: ((socket: Connection) => unknown) | undefined
  /** A pong came. As the server's option of this name. */
  readonly pong?: ((socket: Connection, data: Buffer) => unknown) | undefined
  /** Once, if the connection was opened: it is over. As the server's option of this name. */
  readonly close?: ((socket: Connection, code: number, reason: string) => unknown) | undefined
  /**
   * A callback of yours threw or rejected, which closes the connection with 1011; or the server broke the protocol (a
   * Violation). Default: your callbacks' errors become process warnings.
   */
  readonly error?: ((socket: Connection, error: unknown) => void) | undefined
  /** Subprotocols to offer, in order of preference; `socket.protocol` is the one agreed on. Default: none. */
  readonly protocols?: string | readonly string[] | undefined
  /** More headers for the request, such as Authorization or Cookie; those of the handshake itself can't be set. */
  readonly headers?: Headers | undefined
  /** The header Origin. Default: none, as of a client that is no browser. */
  readonly origin?: string | undefined
  /** Aborts the attempt; without effect once the connection is open. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until the connection has to be open, redirects and all; Infinity for no limit. Default 10,000. */
  readonly timeout?: number | undefined
  /** As the server's, of one connection; `timeout` stands in for `handshakeTime`. */
  readonly limits?: Omit<LimitOptions, (typeof SERVER_LIMITS)[number]> | undefined
  /** As the server's. */
  readonly slowReceivers?: SlowReceiverOptions | undefined
  /** permessage-deflate (RFC 7692) to offer, as the server's option of this name. Default true: 'shared'. */
  readonly compression?: CompressionOption | undefined
  /** As the server's. */
  readonly heartbeat?: HeartbeatOption | undefined
  /** For wss: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`, …: whatever `tls.connect` takes about TLS. */
  readonly tls?: TlsOptions | undefined
  /** Makes the socket in our place: an http.Agent, or https.Agent for wss. Excludes tls, socketPath and proxy. */
  readonly agent?: Agent | undefined
  /** A unix socket to connect to; the URL says Host and path. Excludes agent and proxy. */
  readonly socketPath?: string | undefined
  /**
   * The HTTP proxy to go through. 'environment': the one that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name.
   * Default: none.
   */
  readonly proxy?: ProxyOption | undefined
  /**
   * How many redirects to follow. What may be secret stays with the first origin: headers, the URL's user and password,
   * and `tls`. From wss to ws is never followed. Default 0.
   */
  readonly redirects?: number | undefined
}

/** The options as the client uses them. */
export interface ConnectPlan extends Pick<ConnectOptions, (typeof CALLBACKS)[number]> {
  readonly protocols: readonly string[]
  readonly headers: Headers
  readonly origin: string | undefined
  readonly signal: AbortSignal | undefined
  readonly timeout: number
  readonly limits: Limits
  readonly slowReceivers: SlowReceivers | undefined
  readonly compression: CompressionSettings | undefined
  readonly heartbeat: HeartbeatTimes | undefined
  readonly tls: TlsOptions | undefined
  readonly agent: Agent | undefined
  readonly socketPath: string | undefined
  readonly proxy: ProxySource | undefined
  readonly redirects: number
}

const DEFAULT_TIMEOUT = 10_000

const CALLBACKS = ['message', 'drain', 'pong', 'close', 'error'] as const
const OF_REQUEST = ['protocols', 'headers', 'origin', 'signal', 'timeout']
const OF_CONNECTION = ['limits', 'slowReceivers', 'compression', 'heartbeat', 'tls', 'agent', 'socketPath', 'proxy', 'redirects']
const KNOWN: KnownNames = {
  names: [...CALLBACKS, ...OF_REQUEST, ...OF_CONNECTION],
  example: "{ headers: { authorization: 'Bearer …' } }",
  foreign: new Map([...LIMITS.map(name => [name, `write limits: { ${name} }`] as const), ...CLIENT_NAMES]),
}

/** What an option can't be given together with. */
const EXCLUSIVE = [
  ['agent', 'tls'],
  ['agent', 'socketPath'],
  ['agent', 'proxy'],
  ['socketPath', 'proxy'],
] as const

/**
 * @throws MisuseError `invalid-option`, naming the option and what it may be; `invalid-header` for headers that HTTP
 *   can't carry or that are the handshake's own
 */
export function checkConnectOptions(options: ConnectOptions): ConnectPlan {
  // What the browser's class takes, and ws.
  if (typeof options === 'string' || Array.isArray(options)) {
    throw invalid(`options must be an object, and not ${show(options)}: subprotocols are { protocols: ${show(options)} }`)
  }
  checkNames('options', options, KNOWN)
  for (const name of CALLBACKS) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw invalid(`${name} must be a function, and not ${show(options[name])}`)
  }
  for (const [one, other] of EXCLUSIVE) {
    if (options[one] !== undefined && options[other] !== undefined) throw invalid(`${one} can't be given with ${other}`)
  }
  const { message, drain, pong, close, error, headers = {}, timeout = DEFAULT_TIMEOUT, redirects = 0 } = options
  checkRequestHeaders(headers)
  return {
    ...{ message, drain, pong, close, error },
    protocols: checkProtocols(options.protocols),
    headers: { ...headers },
    origin: checkOrigin(options.origin),
    signal: checkSignal(options.signal),
    timeout: checkAmount('timeout', timeout, 'milliseconds'),
    limits: checkLimits(options.limits),
    slowReceivers: resolveSlowReceivers(options.slowReceivers),
    compression: resolveCompression(options.compression === undefined ? true : options.compression),
    heartbeat: resolveHeartbeat(options.heartbeat),
    tls: checkTls('tls', options.tls),
    agent: checkAgent(options.agent),
    socketPath: checkSocketPath(options.socketPath),
    proxy: checkProxy(options.proxy),
    redirects: checkAmount('redirects', redirects, 'redirects'),
  }
}

function checkProtocols(protocols: unknown): readonly string[] {
  const list = protocols === undefined ? [] : typeof protocols === 'string' ? [protocols] : protocols
  const valid = Array.isArray(list) && list.every(name => typeof name === 'string' && isToken(name))
  // RFC 6455, section 4.1: the elements must all be different.
  if (valid && new Set(list).size === list.length) return [...list] as string[]
  throw invalid('protocols must be a token or a list of different ones (letters, digits and !#$%&\'*+-.^_`|~)')
}

function checkOrigin(origin: unknown): string | undefined {
  if (origin === undefined || (typeof origin === 'string' && origin !== '' && isFieldValue(origin))) return origin
  throw invalid('origin must be a string such as https://example.org')
}

function checkSignal(signal: unknown): AbortSignal | undefined {
  // By its shape: that of another realm will do.
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>
  if (signal === undefined || (typeof aborted === 'boolean' && typeof addEventListener === 'function')) return signal as AbortSignal | undefined
  throw invalid('signal must be an AbortSignal')
}

function checkLimits(limits: LimitOptions | undefined): Limits {
  const name = SERVER_LIMITS.find(name => Object(limits)[name] !== undefined)
  if (name !== undefined) throw invalid(`limits.${name} is for servers${name === 'handshakeTime' ? ': use timeout' : ''}`)
  return resolveLimits(limits)
}

function checkAgent(agent: unknown): Agent | undefined {
  if (agent === undefined || typeof Object(agent).addRequest === 'function') return agent as Agent | undefined
  throw invalid('agent must be an http.Agent or https.Agent')
}

function checkSocketPath(path: unknown): string | undefined {
  if (path === undefined || (typeof path === 'string' && path !== '')) return path
  throw invalid('socketPath must be the path of a unix socket')
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-option', sentence)
}

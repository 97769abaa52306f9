/** The client: `connect`, from a URL to an open Connection (RFC 6455, section 4.1). */
import type { IncomingMessage } from 'node:http'
import { checkConnectOptions, type ConnectOptions, type ConnectPlan } from './client-options.ts'
import { createCompression, type CompressionSettings } from './deflate/compression.ts'
import { formatOffer, NegotiationError, readAgreement } from './deflate/negotiation.ts'
import { Diagnostics } from './diagnostics.ts'
import { followRedirect, isRedirect } from './handshake/client-redirect.ts'
import { formatRequest } from './handshake/client-request.ts'
import { readResponse, type Agreement } from './handshake/client-response.ts'
import { readTarget, type Target } from './handshake/client-target.ts'
import { describeAnswer, HandshakeError, NO_BODY, type PlainAnswer } from './handshake/handshake-error.ts'
import { takeMetrics, type Metrics } from './metrics.ts'
import type { Compression } from './protocol/message-codec.ts'
import { Attempt } from './transport/attempt.ts'
import type { ConnectionHandlers } from './transport/connection-setup.ts'
import { Connection } from './transport/connection.ts'
import { dial } from './transport/dial.ts'
import { Heartbeat, type HeartbeatTimes } from './transport/heartbeat.ts'
import type { ProcessHold } from './transport/process-hold.ts'
import { reportError } from './transport/report.ts'

const diagnostics = new Diagnostics('client')

/**
 * What the connections that `connect`, `reconnecting` and the `WebSocket` class have made in this thread have done so
 * far, and how they stand: as a server's `metrics()`.
 */
export function clientMetrics(): Metrics {
  return takeMetrics(diagnostics, diagnostics.open)
}

/** A handshake that is done. */
export interface Established extends Agreement {
  readonly connection: Connection
}

/**
 * Connects to a WebSocket server.
 *
 * Nothing that the server sends is lost, however soon it comes: the first message is handed over after whatever awaits
 * the promise has gone on. Without a `message` option messages wait for `for await (const message of socket)`, and past
 * 16 of them, or 64 KiB, the server is slowed down. Such a loop may be left and begun again.
 *
 * @param url ws: or wss:; http: and https: mean the same. A user and password in it become Basic authorization; a
 *   fragment is misuse
 * @returns the open connection. Rejects with a HandshakeError where the server, a redirect or the proxy said no; with
 *   the network's error and its `code` (ECONNREFUSED, …); with the signal's reason where that aborted; with a
 *   MisuseError. No socket, timer or listener is left then
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Connection> {
  const target = readTarget(url)
  const plan = checkConnectOptions(options)
  const { connection } = await establish(target, plan, handlersOf(plan))
  return connection
}

/** @internal What calls the callbacks of a plan. */
export function handlersOf({ message, drain, pong, close, error }: ConnectPlan): ConnectionHandlers<Connection> {
  return {
    ...(message && { message }),
    ...(drain && { drain }),
    ...(pong && { pong }),
    ...(close && { close }),
    failed: (socket, thrown, failure) => reportError(thrown, error && (thrown => error(socket, thrown)), failure),
    gone() {},
  }
}

/**
 * @internal As `connect`, with handlers that need not be the plan's.
 *
 * @param hold what is under way until then
 */
export async function establish(
  target: Target,
  plan: ConnectPlan,
  handlers: ConnectionHandlers<Connection>,
  hold?: ProcessHold
): Promise<Established> {
  // Not `throwIfAborted`, which not every signal of another realm has.
  if (plan.signal?.aborted === true) throw plan.signal.reason
  const attempt = new Attempt(plan.signal, plan.timeout, hold)
  try {
    return await follow(target, plan, handlers, attempt)
  } catch (error) {
    if (error instanceof HandshakeError) diagnostics.refusedBy(error.status, error.code)
    throw error
  } finally {
    attempt.end()
  }
}

/** Handshakes until one is answered with something else than a redirect that may be followed. */
async function follow(
  first: Target,
  plan: ConnectPlan,
  handlers: ConnectionHandlers<Connection>,
  attempt: Attempt
): Promise<Established> {
  let target = first
  let { headers, tls } = plan
  for (let followed = 0; ; followed++) {
    const answer = await handshake(target, { ...plan, headers, tls }, handlers, attempt)
    if ('connection' in answer) return answer
    const { status } = answer
    if (!isRedirect(status)) {
      // A query may hold a secret.
      const { origin, pathname } = target.url
      throw new HandshakeError('handshake-refused', `the server ${describeAnswer(answer, origin + pathname)}`, answer)
    }
    if (plan.redirects === 0) {
      const sentence = `the server redirects, with ${status}: the option redirects says how many to follow`
      throw new HandshakeError('redirect-refused', sentence, answer)
    }
    if (followed === plan.redirects) {
      throw new HandshakeError('redirect-refused', `there were more than ${followed} redirects`, answer)
    }
    const redirection = followRedirect(target, answer)
    if (!redirection.sameOrigin) {
      // An agent may have a certificate or a proxy's password, and a unix socket is one server.
      if (plan.agent !== undefined || plan.socketPath !== undefined) {
        const sentence = 'with agent or socketPath no redirect to another origin is followed'
        throw new HandshakeError('redirect-refused', sentence, answer)
      }
      // Not given back either, where a later redirect leads back: the other origin would decide where they go.
      headers = {}
      tls = undefined
    }
    target = redirection.target
  }
}

function handshake(
  target: Target,
  plan: ConnectPlan,
  handlers: ConnectionHandlers<Connection>,
  attempt: Attempt
): Promise<Established | PlainAnswer> {
  const { protocols, origin, headers, agent, socketPath, tls, limits, slowReceivers, compression, heartbeat, redirects } = plan
  const extensions = compression === undefined ? '' : formatOffer(compression)
  const request = formatRequest(target, { protocols, origin, headers, extensions })
  return dial<Established>({
    target,
    rawHeaders: request.rawHeaders,
    means: { agent, socketPath, tls, proxy: plan.proxy?.(target) },
    attempt,
    wantsBody: status => redirects === 0 || !isRedirect(status),
    switched(response, transport, early) {
      const agreement = readResponse(response, request)
      const connection = new Connection<unknown>({
        terms: {
          role: 'client',
          handlers,
          limits,
          slowReceivers,
          diagnostics,
          heartbeat: heartbeat && heartbeatFor(heartbeat),
        },
        transport,
        response: { status: response.statusCode ?? 101, headers: response.headers },
        protocol: agreement.protocol,
        extensions: String(response.headers['sec-websocket-extensions'] ?? ''),
        compression: agreedCompression(agreement, compression, response),
        data: undefined,
        pulled: handlers.message === undefined && handlers.rawMessage === undefined,
      })
      connection.start(early)
      return { connection, ...agreement }
    },
  })
}

/** @throws HandshakeError `handshake-invalid` where the server's answer does not fit the offer (RFC 7692, section 5.1) */
function agreedCompression(
  { extensions }: Agreement,
  settings: CompressionSettings | undefined,
  { statusCode: status = 0, headers }: IncomingMessage
): Compression | undefined {
  try {
    const agreement = readAgreement(extensions, settings)
    return agreement && settings && createCompression('client', agreement, settings, diagnostics.compression)
  } catch (error) {
    if (!(error instanceof NegotiationError)) throw error
    throw new HandshakeError('handshake-invalid', error.message, { status, headers, body: NO_BODY })
  }
}

const heartbeats = new Map<string, Heartbeat>()

/** One for all clients with the same times, so that many connections still have one timer. */
function heartbeatFor(times: HeartbeatTimes): Heartbeat {
  const key = `${times.interval} ${times.timeout}`
  const heartbeat = heartbeats.get(key) ?? new Heartbeat(times)
  heartbeats.set(key, heartbeat)
  return heartbeat
}

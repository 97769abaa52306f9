/** From a target to an answered handshake: directly, through a proxy, over a unix socket, or by the caller's agent. */
import type { Agent, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Target } from '../handshake/client-target.ts'
import type { PlainAnswer } from '../handshake/handshake-error.ts'
import type { Attempt } from './attempt.ts'
import { exchange } from './exchange.ts'
import { openSocket, secureSocket, takeOver, type TlsOptions } from './open-socket.ts'
import { throughProxy, type Proxy } from './proxy-tunnel.ts'

/** How a target is reached; an agent, a unix socket and a proxy exclude each other. */
export interface Means {
  readonly agent: Agent | undefined
  readonly socketPath: string | undefined
  readonly proxy: Proxy | undefined
  /** For TLS with the target. */
  readonly tls: TlsOptions | undefined
}

export interface Dialling<Result> {
  readonly target: Target
  /** The request's headers, names and values in turn. */
  readonly rawHeaders: readonly string[]
  readonly means: Means
  readonly attempt: Attempt
  /** Whether somebody wants the body of an answer other than 101. */
  wantsBody(status: number): boolean
  /** The server has answered with 101: the socket is the caller's, `early` came behind the answer. May throw. */
  switched(response: IncomingMessage, socket: Duplex, early: Buffer): Result
}

/** What `switched` returned, or another answer than 101, its socket gone. Rejects as `exchange` and the tunnel do. */
export function dial<Result>(dialling: Dialling<Result>): Promise<Result | PlainAnswer> {
  const { target, means, attempt } = dialling
  const { agent, proxy, tls } = means
  if (agent !== undefined) return handshake(dialling, undefined)
  if (proxy === undefined) {
    const socket = openSocket(target, tls, means.socketPath)
    attempt.hold.carry(socket)
    return handshake(dialling, socket)
  }
  return throughProxy(proxy, target, attempt, tunnel =>
    handshake(dialling, target.secure ? secureSocket(tunnel, target.host, tls) : tunnel)
  )
}

function handshake<Result>(dialling: Dialling<Result>, socket: Duplex | undefined): Promise<Result | PlainAnswer> {
  const { target, means, attempt } = dialling
  const { host, port, secure, url } = target
  const byAgent = { agent: means.agent, protocol: secure ? 'https:' : 'http:', host, port, ALPNProtocols: ['http/1.1'] }
  return exchange<Result>({
    options: {
      method: 'GET',
      path: url.pathname + url.search,
      headers: [...dialling.rawHeaders],
      ...(socket === undefined && byAgent),
    },
    socket,
    attempt,
    scheme: { secure, mend: `the URL has to begin with ${secure ? 'ws:' : 'wss:'}` },
    wantsBody: dialling.wantsBody,
    switched(response, switchedSocket, early) {
      takeOver(switchedSocket)
      return dialling.switched(response, switchedSocket, early)
    },
  })
}

/** The HTTP server behind a port of our own: it upgrades, answers whatever else comes with 426, and bounds both. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Refusal } from '../handshake/refusal.ts'
import { MAX_HEADER_LINES } from '../handshake/request.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { RESOLUTION } from './deadlines.ts'
import { answerPlainRequest, httpTime, keepNewcomers, refuseBadRequest } from './http1.ts'
import { watchAnswers } from './http-answers.ts'

export interface OwnHttpLimits {
  /** Milliseconds. */
  readonly handshakeTime: number
  readonly handshakeBytes: number
}

export interface OwnHttpHandlers {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** A request that is none was answered with this. @param address the client's: the socket is gone, and has none */
  refused(socket: Duplex, refusal: Refusal, address: string | undefined): void
}

export function createOwnHttp({ handshakeTime, handshakeBytes }: OwnHttpLimits, handlers: OwnHttpHandlers): Server {
  const time = httpTime(handshakeTime)
  // Node refuses at this many, and counts less than `readRequest` does: the rest is refused there.
  const maxHeaderSize = Math.min(handshakeBytes + 1, Number.MAX_SAFE_INTEGER)
  const http = createServer(
    { maxHeaderSize, headersTimeout: time, requestTimeout: time, connectionsCheckingInterval: RESOLUTION },
    answerPlainRequest
  )
  keepNewcomers(http)
  watchAnswers(http)
  // One more, for one too many to be seen: Node may leave out the rest without a word.
  http.maxHeadersCount = MAX_HEADER_LINES + 1
  http.on('upgrade', (request, socket, head) => handlers.upgrade(request, socket, head))
  http.on('clientError', (error, socket) => {
    const { remoteAddress } = socket as Socket
    const refusal = refuseBadRequest(error, socket)
    if (refusal !== undefined) handlers.refused(socket, refusal, remoteAddress)
  })
  return http
}

/** @throws MisuseError `invalid-argument` for what is no object; what is in it is for Node to check */
export function checkListenOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null) return
  throw new MisuseError('invalid-argument', `options must be an object, as in listen({ port: 8080 }), and not ${show(options)}`)
}

/** Rejects with the system's error, or with `invalid-state` where the server is closed before it listens. */
export function listenOn(http: Server, options: ListenOptions & { fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new MisuseError('invalid-state', 'the server was closed before it listened'))
    http.once('error', reject)
    http.once('close', closed)
    http.listen(options, () => {
      http.off('error', reject)
      http.off('close', closed)
      resolve()
    })
  })
}

/** The way through an HTTP proxy: CONNECT, then the socket is ours (RFC 6455, section 4.1; RFC 9110, section 9.3.6). */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Target } from '../handshake/client-target.ts'
import { HandshakeError, type PlainAnswer } from '../handshake/handshake-error.ts'
import type { Headers } from '../handshake/response-headers.ts'
import type { Attempt } from './attempt.ts'
import { exchange, MAX_ANSWER_BODY } from './exchange.ts'
import { openSocket, type TlsOptions } from './open-socket.ts'

/** A proxy, as the option or the environment names it. */
export interface Proxy {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** For the CONNECT request, Proxy-Authorization included. */
  readonly headers: Headers
  /** For TLS with the proxy itself. */
  readonly tls: TlsOptions | undefined
}

/**
 * Asks the proxy for a tunnel to the target and calls `next` with it, before anything else can happen to the socket.
 *
 * @returns what `next` returns; rejects with a HandshakeError `proxy-refused` for an answer other than 2xx, and as
 *   `exchange` does
 */
export function throughProxy<Result>(
  proxy: Proxy,
  target: Target,
  attempt: Attempt,
  next: (socket: Duplex) => Promise<Result>
): Promise<Result> {
  // The authority form has a port always.
  const authority = `${target.url.hostname}:${target.port}`
  const headers = ['Host', authority, 'Connection', 'keep-alive']
  for (const [name, value] of Object.entries(proxy.headers)) {
    for (const line of [value].flat()) headers.push(name, line)
  }
  return exchange<Result>({
    options: { method: 'CONNECT', path: authority, headers },
    socket: openSocket(proxy, proxy.tls, undefined),
    attempt,
    wantsBody: () => false,
    switched(response, socket, head) {
      const { statusCode: status = 0 } = response
      if (status < 200 || status > 299) return refused(response, socket, head, attempt)
      // A server speaks when it is spoken to, in TLS as in HTTP; what comes before would be taken for its answer.
      if (head.length > 0) {
        throw new HandshakeError('handshake-invalid', 'bytes came through the proxy in front of the request')
      }
      return next(socket)
    },
  }) as Promise<Result>
}

/**
 * Rejects with the proxy's answer. Node takes the answer to CONNECT for the end of HTTP on the socket, so the body is
 * read here: by its length or to the end. One in chunks is left out.
 */
function refused(response: IncomingMessage, socket: Duplex, head: Buffer, attempt: Attempt): Promise<never> {
  const { statusCode: status = 0, headers } = response
  const announced = Number(headers['content-length'] ?? Infinity)
  const wanted = headers['transfer-encoding'] === undefined ? Math.min(announced, MAX_ANSWER_BODY) : 0
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((_, reject) => {
    const finish = (reason: unknown): void => {
      attempt.unwatch()
      socket.destroy()
      reject(reason)
    }
    const refuse = (): void => {
      const answer: PlainAnswer = { status, headers, body: Buffer.concat(chunks).subarray(0, wanted) }
      finish(new HandshakeError('proxy-refused', `the proxy answered with ${status}`, answer))
    }
    const receive = (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= wanted) refuse()
    }
    socket.on('error', refuse)
    socket.on('close', refuse)
    attempt.watch(({ reason, late }) => (late ? refuse() : finish(reason)))
    socket.on('data', receive)
    receive(head)
  })
}

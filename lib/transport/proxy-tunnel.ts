/** The way through an HTTP proxy: CONNECT, then the socket is ours (RFC 6455, section 4.1; RFC 9110, section 9.3.6). */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Target } from '../handshake/client-target.ts'
import { describeAnswer, HandshakeError, type PlainAnswer } from '../handshake/handshake-error.ts'
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
  const ask = (socket: Duplex, take: (response: IncomingMessage, head: Buffer) => Promise<Result>): Promise<Result> =>
    exchange<Result>({
      options: { method: 'CONNECT', path: authority, headers },
      socket,
      attempt,
      scheme: { secure: proxy.secure, mend: `the URL of the proxy has to begin with ${proxy.secure ? 'http:' : 'https:'}` },
      wantsBody: () => false,
      switched: (response, _, head) => take(response, head),
    }) as Promise<Result>
  const socket = openSocket(proxy, proxy.tls, undefined)
  attempt.hold.carry(socket)
  let answers = 0
  const decide = (response: IncomingMessage, head: Buffer): Promise<Result> => {
    const { statusCode: status = 0 } = response
    // RFC 9110, section 15.2: answers of 1xx may come in front of the one that counts.
    if (status < 200 && status !== 101 && ++answers < MOST_ANSWERS) {
      const rest = new Replies(socket, head)
      return ask(rest, (response, head) => {
        const result = decide(response, head)
        rest.letGo()
        return result
      })
    }
    if (status < 200 || status > 299) return refused(response, socket, head, attempt)
    // A server speaks when it is spoken to, in TLS as in HTTP; what comes before would be taken for its answer.
    if (head.length > 0) {
      throw new HandshakeError('handshake-invalid', 'bytes came through the proxy in front of the request')
    }
    return next(socket)
  }
  return ask(socket, decide)
}

/** A proxy that says no more than this has nothing to say. */
const MOST_ANSWERS = 16

/**
 * What a socket still has to say to a request that it has got: Node takes each answer to CONNECT for the last, and a
 * request anew is the one way to have another parsed. That one goes nowhere.
 */
class Replies extends Duplex {
  readonly #socket: Socket
  #letGo = false
  readonly #onData = (chunk: Buffer): void => void this.push(chunk)
  readonly #onEnd = (): void => void this.push(null)
  readonly #onError = (error: Error): void => void this.destroy(error)
  readonly #onClose = (): void => void this.destroy()

  constructor(socket: Socket, head: Buffer) {
    super()
    this.#socket = socket
    if (head.length > 0) this.push(head)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** The socket is somebody else's, who has it by now; it flows on, for a pause would last. */
  letGo(): void {
    this.#letGo = true
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
  }

  /** What is under way is the socket (`ProcessHold`). */
  ref(): void {
    this.#socket.ref()
  }

  unref(): void {
    this.#socket.unref()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#letGo) this.#socket.destroy()
    done(error)
  }
}

/**
 * Rejects with the proxy's answer. Node takes the answer to CONNECT for the end of HTTP on the socket, so the body is
 * read here: by its length or to the end. One in chunks is left out.
 */
function refused(response: IncomingMessage, socket: Duplex, head: Buffer, attempt: Attempt): Promise<never> {
  const { statusCode: status = 0, headers } = response
  // RFC 9110, section 6.4.1: these end with their headers, and the proxy may leave the socket open.
  const bare = status < 200 || status === 304
  const announced = Number(headers['content-length'] ?? Infinity)
  const wanted = bare || headers['transfer-encoding'] !== undefined ? 0 : Math.min(announced, MAX_ANSWER_BODY)
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
      finish(new HandshakeError('proxy-refused', `the proxy ${describeAnswer(answer)}`, answer))
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

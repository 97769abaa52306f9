/** One request whose answer may take the socket over: an upgrade, or CONNECT (RFC 9110, sections 7.8 and 9.3.6). */
import { request as requestHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import { HandshakeError, type PlainAnswer } from '../handshake/handshake-error.ts'
import { MisuseError } from '../protocol/misuse-error.ts'
import type { Attempt } from './attempt.ts'

/** What the caller gets to see of the body of an answer, in bytes. */
export const MAX_ANSWER_BODY = 64 * 1024

/** Node makes a plain answer of a 101 that does not say what it switches to. */
const NO_UPGRADE = 'Upgrade must be there, and Connection must name it'

export interface Exchange<Result> {
  readonly options: RequestOptions
  /** A socket for this request alone, perhaps not connected yet; undefined where an agent makes it. */
  readonly socket: Duplex | undefined
  readonly attempt: Attempt
  /** `secure`: the request goes over TLS. `mend`: how to correct the URL where the other side does otherwise. */
  readonly scheme: { readonly secure: boolean; readonly mend: string }
  /** Whether somebody wants the body of an answer that leaves the socket to HTTP. */
  wantsBody(status: number): boolean
  /**
   * The socket is the caller's, with no listener of HTTP's on it; `head` came behind the answer. Called before anything
   * else can happen to the socket; if it throws, the socket is destroyed.
   */
  switched(response: IncomingMessage, socket: Duplex, head: Buffer): Result | Promise<Result>
}

/**
 * What `switched` returned, or an answer that was none to switch, its socket gone or its agent's again. Rejects with
 * the network's error, a HandshakeError `handshake-invalid` for what is not HTTP, what `switched` threw, or the reason
 * why the attempt ended; nothing of the request is left then.
 */
export function exchange<Result>(given: Exchange<Result>): Promise<Result | PlainAnswer> {
  const { options, socket, attempt } = given
  return new Promise((resolve, reject) => {
    let answer: AnswerBody | undefined
    const settle = (): void => {
      attempt.unwatch()
      socket?.off('error', fail)
      socket?.off('close', onClose)
    }
    const drop = (): void => {
      settle()
      // Destroying makes errors that nobody waits for.
      socket?.on('error', ignore)
      request.destroy()
      socket?.destroy()
    }
    const fail = (error: Error): void => {
      // An answer whose body broke off is still an answer.
      if (answer !== undefined) return answer.finish()
      drop()
      reject(explain(error, given.scheme))
    }
    const onClose = (): void => fail(Object.assign(new Error('the socket was closed'), { code: 'ECONNRESET' }))
    const request = begin(options, socket)
    const onSwitch = (response: IncomingMessage, switchedSocket: Duplex, head: Buffer): void => {
      settle()
      try {
        resolve(given.switched(response, switchedSocket, head))
      } catch (error) {
        switchedSocket.on('error', ignore).destroy()
        reject(error)
      }
    }
    socket?.on('error', fail)
    socket?.on('close', onClose)
    request.on('socket', socket => attempt.hold.carry(socket))
    request.on('error', fail)
    request.on('upgrade', onSwitch)
    request.on('connect', onSwitch)
    request.on('response', response => {
      const { statusCode: status = 0 } = response
      answer = new AnswerBody(response, given.wantsBody(status), plain => {
        drop()
        if (status === 101) reject(new HandshakeError('handshake-invalid', NO_UPGRADE, plain))
        else resolve(plain)
      })
    })
    request.end()
    attempt.watch(({ reason, late }) => {
      // The answer is there, though not all of its body: it says more than that time is up.
      if (late && answer !== undefined) return answer.finish()
      drop()
      reject(reason)
    })
  })
}

/** @throws MisuseError `invalid-option` for an agent of the other scheme */
function begin(options: RequestOptions, socket: Duplex | undefined): ClientRequest {
  const send = options.protocol === 'https:' ? requestHttps : requestHttp
  const own = socket !== undefined && { createConnection: () => socket }
  try {
    return send({ ...options, insecureHTTPParser: false, ...own })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_PROTOCOL')) throw error
    throw new MisuseError('invalid-option', 'agent must be an https.Agent for wss: and an http.Agent for ws:')
  }
}

/** Gathers the first part of a body, up to where it ends, breaks off, or is enough. */
class AnswerBody {
  readonly #response: IncomingMessage
  readonly #chunks: Buffer[] = []
  readonly #onDone: (answer: PlainAnswer) => void
  #size = 0
  #done = false

  constructor(response: IncomingMessage, wanted: boolean, onDone: (answer: PlainAnswer) => void) {
    this.#response = response
    this.#onDone = onDone
    response.on('error', ignore)
    // What follows a 101 is no body.
    if (!wanted || response.statusCode === 101) {
      this.finish()
      return
    }
    response.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#size += chunk.length
      if (this.#size >= MAX_ANSWER_BODY) this.finish()
    })
    response.on('end', () => this.finish())
    response.on('close', () => this.finish())
  }

  finish(): void {
    if (this.#done) return
    this.#done = true
    // What was parsed together with the end, or with what broke it off, is still in the stream: `data` events give it.
    while (this.#size < MAX_ANSWER_BODY && this.#response.read() !== null);
    const { statusCode: status = 0, headers } = this.#response
    this.#onDone({ status, headers, body: Buffer.concat(this.#chunks).subarray(0, MAX_ANSWER_BODY) })
  }
}

/** The first byte of a TLS alert (RFC 8446, section 5.1). */
const TLS_ALERT = 0x15

/** Parser errors of Node's say that what came is not HTTP, OpenSSL's that it is not TLS; other errors are the network's. */
function explain(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, { secure, mend }: Exchange<unknown>['scheme']): Error {
  const { code = '' } = error
  const invalid = (sentence: string): Error => new HandshakeError('handshake-invalid', sentence, undefined, { cause: error })
  if (code.startsWith('HPE_')) {
    const isTls = !secure && error.rawPacket?.[0] === TLS_ALERT
    return invalid(isTls ? `the answer is TLS: ${mend}` : 'the answer is not HTTP')
  }
  if (secure && /wrong version number|packet length too long/i.test(error.message)) return invalid(`the answer is not TLS: ${mend}`)
  if (secure || code !== 'ECONNRESET') return error
  // Many TLS servers hang up on plain text, without a word.
  const sentence = `the server closed the connection without an answer: if it speaks TLS, ${mend}`
  return Object.assign(new Error(sentence, { cause: error }), { code })
}

function ignore(): void {}

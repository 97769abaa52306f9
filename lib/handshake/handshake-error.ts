/** A handshake of the client's that came to nothing: what `connect` rejects with (RFC 6455, section 4.1). */

/**
 * What went wrong: the server answered with another status than 101; it answered 101 but broke section 4.1, or sent
 * something that is not HTTP; there was no answer in time; its redirect may not be followed; the proxy said no.
 */
export type HandshakeErrorCode =
  | 'handshake-refused'
  | 'handshake-invalid'
  | 'handshake-timeout'
  | 'redirect-refused'
  | 'proxy-refused'

/** An HTTP response as far as it concerns the caller. */
export interface PlainAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** What there is where no response came, or only its head. */
export const NO_BODY = Buffer.alloc(0)

/** What a message shows of a body, in characters. */
const MAX_SHOWN = 120

/** `answered with 403 at <where>: ` and how the body begins where that is text, for a message of one line. */
export function describeAnswer({ status, headers, body }: PlainAnswer, where = ''): string {
  const head = `answered with ${status}${where === '' ? '' : ` at ${where}`}`
  const { 'content-type': type = 'text/plain' } = headers
  if (!/^(?:text\/|application\/(?:[\w.-]+\+)?json)/i.test(String(type))) return head
  const text = body.toString('utf8', 0, 4 * MAX_SHOWN).replace(/[\p{C}\s]+/gu, ' ').trim()
  if (text === '') return head
  return `${head}: ${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}`
}

/** Errors of the network are none of these: they keep their own `code`, such as ECONNREFUSED. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'
  /** Stable, made for programs. */
  readonly code: HandshakeErrorCode
  /** The status of the server's or the proxy's answer; undefined where none came. */
  readonly status: number | undefined
  /** The answer's headers, their names in lower case; empty where no answer came. */
  readonly headers: PlainAnswer['headers']
  /** What has come of the answer's body, at most 64 KiB. */
  readonly body: Buffer

  constructor(code: HandshakeErrorCode, message: string, answer?: PlainAnswer, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = answer?.status
    this.headers = answer?.headers ?? {}
    this.body = answer?.body ?? NO_BODY
  }
}

/** A refused handshake: a value with what goes back to the client, not an exception (RFC 6455, section 4.2.2). */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkHeaders, type Headers } from './response-headers.ts'

export class Refusal {
  /** The HTTP status, 300 to 599. */
  readonly status: number
  readonly headers: Headers
  /** Goes out as UTF-8 text, unless a content-type among the headers says otherwise. */
  readonly body: string

  constructor(status: number, headers: Headers, body: string) {
    this.status = status
    this.headers = headers
    this.body = body
  }
}

export interface RefuseOptions {
  readonly headers?: Headers | undefined
  /** Default: none. */
  readonly body?: string | undefined
}

/**
 * What an `accept` callback returns to refuse a handshake.
 *
 * @param status an HTTP status from 300 to 599
 * @throws MisuseError `invalid-argument` for another status or a body that is no string, `invalid-header` for headers
 *   that HTTP can't carry
 */
export function refuse(status: number, options: RefuseOptions = {}): Refusal {
  if (!Number.isInteger(status) || status < 300 || status > 599) {
    throw new MisuseError('invalid-argument', `status must be a whole number from 300 to 599, and not ${show(status)}`)
  }
  if (typeof options !== 'object' || options === null) throw new MisuseError('invalid-argument', 'options must be an object')
  const { headers = {}, body = '' } = options
  if (typeof body !== 'string') throw new MisuseError('invalid-argument', 'body must be a string')
  checkHeaders(headers, ['connection', 'content-length', 'transfer-encoding'])
  return new Refusal(status, headers, body)
}

/** The refusals that the handshake itself hands out. */
export const REFUSALS = {
  request: new Refusal(400, {}, 'This is no HTTP request.\n'),
  method: new Refusal(405, { allow: 'GET' }, 'A WebSocket handshake is a GET request.\n'),
  body: new Refusal(400, {}, 'A WebSocket handshake has no body.\n'),
  host: new Refusal(400, {}, 'Host must be there once.\n'),
  upgrade: new Refusal(426, { upgrade: 'websocket' }, 'This address speaks WebSocket: ask for an upgrade.\n'),
  version: new Refusal(
    426,
    { upgrade: 'websocket', 'sec-websocket-version': '13' },
    'The WebSocket version spoken here is 13.\n'
  ),
  key: new Refusal(400, {}, 'Sec-WebSocket-Key must be there once and be 16 bytes in base64.\n'),
  protocol: new Refusal(400, {}, 'Sec-WebSocket-Protocol must be a list of different tokens, at most 128.\n'),
  extensions: new Refusal(400, {}, 'Sec-WebSocket-Extensions is malformed, or has more than 128 names.\n'),
  path: new Refusal(404, {}, 'Nothing is served at this path.\n'),
  origin: new Refusal(403, {}, 'Pages of this origin may not connect.\n'),
  headSize: new Refusal(431, {}, 'The request\'s line and headers have more bytes, or lines, than the limit.\n'),
  timeout: new Refusal(408, {}, 'The handshake took too long.\n'),
  failure: new Refusal(500, {}, 'The handshake failed on the server.\n'),
  closing: new Refusal(503, {}, 'The server is closing.\n'),
  address: new Refusal(429, { 'retry-after': '10' }, 'There are too many connections from this address.\n'),
  busy: new Refusal(503, { 'retry-after': '10' }, 'The server has too much to do.\n'),
} as const

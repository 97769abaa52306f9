/** The client's handshake, as the headers of a GET request (RFC 6455, section 4.1). */
import { randomBytes } from 'node:crypto'
import type { Target } from './client-target.ts'
import { checkHeaders, type Headers } from './response-headers.ts'

/** What the caller asks for, checked. */
export interface RequestTerms {
  /** The subprotocols offered, in order of preference. */
  readonly protocols: readonly string[]
  readonly origin: string | undefined
  readonly headers: Headers
  /** The extensions offered, as the header has them; empty for none. */
  readonly extensions: string
}

/** A request on its way, and what its answer is held against. */
export interface ClientRequest {
  readonly key: string
  readonly protocols: readonly string[]
  readonly extensions: string
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
}

/** These are the handshake's own. */
const RESERVED = [
  'connection',
  'content-length',
  'host',
  'origin',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'transfer-encoding',
  'upgrade',
]

/** @throws MisuseError `invalid-header` for headers that HTTP can't carry or that are the handshake's own */
export function checkRequestHeaders(headers: Headers): void {
  checkHeaders(headers, RESERVED)
}

/** A request with a key of its own, 16 random bytes. A header Authorization goes before the URL's user and password. */
export function formatRequest(target: Target, terms: RequestTerms): ClientRequest {
  const { protocols, origin, headers, extensions } = terms
  const key = randomBytes(16).toString('base64')
  // In the spelling of the RFC: there are servers that take no other.
  const rawHeaders = [
    ...['Host', target.url.host],
    ...['Upgrade', 'websocket'],
    ...['Connection', 'Upgrade'],
    ...['Sec-WebSocket-Key', key],
    ...['Sec-WebSocket-Version', '13'],
  ]
  if (origin !== undefined) rawHeaders.push('Origin', origin)
  if (protocols.length > 0) rawHeaders.push('Sec-WebSocket-Protocol', protocols.join(', '))
  if (extensions !== '') rawHeaders.push('Sec-WebSocket-Extensions', extensions)
  const authorized = Object.keys(headers).some(name => name.toLowerCase() === 'authorization')
  if (target.authorization !== undefined && !authorized) rawHeaders.push('Authorization', target.authorization)
  for (const [name, value] of Object.entries(headers)) {
    for (const line of [value].flat()) rawHeaders.push(name, line)
  }
  return { key, protocols, extensions, rawHeaders }
}

/** The server's answer to a handshake of the client's, checked (RFC 6455, section 4.1, the last list). */
import { acceptKey } from './accept-key.ts'
import type { ClientRequest } from './client-request.ts'
import { pickFields } from './fields.ts'
import { parseExtensionList, parseTokenList, type ExtensionElement } from './grammar.ts'
import { HandshakeError, NO_BODY, type PlainAnswer } from './handshake-error.ts'

/** What an answer is read from; an `http.IncomingMessage` fits. */
export interface ResponseHead {
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
  readonly statusCode?: number | undefined
  readonly rawHeaders: readonly string[]
  readonly headers: PlainAnswer['headers']
}

/** What client and server have agreed on. */
export interface Agreement {
  /** One of the subprotocols offered; empty for none. */
  readonly protocol: string
  /** Each was offered; whether its parameters fit is for the extension to say. */
  readonly extensions: readonly ExtensionElement[]
}

/** @throws HandshakeError `handshake-invalid`, with the rule that the answer breaks */
export function readResponse(head: ResponseHead, request: ClientRequest): Agreement {
  const fields = pickFields(head.rawHeaders)
  const { statusCode: status = 0, headers } = head
  const fail: (rule: string) => never = rule => {
    throw new HandshakeError('handshake-invalid', rule, { status, headers, body: NO_BODY })
  }
  if (status !== 101) fail('the status must be 101')
  // RFC 9110, section 7.8: HTTP/1.0 knows no upgrade.
  if (head.httpVersionMajor !== 1 || head.httpVersionMinor < 1) fail('the answer must be HTTP/1.1')
  if (!isOnly(fields.upgrade, value => value.toLowerCase() === 'websocket')) fail('Upgrade must be websocket')
  const options = parseTokenList(fields.connection) ?? []
  if (!options.some(option => option.toLowerCase() === 'upgrade')) fail('Connection must name Upgrade')
  const accept = acceptKey(request.key)
  if (!isOnly(fields.accept, value => value === accept)) fail('Sec-WebSocket-Accept must answer the key')
  const extensions = parseExtensionList(fields.extensions)
  if (extensions === undefined) fail('Sec-WebSocket-Extensions is malformed')
  const offered = parseExtensionList([request.extensions]) ?? []
  for (const { name } of extensions) {
    if (!offered.some(offer => offer.name === name)) fail('Sec-WebSocket-Extensions may only name what was offered')
  }
  // Section 11.3.4: at most once in an answer.
  const [protocol] = fields.protocol
  if (protocol !== undefined && !isOnly(fields.protocol, value => request.protocols.includes(value))) {
    fail('Sec-WebSocket-Protocol must be one of those offered')
  }
  return { protocol: protocol ?? '', extensions }
}

/** Whether the field is there once and its value fits. */
function isOnly(values: readonly string[], fits: (value: string) => boolean): boolean {
  return values.length === 1 && fits(values[0])
}

/** The server's answer to a handshake, as bytes (RFC 6455, section 4.2.2). */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { acceptKey } from './accept-key.ts'
import type { Refusal } from './refusal.ts'
import type { HandshakeOffer } from './request.ts'
import { checkHeaders, formatHeaders, type Headers } from './response-headers.ts'

/** What an `accept` callback may choose. */
export interface Acceptance {
  /** One of the subprotocols that the client offers; null for none. */
  readonly protocol?: string | null | undefined
  /** More headers for the response. */
  readonly headers?: Headers | undefined
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/** These are the handshake's own. */
const RESERVED = [
  'connection',
  'content-length',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'transfer-encoding',
  'upgrade',
]

/** The first of the server's subprotocols that the client offers; empty where there is none. */
export function chooseProtocol(offered: readonly string[], served: readonly string[]): string {
  return served.find(protocol => offered.includes(protocol)) ?? ''
}

/**
 * The 101 response, ready to be written as Latin-1; in front of it a 100 where the client waits for one (RFC 9110,
 * section 7.8).
 *
 * @param protocol the subprotocol agreed on; empty for none
 * @param extensions the extensions agreed on, as the header's value; empty for none
 * @throws MisuseError `invalid-argument` for a subprotocol that the client has not offered, `invalid-header` for
 *   headers that HTTP can't carry or that are the handshake's own
 */
export function formatAcceptance(offer: HandshakeOffer, protocol: string, headers: Headers = {}, extensions = ''): string {
  if (protocol !== '' && !offer.protocols.includes(protocol)) {
    throw new MisuseError('invalid-argument', `protocol ${show(protocol)} is not among those the client offers`)
  }
  checkHeaders(headers, RESERVED)
  const protocolLine = protocol === '' ? '' : `sec-websocket-protocol: ${protocol}\r\n`
  const extensionsLine = extensions === '' ? '' : `sec-websocket-extensions: ${extensions}\r\n`
  return (
    `${offer.expectsContinue ? CONTINUE : ''}HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
    `sec-websocket-accept: ${acceptKey(offer.key)}\r\n${protocolLine}${extensionsLine}${formatHeaders(headers)}\r\n`
  )
}

/**
 * A refusal as a whole HTTP/1.1 response; the connection ends with it.
 *
 * @param phrase the status's name, such as `Not Found`
 */
export function formatRefusal(refusal: Refusal, phrase: string): Buffer {
  const body = Buffer.from(refusal.body, 'utf8')
  const typed = Object.keys(refusal.headers).some(name => name.toLowerCase() === 'content-type')
  const type = typed || body.length === 0 ? '' : 'content-type: text/plain; charset=utf-8\r\n'
  // RFC 9110, section 7.8: a sender of Upgrade also names it in Connection.
  const upgrade = Object.keys(refusal.headers).some(name => name.toLowerCase() === 'upgrade')
  const head =
    `HTTP/1.1 ${refusal.status} ${phrase}\r\n${formatHeaders(refusal.headers)}${type}` +
    `connection: ${upgrade ? 'upgrade, close' : 'close'}\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

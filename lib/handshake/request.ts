/** The client's handshake, read and checked (RFC 6455, section 4.2.1). */
import { isKey } from './accept-key.ts'
import { pickField, pickFields, trimSpace, type HandshakeFields } from './fields.ts'
import { parseExtensionList, parseTokenList, type ExtensionElement } from './grammar.ts'
import { isOriginAllowed, type OriginPolicy } from './origin.ts'
import { REFUSALS, type Refusal } from './refusal.ts'

/** The most header lines of a request: each takes far more memory than its bytes where these are few. */
export const MAX_HEADER_LINES = 128
/** The most subprotocols, and the most extensions and parameters, that a handshake may name, for the same reason. */
const MAX_NAMES = 128

/** What a handshake is read from; an `http.IncomingMessage` fits. */
export interface RequestHead {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
  readonly rawHeaders: readonly string[]
}

/** A handshake that may be accepted. */
export interface HandshakeOffer {
  readonly key: string
  /** The Host header. */
  readonly host: string
  /** The Origin header; undefined for clients that are not browsers. */
  readonly origin: string | undefined
  /** The subprotocols that the client offers, in its order of preference. */
  readonly protocols: readonly string[]
  readonly extensions: readonly ExtensionElement[]
  /** Whether it waits for a 100 in front of the answer (RFC 9110, section 10.1.1). */
  readonly expectsContinue: boolean
}

/**
 * Reads a request; a Refusal says what is wrong with it. That is so too with more than 128 header lines, subprotocols, or
 * extensions and parameters together.
 *
 * @param maxBytes the most bytes that its line and headers may have
 */
export function readRequest(
  head: RequestHead,
  origins: OriginPolicy | undefined,
  maxBytes = Infinity
): HandshakeOffer | Refusal {
  if (isTooLarge(head, maxBytes)) return REFUSALS.headSize
  if (head.method !== 'GET') return REFUSALS.method
  const fields = pickFields(head.rawHeaders)
  if (!asksForWebSocket(head, fields)) return REFUSALS.upgrade
  // Its bytes would be taken for frames.
  if (fields.coding.length > 0 || !fields.length.every(isZero)) return REFUSALS.body
  if (fields.host.length !== 1) return REFUSALS.host
  if (fields.version.length !== 1 || fields.version[0] !== '13') return REFUSALS.version
  const key = fields.key.length === 1 ? fields.key[0] : ''
  if (!isKey(key)) return REFUSALS.key
  const protocols = parseTokenList(fields.protocol)
  if (protocols === undefined || !areDifferent(protocols, fields.protocol)) return REFUSALS.protocol
  if (protocols.length > MAX_NAMES) return REFUSALS.protocol
  const extensions = parseExtensionList(fields.extensions)
  if (extensions === undefined) return REFUSALS.extensions
  if (namesIn(extensions) > MAX_NAMES) return REFUSALS.extensions
  const [host] = fields.host
  const [origin] = fields.origin
  // Repeated, it says two things: there is no telling which page asks.
  if (fields.origin.length > 1) return REFUSALS.origin
  if (origin !== undefined && !isOriginAllowed(origins, origin, host)) return REFUSALS.origin
  const expectsContinue = fields.expect.some(value => value.toLowerCase() === '100-continue')
  return { key, host, origin, protocols, extensions, expectsContinue }
}

/**
 * Whether a request has more header lines than any may have, or more bytes.
 *
 * @param maxBytes the most bytes that its line and headers may have
 */
export function isTooLarge(head: RequestHead, maxBytes = Infinity): boolean {
  return head.rawHeaders.length > 2 * MAX_HEADER_LINES || sizeOf(head) > maxBytes
}

function isZero(length: string): boolean {
  return length !== '' && Number(length) === 0
}

function namesIn(extensions: readonly ExtensionElement[]): number {
  let names = extensions.length
  for (const { parameters } of extensions) names += parameters.length
  return names
}

/** Bytes of a request's line and headers, each header with one space behind its colon (RFC 9112, sections 3 and 5). */
function sizeOf({ method = '', url = '', rawHeaders }: RequestHead): number {
  let size = method.length + url.length + '  HTTP/1.1\r\n\r\n'.length
  // Names and values take turns; they are of one byte a character.
  for (const part of rawHeaders) size += part.length + 2
  return size
}

/** The path of a request's target, which may be a whole URI (RFC 6455, section 4.2.1; RFC 9112, section 3.2.2). */
export function pathOf(url: string | undefined): string {
  const target = url ?? ''
  const query = target.indexOf('?')
  const before = query < 0 ? target : target.slice(0, query)
  const authority = before.indexOf('://') + 3
  if (before.startsWith('/') || authority < 3) return before
  const path = before.indexOf('/', authority)
  return path < 0 ? '/' : before.slice(path)
}

/** Whether the request asks to become a WebSocket; others with an Upgrade header are somebody else's. */
export function asksForWebSocket(head: RequestHead, fields?: HandshakeFields): boolean {
  // RFC 9110, section 7.8: an Upgrade in HTTP/1.0 is to be ignored.
  if (head.httpVersionMajor !== 1 || head.httpVersionMinor < 1) return false
  const { upgrade, connection } = fields ?? {
    upgrade: pickField(head.rawHeaders, 'upgrade'),
    connection: pickField(head.rawHeaders, 'connection'),
  }
  return hasToken(upgrade, 'websocket') && hasToken(connection, 'upgrade')
}

function hasToken(values: readonly string[], wanted: string): boolean {
  for (const value of values) {
    if (value.toLowerCase() === wanted) return true
    for (const element of value.split(',')) {
      if (trimSpace(element).toLowerCase() === wanted) return true
    }
  }
  return false
}

/** Section 4.1: the elements must all be different, and a header that is there must not be empty. */
function areDifferent(protocols: readonly string[], lines: readonly string[]): boolean {
  return new Set(protocols).size === protocols.length && (protocols.length > 0 || lines.length === 0)
}

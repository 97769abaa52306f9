/** Where a client connects to: a WebSocket URI taken apart (RFC 6455, sections 3 and 4.1; RFC 7617 for its user). */
import { MisuseError, show } from '../protocol/misuse-error.ts'

export interface Target {
  /** ws: or wss:, with no user, password or fragment. */
  readonly url: URL
  readonly secure: boolean
  /** A name or an address; IPv6 without its brackets. */
  readonly host: string
  readonly port: number
  /** What Authorization says because of the URL's user and password; undefined without them. */
  readonly authorization: string | undefined
}

const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
  ['http:', 'ws:'],
  ['https:', 'wss:'],
])

/**
 * A fragment is refused, not dropped: section 3 forbids it, and a # that was meant to be part of the path or query
 * would silently cut it off.
 *
 * @param url ws:, wss:, http: (becomes ws:) or https: (becomes wss:)
 * @throws MisuseError `invalid-argument` for what is no such URL, for one with a fragment, and for a user or password
 *   that Basic authorization can't carry
 */
export function readTarget(url: string | URL): Target {
  const parsed = parse(url)
  const scheme = SCHEMES.get(parsed.protocol)
  if (scheme === undefined) {
    throw invalid(`url must begin with ws:, wss:, http: or https:, and not ${show(parsed.protocol)}`)
  }
  // An empty fragment is one, though `hash` does not show it.
  if (parsed.href.includes('#')) throw invalid('url must have no fragment; a # in the path or query is written %23')
  const authorization = basicAuthorization(parsed)
  parsed.username = parsed.password = ''
  parsed.protocol = scheme
  return targetOf(parsed, authorization)
}

/** @param url ws: or wss:, with no user, password or fragment */
export function targetOf(url: URL, authorization: string | undefined): Target {
  const secure = url.protocol === 'wss:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  return { url, secure, host: withoutBrackets(url.hostname), port, authorization }
}

/** An IPv6 address as sockets want it; other names stay. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

/**
 * Basic authorization for a URL's user and password, as UTF-8 (RFC 7617); undefined where it has neither.
 *
 * @throws MisuseError `invalid-argument` for escapes that are not UTF-8, control characters, or a colon in the user
 */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const user = decode(username)
  if (user.includes(':')) throw invalid('the user in a URL must have no colon: Basic authorization ends it there')
  return `Basic ${Buffer.from(`${user}:${decode(password)}`).toString('base64')}`
}

function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw invalid('user and password in a URL must be percent-encoded UTF-8')
  }
  if (hasControl(decoded)) throw invalid('user and password in a URL must have no control characters')
  return decoded
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x20 || unit === 0x7f) return true
  }
  return false
}

/** No message shows the URL: it may hold a password. */
function parse(url: unknown): URL {
  // Also that of another realm, such as a `vm` context or Jest.
  const text = typeof url === 'string' || Object.prototype.toString.call(url) === '[object URL]' ? String(url) : undefined
  if (text === undefined) throw invalid('url must be a string or a URL')
  if (!URL.canParse(text)) throw invalid('url must be an absolute URL, such as wss://example.org/chat')
  return new URL(text)
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-argument', sentence)
}

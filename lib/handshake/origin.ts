/** Which pages may connect (RFC 6455, sections 4.2.2 and 10.2; RFC 6454). */
import { MisuseError, show } from '../protocol/misuse-error.ts'

/**
 * A list of origins (`https://example.org`; `null` and `file://` are those of pages without a host, of anybody), a
 * function that decides, or 'any'. Without the option a page may connect
 * to the host and port that it came from.
 */
export type OriginPolicy = readonly string[] | ((origin: string, host: string) => boolean) | 'any'

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ['http', '80'],
  ['https', '443'],
])

/** Whether a page of `origin` may connect to the server that it addressed as `host`. */
export function isOriginAllowed(policy: OriginPolicy | undefined, origin: string, host: string): boolean {
  if (policy === undefined) return isSameHost(origin, host)
  if (policy === 'any') return true
  // Nothing but true: the promise of an async function would let every page in.
  if (typeof policy === 'function') return policy(origin, host) === true
  const canonical = canonicalOrigin(origin)
  return canonical !== undefined && policy.includes(canonical)
}

/**
 * Checks the option and brings a list into the form that origins are compared in.
 *
 * @throws MisuseError `invalid-option`
 */
export function checkOriginPolicy(policy: unknown): OriginPolicy | undefined {
  if (policy === undefined || policy === 'any' || typeof policy === 'function') return policy as OriginPolicy | undefined
  if (!Array.isArray(policy)) {
    throw new MisuseError('invalid-option', "origins must be a list of origins, a function or 'any'")
  }
  return policy.map(origin => {
    const canonical = typeof origin === 'string' ? canonicalOrigin(origin) : undefined
    if (canonical !== undefined) return canonical
    throw new MisuseError(
      'invalid-option',
      `origins must list origins such as https://example.org, with no path and no wildcard, and not ${show(origin)}`
    )
  })
}

/** Only web pages have a host of their own; its port is the scheme's where none is written, here and in Host. */
function isSameHost(origin: string, host: string): boolean {
  const [scheme, authority] = splitOrigin(origin)
  const port = DEFAULT_PORTS.get(scheme)
  // A proxy may have ended TLS in front of us, so the scheme of the page decides which port an absent one is.
  return port !== undefined && isAuthority(authority) && withPort(authority, port) === withPort(host.toLowerCase(), port)
}

/**
 * In lower case and without the scheme's own port (RFC 6454, section 6.2); undefined for what is no origin. Pages without
 * a host have `null`, or `file://` in some programs.
 */
function canonicalOrigin(origin: string): string | undefined {
  if (origin.toLowerCase() === 'null') return 'null'
  const [scheme, authority] = splitOrigin(origin)
  if (authority === '' && scheme === 'file') return 'file://'
  if (!consistsOf(scheme, SCHEME_CHARACTERS) || !isAuthority(authority)) return undefined
  const port = DEFAULT_PORTS.get(scheme)
  const suffix = `:${port}`
  return `${scheme}://${authority.endsWith(suffix) ? authority.slice(0, -suffix.length) : authority}`
}

/** Scheme and authority, in lower case; both empty where it is no `scheme://authority`, such as `null`. */
function splitOrigin(origin: string): [scheme: string, authority: string] {
  const at = origin.indexOf('://')
  if (at <= 0) return ['', '']
  return [origin.slice(0, at).toLowerCase(), origin.slice(at + 3).toLowerCase()]
}

/** `host:port`, with `port` where none is written. A colon inside brackets belongs to an IPv6 address. */
function withPort(authority: string, port: string): string {
  return authority.lastIndexOf(':') > authority.lastIndexOf(']') ? authority : `${authority}:${port}`
}

const SCHEME_CHARACTERS = new Set('abcdefghijklmnopqrstuvwxyz0123456789+-.')
const HOST_CHARACTERS = new Set('abcdefghijklmnopqrstuvwxyz0123456789-._~')
const ADDRESS_CHARACTERS = new Set('abcdef0123456789:.')
const DIGITS = new Set('0123456789')

/** A name or an IPv6 address in brackets, then perhaps a port. */
function isAuthority(authority: string): boolean {
  const bracket = authority.indexOf(']')
  const colon = authority.indexOf(':', bracket + 1)
  const host = colon < 0 ? authority : authority.slice(0, colon)
  if (colon >= 0 && !consistsOf(authority.slice(colon + 1), DIGITS)) return false
  if (bracket < 0) return consistsOf(host, HOST_CHARACTERS)
  return host.startsWith('[') && bracket === host.length - 1 && consistsOf(host.slice(1, -1), ADDRESS_CHARACTERS)
}

function consistsOf(text: string, characters: ReadonlySet<string>): boolean {
  if (text === '') return false
  for (const character of text) {
    if (!characters.has(character)) return false
  }
  return true
}

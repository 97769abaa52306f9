/** Redirects of a handshake (RFC 6455, section 4.1, item 1 of the last list; RFC 9110, section 15.4). */
import { targetOf, type Target } from './client-target.ts'
import { HandshakeError, type PlainAnswer } from './handshake-error.ts'

export interface Redirection {
  /** With the URL's authorization where the origin is the same; else without. */
  readonly target: Target
  /** Whether scheme, host and port are the same: nothing that may be secret goes to another origin. */
  readonly sameOrigin: boolean
}

const STATUSES: readonly number[] = [301, 302, 303, 307, 308]

/** Whether an answer with this status names another place. */
export function isRedirect(status: number): boolean {
  return STATUSES.includes(status)
}

/**
 * Where a redirect leads.
 *
 * @throws HandshakeError `redirect-refused` for a place that is missing, no WebSocket URI, no longer encrypted, or has
 *   a user or password in it (RFC 9110, section 4.2.4)
 */
export function followRedirect(from: Target, answer: PlainAnswer): Redirection {
  const fail: (why: string) => never = why => {
    throw new HandshakeError('redirect-refused', `the redirect was not followed: ${why}`, answer)
  }
  const { location } = answer.headers
  if (typeof location !== 'string' || !URL.canParse(location, from.url.href)) return fail('its Location is no URL')
  const url = new URL(location, from.url)
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') fail(`${url.protocol} is no scheme of WebSockets`)
  if (from.secure && url.protocol === 'ws:') fail('it leads from wss: to ws:')
  if (url.username !== '' || url.password !== '') fail('its Location has a user or password')
  // A server may send one for pages; RFC 6455 (section 3) has no use for it.
  url.hash = ''
  const sameOrigin = url.protocol === from.url.protocol && url.host === from.url.host
  return { target: targetOf(url, sameOrigin ? from.authorization : undefined), sameOrigin }
}

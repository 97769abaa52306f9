/** What `WebSocket` throws, as DOMExceptions (WebSockets Standard, section 3.1: the constructor and `close`). */
import { readTarget, type Target } from '../handshake/client-target.ts'
import { isToken } from '../handshake/grammar.ts'
import { CloseCode } from '../protocol/close-code.ts'
import { MAX_CLOSE_REASON } from '../protocol/close-payload.ts'

/**
 * The URL as the attribute `url` has it, and where it leads.
 *
 * @throws DOMException SyntaxError for what is no absolute URL, has another scheme, a fragment, be it empty, or a user
 *   or password that Basic authorization can't carry
 */
export function readUrl(text: string): { readonly url: URL; readonly target: Target } {
  try {
    const target = readTarget(text)
    const url = new URL(text)
    url.protocol = target.url.protocol
    return { url, target }
  } catch {
    throw syntaxError('url must be an absolute URL of ws:, wss:, http: or https:, without a fragment')
  }
}

/**
 * Tokens, each once; what differs in case only does not differ, as browsers have it.
 *
 * @throws DOMException SyntaxError
 */
export function checkProtocols(protocols: string[] | object): string[] {
  if (Array.isArray(protocols) && protocols.every(isToken)) {
    const different = new Set(protocols.map(name => name.toLowerCase()))
    if (different.size === protocols.length) return protocols
  }
  throw syntaxError('protocols must be different tokens')
}

/** @throws DOMException InvalidAccessError for a code that is not the application's to send */
export function checkCode(code: number): number {
  if (code === CloseCode.normal || (code >= 3000 && code <= 4999)) return code
  throw new DOMException(`code must be 1000 or 3000 to 4999, and not ${code}`, 'InvalidAccessError')
}

/** @throws DOMException SyntaxError for a reason that does not fit into a close frame */
export function checkReason(reason: string): string {
  const size = Buffer.byteLength(reason)
  if (size <= MAX_CLOSE_REASON) return reason
  throw syntaxError(`reason must be at most ${MAX_CLOSE_REASON} bytes of UTF-8, and not ${size}`)
}

function syntaxError(sentence: string): DOMException {
  return new DOMException(sentence, 'SyntaxError')
}

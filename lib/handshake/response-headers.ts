/** Headers of the caller's for a handshake, request or answer, checked so that a value can't end its line (RFC 9110, section 5.5). */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { isToken } from './grammar.ts'

/** Names to values; a list of values becomes one line each, as Set-Cookie wants it. */
export type Headers = Readonly<Record<string, string | readonly string[]>>

/**
 * @param reserved lower-case names that are not the caller's to set
 * @throws MisuseError `invalid-header` for a name that is no token or is reserved, or a value with a control character
 */
export function checkHeaders(headers: Headers, reserved: readonly string[]): void {
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw new MisuseError('invalid-header', 'headers must be a plain object of names and values')
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name)) throw new MisuseError('invalid-header', `header name ${show(name)} is not a token`)
    if (reserved.includes(name.toLowerCase())) {
      throw new MisuseError('invalid-header', `header ${name} is set by the handshake itself`)
    }
    for (const line of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (typeof line !== 'string' || !isFieldValue(line)) {
        throw new MisuseError(
          'invalid-header',
          `the value of header ${name} must be a string of Latin-1 characters with no control character (CR, LF, NUL, …)`
        )
      }
    }
  }
}

/** The header lines, each ended by CR LF. */
export function formatHeaders(headers: Headers): string {
  let lines = ''
  for (const [name, value] of Object.entries(headers)) {
    for (const line of linesOf(value)) lines += `${name}: ${line}\r\n`
  }
  return lines
}

function linesOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value
}

/** Whether a header may have this value: Latin-1 with no control character but the tab. */
export function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at)
    if ((unit < 0x20 && unit !== 0x09) || unit === 0x7f || unit > 0xff) return false
  }
  return true
}

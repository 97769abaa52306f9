/** Whether a failed attempt is worth repeating, and when (RFC 9110, section 10.2.3; RFC 6585). */
import { MisuseError } from '../protocol/misuse-error.ts'
import { HandshakeError } from './handshake-error.ts'

/** Answers to what is asked, not to when. */
const FINAL_STATUSES: readonly number[] = [301, 308, 400, 401, 403, 404, 405, 407, 410, 426, 501, 505]

/** Answers that may say when to come back. */
const LATER_STATUSES: readonly number[] = [429, 503]

/** What Node calls the faults of a certificate (its documentation: "X509 certificate error codes"). */
const CERTIFICATE_ERRORS = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CRL_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
  'CRL_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CRL_LAST_UPDATE_FIELD',
  'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
  'UNABLE_TO_GET_CRL',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether the same attempt would fail again, however often: misuse, some statuses, refused redirects, faults of a certificate. */
export function isFinal(error: unknown): boolean {
  if (error instanceof MisuseError) return true
  if (error instanceof HandshakeError) {
    return error.code === 'redirect-refused' || (error.status !== undefined && FINAL_STATUSES.includes(error.status))
  }
  return error instanceof Error && 'code' in error && CERTIFICATE_ERRORS.has(String(error.code))
}

/**
 * Milliseconds for which the server asks to be left alone, by Retry-After with 429 or 503; 0 where it does not.
 *
 * @param now the time of the clock, in milliseconds since 1970
 */
export function retryAfter(error: unknown, now: number): number {
  if (!(error instanceof HandshakeError) || error.status === undefined) return 0
  const value = error.headers['retry-after']
  if (!LATER_STATUSES.includes(error.status) || typeof value !== 'string') return 0
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = readDate(value)
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}

/**
 * Milliseconds to wait behind so many failures in a row: a random part of a pause that doubles with each of them.
 *
 * @param chance from 0 to below 1
 */
export function backoff(failures: number, minDelay: number, maxDelay: number, chance: number): number {
  // 2^50 is beyond any delay; from 2^1024 on it would be Infinity, of which 0 times is no number.
  return chance * Math.min(maxDelay, minDelay * 2 ** Math.min(failures, 50))
}

/** One of the three forms of an HTTP date (RFC 9110, section 5.6.7); the oldest does not say GMT but means it. */
function readDate(value: string): number {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return NaN
  return Date.parse(value.endsWith('GMT') ? value : `${value} GMT`)
}

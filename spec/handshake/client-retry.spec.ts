/** What is worth repeating, and Retry-After: RFC 9110, sections 5.6.7 and 10.2.3. */
import t from 'tap'
import { backoff, isFinal, retryAfter } from '../../lib/handshake/client-retry.ts'
import { HandshakeError, type HandshakeErrorCode } from '../../lib/handshake/handshake-error.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'

/** As Node's documentation lists them ("X509 certificate error codes"), and the name that does not match. */
const CERTIFICATE_ERRORS = `CERT_CHAIN_TOO_LONG CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REJECTED CERT_REVOKED
  CERT_SIGNATURE_FAILURE CERT_UNTRUSTED CRL_HAS_EXPIRED CRL_NOT_YET_VALID CRL_SIGNATURE_FAILURE
  DEPTH_ZERO_SELF_SIGNED_CERT ERR_TLS_CERT_ALTNAME_INVALID ERROR_IN_CERT_NOT_AFTER_FIELD
  ERROR_IN_CERT_NOT_BEFORE_FIELD ERROR_IN_CRL_LAST_UPDATE_FIELD ERROR_IN_CRL_NEXT_UPDATE_FIELD HOSTNAME_MISMATCH
  INVALID_CA INVALID_PURPOSE PATH_LENGTH_EXCEEDED SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY
  UNABLE_TO_DECRYPT_CERT_SIGNATURE UNABLE_TO_DECRYPT_CRL_SIGNATURE UNABLE_TO_GET_CRL UNABLE_TO_GET_ISSUER_CERT
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY UNABLE_TO_VERIFY_LEAF_SIGNATURE`

function refused(status: number, value?: string | string[], code: HandshakeErrorCode = 'handshake-refused'): HandshakeError {
  const headers = value === undefined ? {} : { 'retry-after': value }
  return new HandshakeError(code, 'no', { status, headers, body: Buffer.alloc(0) })
}

function withCode(code: unknown): Error {
  return Object.assign(new Error('no'), { code })
}

t.test('statuses that repeating can not mend', async t => {
  const final = [301, 308, 400, 401, 403, 404, 405, 407, 410, 426, 501, 505]
  for (let status = 100; status < 600; status++) t.equal(isFinal(refused(status)), final.includes(status), `${status}`)
  t.equal(isFinal(refused(407, undefined, 'proxy-refused')), true)
  t.equal(isFinal(refused(502, undefined, 'proxy-refused')), false)
  t.equal(isFinal(refused(302, undefined, 'redirect-refused')), true)
  t.equal(isFinal(refused(101, undefined, 'handshake-invalid')), false)
  t.equal(isFinal(new HandshakeError('handshake-timeout', 'late')), false)
})

t.test('misuse, and certificates that are not valid', async t => {
  t.equal(isFinal(new MisuseError('invalid-option', 'no')), true)
  for (const code of CERTIFICATE_ERRORS.split(/\s+/)) t.equal(isFinal(withCode(code)), true, code)
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT', 'EPROTO', '', undefined, 404]) {
    t.equal(isFinal(withCode(code)), false, String(code))
  }
  for (const error of [new Error('no'), 'CERT_HAS_EXPIRED', { code: 'CERT_HAS_EXPIRED' }, undefined, null]) t.equal(isFinal(error), false)
})

t.test('a date without GMT means GMT, wherever this program runs', async t => {
  const before = process.env['TZ']
  t.teardown(() => (before === undefined ? delete process.env['TZ'] : (process.env['TZ'] = before)))
  for (const zone of ['America/New_York', 'Asia/Tokyo']) {
    process.env['TZ'] = zone
    t.equal(retryAfter(refused(503, 'Sun Nov  6 08:49:37 1994'), NOW), 37_000, zone)
    t.equal(retryAfter(refused(503, 'Sun, 06 Nov 1994 08:49:37 GMT'), NOW), 37_000, zone)
  }
})

const NOW = Date.UTC(1994, 10, 6, 8, 49, 0)

t.test('Retry-After: seconds, or a date in any of its three forms', async t => {
  const rows: [value: string, milliseconds: number][] = [
    ['0', 0],
    ['1', 1000],
    ['120', 120_000],
    ['007', 7000],
    ['99999999999999999999', 1e23],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
    ['Sun Nov  6 08:49:37 1994', 37_000],
    ['Sun, 06 Nov 1994 08:49:00 GMT', 0],
    ['Sun, 06 Nov 1994 08:48:59 GMT', 0],
    ['Mon, 07 Nov 1994 08:49:00 GMT', 86_400_000],
    ['', 0],
    ['-1', 0],
    ['1.5', 0],
    ['+5', 0],
    [' 5', 0],
    ['5 s', 0],
    ['1e3', 0],
    ['soon', 0],
    ['Sunday', 0],
    ['Sun, 99 Nov 1994 08:49:37 GMT', 0],
    ['1994-11-06T08:49:37Z', 0],
    ['2030', 2_030_000],
  ]
  for (const [value, milliseconds] of rows) {
    for (const status of [429, 503]) t.equal(retryAfter(refused(status, value), NOW), milliseconds, `${status} ${value}`)
  }
})

t.test('Retry-After counts with 429 and 503 only, and once', async t => {
  for (const status of [200, 301, 403, 428, 430, 500, 502, 504]) t.equal(retryAfter(refused(status, '5'), NOW), 0, `${status}`)
  t.equal(retryAfter(refused(503), NOW), 0)
  t.equal(retryAfter(refused(503, ['5', '6']), NOW), 0)
  for (const error of [new HandshakeError('handshake-timeout', 'late'), withCode('ECONNREFUSED'), undefined]) t.equal(retryAfter(error, NOW), 0)
  t.equal(retryAfter(refused(503, '5', 'proxy-refused'), NOW), 5000, "the proxy's too")
})

t.test('the pause doubles with each failure up to the longest; of it a random part is waited', async t => {
  const rows: [failures: number, minDelay: number, maxDelay: number, longest: number][] = [
    [0, 1000, 30_000, 1000],
    [1, 1000, 30_000, 2000],
    [4, 1000, 30_000, 16_000],
    [5, 1000, 30_000, 30_000],
    [2000, 1000, 30_000, 30_000],
    [50, 1, Infinity, 2 ** 50],
    [51, 1, Infinity, 2 ** 50],
    [3, 0, 30_000, 0],
    [2000, 0, 30_000, 0],
    [0, 5, 5, 5],
    [9, 5, 5, 5],
  ]
  for (const [failures, minDelay, maxDelay, longest] of rows) {
    for (const chance of [0, 0.25, 0.5, 0.999]) {
      t.equal(backoff(failures, minDelay, maxDelay, chance), chance * longest, `${failures} ${minDelay} ${maxDelay} ${chance}`)
    }
  }
})

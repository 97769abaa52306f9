/** What `connect` rejects with: the error's parts, with and without an answer. */
import t from 'tap'
import { describeAnswer, HandshakeError } from '../../lib/handshake/handshake-error.ts'

t.test('without an answer it has no status, no headers and an empty body', async t => {
  const error = new HandshakeError('handshake-timeout', 'too late')
  t.ok(error instanceof Error)
  t.match(error, { name: 'HandshakeError', code: 'handshake-timeout', message: 'too late', headers: {} })
  t.equal(error.status, undefined)
  t.strictSame(error.headers, {})
  t.strictSame(error.body, Buffer.alloc(0))
  t.equal('cause' in error, false)
})

t.test('with an answer it has its status, headers and body', async t => {
  const answer = { status: 401, headers: { 'www-authenticate': 'Basic' }, body: Buffer.from('Who are you?') }
  const error = new HandshakeError('handshake-refused', 'no', answer)
  t.match(error, { code: 'handshake-refused', status: 401, headers: answer.headers })
  t.equal(error.body, answer.body)
})

t.test('a cause is kept', async t => {
  const cause = new Error('cause')
  t.equal(new HandshakeError('handshake-invalid', 'no', undefined, { cause }).cause, cause)
})

t.test('an answer in words: its status, where it came from, and how a body of text begins, on one line', async t => {
  const long = 'x'.repeat(130)
  const cases: [headers: Record<string, string>, body: string, where: string | undefined, said: string][] = [
    [{}, '', undefined, 'answered with 403'],
    [{}, '', 'ws://a/b', 'answered with 403 at ws://a/b'],
    [{}, 'Not you.\n', undefined, 'answered with 403: Not you.'],
    [{ 'content-type': 'text/html; charset=utf-8' }, '<p>\r\n\tNot  you.</p>', 'ws://a/', 'answered with 403 at ws://a/: <p> Not you.</p>'],
    [{ 'content-type': 'application/json' }, '{"why":"no"}', undefined, 'answered with 403: {"why":"no"}'],
    [{ 'content-type': 'application/problem+json' }, '{}', undefined, 'answered with 403: {}'],
    [{ 'content-type': 'application/octet-stream' }, 'abc', undefined, 'answered with 403'],
    [{ 'content-type': 'image/png' }, 'abc', undefined, 'answered with 403'],
    [{}, ' \n ', undefined, 'answered with 403'],
    [{}, 'a\u001b[31mb\u202ec', undefined, 'answered with 403: a [31mb c'],
    [{}, long, undefined, `answered with 403: ${long.slice(0, 120)}…`],
    [{}, long.slice(0, 120), undefined, `answered with 403: ${long.slice(0, 120)}`],
  ]
  for (const [headers, body, where, said] of cases) {
    t.equal(describeAnswer({ status: 403, headers, body: Buffer.from(body) }, where), said)
  }
})

/** What `connect` rejects with: the error's parts, with and without an answer. */
import t from 'tap'
import { HandshakeError } from '../../lib/handshake/handshake-error.ts'

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

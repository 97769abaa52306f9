import t from 'tap'
import { ANSWER, fill, head, REQUEST } from '../../../lib/conformance/wire/handshake-text.ts'

t.test('a good request and a good answer, with names to fill in', async t => {
  t.equal(
    fill(head(REQUEST), { target: '/a?b', host: 'c:1', key: 'KEY' }),
    'GET /a?b HTTP/1.1\r\nHost: c:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: KEY\r\nSec-WebSocket-Version: 13\r\n\r\n'
  )
  t.match(fill(head(ANSWER), { accept: 'A$&=' }), /^HTTP\/1\.1 101 [^]*\r\nSec-WebSocket-Accept: A\$&=\r\n\r\n$/)
})

t.test('what is no name stays', async t => {
  t.equal(fill('{a} {b} {}', { a: '1' }), '1 {b} {}')
})

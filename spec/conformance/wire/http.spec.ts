import t from 'tap'
import { answerKey, HandshakeFailure, hasToken, makeKey, readHead } from '../../../lib/conformance/wire/http.ts'
import { memoryPair } from '../../helpers/transports.ts'

t.test('a head, whole and byte by byte, and what comes behind it', async t => {
  const text = 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nX-One:a\r\nx-one: b\r\n\r\n\x81\x00'
  for (const size of [text.length, 1]) {
    const [here, there] = memoryPair()
    const reading = readHead(here, 5000)
    for (let at = 0; at < text.length; at += size) there.write(Buffer.from(text.slice(at, at + size), 'latin1'))
    const { line, headers, rest, text: whole } = await reading
    t.equal(line, 'HTTP/1.1 101 Yes')
    t.same(
      [...headers],
      [
        ['upgrade', 'websocket'],
        ['x-one', 'a, b'],
      ]
    )
    t.equal(whole, text.slice(0, -6))
    const more = rest.length > 0 ? rest : (here.read() as Buffer)
    t.equal(more.toString('latin1', 0, 1), '\x81')
    t.same(
      here.eventNames().filter(name => name === 'data' || name === 'error'),
      [],
      'no listener is left'
    )
  }
})

t.test('heads that do not come', async t => {
  const failing = async (
    act: (there: ReturnType<typeof memoryPair>[1], here: ReturnType<typeof memoryPair>[0]) => void,
    time = 5000
  ): Promise<HandshakeFailure> => {
    const [here, there] = memoryPair()
    const reading = readHead(here, time)
    act(there, here)
    return reading.then(
      () => t.fail('it should have failed'),
      error => error
    ) as Promise<HandshakeFailure>
  }
  t.match(await failing(there => there.write('HTTP/1.1 1'), 20), {
    message: /longer than 0\.02 seconds/,
    late: true,
    head: 'HTTP/1.1 1',
  })
  t.match(await failing(there => there.end('HTTP')), { message: /ended before/, late: false, head: 'HTTP' })
  t.match(await failing((_, here) => here.destroy(new Error('ECONNRESET'))), {
    message: /failed: ECONNRESET/,
    late: false,
  })
  t.match(await failing(there => there.write('x'.repeat(65_537))), { message: /within 65536 bytes/ })
})

t.test('keys and tokens', async t => {
  t.equal(answerKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'RFC 6455, section 1.3')
  t.equal(Buffer.from(makeKey(), 'base64').length, 16)
  t.not(makeKey(), makeKey())
  t.ok(hasToken('keep-alive, Upgrade', 'upgrade'))
  t.notOk(hasToken('keep-alive', 'upgrade'))
  t.notOk(hasToken(undefined, 'upgrade'))
})

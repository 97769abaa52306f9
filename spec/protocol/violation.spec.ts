import t from 'tap'
import { isWireCloseCode } from '../../lib/protocol/close-code.ts'
import { VIOLATIONS, Violation, type ViolationName } from '../../lib/protocol/violation.ts'

const rows = Object.entries(VIOLATIONS) as [ViolationName, (typeof VIOLATIONS)[ViolationName]][]

t.test('7.4.1: the close code and the section of each violation', async t => {
  const table = Object.fromEntries(rows.map(([name, [code, , section]]) => [name, `${code} ${section}`]))
  t.strictSame(table, {
    'reserved-bits': '1002 5.2',
    'reserved-opcode': '1002 5.2',
    'unmasked-frame': '1002 5.1',
    'masked-frame': '1002 5.1',
    'fragmented-control': '1002 5.5',
    'long-control': '1002 5.5',
    'length-top-bit': '1002 5.2',
    'length-not-minimal': '1002 5.2',
    'length-unsafe': '1009 7.4.1',
    'message-too-big': '1009 7.4.1',
    'too-much-retained': '1009 7.4.1',
    'unexpected-continuation': '1002 5.4',
    'expected-continuation': '1002 5.4',
    'invalid-utf8': '1007 8.1',
    'close-payload-size': '1002 5.5.1',
    'close-code': '1002 7.4',
    'close-reason-utf8': '1007 5.5.1',
    'invalid-deflate': '1007 RFC 7692, 7.2.2',
  })
})

t.test('5.5.1: each code may travel, and each sentence fits into a close frame', async t => {
  for (const [name, [code, sentence, section]] of rows) {
    t.ok(isWireCloseCode(code), `${name}: code`)
    t.ok(sentence.length > 0 && Buffer.byteLength(sentence) <= 123, `${name}: sentence`)
    t.match(section, /^(RFC \d+, )?\d+(\.\d+)*$/, `${name}: section`)
  }
  t.equal(new Set(rows.map(([, [, sentence]]) => sentence)).size, rows.length, 'no sentence stands for two')
})

t.test('a Violation carries its row', async t => {
  for (const [name, [code, sentence, section]] of rows) {
    const violation = new Violation(name)
    t.ok(violation instanceof Error)
    t.match(violation, { name: 'Violation', code: name, closeCode: code, message: sentence, section })
  }
})

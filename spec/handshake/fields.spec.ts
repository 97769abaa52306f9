/** The header fields of a handshake: RFC 6455, section 4.2.1; white space by RFC 9110, section 5.5. */
import t from 'tap'
import { pickField, pickFields, type HandshakeFields } from '../../lib/handshake/fields.ts'
import { randomTexts } from './random.ts'

const NOTHING: HandshakeFields = {
  host: [],
  origin: [],
  upgrade: [],
  connection: [],
  key: [],
  accept: [],
  version: [],
  protocol: [],
  extensions: [],
  length: [],
  coding: [],
  expect: [],
}

const NAMES: [name: string, field: keyof HandshakeFields][] = [
  ['Host', 'host'],
  ['Origin', 'origin'],
  ['Upgrade', 'upgrade'],
  ['Connection', 'connection'],
  ['Sec-WebSocket-Key', 'key'],
  ['Sec-WebSocket-Accept', 'accept'],
  ['Sec-WebSocket-Version', 'version'],
  ['Sec-WebSocket-Protocol', 'protocol'],
  ['Sec-WebSocket-Extensions', 'extensions'],
  ['Content-Length', 'length'],
  ['Transfer-Encoding', 'coding'],
  ['Expect', 'expect'],
]

t.test('4.2.1: each field is found in any case, missing or repeated', async t => {
  t.strictSame(pickFields([]), NOTHING, 'all are missing')
  for (const [name, field] of NAMES) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.strictSame(pickFields([spelled, 'one']), { ...NOTHING, [field]: ['one'] }, spelled)
    }
    const repeated = [name, 'one', 'X-Other', 'no', name.toUpperCase(), '', name, 'one']
    t.strictSame(pickFields(repeated), { ...NOTHING, [field]: ['one', '', 'one'] }, `${name} over lines, in order`)
  }
})

t.test('other fields are passed over', async t => {
  const others = ['', '__proto__', 'constructor', 'toString', 'key', 'version', ' host', 'host ', 'hosts', 'x-host']
  for (const name of others) t.strictSame(pickFields([name, 'value']), NOTHING, JSON.stringify(name))
})

t.test('a value is not taken for a name', async t => {
  t.strictSame(pickFields(['X-One', 'Host', 'Host', 'Origin']), { ...NOTHING, host: ['Origin'] })
  t.strictSame(pickFields(['Host', 'a', 'Origin']), { ...NOTHING, host: ['a'] }, 'a name without a value')
})

t.test('RFC 9110, 5.5: spaces and tabs around a value are not part of it', async t => {
  const values: [sent: string, value: string][] = [
    ['', ''],
    [' ', ''],
    [' \t \t', ''],
    [' a', 'a'],
    ['a\t', 'a'],
    ['\t \ta \t b\t \t', 'a \t b'],
    ['\u00a0a\u00a0', '\u00a0a\u00a0'],
    ['\va\f', '\va\f'],
  ]
  for (const [sent, value] of values) t.strictSame(pickFields(['host', sent]).host, [value], JSON.stringify(sent))
})

t.test('what is no string becomes one', async t => {
  const loose = ['sec-websocket-version', 13, 7, 'x'] as unknown as string[]
  t.strictSame(pickFields(loose), { ...NOTHING, version: ['13'] })
})

t.test('4.2.1: random case and white space change nothing', async t => {
  const random = randomTexts(t)
  const odd = (name: string): string =>
    Array.from(name, letter => (random.below(2) === 0 ? letter.toLowerCase() : letter.toUpperCase())).join('')
  for (let round = 0; round < 200; round++) {
    const sent: string[] = []
    const expected = structuredClone(NOTHING)
    for (let line = random.below(12); line > 0; line--) {
      const [name, field] = random.pick(NAMES)
      const value = `<${random.text('ab ,\t', 8)}>`
      sent.push(odd(name), random.text(' \t', 4) + value + random.text(' \t', 4))
      expected[field].push(value)
    }
    if (!t.strictSame(pickFields(sent), expected, `round ${round}`)) break
  }
})

t.test('a megabyte of white space is trimmed in one go', async t => {
  const space = ' \t'.repeat(2 ** 19)
  t.strictSame(pickFields(['host', space, 'host', `${space}a${space}`]).host, ['', 'a'])
  t.equal(pickFields(['host', `a${space}b`]).host[0]?.length, 2 ** 20 + 2)
  t.equal(pickFields(new Array<string>(2 ** 20).fill('host')).host.length, 2 ** 19, 'half a million lines')
})

t.test('one field alone is picked as it is with the others', async t => {
  for (const [name, field] of NAMES) {
    const headers = [name.toUpperCase(), ' one\t', 'X-Other', 'none', name, 'two', `${name}x`, 'three', name]
    t.strictSame(pickField(headers, name.toLowerCase()), ['one', 'two'], name)
    t.strictSame(pickField(headers, name.toLowerCase()), pickFields(headers)[field], name)
  }
  t.strictSame(pickField([], 'host'), [])
})

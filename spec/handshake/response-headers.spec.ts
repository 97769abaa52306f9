/** Headers of an answer, and that none can end its line: RFC 9110, sections 5.1 and 5.5. */
import t from 'tap'
import { checkHeaders, formatHeaders, type Headers } from '../../lib/handshake/response-headers.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { randomTexts } from './random.ts'

const MISUSE = { name: 'MisuseError', code: 'invalid-header' }

/** The header lines of headers that pass the check. */
function lines(headers: Headers, reserved: readonly string[] = []): string {
  checkHeaders(headers, reserved)
  return formatHeaders(headers)
}

/** The header lines, or undefined where the headers do not pass the check. */
function linesOrMisuse(headers: Headers): string | undefined {
  try {
    return lines(headers)
  } catch (error) {
    if (error instanceof MisuseError && error.code === MISUSE.code) return undefined
    throw error
  }
}

t.test('5.1: each header is a line, in order and as spelled', async t => {
  t.equal(lines({}), '')
  t.equal(lines({ 'X-One': '1', 'x-two': '2' }), 'X-One: 1\r\nx-two: 2\r\n')
  t.equal(lines({ 'x-empty': '' }), 'x-empty: \r\n')
  t.equal(lines({ "!#$%&'*+-.^_`|~09azAZ": 'a' }), "!#$%&'*+-.^_`|~09azAZ: a\r\n")
})

t.test('5.3: a list of values is a line each', async t => {
  t.equal(lines({ 'set-cookie': ['a=1; Path=/', 'b=2'] }), 'set-cookie: a=1; Path=/\r\nset-cookie: b=2\r\n')
  t.equal(lines({ 'set-cookie': [] }), '')
  t.equal(lines({ 'set-cookie': Object.freeze(['a=1']), date: 'x' }), 'set-cookie: a=1\r\ndate: x\r\n')
})

t.test('5.5: a value has the printable characters of Latin-1, spaces and tabs', async t => {
  const wrong: number[] = []
  for (let unit = 0; unit < 0x300; unit++) {
    const good = unit === 0x09 || (unit >= 0x20 && unit <= 0xff && unit !== 0x7f)
    for (const value of [String.fromCharCode(unit), `a${String.fromCharCode(unit)}`, `${String.fromCharCode(unit)}a`]) {
      if ((linesOrMisuse({ 'x-a': value }) === `x-a: ${value}\r\n`) !== good) wrong.push(unit)
    }
  }
  t.strictSame(wrong, [])
})

t.test('5.5: a value that could end its line, or that is no string, is a misuse', async t => {
  const values: unknown[] = [
    ...['a\r\nb: c', '\r', '\n', 'a\n', '\r\n\r\n<html>', 'a\0', '\x7f', '\x1b[2J', '\v', '\f'],
    // Written as Latin-1, U+010D U+010A would become CR LF.
    ...['a\u010d\u010ab: c', '\u0100', '\u20ac', '\u{1f600}'],
    ...[['a', 'b\r\n'], ['\n', 'b'], [['a']], ['a', 1], [undefined]],
    ...[undefined, null, 1, true, {}, { length: 1, 0: 'a' }, 1n, Symbol('a'), () => 'a'],
  ]
  for (const value of values) {
    const headers = { 'x-good': 'a', 'x-bad': value } as Headers
    const message = /^the value of header x-bad must be a string of Latin-1 characters with no control character/
    t.throws(() => checkHeaders(headers, []), { ...MISUSE, message }, JSON.stringify(String(value)))
  }
})

t.test('5.1: a name that is no token is a misuse', async t => {
  const cut = ['', ' ', 'a:', ':a', 'a\r\n', 'a\r\nb', 'a\0', 'a\t', ' a', 'a ']
  for (const name of [...cut, 'a b', '"a"', 'a,b', '\u00e4', '\u0161']) {
    t.throws(
      () => checkHeaders({ 'x-good': 'a', [name]: 'a' }, []),
      { ...MISUSE, message: `header name ${JSON.stringify(name)} is not a token` },
      JSON.stringify(name)
    )
  }
})

t.test('what is no plain object of names is a misuse, also where it would come to lines', async t => {
  const wrong: unknown[] = [
    ...[undefined, null, 'x-a: b', 1, ['x-a: b'], [['x-a', 'b']], []],
    ...[new Map([['x-a', 'b']]), new Map(), new globalThis.Headers({ 'x-a': 'b' }), new URLSearchParams('a=b')],
  ]
  const message = 'headers must be a plain object of names and values'
  for (const headers of wrong) t.throws(() => checkHeaders(headers as Headers, []), { ...MISUSE, message })
})

t.test('reserved names are a misuse in any case', async t => {
  const reserved = ['connection', 'upgrade']
  for (const name of ['connection', 'Connection', 'CONNECTION', 'upgrade', 'UPgrade']) {
    const message = `header ${name} is set by the handshake itself`
    t.throws(() => checkHeaders({ 'x-good': 'a', [name]: 'a' }, reserved), { ...MISUSE, message }, name)
    t.throws(() => checkHeaders({ [name]: [] }, reserved), MISUSE, `${name}, with no line`)
    t.doesNotThrow(() => checkHeaders({ [name]: 'a' }, []), `${name}, where it is not reserved`)
  }
  t.doesNotThrow(() => checkHeaders({ 'x-connection': 'a', upgrades: 'a' }, reserved))
})

t.test('names that objects are born with are names like any other', async t => {
  t.equal(lines({ ['__proto__']: 'a', constructor: 'b' }), '__proto__: a\r\nconstructor: b\r\n')
  t.equal(lines(Object.create({ inherited: 'a\r\n' }) as Headers), '', 'what is inherited is not sent')
})

t.test('5.5: of random headers, those that pass the check give one line a value, and no more', async t => {
  const { pick, text } = randomTexts(t)
  const pieces = ['a', 'B', '-', ':', ' ', '\t', '\u00e4', '\u00ff', '"', ',']
  const hostile = [...pieces, ...pieces, '\r', '\n', '\r\n', '\0', '\x7f', '\u010d', '\u010a']
  const one = (): string => text(pick([pieces, hostile]), 4)
  const wrong: Headers[] = []
  let passed = 0
  for (let round = 0; round < 5000; round++) {
    const headers = { [`x${text(['a', '-', '1', ':'], 3)}`]: pick([one, () => [one(), one()]])(), last: one() }
    const sent = linesOrMisuse(headers)
    if (sent === undefined) continue
    passed++
    const expected = Object.entries(headers).flatMap(([name, value]) => [value].flat().map(line => `${name}: ${line}`))
    const wire = Buffer.from(sent, 'latin1').toString('latin1')
    if (wire.split(/\r\n|[\r\n\0]/).join('|') !== [...expected, ''].join('|')) wrong.push(headers)
  }
  t.strictSame(wrong, [])
  t.ok(passed > 500 && passed < 4500, `${passed} of 5000 pass`)
})

t.test('a megabyte passes', async t => {
  const long = '\u00e4 '.repeat(2 ** 19)
  t.equal(lines({ 'x-long': long }), `x-long: ${long}\r\n`)
  t.throws(() => checkHeaders({ 'x-long': `${long}\n` }, []), MISUSE)
  t.equal(lines({ 'x-many': new Array<string>(2 ** 17).fill('a') }).length, 2 ** 17 * 'x-many: a\r\n'.length)
})

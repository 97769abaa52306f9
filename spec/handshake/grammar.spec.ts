/** Tokens, lists and extensions: RFC 6455, section 9.1; RFC 9110, section 5.6. */
import t from 'tap'
import { isToken, parseExtensionList, parseTokenList, type ExtensionElement } from '../../lib/handshake/grammar.ts'
import { randomTexts } from './random.ts'

const MEGABYTE = 2 ** 20

/** `extension('x', ['a', '1'], ['b', true])` */
function extension(name: string, ...parameters: [string, string | true][]): ExtensionElement {
  return { name, parameters }
}

t.test('RFC 9110, 5.6.2: a token has these characters and no other', async t => {
  const allowed = new Set(Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
  const wrong: number[] = []
  for (let unit = 0; unit < 0x180; unit++) {
    const character = String.fromCharCode(unit)
    for (const text of [character, `a${character}`, `${character}a`]) {
      if (isToken(text) !== allowed.has(unit)) wrong.push(unit)
    }
  }
  t.strictSame(wrong, [])
  t.equal(isToken(''), false, 'empty')
  t.equal(isToken('\u{1f600}'), false, 'a surrogate pair')
  t.equal(isToken('a'.repeat(MEGABYTE)), true)
  t.equal(isToken('a'.repeat(MEGABYTE) + ' '), false)
})

t.test('RFC 9110, 5.6.1: lists of tokens', async t => {
  const lists: [lines: string[], tokens: string[] | undefined][] = [
    [[], []],
    [[''], []],
    [[' \t '], []],
    [['a'], ['a']],
    [['a,b'], ['a', 'b']],
    [['a , b'], ['a', 'b']],
    [['\ta\t,\tb\t'], ['a', 'b']],
    [['a, b', 'c'], ['a', 'b', 'c']],
    [['a', '', 'b'], ['a', 'b']],
    [['a', 'a, a'], ['a', 'a', 'a']],
    [['A, a'], ['A', 'a']],
    // 5.6.1.2: a recipient accepts a reasonable number of empty elements.
    [[','], []],
    [[', ,, '], []],
    [[',a'], ['a']],
    [['a,'], ['a']],
    [['a, ,b'], ['a', 'b']],
    [[' ,, a ,, '], ['a']],
    [['__proto__, constructor'], ['__proto__', 'constructor']],
    [["!#$%&'*+-.^_`|~"], ["!#$%&'*+-.^_`|~"]],
    [['a b'], undefined],
    [['a\tb'], undefined],
    [['a;b'], undefined],
    [['a=b'], undefined],
    [['"a"'], undefined],
    [['a/b'], undefined],
    [['a,b c'], undefined],
    [['a, b@'], undefined],
    [['a', '"b'], undefined],
    [['\u00e4'], undefined],
    [['\u00a0a'], undefined],
    [['a\r\n'], undefined],
    [['a\0'], undefined],
  ]
  for (const [lines, tokens] of lists) t.strictSame(parseTokenList(lines), tokens, JSON.stringify(lines))
})

t.test('9.1: lists of extensions', async t => {
  const lists: [value: string, elements: ExtensionElement[]][] = [
    ['', []],
    [' ,\t,, ', []],
    ['foo', [extension('foo')]],
    ['foo, bar', [extension('foo'), extension('bar')]],
    [',foo,,bar,', [extension('foo'), extension('bar')]],
    ['foo, foo', [extension('foo'), extension('foo')]],
    ['foo; a', [extension('foo', ['a', true])]],
    ['foo; a=1', [extension('foo', ['a', '1'])]],
    ['foo;a;b=2;c', [extension('foo', ['a', true], ['b', '2'], ['c', true])]],
    ['foo; a=1; a=2; A', [extension('foo', ['a', '1'], ['a', '2'], ['A', true])]],
    ['foo; a=true', [extension('foo', ['a', 'true'])]],
    ['\tfoo\t;\ta\t=\t1\t,\tbar\t', [extension('foo', ['a', '1']), extension('bar')]],
    ['foo; a="1"', [extension('foo', ['a', '1'])]],
    ['foo; a = "1" ; b, bar', [extension('foo', ['a', '1'], ['b', true]), extension('bar')]],
    ['foo; a="\\1\\2", bar', [extension('foo', ['a', '12']), extension('bar')]],
    ['foo; a="\\1"', [extension('foo', ['a', '1'])]],
    ['foo; a=1, foo; a', [extension('foo', ['a', '1']), extension('foo', ['a', true])]],
    ['Foo; Bar=Baz', [extension('Foo', ['Bar', 'Baz'])]],
    // The RFC's own examples.
    ['foo, bar; baz=2', [extension('foo'), extension('bar', ['baz', '2'])]],
    ['deflate-stream', [extension('deflate-stream')]],
    [
      'mux; max-channels=4; flow-control, deflate-stream',
      [extension('mux', ['max-channels', '4'], ['flow-control', true]), extension('deflate-stream')],
    ],
    ['private-extension', [extension('private-extension')]],
    // RFC 7692, 7.1.
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
      [
        extension('permessage-deflate', ['client_max_window_bits', true], ['server_max_window_bits', '10']),
        extension('permessage-deflate'),
      ],
    ],
  ]
  for (const [value, elements] of lists) t.strictSame(parseExtensionList([value]), elements, value)
  t.strictSame(parseExtensionList([]), [], 'no line')
  t.strictSame(parseExtensionList(['foo; a', '', 'bar']), [extension('foo', ['a', true]), extension('bar')], 'lines')
})

t.test('9.1: malformed extensions', async t => {
  const malformed = [
    ...['foo bar', 'foo/1', '@', '=1', '"foo"', ';', '; a', 'foo, ; a', 'foo: a'],
    ...['foo;', 'foo; ', 'foo;;a', 'foo; ;a', 'foo; a;', 'foo;,bar', 'foo; =1', 'foo; "a"', 'foo; a b', 'foo; a/b'],
    ...['foo; a=', 'foo; a= ', 'foo; a=,bar', 'foo; a==1', 'foo; a=1=2', 'foo; a=1 2', 'foo; a=/', 'foo; a=b@'],
    ...['foo; a="', 'foo; a="1', 'foo; a="1\\"', 'foo; a="\\', 'foo; a="1\\', 'foo; a=1"', 'foo; a=\\1'],
    ...['foo; a=""', 'foo; a=" "', 'foo; a="1 2"', 'foo; a=" 1"', 'foo; a="1,2"', 'foo; a="\\""', 'foo; a="\\\\"'],
    ...['foo; a="1"2', 'foo; a="1""2"', 'foo; a=1"2"', 'foo; a="\u00e4"', 'foo; a="1\r\n"', "foo; a='1 2'"],
    ...['foo\u00a0', 'foo; a\u00a0', 'foo; a=\u00e4', 'foo\0', 'foo, bar baz', 'foo bar, baz'],
  ]
  for (const value of malformed) t.equal(parseExtensionList([value]), undefined, JSON.stringify(value))
  t.equal(parseExtensionList(['foo', 'bar', 'foo;']), undefined, 'one bad line is enough')
  t.equal(parseExtensionList(['foo; a="1', '2"']), undefined, 'a quoted string ends on its line')
})

t.test('names that objects are born with are names like any other', async t => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  for (const name of names) {
    const list = parseExtensionList([`${name}; ${name}; ${name}=${name}; ${name}="${name}"`])
    t.strictSame(list, [extension(name, [name, true], [name, name], [name, name])], name)
  }
  t.equal(Object.getPrototypeOf({}), Object.prototype)
  t.equal('a' in {}, false)
})

// The grammar once more, as the RFCs write it, to compare with.
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const SPACE = '[ \\t]*'
const QUOTED = `"(?:\\\\?[!#$%&'*+.^_\`|~0-9A-Za-z-])+"`
const PARAMETER = `;${SPACE}${TOKEN}${SPACE}(?:=${SPACE}(?:${TOKEN}|${QUOTED})${SPACE})?`
const ELEMENT = `${TOKEN}${SPACE}(?:${PARAMETER})*`

/** A pattern for a list with elements of this pattern, or none between its commas. */
function listOf(element: string): RegExp {
  return new RegExp(`^${SPACE}(?:${element})?(?:,${SPACE}(?:${element})?)*$`)
}

const EXTENSION_LIST = listOf(ELEMENT)
const TOKEN_LIST = listOf(`${TOKEN}${SPACE}`)

/** The elements as a header value. */
function format(elements: readonly ExtensionElement[]): string {
  const parameter = ([name, value]: readonly [string, string | true]): string =>
    value === true ? `;${name}` : `;${name}=${value}`
  return elements.map(({ name, parameters }) => name + parameters.map(parameter).join('')).join(',')
}

/** A list without white space, quotes and empty elements: what the parser has to have understood. */
function bare(list: string): string {
  return list.replace(/[ \t"\\]/g, '').replace(/,+/g, ',').replace(/^,|,$/g, '')
}

/** Whether the parser and the patterns disagree about a value. */
function differ(value: string): boolean {
  const extensions = parseExtensionList([value])
  const tokens = parseTokenList([value])
  const understood = extensions && format(extensions)
  return (
    understood !== (EXTENSION_LIST.test(value) ? bare(value) : undefined) ||
    tokens?.join(',') !== (TOKEN_LIST.test(value) ? bare(value) : undefined)
  )
}

/** `prefix` followed by each text of up to `length` characters of the alphabet. */
function* everyText(alphabet: string, length: number, prefix = ''): Generator<string> {
  yield prefix
  if (length === 0) return
  for (const character of alphabet) yield* everyText(alphabet, length - 1, prefix + character)
}

t.test('9.1: every short value is read as the grammar says', async t => {
  const wrong: string[] = []
  for (const prefix of ['', 'a;b=', 'a;b="c']) {
    for (const value of everyText('a,;="\\ ', 5, prefix)) if (differ(value)) wrong.push(value)
  }
  t.strictSame(wrong, [])
})

t.test('9.1: random values are read as the grammar says', async t => {
  const random = randomTexts(t)
  const pieces = ['a', 'b-1', ',', ', ', ';', '; c', '=', '="d"', '="\\e"', '=f', '"', '\\', ' ', '\t', '@', '\u00e4']
  const wrong: string[] = []
  for (let round = 0; round < 20_000; round++) {
    const value = random.text(pieces, 12)
    if (differ(value)) wrong.push(value)
  }
  t.strictSame(wrong, [])
})

t.test('hostile megabytes take linear time', async t => {
  const many = (text: string): string => text.repeat(MEGABYTE / text.length)
  const values: [value: string, elements: number | undefined][] = [
    [many(','), 0],
    [many(' '), 0],
    [many(', '), 0],
    [many('a'), 1],
    [many('a,'), MEGABYTE / 2],
    [many('a ') + 'a', undefined],
    [many('"'), undefined],
    [many('\\'), undefined],
    ['a' + many(';b'), 1],
    ['a' + many(';b="\\c"'), 1],
    ['a;b="' + many('c') + '"', 1],
    ['a;b="' + many('\\c') + '"', 1],
    ['a;b="' + many('\\"') + '"', undefined],
    ['a;b="' + many('\\\\'), undefined],
    ['a;b="' + many(' ') + '"', undefined],
    ['a;b=' + many(' '), undefined],
    [many('a;b="c",'), MEGABYTE / 8],
  ]
  for (const [value, elements] of values) {
    t.equal(parseExtensionList([value])?.length, elements, `${value.slice(0, 10)}…`)
  }
  t.equal(parseTokenList(new Array<string>(MEGABYTE / 8).fill('a'))?.length, MEGABYTE / 8, 'lines')
  t.equal(parseTokenList([many('a,')])?.length, MEGABYTE / 2, 'tokens')
})

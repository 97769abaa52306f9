/** The client's handshake: RFC 6455, sections 4.1, 4.2.1 and 4.4; Host: RFC 9112, section 3.2. */
import t, { type Test } from 'tap'
import { pickFields } from '../../lib/handshake/fields.ts'
import { REFUSALS, Refusal } from '../../lib/handshake/refusal.ts'
import { asksForWebSocket, isTooLarge, pathOf, readRequest } from '../../lib/handshake/request.ts'
import type { HandshakeOffer, RequestHead } from '../../lib/handshake/request.ts'
import { randomTexts } from './random.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const MEGABYTE = 2 ** 20

/** The lines of a header, instead of those that the good request has; none where it is missing. */
type Lines = Readonly<Record<string, readonly string[]>>

const GOOD: Lines = {
  Host: ['example.org'],
  Upgrade: ['websocket'],
  Connection: ['Upgrade'],
  'Sec-WebSocket-Key': [KEY],
  'Sec-WebSocket-Version': ['13'],
}

/** A good request, but for these lines and parts. */
function request(lines: Lines = {}, parts: Partial<RequestHead> = {}): RequestHead {
  const headers = Object.entries({ ...GOOD, ...lines })
  const rawHeaders = headers.flatMap(([name, values]) => values.flatMap(value => [name, value]))
  return { method: 'GET', url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders, ...parts }
}

/** 'accepted', or the name of the refusal. */
function outcome(answer: HandshakeOffer | Refusal): string {
  if (!(answer instanceof Refusal)) return 'accepted'
  return Object.entries(REFUSALS).find(([, refusal]) => refusal === answer)?.[0] ?? `${answer.status}`
}

/** The offer of a request that has to be good. */
function offerOf(head: RequestHead): HandshakeOffer {
  const answer = readRequest(head, undefined)
  if (answer instanceof Refusal) throw new Error(`refused: ${answer.body}`)
  return answer
}

/** For each row, a good request with these lines of the header has that outcome. */
function testHeader(t: Test, name: string, rows: readonly [lines: readonly string[], expected: string][]): void {
  for (const [lines, expected] of rows) {
    t.equal(outcome(readRequest(request({ [name]: lines }), undefined)), expected, `${name}: ${JSON.stringify(lines)}`)
  }
}

t.test('4.1: a good request is an offer', async t => {
  t.strictSame(readRequest(request(), undefined), {
    key: KEY,
    host: 'example.org',
    origin: undefined,
    protocols: [],
    extensions: [],
    expectsContinue: false,
  })
  const full = {
    Origin: ['http://example.org'],
    'Sec-WebSocket-Protocol': ['chat, superchat'],
    'Sec-WebSocket-Extensions': ['foo; a=1', 'bar'],
  }
  t.strictSame(readRequest(request(full), undefined), {
    key: KEY,
    host: 'example.org',
    origin: 'http://example.org',
    protocols: ['chat', 'superchat'],
    extensions: [
      { name: 'foo', parameters: [['a', '1']] },
      { name: 'bar', parameters: [] },
    ],
    expectsContinue: false,
  })
})

t.test('RFC 9110, 10.1.1: a client that expects a 100', async t => {
  for (const value of ['100-continue', '100-Continue']) {
    t.match(readRequest(request({ Expect: [value] }), undefined), { expectsContinue: true }, value)
  }
  t.match(readRequest(request({ Expect: ['something else'] }), undefined), { expectsContinue: false })
})

t.test('a body would be taken for frames: there may be none', async t => {
  for (const headers of [{ 'Content-Length': ['1'] }, { 'Content-Length': ['0', '5'] }, { 'Content-Length': [''] }, { 'Content-Length': ['x'] }, { 'Transfer-Encoding': ['chunked'] }]) {
    t.equal(readRequest(request(headers), undefined), REFUSALS.body, JSON.stringify(headers))
  }
  t.match(readRequest(request({ 'Content-Length': ['0'] }), undefined), { key: KEY })
})

t.test('4.2.1: header names in any case, values with white space around them', async t => {
  for (const spell of [(name: string) => name.toLowerCase(), (name: string) => name.toUpperCase()]) {
    const rawHeaders = request({ Origin: ['http://example.org'] }).rawHeaders.map((text, at) =>
      at % 2 === 0 ? spell(text) : `\t ${text} \t`
    )
    const { key, host, origin } = offerOf(request({}, { rawHeaders }))
    t.strictSame([key, host, origin], [KEY, 'example.org', 'http://example.org'])
  }
})

t.test('RFC 6585, 5: a line and headers of as many bytes as the limit pass, one more does not', async t => {
  const full = { Origin: ['http://example.org'], Cookie: ['a=b', 'c=d'], Empty: [''] }
  for (const [lines, url] of [
    [{}, '/'],
    [full, '/'],
    [full, '/some/path?and=query'],
  ] as const) {
    const head = request(lines, { url })
    const text = [`GET ${url} HTTP/1.1`]
    for (let i = 0; i < head.rawHeaders.length; i += 2) text.push(`${head.rawHeaders[i]}: ${head.rawHeaders[i + 1]}`)
    const size = text.join('\r\n').length + 4
    t.equal(outcome(readRequest(head, undefined, size)), 'accepted', `${size}`)
    t.equal(outcome(readRequest(head, undefined, size - 1)), 'headSize', `${size - 1}`)
    t.equal(outcome(readRequest(head, undefined, Infinity)), 'accepted')
    t.equal(outcome(readRequest(head, undefined, 0)), 'headSize')
  }
  const bad = { method: undefined, url: undefined, rawHeaders: [] }
  t.equal(outcome(readRequest(request({}, bad), undefined, 14)), 'method')
  t.equal(outcome(readRequest(request({}, bad), undefined, 13)), 'headSize', 'before anything else is looked at')
})

t.test('4.2.1, item 1: the method is GET', async t => {
  for (const method of ['POST', 'HEAD', 'OPTIONS', 'CONNECT', 'get', 'GET ', '', undefined]) {
    t.equal(outcome(readRequest(request({}, { method }), undefined)), 'method', String(method))
  }
})

t.test('4.2.1, item 1: the version is HTTP/1.1', async t => {
  const versions: [major: number, minor: number, expected: string][] = [
    [1, 1, 'accepted'],
    // RFC 9110, 7.8: an Upgrade in HTTP/1.0 is to be ignored.
    [1, 0, 'upgrade'],
    [0, 9, 'upgrade'],
    // RFC 9113, 8.2.2: HTTP/2 has no Upgrade.
    [2, 0, 'upgrade'],
    [2, 1, 'upgrade'],
  ]
  for (const [httpVersionMajor, httpVersionMinor, expected] of versions) {
    const head = request({}, { httpVersionMajor, httpVersionMinor })
    t.equal(outcome(readRequest(head, undefined)), expected, `${httpVersionMajor}.${httpVersionMinor}`)
    t.equal(asksForWebSocket(head), expected === 'accepted')
  }
})

t.test('4.2.1, item 3: Upgrade names websocket, in any case', async t => {
  testHeader(t, 'Upgrade', [
    [['websocket'], 'accepted'],
    [['WebSocket'], 'accepted'],
    [['WEBSOCKET'], 'accepted'],
    [['h2c, websocket'], 'accepted'],
    [['websocket , h2c'], 'accepted'],
    [[',,\twebsocket\t,'], 'accepted'],
    [['h2c', 'websocket'], 'accepted'],
    [[], 'upgrade'],
    [[''], 'upgrade'],
    [[','], 'upgrade'],
    [['h2c'], 'upgrade'],
    [['web socket'], 'upgrade'],
    [['websocket h2c'], 'upgrade'],
    [['websockets'], 'upgrade'],
    [['websocket/13'], 'upgrade'],
    [['"websocket"'], 'upgrade'],
    [['web', 'socket'], 'upgrade'],
  ])
})

t.test('4.2.1, item 4: Connection names upgrade, in any case', async t => {
  testHeader(t, 'Connection', [
    [['upgrade'], 'accepted'],
    [['UPGRADE'], 'accepted'],
    [['keep-alive, Upgrade'], 'accepted'],
    [['Upgrade,keep-alive'], 'accepted'],
    [['keep-alive\t,\tUpgrade\t,'], 'accepted'],
    [['keep-alive', 'Upgrade'], 'accepted'],
    [[], 'upgrade'],
    [[''], 'upgrade'],
    [['keep-alive'], 'upgrade'],
    [['close'], 'upgrade'],
    [['upgrades'], 'upgrade'],
    [['keep-alive Upgrade'], 'upgrade'],
    [['upgrade;q=1'], 'upgrade'],
  ])
})

t.test('RFC 9110, 5.6.3: what is around the elements of a list is spaces and tabs, nothing else', async t => {
  for (const space of ['\u00a0', '\v', '\f', '\ufeff']) {
    testHeader(t, 'Upgrade', [[[`h2c,${space}websocket`], 'upgrade']])
    testHeader(t, 'Connection', [[[`Upgrade${space},a`], 'upgrade']])
  }
})

t.test('4.2.1, item 2: Host is there once', async t => {
  t.equal(offerOf(request({ Host: ['example.org:8080'] })).host, 'example.org:8080')
  // RFC 9112, 3.2: a server must answer 400 to a request without Host, or with more than one.
  for (const lines of [[], ['example.org', 'example.org'], ['example.org', 'evil.test'], ['', 'example.org']]) {
    const answer = readRequest(request({ Host: lines }), undefined)
    t.match(answer, { status: 400 }, JSON.stringify(lines))
  }
})

t.test('4.2.1, item 5: the key is there once, and is 16 bytes in base64', async t => {
  testHeader(t, 'Sec-WebSocket-Key', [
    [[` ${KEY}\t`], 'accepted'],
    [[], 'key'],
    [[''], 'key'],
    [['AAAAAAAAAAAAAAAAAAAA'], 'key'],
    [[`${KEY}=`], 'key'],
    [[`${KEY}, ${KEY}`], 'key'],
    [[KEY, KEY], 'key'],
    [[KEY, ''], 'key'],
    [['', KEY], 'key'],
  ])
})

t.test('4.2.1, item 6, and 4.4: the version is 13', async t => {
  testHeader(t, 'Sec-WebSocket-Version', [
    [['\t13 '], 'accepted'],
    [[], 'version'],
    [[''], 'version'],
    [['8'], 'version'],
    [['7'], 'version'],
    [['14'], 'version'],
    [['013'], 'version'],
    [['13.0'], 'version'],
    [['+13'], 'version'],
    [['1 3'], 'version'],
    [['0x0d'], 'version'],
    [['13, 8'], 'version'],
    [['8, 13'], 'version'],
    [['13,'], 'version'],
    [['13, 13'], 'version'],
    [['13', '13'], 'version'],
    [['13', '8'], 'version'],
    [['8', '13'], 'version'],
    [['13', ''], 'version'],
  ])
})

t.test('4.2.1, item 8: subprotocols are tokens, all different, over any number of lines', async t => {
  const lists: [lines: string[], protocols: string[]][] = [
    [['chat'], ['chat']],
    [['superchat, chat'], ['superchat', 'chat']],
    [['superchat', 'chat'], ['superchat', 'chat']],
    [['c, b', 'a'], ['c', 'b', 'a']],
    [[',c,,b,'], ['c', 'b']],
    [['chat', ''], ['chat']],
    // 4.1: compared as they are.
    [['chat, Chat'], ['chat', 'Chat']],
    [['__proto__, constructor'], ['__proto__', 'constructor']],
    [['v1.example.org'], ['v1.example.org']],
  ]
  for (const [lines, protocols] of lists) {
    t.strictSame(offerOf(request({ 'Sec-WebSocket-Protocol': lines })).protocols, protocols, JSON.stringify(lines))
  }
  const bad = [[''], [' \t'], [','], ['', ''], ['chat, chat'], ['chat', 'chat'], ['a, b', 'c, a'], ['chat superchat']]
  const malformed = [['chat; q=1'], ['"chat"'], ['chat/2'], ['ch\u00e4t'], ['chat', '@'], ['http://example.org/chat']]
  testHeader(t, 'Sec-WebSocket-Protocol', [...bad, ...malformed].map(lines => [lines, 'protocol']))
})

t.test('4.2.1, item 9: extensions over any number of lines', async t => {
  const names = (lines: string[]): string[] =>
    offerOf(request({ 'Sec-WebSocket-Extensions': lines })).extensions.map(({ name }) => name)
  t.strictSame(names([]), [])
  t.strictSame(names(['']), [], 'an empty header offers none')
  t.strictSame(names(['a; b=1, c', 'a', ',d']), ['a', 'c', 'a', 'd'])
  const malformed = ['a b', 'a;', 'a; b=', 'a; b="', 'a; b="c d"', '"a"', '@']
  testHeader(t, 'Sec-WebSocket-Extensions', malformed.map(value => [['a', value], 'extensions']))
})

t.test('4.2.1, item 7, and 10.2: a page of another origin is refused', async t => {
  testHeader(t, 'Origin', [
    [[], 'accepted'],
    [['http://example.org'], 'accepted'],
    [[' HTTPS://EXAMPLE.ORG:443\t'], 'accepted'],
    [['http://example.net'], 'origin'],
    [['http://example.org:8080'], 'origin'],
    [['null'], 'origin'],
    [[''], 'origin'],
    [['http://example.org', 'http://example.org'], 'origin'],
    [['http://example.org', 'http://evil.test'], 'origin'],
    [['http://evil.test', 'http://example.org'], 'origin'],
  ])
  t.equal(outcome(readRequest(request({ Host: [''], Origin: ['http://'] }), undefined)), 'origin', 'no host, no origin')
})

t.test('10.2: the policy decides about an Origin that is there, once', async t => {
  const other = request({ Origin: ['https://Other.test'] })
  const twice = request({ Origin: ['https://other.test', 'https://other.test'] })
  t.equal(outcome(readRequest(other, 'any')), 'accepted')
  t.equal(outcome(readRequest(other, ['https://other.test'])), 'accepted')
  t.equal(outcome(readRequest(request({ Origin: ['http://example.org'] }), ['https://other.test'])), 'origin')
  t.equal(outcome(readRequest(twice, 'any')), 'origin')
  t.equal(outcome(readRequest(request(), [])), 'accepted', 'no page asks')
  const calls: string[][] = []
  const policy = (...call: string[]): boolean => calls.push(call) === 1
  t.equal(outcome(readRequest(other, policy)), 'accepted')
  t.equal(outcome(readRequest(other, policy)), 'origin')
  t.equal(outcome(readRequest(request(), policy)), 'accepted')
  t.equal(outcome(readRequest(twice, policy)), 'origin')
  t.strictSame(calls, [
    ['https://Other.test', 'example.org'],
    ['https://Other.test', 'example.org'],
  ])
})

t.test('a request that is wrong in several ways gets the first of these answers', async t => {
  const wrong: [refusal: string, lines: Lines][] = [
    ['upgrade', { Connection: [] }],
    ['version', { 'Sec-WebSocket-Version': ['8'] }],
    ['key', { 'Sec-WebSocket-Key': [] }],
    ['protocol', { 'Sec-WebSocket-Protocol': [''] }],
    ['extensions', { 'Sec-WebSocket-Extensions': [';'] }],
    ['origin', { Origin: ['null'] }],
  ]
  for (const [at, [refusal]] of wrong.entries()) {
    const lines: Lines = Object.assign({}, ...wrong.slice(at).map(([, wrongLines]) => wrongLines))
    t.equal(outcome(readRequest(request(lines), undefined)), refusal)
    t.equal(outcome(readRequest(request(lines, { method: 'POST' }), undefined)), 'method')
  }
})

t.test('asksForWebSocket(): other upgrades are not ours', async t => {
  t.equal(asksForWebSocket(request()), true)
  t.equal(asksForWebSocket(request({}, { method: 'POST' })), true, 'a method that is wrong is ours to refuse')
  t.equal(asksForWebSocket(request({ 'Sec-WebSocket-Version': [], 'Sec-WebSocket-Key': [] })), true)
  t.equal(asksForWebSocket(request({ Upgrade: ['h2c'] })), false)
  t.equal(asksForWebSocket(request({ Upgrade: ['TLS/1.0'], Connection: ['upgrade, websocket'] })), false)
  t.equal(asksForWebSocket(request({ Connection: ['websocket'] })), false)
  const fields = pickFields(request({ Upgrade: ['h2c'] }).rawHeaders)
  t.equal(asksForWebSocket(request(), fields), false, 'fields that have been picked are not picked again')
})

t.test('3: the path is what is in front of the query', async t => {
  const targets: [url: string | undefined, path: string][] = [
    ['/', '/'],
    ['/chat', '/chat'],
    ['/chat?', '/chat'],
    ['/chat?a=1', '/chat'],
    ['/chat?a=/b?c', '/chat'],
    ['/?chat', '/'],
    ['/a/b/', '/a/b/'],
    ['/a%3Fb?c', '/a%3Fb'],
    ['//example.org/chat', '//example.org/chat'],
    ['*', '*'],
    ['', ''],
    ['?a', ''],
    [undefined, ''],
  ]
  for (const [url, path] of targets) t.equal(pathOf(url), path, String(url))
})

t.test('4.2.1, item 1: the target may be an absolute URI that contains the resource name', async t => {
  const targets: [url: string, path: string][] = [
    ['http://example.org/chat', '/chat'],
    ['https://example.org:8080/a/b?c=/d', '/a/b'],
    ['HTTP://EXAMPLE.ORG/Chat', '/Chat'],
    ['http://[::1]:80/chat?', '/chat'],
    // RFC 9110, 4.2.3: an empty path is the same as a slash.
    ['http://example.org', '/'],
    ['http://example.org?a', '/'],
  ]
  for (const [url, path] of targets) t.equal(pathOf(url), path, url)
})

t.test('random requests are offers or refusals, and an offer has what was asked for', async t => {
  const { pick, text } = randomTexts(t)
  const values = [...Object.values(GOOD).flat(), 'close, Upgrade', 'h2c', 'http://example.org', '', 'a', '8', 'null']
  const pieces = ['a', 'b', ',', ' ', ';', '=', '"', '\\', '\t', '\u00e4', ...values]
  const names = [...Object.keys(GOOD), 'Origin', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'X-Other']
  const counts = new Map<string, number>()
  for (let round = 0; round < 5000; round++) {
    const some = pick([[], [pick(values)], [pick(values), pick(values)]])
    const lines = { [pick(names)]: [text(pieces, 4)], [pick(names)]: some }
    const answer = readRequest(request(lines), undefined)
    const result = outcome(answer)
    counts.set(result, (counts.get(result) ?? 0) + 1)
    if (answer instanceof Refusal) continue
    const sound = answer.key === KEY || (answer.key.length === 24 && answer.key.endsWith('=='))
    if (!sound || new Set(answer.protocols).size !== answer.protocols.length) t.fail(JSON.stringify(lines))
  }
  for (const result of ['accepted', 'upgrade', 'version', 'key', 'protocol', 'extensions', 'origin']) {
    t.ok(counts.has(result), `${result}: ${counts.get(result)}`)
  }
})

t.test('a request has at most 128 header lines', async t => {
  const lines = request({}).rawHeaders
  const withMore = (count: number): RequestHead =>
    request({}, { rawHeaders: [...lines, ...Array.from({ length: 2 * count - lines.length }, () => '')] })
  t.type(offerOf(withMore(128)).key, 'string')
  t.equal(readRequest(withMore(129), undefined), REFUSALS.headSize)
  t.equal(readRequest({ ...withMore(129), method: 'POST' }, undefined), REFUSALS.headSize, 'whatever else is wrong')
  t.strictSame([isTooLarge(withMore(128)), isTooLarge(withMore(129)), isTooLarge(withMore(128), 100)], [false, true, true])
})

t.test('a handshake names at most 128 subprotocols, and 128 extensions and parameters together', async t => {
  const names = (count: number): string => Array.from({ length: count }, (_, at) => `p${at}`).join()
  t.equal(offerOf(request({ 'Sec-WebSocket-Protocol': [names(100), names(128).slice(names(100).length)] })).protocols.length, 128)
  t.equal(readRequest(request({ 'Sec-WebSocket-Protocol': [names(129)] }), undefined), REFUSALS.protocol)
  for (const [value, count] of [[names(128), 128], [`a${';b'.repeat(127)}`, 1], [`${'a;b,'.repeat(64)}`, 64]] as const) {
    t.equal(offerOf(request({ 'Sec-WebSocket-Extensions': [value] })).extensions.length, count)
    t.equal(readRequest(request({ 'Sec-WebSocket-Extensions': [value, 'c'] }), undefined), REFUSALS.extensions)
  }
})

t.test('hostile megabytes take linear time', async t => {
  const lists = ['Connection', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions']
  const names = [...lists, 'Sec-WebSocket-Key', 'Origin']
  for (const piece of [',', ' ', '\t ,', '"', '\\', ';', 'a', 'a,', 'upgrade ', 'a;b="']) {
    const value = piece.repeat(MEGABYTE / piece.length)
    for (const name of names) {
      const answer = readRequest(request({ [name]: [`${value}@`] }), undefined)
      t.equal(answer instanceof Refusal, true, `${name}: ${JSON.stringify(piece)}…`)
    }
  }
  const different = Array.from({ length: MEGABYTE / 8 }, (_, at) => `p${at}`).join()
  t.equal(readRequest(request({ 'Sec-WebSocket-Protocol': [different] }), undefined), REFUSALS.protocol)
  t.equal(pathOf('/'.repeat(MEGABYTE)).length, MEGABYTE)
})

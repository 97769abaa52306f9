/** The client's request: RFC 6455, section 4.1. */
import t from 'tap'
import { isKey } from '../../lib/handshake/accept-key.ts'
import { checkRequestHeaders, formatRequest, type RequestTerms } from '../../lib/handshake/client-request.ts'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { readRequest } from '../../lib/handshake/request.ts'

const TERMS: RequestTerms = { protocols: [], origin: undefined, headers: {}, extensions: '' }

/** The headers as lines, the key replaced by a word. */
function lines(url: string, terms: Partial<RequestTerms> = {}): string[] {
  const { rawHeaders, key } = formatRequest(readTarget(url), { ...TERMS, ...terms })
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => `${rawHeaders[2 * i]}: ${rawHeaders[2 * i + 1]}`.replace(key, 'KEY'))
}

const ALWAYS = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: KEY', 'Sec-WebSocket-Version: 13']

t.test('4.1: the headers that there have to be, and no others', async t => {
  t.strictSame(lines('ws://example.org/chat'), ['Host: example.org', ...ALWAYS])
})

t.test('4.1, item 4: Host has the port unless it is the default', async t => {
  const rows: [url: string, host: string][] = [
    ['ws://example.org:80', 'example.org'],
    ['ws://example.org:443', 'example.org:443'],
    ['wss://example.org:443', 'example.org'],
    ['wss://example.org:8443', 'example.org:8443'],
    ['https://user:pass@example.org:80', 'example.org:80'],
    ['ws://[::1]', '[::1]'],
    ['ws://[::1]:8080', '[::1]:8080'],
  ]
  for (const [url, host] of rows) t.equal(lines(url)[0], `Host: ${host}`, url)
})

t.test('4.1, item 7: the key is 16 bytes in base64, and another one each time', async t => {
  const keys = Array.from({ length: 1000 }, () => formatRequest(readTarget('ws://a'), TERMS).key)
  t.ok(keys.every(isKey))
  t.equal(new Set(keys).size, 1000)
  const { key, rawHeaders } = formatRequest(readTarget('ws://a'), TERMS)
  t.equal(rawHeaders[rawHeaders.indexOf('Sec-WebSocket-Key') + 1], key)
})

t.test('4.1, items 8, 10 and 11: Origin, subprotocols and extensions where they are given', async t => {
  const origin = 'https://example.org'
  t.strictSame(lines('ws://a', { origin }), ['Host: a', ...ALWAYS, `Origin: ${origin}`])
  t.strictSame(lines('ws://a', { protocols: ['chat'] }).slice(5), ['Sec-WebSocket-Protocol: chat'])
  t.strictSame(lines('ws://a', { protocols: ['v2.chat', 'chat'] }).slice(5), ['Sec-WebSocket-Protocol: v2.chat, chat'])
  t.strictSame(lines('ws://a', { extensions: 'x; y=1, z' }).slice(5), ['Sec-WebSocket-Extensions: x; y=1, z'])
})

t.test("the URL's user and password become Authorization, unless there is such a header", async t => {
  const basic = 'Authorization: Basic dTpw'
  t.strictSame(lines('ws://u:p@a').slice(5), [basic])
  t.strictSame(lines('ws://u:p@a', { headers: { cookie: 'a=b' } }).slice(5), [basic, 'cookie: a=b'])
  for (const name of ['authorization', 'Authorization', 'AUTHORIZATION']) {
    t.strictSame(lines('ws://u:p@a', { headers: { [name]: 'Bearer x' } }).slice(5), [`${name}: Bearer x`])
  }
})

t.test('headers of the caller come last, as they are spelled, a line for each value', async t => {
  const headers = { 'X-One': '1', cookie: ['a=b', 'c=d'], none: [], latin: 'ü' }
  t.strictSame(lines('ws://a', { headers, origin: 'null', protocols: ['p'], extensions: 'e' }), [
    'Host: a',
    ...ALWAYS,
    'Origin: null',
    'Sec-WebSocket-Protocol: p',
    'Sec-WebSocket-Extensions: e',
    'X-One: 1',
    'cookie: a=b',
    'cookie: c=d',
    'latin: ü',
  ])
})

t.test('what the answer is held against', async t => {
  const { protocols, extensions } = formatRequest(readTarget('ws://a'), { ...TERMS, protocols: ['a', 'b'], extensions: 'x' })
  t.strictSame({ protocols, extensions }, { protocols: ['a', 'b'], extensions: 'x' })
})

t.test('our own server takes it', async t => {
  const terms = { protocols: ['a', 'b'], origin: 'http://example.org', headers: { 'x-a': 'b' }, extensions: 'x; y="z"' }
  const { rawHeaders, key } = formatRequest(readTarget('ws://example.org/'), terms)
  const offer = readRequest({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders }, undefined)
  t.strictSame(offer, {
    key,
    host: 'example.org',
    origin: 'http://example.org',
    protocols: ['a', 'b'],
    extensions: [{ name: 'x', parameters: [['y', 'z']] }],
    expectsContinue: false,
  })
})

t.test("headers that are the handshake's own, or that HTTP can't carry, are misuse", async t => {
  const own = ['Connection', 'Content-Length', 'Host', 'Origin', 'Transfer-Encoding', 'Upgrade']
  const webSocket = ['Accept', 'Extensions', 'Key', 'Protocol', 'Version'].map(name => `Sec-WebSocket-${name}`)
  for (const name of [...own, ...webSocket]) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.throws(() => checkRequestHeaders({ [spelled]: 'a' }), { code: 'invalid-header' }, spelled)
    }
  }
  t.throws(() => checkRequestHeaders({ 'x a': 'b' }), { code: 'invalid-header' })
  t.throws(() => checkRequestHeaders({ a: 'b\r\nc: d' }), { code: 'invalid-header' })
  t.doesNotThrow(() => checkRequestHeaders({ Authorization: 'a', Cookie: 'b', 'User-Agent': 'c', 'X-Host': ['d', 'e'] }))
})

/** Which pages may connect: RFC 6455, sections 4.2.2 and 10.2; what an origin is: RFC 6454, sections 4 to 7. */
import t from 'tap'
import { checkOriginPolicy, isOriginAllowed } from '../../lib/handshake/origin.ts'

const INVALID_OPTION = { name: 'MisuseError', code: 'invalid-option' }

/** Whether the policy, checked first as an option is, lets the page connect. */
function allowed(policy: unknown, origin: string, host = 'server.test'): boolean {
  return isOriginAllowed(checkOriginPolicy(policy), origin, host)
}

t.test('10.2: without the option, a page may connect to the host and port that it came from', async t => {
  const pages: [origin: string, host: string, allowed: boolean][] = [
    ['http://example.org', 'example.org', true],
    ['https://example.org', 'example.org', true],
    ['HTTPS://EXAMPLE.org', 'Example.ORG', true],
    ['http://example.org:8080', 'example.org:8080', true],
    ['http://127.0.0.1:8080', '127.0.0.1:8080', true],
    ['http://localhost', 'localhost', true],
    // Default ports, written or not.
    ['http://example.org', 'example.org:80', true],
    ['http://example.org:80', 'example.org', true],
    ['https://example.org', 'example.org:443', true],
    ['https://example.org:443', 'example.org', true],
    ['HTTPS://EXAMPLE.ORG:443', 'example.org', true],
    ['http://example.org', 'example.org:443', false],
    ['http://example.org:443', 'example.org', false],
    ['https://example.org', 'example.org:80', false],
    ['https://example.org:80', 'example.org', false],
    // A scheme without a default port.
    ['gopher://example.org', 'example.org:80', false],
    ['gopher://example.org', 'example.org:443', false],
    // Other ports.
    ['http://example.org:8080', 'example.org', false],
    ['http://example.org', 'example.org:8080', false],
    ['http://example.org:8080', 'example.org:8081', false],
    ['http://example.org:808', 'example.org:8080', false],
    // Other hosts.
    ['http://example.net', 'example.org', false],
    ['http://www.example.org', 'example.org', false],
    ['http://example.org', 'www.example.org', false],
    ['http://example.org.evil.test', 'example.org', false],
    ['http://evilexample.org', 'example.org', false],
    ['http://evil.test:80', 'example.org:80', false],
    // IPv6.
    ['http://[::1]', '[::1]', true],
    ['http://[::1]', '[::1]:80', true],
    ['http://[::1]:80', '[::1]', true],
    ['https://[::1]', '[::1]:443', true],
    ['https://[2001:DB8::1]:443', '[2001:db8::1]', true],
    ['http://[::1]:8080', '[::1]:8080', true],
    ['http://[::1]:8080', '[::1]', false],
    ['http://[::1]', '[::2]', false],
    ['http://[::80]', '[::]', false],
    // No origins at all.
    ['null', 'example.org', false],
    ['null', 'null', false],
    ['', 'example.org', false],
    ['', '', false],
    ['example.org', 'example.org', false],
    ['://example.org', 'example.org', false],
    ['http:example.org', 'example.org', false],
    ['http://', '', false],
    ['http://', ':80', false],
    ['http://example.org/', 'example.org', false],
    ['http://example.org/page', 'example.org', false],
    ['http://evil.test http://example.org', 'example.org', false],
    ['http://example.org http://evil.test', 'example.org', false],
    // No host.
    ['http://example.org', '', false],
    ['http://:80', '', false],
  ]
  for (const [origin, host, expected] of pages) {
    t.equal(allowed(undefined, origin, host), expected, `${origin} to ${host}`)
  }
})

t.test('10.2: a list names the pages that may connect', async t => {
  const list = ['https://example.org', 'HTTP://Other.Example:8080', 'https://[2001:DB8::1]']
  const pages: [origin: string, allowed: boolean][] = [
    ['https://example.org', true],
    ['HTTPS://Example.Org', true],
    ['http://other.example:8080', true],
    ['https://[2001:db8::1]', true],
    ['http://example.org', false],
    ['https://example.org:8443', false],
    ['https://example.org/', false],
    ['http://other.example', false],
    ['https://www.example.org', false],
    ['https://example.org.evil.test', false],
    ['https://example', false],
    ['http://server.test', false],
    ['https://example.org,HTTP://Other.Example:8080', false],
    ['null', false],
    ['', false],
  ]
  for (const [origin, expected] of pages) t.equal(allowed(list, origin), expected, origin)
  t.equal(allowed([], 'http://server.test'), false, 'an empty list lets no page connect')
})

t.test('RFC 6454, 4 and 5: in a list, the default port is the same port, written or not', async t => {
  t.equal(allowed(['https://example.org:443'], 'https://example.org'), true)
  t.equal(allowed(['http://example.org:80'], 'http://example.org'), true)
  t.equal(allowed(['https://example.org'], 'https://example.org:443'), true)
  t.equal(allowed(['https://example.org:80'], 'https://example.org'), false)
})

t.test("10.2: 'any' lets each page connect", async t => {
  for (const origin of ['http://example.net', 'null', '']) t.equal(allowed('any', origin), true, JSON.stringify(origin))
  t.equal(allowed('any', 'null', ''), true, 'without a host')
})

t.test('10.2: a function decides from origin and host as they were sent', async t => {
  const calls: string[][] = []
  const policy = (...call: string[]): boolean => calls.push(call) === 1
  t.equal(checkOriginPolicy(policy), policy)
  t.equal(allowed(policy, 'HTTP://A.test', 'B.test:1'), true)
  t.equal(allowed(policy, 'null', ''), false)
  t.strictSame(calls, [
    ['HTTP://A.test', 'B.test:1'],
    ['null', ''],
  ])
})

t.test('10.2: an asynchronous function lets no page connect: its promise is no answer', async t => {
  for (const answer of [true, false]) t.equal(allowed(async () => answer, 'http://server.test'), false, `${answer}`)
})

t.test('the option: what is well formed is taken, a list in lower case', async t => {
  t.equal(checkOriginPolicy(undefined), undefined)
  t.equal(checkOriginPolicy('any'), 'any')
  t.strictSame(checkOriginPolicy([]), [])
  const list = Object.freeze(['HTTPS://Example.Org', 'http://b.test:8080'])
  t.strictSame(checkOriginPolicy(list), ['https://example.org', 'http://b.test:8080'])
})

t.test('the option: a list is copied, so that changing it later changes nothing', async t => {
  const list = ['https://example.org']
  const policy = checkOriginPolicy(list)
  list[0] = 'https://evil.test'
  t.equal(isOriginAllowed(policy, 'https://evil.test', ''), false)
  t.equal(isOriginAllowed(policy, 'https://example.org', ''), true)
})

t.test('RFC 6454, 7.1: pages without a host, `null` and `file://`, may connect where the list has them', async t => {
  for (const own of ['null', 'file://']) {
    t.equal(allowed([own], own), true, own)
    t.equal(allowed([own.toUpperCase()], own), true, `${own}, listed in capitals`)
    t.equal(allowed([own], own.toUpperCase()), true, `${own}, sent in capitals`)
    t.equal(allowed(['https://example.org'], own), false, `${own}, not listed`)
    for (const other of ['null', 'file://', 'https://null', 'file://host', '']) {
      if (other !== own) t.equal(allowed([own], other), false, `${other} is not ${own}`)
    }
  }
})

t.test('the option: anything else is a misuse that names it', async t => {
  const policies = [null, true, false, 0, '', 'ANY', '*', 'https://a.test', {}, /a/, new Set(['https://a.test'])]
  for (const policy of policies) {
    const misuse = { ...INVALID_OPTION, message: /^origins must be / }
    t.throws(() => checkOriginPolicy(policy), misuse, String(policy))
  }
})

t.test('the option: a list of anything but origins is a misuse that names option and value', async t => {
  const hosts = ['', '*', 'any', 'nothing', 'example.org', 'example.org:80', '//example.org', '://example.org']
  const texts = [...hosts, 'https://', 'https:', 'http:///', 'https:a.test', 'https://a.test/', 'https://a.test/page']
  const values: [value: unknown, named: string][] = [
    ...texts.map((value): [string, string] => [value, JSON.stringify(value)]),
    [null, 'null'],
    [undefined, 'undefined'],
    [443, '443'],
    [['https://example.org'], '["https://example.org"]'],
    [{}, '{}'],
    [new URL('https://example.org'), 'an object (URL)'],
  ]
  for (const [value, named] of values) {
    const check = (): unknown => checkOriginPolicy(['https://good.test', value])
    t.throws(check, { ...INVALID_OPTION, message: /^origins must list / }, named)
    t.throws(check, { message: new RegExp(` not ${named.replace(/\W/g, '\\$&')}$`) }, `${named} is named`)
  }
})

t.test('the option: what can never be an origin, and so would never match, is a misuse', async t => {
  // RFC 6454, section 7.1: scheme "://" host [ ":" port ].
  const texts = ['https://a.test?q', 'https://a.test#f', 'https://me@a.test', 'https://a.test:port']
  for (const value of [...texts, ' https://a.test', 'https://a.test ', 'https://a b', 1n]) {
    t.throws(() => checkOriginPolicy([value]), INVALID_OPTION, String(value))
  }
})

t.test('hostile megabytes take linear time', async t => {
  for (const piece of [':', '/', ']', '[', '.', 'a', ' ', ':]', '://', 'http://a,']) {
    const long = piece.repeat(2 ** 20 / piece.length)
    t.equal(allowed(undefined, `http://${long}`, 'a'), false, `${piece}… from`)
    t.equal(allowed(undefined, 'http://a', long), false, `${piece}… to`)
    t.equal(allowed(['http://a'], long), false, `${piece}… in a list`)
  }
})

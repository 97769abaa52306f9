/** URLs of `connect`: RFC 6455, sections 3 and 4.1; RFC 7617 for user and password. */
import t from 'tap'
import { basicAuthorization, readTarget, targetOf, withoutBrackets, type Target } from '../../lib/handshake/client-target.ts'

/** The parts, the URL as text. */
function parts({ url, ...rest }: Target): object {
  return { ...rest, url: url.href }
}

const INVALID = { name: 'MisuseError', code: 'invalid-argument' }

t.test('section 3: scheme, host and port; 80 and 443 unless another is written', async t => {
  const rows: [given: string, url: string, secure: boolean, host: string, port: number][] = [
    ['ws://example.org', 'ws://example.org/', false, 'example.org', 80],
    ['wss://example.org', 'wss://example.org/', true, 'example.org', 443],
    ['http://example.org', 'ws://example.org/', false, 'example.org', 80],
    ['https://example.org', 'wss://example.org/', true, 'example.org', 443],
    ['WS://EXAMPLE.org:80/A?B', 'ws://example.org/A?B', false, 'example.org', 80],
    ['ws://example.org:443', 'ws://example.org:443/', false, 'example.org', 443],
    ['wss://example.org:443/', 'wss://example.org/', true, 'example.org', 443],
    ['wss://example.org:80/', 'wss://example.org:80/', true, 'example.org', 80],
    ['http://example.org:443/', 'ws://example.org:443/', false, 'example.org', 443],
    ['https://example.org:80/', 'wss://example.org:80/', true, 'example.org', 80],
    ['ws://127.0.0.1:8080/chat?a=b&c', 'ws://127.0.0.1:8080/chat?a=b&c', false, '127.0.0.1', 8080],
    ['ws://[::1]:8080/', 'ws://[::1]:8080/', false, '::1', 8080],
    ['wss://[2001:DB8::1]', 'wss://[2001:db8::1]/', true, '2001:db8::1', 443],
    ['ws://münchen.example/ü?ü', 'ws://xn--mnchen-3ya.example/%C3%BC?%C3%BC', false, 'xn--mnchen-3ya.example', 80],
    ['ws://example.org/%23', 'ws://example.org/%23', false, 'example.org', 80],
    ['ws://example.org:0/', 'ws://example.org:0/', false, 'example.org', 0],
  ]
  for (const [given, url, secure, host, port] of rows) {
    const expected = { url, secure, host, port, authorization: undefined }
    t.strictSame(parts(readTarget(given)), expected, given)
    t.strictSame(parts(readTarget(new URL(given))), expected, `${given}, as a URL`)
  }
})

t.test('a URL of another realm, as Jest has with jsdom, is a URL', async t => {
  const foreign: unknown = { [Symbol.toStringTag]: 'URL', toString: () => 'ws://example.org/chat' }
  t.equal(readTarget(foreign as URL).url.href, 'ws://example.org/chat')
})

t.test('the URL given is left as it is', async t => {
  const url = new URL('https://a:b@example.org')
  readTarget(url)
  t.equal(url.href, 'https://a:b@example.org/')
})

t.test('section 3: a fragment is misuse, the empty one too', async t => {
  for (const url of ['ws://example.org/#', 'ws://example.org/#a', 'wss://example.org?a#b', 'https://a@b.example/#']) {
    t.throws(() => readTarget(url), { ...INVALID, message: /%23/ }, url)
  }
})

t.test('what is no absolute URL, or of another scheme, is misuse', async t => {
  for (const url of ['', 'example.org', '/chat', 'ws:', 'ws://', 'ws://a b', 'ws://example.org:65536', 'ws://[::1', '//a']) {
    t.throws(() => readTarget(url), { ...INVALID, message: /absolute/ }, url)
  }
  for (const url of ['ftp://example.org', 'file:///chat', 'mailto:a@b', 'about:blank', 'ws+unix:/a:/b', 'wsx://a']) {
    t.throws(() => readTarget(url), { ...INVALID, message: /must begin with ws:, wss:, http: or https:/ }, url)
  }
  for (const url of [undefined, null, 5, {}, ['ws://a'], { href: 'ws://a' }]) {
    t.throws(() => readTarget(url as string), { ...INVALID, message: 'url must be a string or a URL' }, String(url))
  }
})

t.test('RFC 7617: user and password become Basic authorization, in UTF-8, and leave the URL', async t => {
  const rows: [credentials: string, decoded: string][] = [
    ['user:pass', 'user:pass'],
    ['user', 'user:'],
    ['user:', 'user:'],
    [':pass', ':pass'],
    ['a%40b:c%3Ad%2F', 'a@b:c:d/'],
    ['%C3%BC:%E2%82%AC', 'ü:€'],
    ['ü:€', 'ü:€'],
    ['user:a:b', 'user:a:b'],
    ['%20:%7E', ' :~'],
    ['Aladdin:open%20sesame', 'Aladdin:open sesame'],
  ]
  for (const [credentials, decoded] of rows) {
    const target = readTarget(`wss://${credentials}@example.org:81/a?b`)
    t.equal(target.authorization, `Basic ${Buffer.from(decoded).toString('base64')}`, credentials)
    t.equal(target.url.href, 'wss://example.org:81/a?b')
  }
  t.equal(readTarget('ws://Aladdin:open%20sesame@a').authorization, 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', "the RFC's example")
  t.equal(readTarget('ws://@example.org').authorization, undefined)
  t.equal(readTarget('ws://:@example.org').authorization, undefined)
  t.equal(basicAuthorization(new URL('http://proxy.example')), undefined)
})

t.test('RFC 7617: what Basic authorization can not carry is misuse, and no message shows it', async t => {
  const rows: [credentials: string, message: RegExp][] = [
    ['secret%3Aa:b', /no colon/],
    ['secret%zz', /percent-encoded UTF-8/],
    ['a:secret%FF', /percent-encoded UTF-8/],
    ['secret%0A', /control/],
    ['%00', /control/],
    ['a:secret%00', /control/],
    ['a:secret%1F', /control/],
    ['secret%7F:b', /control/],
  ]
  for (const [credentials, message] of rows) {
    try {
      readTarget(`ws://${credentials}@example.org`)
      t.fail(credentials)
    } catch (error) {
      t.match(error, { ...INVALID, message }, credentials)
      t.notMatch(error, { message: /secret/ })
    }
  }
  for (const url of ['ws://user:secret@a b/', 'ftp://user:secret@a/', 'ws://user:secret@a/#b']) {
    t.throws(() => readTarget(url), { message: /^(?!.*secret)/ }, url)
  }
})

t.test('a target of a URL that is known to be good', async t => {
  const url = new URL('wss://[::1]/')
  t.strictSame(targetOf(url, 'Basic abc'), { url, secure: true, host: '::1', port: 443, authorization: 'Basic abc' })
})

t.test('brackets are for IPv6 in URLs only', async t => {
  t.equal(withoutBrackets('[::1]'), '::1')
  t.equal(withoutBrackets('::1'), '::1')
  t.equal(withoutBrackets('example.org'), 'example.org')
})

import t from 'tap'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { checkProxy } from '../../lib/transport/proxy-option.ts'
import type { Proxy } from '../../lib/transport/proxy-tunnel.ts'

const target = readTarget('wss://example.org')

function proxyOf(option: unknown): Proxy | undefined {
  return checkProxy(option)?.(target)
}

t.test('without the option there is no proxy', async t => {
  t.equal(checkProxy(undefined), undefined)
})

t.test('a URL: scheme, host, port, user and password', async t => {
  const plain = { secure: false, host: 'proxy.example', port: 80, headers: {}, tls: undefined }
  const rows: [url: string, expected: object][] = [
    ['http://proxy.example', plain],
    ['http://proxy.example:3128/path?query', { ...plain, port: 3128 }],
    ['https://proxy.example', { ...plain, secure: true, port: 443 }],
    ['https://proxy.example:80', { ...plain, secure: true, port: 80 }],
    ['http://[::1]:3128', { ...plain, host: '::1', port: 3128 }],
    ['http://user:p%40@proxy.example', { ...plain, headers: { 'Proxy-Authorization': 'Basic dXNlcjpwQA==' } }],
  ]
  for (const [url, expected] of rows) {
    for (const option of [url, new URL(url), { url }, { url: new URL(url) }, { url, headers: undefined, tls: undefined }]) {
      t.strictSame(proxyOf(option), expected, url)
    }
  }
})

t.test('headers and TLS of its own; a header Proxy-Authorization goes before user and password', async t => {
  const tls = { ca: 'x' }
  const proxy = proxyOf({ url: 'https://user@a', headers: { 'x-a': ['1', '2'] }, tls })
  t.strictSame(proxy?.headers, { 'x-a': ['1', '2'], 'Proxy-Authorization': 'Basic dXNlcjo=' })
  t.strictSame(proxy?.tls, tls)
  for (const name of ['Proxy-Authorization', 'proxy-authorization']) {
    t.strictSame(proxyOf({ url: 'http://user@a', headers: { [name]: 'Bearer b' } })?.headers, { [name]: 'Bearer b' })
  }
})

t.test('misuse, without showing a password', async t => {
  const options: [option: unknown, message: RegExp][] = [
    [null, /^proxy must be a URL, 'environment', or an object/],
    [5, /^proxy must be a URL/],
    ['', /^proxy must be a URL, such as/],
    ['secret@a:1', /^proxy must be a URL, such as|^proxy must begin with/],
    ['socks5://user:secret@a', /^proxy must begin with http: or https:, and not "socks5:"/],
    [new URL('ws://user:secret@a'), /^proxy must begin with/],
    [{}, /^proxy\.url must be a URL/],
    [{ url: 5 }, /^proxy\.url must be a URL/],
    [{ url: 'ftp://user:secret@a' }, /^proxy\.url must begin with/],
    [{ url: 'http://a', auth: 'secret' }, /^proxy\.auth is no option: user and password go into proxy\.url/],
    [{ url: 'http://a', tls: 5 }, /^proxy\.tls must be an object/],
    [{ url: 'http://a', tls: { port: 1 } }, /^proxy\.tls\.port/],
  ]
  for (const [option, message] of options) {
    t.throws(() => checkProxy(option), { name: 'MisuseError', code: 'invalid-option', message }, String(message))
    t.throws(() => checkProxy(option), { message: /^(?!.*secret)/ })
  }
  t.throws(() => checkProxy('http://a%0Ab@a'), { code: 'invalid-argument' })
  for (const name of ['Host', 'connection', 'Content-Length', 'transfer-encoding', 'upgrade']) {
    t.throws(() => checkProxy({ url: 'http://a', headers: { [name]: 'a' } }), { code: 'invalid-header' }, name)
  }
})

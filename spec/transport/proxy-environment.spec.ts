import t from 'tap'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { proxyFromEnvironment } from '../../lib/transport/proxy-environment.ts'

/** The URL of the proxy for this target, or undefined. */
function proxyFor(url: string, environment: Record<string, string>): string | undefined {
  return proxyFromEnvironment(readTarget(url), environment)?.url
}

t.test('each scheme has its variable, and ALL_PROXY is for both; lower case goes first', async t => {
  const rows: [environment: Record<string, string>, ws: string | undefined, wss: string | undefined][] = [
    [{}, undefined, undefined],
    [{ HTTP_PROXY: 'a' }, 'a', undefined],
    [{ HTTPS_PROXY: 'a' }, undefined, 'a'],
    [{ ALL_PROXY: 'a' }, 'a', 'a'],
    [{ http_proxy: 'a' }, 'a', undefined],
    [{ https_proxy: 'a' }, undefined, 'a'],
    [{ all_proxy: 'a' }, 'a', 'a'],
    [{ HTTP_PROXY: 'a', http_proxy: 'b' }, 'b', undefined],
    [{ HTTPS_PROXY: 'a', https_proxy: 'b' }, undefined, 'b'],
    [{ ALL_PROXY: 'a', all_proxy: 'b' }, 'b', 'b'],
    [{ HTTP_PROXY: 'a', HTTPS_PROXY: 'b', ALL_PROXY: 'c' }, 'a', 'b'],
    [{ HTTP_PROXY: 'a', all_proxy: 'c' }, 'a', 'c'],
    [{ http_proxy: '', HTTP_PROXY: ' a ' }, 'a', undefined],
    [{ http_proxy: '  ' }, undefined, undefined],
    [{ NO_PROXY: 'b.example' }, undefined, undefined],
  ]
  for (const [environment, ws, wss] of rows) {
    const found = [proxyFor('ws://a.example', environment), proxyFor('wss://a.example', environment)]
    t.strictSame(found, [ws, wss], JSON.stringify(environment))
  }
})

t.test('it is told which variable it was', async t => {
  const target = readTarget('wss://a.example')
  t.strictSame(proxyFromEnvironment(target, { ALL_PROXY: 'a' }), { url: 'a', variable: 'ALL_PROXY' })
  t.strictSame(proxyFromEnvironment(target, { https_proxy: 'a' }), { url: 'a', variable: 'https_proxy' })
})

t.test('in a CGI program HTTP_PROXY is a header of the request', async t => {
  const REQUEST_METHOD = 'GET'
  t.equal(proxyFor('ws://a.example', { HTTP_PROXY: 'a', REQUEST_METHOD }), undefined)
  t.equal(proxyFor('ws://a.example', { HTTP_PROXY: 'a', ALL_PROXY: 'b', REQUEST_METHOD }), 'b')
  t.equal(proxyFor('ws://a.example', { http_proxy: 'a', REQUEST_METHOD }), 'a')
  t.equal(proxyFor('wss://a.example', { HTTPS_PROXY: 'a', REQUEST_METHOD }), 'a')
})

t.test('NO_PROXY: names and all below them, addresses, networks, ports', async t => {
  const rows: [exceptions: string, url: string, direct: boolean][] = [
    ['', 'ws://a.example', false],
    ['*', 'ws://a.example', true],
    ['a.example', 'ws://a.example', true],
    ['A.EXAMPLE', 'ws://a.example', true],
    ['a.example', 'ws://b.a.example', true],
    ['a.example', 'ws://ba.example', false],
    ['a.example', 'ws://a.example.org', false],
    ['.a.example', 'ws://a.example', true],
    ['.a.example', 'ws://b.a.example', true],
    ['*.a.example', 'ws://b.a.example', true],
    ['*.a.example', 'ws://ba.example', false],
    ['.', 'ws://a.example', false],
    ['.', 'ws://a.example.', false],
    ['b, a.example', 'ws://a.example', true],
    ['b a.example c', 'ws://a.example', true],
    [' ,,a.example,', 'ws://a.example', true],
    [',', 'ws://a.example', false],
    ['b.example', 'ws://a.example', false],
    ['a.example:80', 'ws://a.example', true],
    ['a.example:443', 'wss://a.example', true],
    ['a.example:443', 'ws://a.example', false],
    ['a.example:8080', 'ws://b.a.example:8080', true],
    ['a.example:', 'ws://a.example', false],
    ['127.0.0.1', 'ws://127.0.0.1', true],
    ['127.0.0.1', 'ws://127.0.0.2', false],
    ['127.0.0.1:81', 'ws://127.0.0.1:81', true],
    ['127.0.0.1:81', 'ws://127.0.0.1:82', false],
    ['127.0.0.0/8', 'ws://127.1.2.3', true],
    ['127.0.0.0/8', 'ws://128.0.0.1', false],
    ['0.0.0.0/0', 'ws://9.9.9.9', true],
    ['127.0.0.0/33', 'ws://127.0.0.0', false],
    ['127.0.0.0/-1', 'ws://127.0.0.0', false],
    ['127.0.0.0/1.5', 'ws://127.0.0.0', false],
    ['127.0.0.0/x', 'ws://127.0.0.0', false],
    ['127.0.0.0/8', 'ws://a.example', false],
    ['127.0.0.0/8', 'ws://[::1]', false],
    ['::1', 'ws://[::1]', true],
    ['[::1]', 'ws://[::1]:81', true],
    ['[::1]:81', 'ws://[::1]:81', true],
    ['[::1]:81', 'ws://[::1]', false],
    ['0:0:0:0:0:0:0:1', 'ws://[::1]', true],
    ['::2', 'ws://[::1]', false],
    ['fd00::/8', 'ws://[fd12:3456::1]', true],
    ['fd00::/8', 'ws://[fe00::1]', false],
    ['fd00::/129', 'ws://[fd00::]', false],
    ['0.0.1', 'ws://127.0.0.1', false],
  ]
  for (const [exceptions, url, direct] of rows) {
    for (const name of ['NO_PROXY', 'no_proxy']) {
      const found = proxyFor(url, { ALL_PROXY: 'proxy', [name]: exceptions })
      t.equal(found, direct ? undefined : 'proxy', `${name}=${exceptions} ${url}`)
    }
  }
  t.equal(proxyFor('ws://a.example', { ALL_PROXY: 'proxy', no_proxy: 'b', NO_PROXY: '*' }), 'proxy', 'lower case goes first')
})

t.test('unless it is given, the environment is that of the process', async t => {
  const before = { ...process.env }
  t.teardown(() => void (process.env = before))
  for (const name of ['https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY']) delete process.env[name]
  process.env['HTTPS_PROXY'] = 'http://proxy.example'
  t.strictSame(proxyFromEnvironment(readTarget('wss://a.example')), { url: 'http://proxy.example', variable: 'HTTPS_PROXY' })
})

/** Redirects of a handshake: RFC 6455, section 4.1; RFC 9110, sections 4.2.4, 10.2.2 and 15.4. */
import t from 'tap'
import { followRedirect, isRedirect, type Redirection } from '../../lib/handshake/client-redirect.ts'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { HandshakeError, type PlainAnswer } from '../../lib/handshake/handshake-error.ts'

function answer(location: string | string[] | undefined): PlainAnswer {
  return { status: 302, headers: { location }, body: Buffer.from('see there') }
}

function follow(from: string, location: string | string[] | undefined): Redirection {
  return followRedirect(readTarget(from), answer(location))
}

t.test('which statuses name another place', async t => {
  for (let status = 100; status < 600; status++) {
    t.equal(isRedirect(status), [301, 302, 303, 307, 308].includes(status), `${status}`)
  }
})

t.test('a Location is read against the URL it came from; http means ws', async t => {
  const rows: [from: string, location: string, to: string, sameOrigin: boolean][] = [
    ['ws://a.example/x/y?z', '/b', 'ws://a.example/b', true],
    ['ws://a.example/x/y?z', 'b?c', 'ws://a.example/x/b?c', true],
    ['ws://a.example/x/y?z', '', 'ws://a.example/x/y?z', true],
    ['ws://a.example/x/y?z', '?c', 'ws://a.example/x/y?c', true],
    ['ws://a.example/x', 'ws://a.example:80/b', 'ws://a.example/b', true],
    ['ws://a.example/x', 'http://a.example/b', 'ws://a.example/b', true],
    ['ws://a.example:81/x', 'http://a.example:81/b', 'ws://a.example:81/b', true],
    ['wss://a.example/x', 'https://A.EXAMPLE:443/b', 'wss://a.example/b', true],
    ['wss://a.example/x', '//b.example/c', 'wss://b.example/c', false],
    ['ws://a.example/x', 'ws://b.example/', 'ws://b.example/', false],
    ['ws://a.example/x', 'ws://a.example.b.example/', 'ws://a.example.b.example/', false],
    ['ws://a.example/x', 'ws://a.example:81/', 'ws://a.example:81/', false],
    ['ws://a.example/x', 'wss://a.example/', 'wss://a.example/', false],
    ['ws://a.example:443/x', 'wss://a.example:443/', 'wss://a.example/', false],
    ['ws://a.example:81/x', 'https://a.example:81/', 'wss://a.example:81/', false],
    ['ws://a.example/x', '/b#c', 'ws://a.example/b', true],
    ['ws://a.example/x', '#', 'ws://a.example/x', true],
    ['ws://a.example/x', 'wss://[::1]:81/b', 'wss://[::1]:81/b', false],
  ]
  for (const [from, location, to, sameOrigin] of rows) {
    const redirection = follow(from, location)
    const { target } = redirection
    t.strictSame([target.url.href, redirection.sameOrigin], [to, sameOrigin], `${from} -> ${location}`)
    t.equal(target.secure, to.startsWith('wss:'))
  }
  const { target } = follow('ws://a.example/', 'wss://[::1]:81/b')
  t.match(target, { host: '::1', port: 81, secure: true })
})

t.test("the URL's user and password stay with the origin", async t => {
  const from = 'ws://user:pass@a.example/x'
  t.equal(follow(from, '/b').target.authorization, 'Basic dXNlcjpwYXNz')
  for (const location of ['ws://b.example', 'wss://a.example', 'ws://a.example:81']) {
    t.equal(follow(from, location).target.authorization, undefined, location)
  }
})

t.test('what is not followed, and why', async t => {
  const rows: [from: string, location: string | string[] | undefined, why: string][] = [
    ['ws://a.example', undefined, 'its Location is no URL'],
    ['ws://a.example', ['/a', '/b'], 'its Location is no URL'],
    ['ws://a.example', 'ws://', 'its Location is no URL'],
    ['ws://a.example', 'http://[', 'its Location is no URL'],
    ['wss://a.example', 'ws://a.example', 'it leads from wss: to ws:'],
    ['wss://a.example', 'http://a.example', 'it leads from wss: to ws:'],
    ['wss://a.example', 'ws://b.example', 'it leads from wss: to ws:'],
    ['ws://a.example', 'ftp://a.example', 'ftp: is no scheme of WebSockets'],
    ['ws://a.example', 'javascript:1', 'javascript: is no scheme of WebSockets'],
    ['ws://a.example', 'ws://user@a.example', 'its Location has a user or password'],
    ['ws://a.example', 'ws://:pass@a.example', 'its Location has a user or password'],
    ['ws://a.example', '//user:pass@b.example', 'its Location has a user or password'],
  ]
  for (const [from, location, why] of rows) {
    try {
      follow(from, location)
      t.fail(`${from} -> ${location}`)
    } catch (error) {
      t.ok(error instanceof HandshakeError)
      const message = `the redirect was not followed: ${why}`
      t.match(error, { code: 'redirect-refused', message, status: 302, headers: { location } }, String(location))
      t.equal(String((error as HandshakeError).body), 'see there')
    }
  }
})

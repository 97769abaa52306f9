/** Redirects of `connect`, and that nothing secret follows them to another origin. */
import { Agent } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import type { ConnectOptions } from '../lib/client-options.ts'
import { failureOf, open } from './helpers/client.ts'
import { eventually } from './helpers/journal.ts'
import { openProxy } from './helpers/proxy-server.ts'
import { accepting, answering, CERT, headersOf, RawServer, type Reply } from './helpers/raw-server.ts'

const SECRETS = {
  Authorization: 'Bearer secret',
  Cookie: 'session=secret',
  'Proxy-Authorization': 'Basic secret',
  'X-Api-Key': 'secret',
}

/** Answers by path: a redirect to the Location that the map has for it, or else a connection. */
function redirecting(locations: Readonly<Record<string, string>>, status = 302): Reply {
  return head => {
    const location = locations[head.split(' ')[1]]
    return location === undefined ? accepting(head) : answering(status, { location }, 'see there')
  }
}

/** Two servers, that is, two origins. */
async function twoServers(t: Test, first: (other: string) => Readonly<Record<string, string>>): Promise<[RawServer, RawServer]> {
  const other = await RawServer.open(t, accepting)
  return [await RawServer.open(t, redirecting(first(other.url))), other]
}

t.test('by default none is followed', async t => {
  const raw = await RawServer.open(t, redirecting({ '/': '/there' }))
  const error = await failureOf(connect(raw.url))
  t.match(error, { code: 'redirect-refused', message: /^the server redirects, with 302: the option redirects/, status: 302, headers: { location: '/there' } })
  t.equal(String(error.body), 'see there')
  t.match(await failureOf(connect(raw.url, { redirects: 0 })), { code: 'redirect-refused' })
  await raw.left(2)
})

t.test('each status of a redirect is followed, with a key of its own; the sockets before are gone', async t => {
  for (const status of [301, 302, 303, 307, 308]) {
    const raw = await RawServer.open(t, redirecting({ '/': '/one?a', '/one?a': '/two' }, status))
    const socket = await open(t, raw.url, { redirects: 2 })
    t.strictSame(raw.heads.map(head => head.split(' HTTP')[0]), ['GET /', 'GET /one?a', 'GET /two'], `${status}`)
    t.equal(new Set(raw.heads.map(head => headersOf(head)['sec-websocket-key'])).size, 3)
    await eventually('the sockets before to go', () => raw.sockets.size === 1)
    socket.terminate()
    await raw.left(3)
  }
})

t.test('other statuses are refusals, whatever their Location', async t => {
  for (const status of [200, 300, 304, 305, 306, 309, 401]) {
    const raw = await RawServer.open(t, redirecting({ '/': '/there' }, status))
    t.match(await failureOf(connect(raw.url, { redirects: 5 })), { code: 'handshake-refused', status })
  }
})

t.test('no more than so many, though it be Infinity that time ends', async t => {
  const raw = await RawServer.open(t, redirecting({ '/': '/' }))
  const error = await failureOf(connect(raw.url, { redirects: 3 }))
  t.match(error, { code: 'redirect-refused', message: 'there were more than 3 redirects', status: 302 })
  t.equal(raw.accepted, 4)
  await raw.left(4)
  t.match(await failureOf(connect(raw.url, { redirects: Infinity, timeout: 200 })), { code: 'handshake-timeout' })
  await raw.left()
})

t.test('a redirect that may not be followed', async t => {
  const raw = await RawServer.open(t, redirecting({ '/ftp': 'ftp://a', '/none': '', '/user': 'ws://a:b@c', '/bad': 'ws://' }))
  for (const [path, why] of [['/ftp', /no scheme/], ['/user', /user or password/], ['/bad', /no URL/]] as const) {
    const error = await failureOf(connect(raw.url + path, { redirects: 1 }))
    t.match(error, { name: 'HandshakeError', code: 'redirect-refused', message: why, status: 302 }, path)
  }
  await raw.left(3)
})

t.test('from wss to ws is never followed', async t => {
  const plain = await RawServer.open(t, accepting)
  for (const location of [plain.url, plain.url.replace('ws:', 'http:')]) {
    const raw = await RawServer.open(t, redirecting({ '/': location }), { tls: true })
    t.match(await failureOf(connect(raw.url, { redirects: 5, tls: { ca: CERT } })), { code: 'redirect-refused', message: /wss: to ws:/ })
  }
  t.equal(plain.accepted, 0)
})

t.test("within the origin, headers and the URL's user go along", async t => {
  const raw = await RawServer.open(t, redirecting({ '/': '/there' }))
  await open(t, raw.url, { redirects: 1, headers: SECRETS, protocols: [], origin: 'https://page.example' })
  await open(t, raw.url.replace('//', '//user:pass@'), { redirects: 1 })
  const [first, second, third, fourth] = raw.heads.map(headersOf)
  for (const headers of [first, second]) {
    t.match(headers, { authorization: 'Bearer secret', cookie: 'session=secret', 'x-api-key': 'secret', origin: 'https://page.example' })
  }
  for (const headers of [third, fourth]) t.match(headers, { authorization: 'Basic dXNlcjpwYXNz' })
})

t.test("to another origin go neither headers nor the URL's user; subprotocols and Origin do", async t => {
  const [raw, other] = await twoServers(t, url => ({ '/': `${url}/there` }))
  const options = { redirects: 1, headers: SECRETS, origin: 'https://page.example', protocols: ['chat'] }
  for (const url of [raw.url, raw.url.replace('//', '//user:secret@')]) await open(t, url, options)
  await open(t, raw.url.replace('//', '//user:secret@'), { redirects: 1 })
  for (const head of other.heads) t.notMatch(head, /secret|Authorization|Cookie|Api|dXNlc/i)
  t.match(headersOf(other.heads[0]), { origin: 'https://page.example', 'sec-websocket-protocol': 'chat' })
  t.match(headersOf(raw.heads[2]), { authorization: 'Basic dXNlcjpzZWNyZXQ=' })
})

t.test('what was left behind does not come back with a redirect to the first origin', async t => {
  let first: RawServer | undefined
  const other = await RawServer.open(t, () => answering(302, { location: `${first?.url}/again` }))
  first = await RawServer.open(t, redirecting({ '/': other.url }))
  await open(t, first.url.replace('//', '//user:secret@'), { redirects: 2, headers: SECRETS })
  t.equal(first.heads.length, 2)
  t.match(first.heads[0], /secret/)
  t.notMatch(first.heads[1], /secret|authorization/i)
})

t.test('another name of the same server is another origin', async t => {
  let port = 0
  const raw = await RawServer.open(t, redirecting({ get '/'() { return `ws://localhost:${port}/there` } }))
  port = raw.port
  await open(t, raw.url, { redirects: 1, headers: SECRETS })
  t.notMatch(raw.heads[1], /secret/)
})

t.test('ws to wss of the same host is another origin, and takes none of the options tls along', async t => {
  const secure = await RawServer.open(t, accepting, { tls: true })
  const raw = await RawServer.open(t, redirecting({ '/': secure.url }))
  const error = await failureOf(connect(raw.url, { redirects: 1, tls: { ca: CERT }, headers: SECRETS }))
  t.match(error.code, /SELF_SIGNED/)
  const careless = await failureOf(connect(raw.url, { redirects: 1, tls: { rejectUnauthorized: false } }))
  t.match(careless.code, /SELF_SIGNED/)
  t.strictSame(secure.heads, [])
})

t.test('tls goes along within the origin', async t => {
  const raw = await RawServer.open(t, redirecting({ '/': '/there' }), { tls: true })
  await open(t, raw.url, { redirects: 1, tls: { ca: CERT } })
  t.equal(raw.heads.length, 2)
})

t.test('with an agent, or over a unix socket, redirects are followed within the origin only', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const other = await RawServer.open(t, accepting)
  const reply = redirecting({ '/': '/there', '/other': other.url })
  const raw = await RawServer.open(t, reply)
  await RawServer.open(t, reply, { path })
  const ways: [url: string, options: ConnectOptions][] = [
    [raw.url, { agent: new Agent(), redirects: 1 }],
    ['ws://example.org', { socketPath: path, redirects: 1 }],
  ]
  for (const [url, options] of ways) {
    t.equal((await open(t, url, options)).readyState, 'open')
    t.match(await failureOf(connect(`${url}/other`, options)), { code: 'redirect-refused', message: /another origin/ })
  }
  t.equal(other.accepted, 0)
})

t.test('through a proxy each server is asked for, and no header meant for the proxy reaches one', async t => {
  const [raw, other] = await twoServers(t, url => ({ '/': url }))
  const proxy = await openProxy(t, { authorization: 'Basic dXNlcjpzZWNyZXQ=' })
  await open(t, raw.url, { redirects: 1, proxy: proxy.url.replace('//', '//user:secret@') })
  t.strictSame(proxy.targets, [raw, other].map(({ port }) => `127.0.0.1:${port}`))
  for (const head of [...raw.heads, ...other.heads]) t.notMatch(head, /proxy|secret|dXNlc/i)
})

t.test('the body of a redirect is not waited for', async t => {
  const raw = await RawServer.open(t, head =>
    head.startsWith('GET / ') ? 'HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 9\r\n\r\nhello' : accepting(head)
  )
  await open(t, raw.url, { redirects: 1, timeout: Infinity })
  t.equal(raw.heads.length, 2)
})

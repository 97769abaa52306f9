/** HTTP around the handshake: what is on the same socket before it, what a request may say besides, and who else listens. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import * as kore from '../lib/kore.ts'
import { WebSocketServer } from '../lib/server.ts'
import { closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually } from './helpers/journal.ts'
import { handshakeText, RawClient, type HandshakeParts } from './helpers/raw-client.ts'

/** Serves an echo on an HTTP server, at every path or at `/`. */
type Serve = (t: Test, http: Server) => void

const SERVED: Readonly<Record<string, Serve>> = {
  attach(t, http) {
    const server = new WebSocketServer({ message: (socket, data) => void socket.send(data) })
    server.attach(http)
    t.teardown(() => server.close({ timeout: 0 }))
  },
  kore_attach(t, http) {
    const echo = (c: kore.KoreConnection, op: number, data: Buffer): void => void kore.send(c, op, data)
    t.teardown(kore.attach(http, { '/': request => kore.handshake(request, null, echo, null) }))
  },
}

async function listening(t: Test, listener?: RequestListener): Promise<{ http: Server; port: number }> {
  const http = createServer(listener)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  return { http, port: (http.address() as AddressInfo).port }
}

/** A client that is gone with the test. */
async function opened(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.open(port)
  t.teardown(() => client.socket.destroy())
  return client
}

async function handshaken(t: Test, port: number, parts: HandshakeParts = {}): Promise<RawClient> {
  const client = await RawClient.handshake(port, parts)
  t.teardown(() => client.socket.destroy())
  return client
}

/** An echo comes back: the connection works. */
async function echoes(t: Test, client: RawClient, text = 'hello'): Promise<void> {
  client.send(masked(frame('81', text)))
  t.equal(await client.readAs(frame('81', text)), frame('81', text))
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`

for (const [name, serve] of Object.entries(SERVED)) {
  t.test(`${name}: an answer to a request in front of the handshake goes out in front of the 101`, async t => {
    const waiting: ServerResponse[] = []
    const { http, port } = await listening(t, (_, response) => void waiting.push(response))
    serve(t, http)
    const client = await opened(t, port)
    client.text(get('/one') + get('/two') + handshakeText())
    await eventually('the first request', () => waiting.length > 0)
    client.send(masked(frame('81', 'ahead')))
    waiting[0].end('first')
    await eventually('the second request', () => waiting.length === 2)
    t.equal(client.chunks.join('').includes('313031'), false, 'no 101 yet')
    // More than a socket takes at once: it has to hear that it may go on.
    const much = Buffer.alloc(4 * 1024 * 1024, 'x')
    waiting[1].write(much)
    waiting[1].end()
    t.match(await client.head(), /^HTTP\/1\.1 200 /)
    t.equal(await client.read(5), Buffer.from('first').toString('hex'))
    const head = await client.head()
    t.match(head, /^HTTP\/1\.1 200 [^]*transfer-encoding: chunked/i)
    t.equal((await client.read(much.length + '400000\r\n'.length + '\r\n0\r\n\r\n'.length)).slice(-14), '0d0a300d0a0d0a')
    t.match(await client.head(), /^HTTP\/1\.1 101 /)
    t.equal(await client.readAs(frame('81', 'ahead')), frame('81', 'ahead'))
    await echoes(t, client)
  })

  t.test(`${name}: an answer that ends the connection leaves no handshake`, async t => {
    const waiting: ServerResponse[] = []
    const { http, port } = await listening(t, (_, response) => void waiting.push(response))
    serve(t, http)
    const client = await opened(t, port)
    client.text(get('/') + handshakeText())
    await eventually('the request', () => waiting.length > 0)
    waiting[0].setHeader('connection', 'close').end('bye')
    t.match(await client.head(), /^HTTP\/1\.1 200 /)
    t.equal(await client.rest(), Buffer.from('bye').toString('hex'))
  })

  t.test(`${name}: a client that goes meanwhile is forgotten`, async t => {
    const waiting: ServerResponse[] = []
    const { http, port } = await listening(t, (_, response) => void waiting.push(response))
    serve(t, http)
    const client = await opened(t, port)
    client.text(get('/') + handshakeText())
    await eventually('the request', () => waiting.length > 0)
    client.reset()
    await once(waiting[0], 'close')
    const next = await handshaken(t, port)
    await echoes(t, next)
  })

  t.test(`${name}: a handshake with a body is refused`, async t => {
    const { http, port } = await listening(t)
    serve(t, http)
    const bodies: Record<string, string>[] = [
      { 'content-length': '6' },
      { 'transfer-encoding': 'chunked' },
    ]
    for (const headers of bodies) {
      const client = await opened(t, port)
      client.text(handshakeText({ headers }))
      const { status, body } = await client.refusal()
      t.strictSame([status, body], [400, 'A WebSocket handshake has no body.\n'], JSON.stringify(headers))
    }
    const client = await handshaken(t, port, { headers: { 'content-length': '0' } })
    await echoes(t, client)
  })

  t.test(`${name}: a client that expects a 100 gets it in front of the 101`, async t => {
    const { http, port } = await listening(t)
    serve(t, http)
    const client = await opened(t, port)
    client.text(handshakeText({ headers: { expect: '100-continue' } }))
    t.equal(await client.head(), 'HTTP/1.1 100 Continue\r\n\r\n')
    t.match(await client.head(), /^HTTP\/1\.1 101 /)
    await echoes(t, client)
  })

  t.test(`${name}: an upgrade to something else is ignored, and the page is served`, async t => {
    const { http, port } = await listening(t, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => response.end(`${request.method} ${request.url} ${request.headers.upgrade} ${request.headers.connection} ${Buffer.concat(chunks)}`))
    })
    serve(t, http)
    const client = await opened(t, port)
    const h2c = 'connection: Upgrade, HTTP2-Settings, keep-alive\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'
    for (const [line, page] of [
      ['GET /page?a=b', 'GET /page?a=b undefined keep-alive '],
      ['GET /', 'GET / undefined keep-alive '],
    ]) {
      client.text(`${line} HTTP/1.1\r\nhost: localhost\r\n${h2c}\r\n`)
      t.match(await client.head(), /^HTTP\/1\.1 200 /)
      t.equal(Buffer.from(await client.read(page.length), 'hex').toString(), page)
    }
    // The connection lives on: another page, and a handshake, behind one another.
    client.text(get('/more') + handshakeText())
    t.match(await client.head(), /^HTTP\/1\.1 200 /)
    await client.read('GET /more undefined undefined '.length)
    t.match(await client.head(), /^HTTP\/1\.1 101 /)
    await echoes(t, client)
  })

  t.test(`${name}: beside a listener that answers by itself there is one answer, whatever the order`, async t => {
    for (const order of ['on', 'prependListener'] as const) {
      const { http, port } = await listening(t)
      const other = new WebSocketServer({ protocols: ['vite-hmr'], message: (socket, data) => void socket.send(`hmr ${String(data)}`) })
      t.teardown(() => other.close({ timeout: 0 }))
      const add = (): unknown =>
        http[order]('upgrade', (request, socket, head) => {
          if (request.headers['sec-websocket-protocol'] === 'vite-hmr') other.upgrade(request, socket, head)
        })
      if (order === 'prependListener') add()
      serve(t, http)
      if (order === 'on') add()
      const theirs = await handshaken(t, port, { headers: { 'sec-websocket-protocol': 'vite-hmr' } })
      theirs.send(masked(frame('81', 'a')))
      t.equal(await theirs.readAs(frame('81', 'hmr a')), frame('81', 'hmr a'), order)
      const ours = await handshaken(t, port)
      await echoes(t, ours)
      ours.send(masked(closeFrame(1000)))
      t.equal(await ours.readAs(closeFrame(1000)), closeFrame(1000))
    }
  })
}

t.test('listen: a request in front of the handshake is answered, and ends the connection', async t => {
  const server = new WebSocketServer()
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  const client = await opened(t, port)
  client.text(get('/') + handshakeText())
  t.match(await client.head(), /^HTTP\/1\.1 426 /)
  t.notMatch(Buffer.from((await client.rest()).replace(' reset', ''), 'hex').toString('latin1'), /HTTP\/1\.1/)
})

t.test('a path is written as it stands in a URL', async t => {
  const wrong: [path: string, says: RegExp][] = [
    ['/café', /"\/caf%C3%A9"/],
    ['/a b', /"\/a%20b"/],
    ['/x#y', /begins with/],
    ['/x?y', /begins with/],
    ['/a%2', /./],
    ['x', /begins with/],
    ['/\ud800', /./],
    ['/*', /looks like a pattern/],
    ['/rooms/*', /looks like a pattern/],
    ['/rooms/**/x', /looks like a pattern/],
    ['/:room', /looks like a pattern/],
    ['/rooms/:id?', /looks like a pattern/],
    ['/rooms/(.*)', /looks like a pattern/],
    ['/a(.*)b/x', /looks like a pattern/],
  ]
  const http = createServer()
  for (const [path, message] of wrong) {
    const misuse = { name: 'MisuseError', code: 'invalid-option', message }
    t.throws(() => new WebSocketServer({ path }), misuse, path)
    t.throws(() => new WebSocketServer().attach(http, { path }), misuse, path)
    t.throws(() => kore.attach(http, { [path]: () => {} }), misuse, path)
  }
  for (const path of ['/caf%C3%A9', '/a%20b', '/a*', '/*a', '/a:b', '/:', '/urn:x', '/(a)', "/-._~!$&'()*+,;=:@/x", '/']) new WebSocketServer({ path })
})

t.test('origins: pages without a host can be listed', async t => {
  const server = new WebSocketServer({ origins: ['null', 'file://', 'app://local'] })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  for (const [origin, status] of [['null', 101], ['file://', 101], ['app://local', 101], ['http://localhost', 403], ['app://', 403]] as const) {
    const client = await opened(t, port)
    client.text(handshakeText({ headers: { origin } }))
    t.match(await client.head(), new RegExp(`^HTTP/1\\.1 ${status} `), origin)
    await client.close()
  }
})

t.test('attach: what is no HTTP server is misuse', async t => {
  for (const wrong of [{}, null, undefined, 'http']) {
    t.throws(() => new WebSocketServer().attach(wrong as unknown as Server), { name: 'MisuseError', code: 'invalid-argument', message: /^server must be an HTTP server/ })
  }
})

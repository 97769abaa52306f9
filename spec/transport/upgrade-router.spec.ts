import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { checkPath, routerOf, type UpgradeListener } from '../../lib/transport/upgrade-router.ts'
import { clientsOf } from '../helpers/running.ts'
import type { HandshakeParts } from '../helpers/raw-client.ts'

interface Listening {
  readonly http: Server
  /** The status that a handshake gets. */
  ask(parts?: HandshakeParts): Promise<number>
}

async function listening(t: Test): Promise<Listening> {
  const http = createServer((_, response) => response.writeHead(200).end())
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  const { dial } = clientsOf(t, (http.address() as AddressInfo).port)
  return {
    http,
    async ask(parts) {
      const client = await dial()
      const { status } = await client.handshake(parts)
      client.socket.destroy()
      return status
    },
  }
}

/** Answers an upgrade with a status, and no more. */
function answering(status: number): UpgradeListener {
  return (_: IncomingMessage, socket: Duplex) => void socket.end(`HTTP/1.1 ${status} x\r\ncontent-length: 0\r\n\r\n`)
}

const FOREIGN = { headers: { upgrade: 'other/1' } }

t.test('an HTTP server has one router', async t => {
  const [one, other] = [createServer(), createServer()]
  t.equal(routerOf(one), routerOf(one))
  t.not(routerOf(one), routerOf(other))
})

t.test('each path goes to whom it belongs, query or not; the others to who takes all', async t => {
  const { http, ask } = await listening(t)
  const router = routerOf(http)
  router.add('/a', answering(290))
  router.add('/b', answering(291))
  t.equal(http.listenerCount('upgrade'), 1)
  t.equal(await ask({ path: '/a' }), 290)
  t.equal(await ask({ path: '/a?x=/b' }), 290)
  t.equal(await ask({ path: '/b' }), 291)
  t.equal(await ask({ path: 'http://example.org/b' }), 291, 'a whole URI')
  t.equal(await ask({ path: '/c' }), 404, 'nobody serves it')
  t.equal(await ask({ path: '/a/' }), 404)
  router.add(undefined, answering(292))
  t.equal(await ask({ path: '/c' }), 292)
  t.equal(await ask({ path: '/a' }), 290)
})

t.test('where somebody else listens for upgrades too, a path that nobody has here is left to him', async t => {
  const { http, ask } = await listening(t)
  const seen: string[] = []
  routerOf(http).add('/a', answering(290))
  http.on('upgrade', (request, socket) => {
    seen.push(request.url ?? '')
    if (request.url !== '/a') answering(299)(request, socket, Buffer.alloc(0))
  })
  t.equal(await ask({ path: '/a' }), 290)
  t.equal(await ask({ path: '/c' }), 299)
  t.strictSame(seen, ['/a', '/c'])
})

t.test("another protocol's upgrade is left alone where somebody else listens", async t => {
  const { http, ask } = await listening(t)
  const paths: string[] = []
  routerOf(http).add(undefined, request => void paths.push(request.url ?? ''))
  http.on('upgrade', answering(299))
  t.equal(await ask(FOREIGN), 299)
  t.strictSame(paths, [])
})

t.test('alone, it gives the request back, without the header', async t => {
  const { http, ask } = await listening(t)
  routerOf(http).add(undefined, answering(290))
  t.equal(await ask(FOREIGN), 200)
})

t.test('a path that is taken is misuse, and the one who has it keeps it', async t => {
  const { http, ask } = await listening(t)
  const router = routerOf(http)
  router.add('/a', answering(290))
  t.throws(() => router.add('/a', answering(291)), { name: 'MisuseError', code: 'invalid-state', message: '/a is attached already' })
  router.add(undefined, answering(292))
  t.throws(() => router.add(undefined, answering(293)), { code: 'invalid-state', message: 'a server for every path is attached already' })
  t.equal(await ask({ path: '/a' }), 290)
  t.equal(await ask({ path: '/b' }), 292)
})

t.test('taken back, a path is free, and with the last one the HTTP server is as it was', async t => {
  const { http, ask } = await listening(t)
  const router = routerOf(http)
  const [detachA, detachB] = [router.add('/a', answering(290)), router.add('/b', answering(291))]
  detachA()
  t.equal(await ask({ path: '/a' }), 404)
  t.equal(await ask({ path: '/b' }), 291)
  detachB()
  t.equal(http.listenerCount('upgrade'), 0)
  t.equal(await ask({ path: '/b' }), 200, 'an upgrade that nobody wants is a plain request')
  router.add('/a', answering(292))
  t.equal(await ask({ path: '/a' }), 292)
})

t.test('taken back twice, it does not take the path from who has it now', async t => {
  const { http, ask } = await listening(t)
  const router = routerOf(http)
  const detach = router.add('/a', answering(290))
  detach()
  router.add('/a', answering(291))
  detach()
  t.equal(http.listenerCount('upgrade'), 1)
  t.equal(await ask({ path: '/a' }), 291)
})

t.test('a path that is offered stays with its listener until another takes it, once', async t => {
  const { http, ask } = await listening(t)
  const router = routerOf(http)
  const detach = router.add('/a', answering(290))
  router.offer('/a')
  t.equal(await ask({ path: '/a' }), 290)
  router.add('/a', answering(291))
  t.equal(await ask({ path: '/a' }), 291)
  t.throws(() => router.add('/a', answering(292)), { code: 'invalid-state' })
  detach()
  t.equal(await ask({ path: '/a' }), 291)
  router.add('/b', answering(293))()
  router.offer('/c')
  const detachC = router.add('/c', answering(294))
  router.offer('/c')
  detachC()
  router.add('/c', answering(295))
  t.throws(() => router.add('/c', answering(296)), { code: 'invalid-state' }, 'an offer ends with who made it')
})

t.test('the listener gets the request, its socket and the bytes that came along', async t => {
  const { http } = await listening(t)
  const { dial } = clientsOf(t, (http.address() as AddressInfo).port)
  const heads: string[] = []
  routerOf(http).add('/a', (request, socket, head) => {
    heads.push(`${request.method} ${request.url} ${head.toString()}`)
    t.equal(socket, request.socket)
    answering(290)(request, socket, head)
  })
  const client = await dial()
  await client.handshake({ path: '/a' }, Buffer.from('early').toString('hex'))
  t.strictSame(heads, ['GET /a early'])
})

t.test('a path begins with a slash and has no query', async t => {
  for (const path of [undefined, '/', '/chat', '/chat/', '/a/b', '/%20']) t.doesNotThrow(() => checkPath(path))
  for (const path of ['', 'chat', '/?', '/chat?a=b', null, 5]) {
    t.throws(() => checkPath(path), { code: 'invalid-option', message: /^path must be .* not / }, String(path))
  }
})

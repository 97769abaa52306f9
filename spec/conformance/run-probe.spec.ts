import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { ProbeCase } from '../../lib/conformance/case.ts'
import { BEYOND } from '../../lib/conformance/beyond/index.ts'
import type { CaseResult } from '../../lib/conformance/result.ts'
import { probeServer } from '../../lib/conformance/run-probe.ts'
import { acceptKey } from '../../lib/handshake/accept-key.ts'
import { brokenServer } from './broken-servers.ts'

function caseOf(id: string): ProbeCase {
  const found = BEYOND.find(one => one.id === id)
  if (found === undefined) throw new Error(`there is no case ${id}`)
  return found
}

/** A case with a server that does one thing with each connection. */
async function probe(t: Test, id: string, serve: (socket: Socket) => void): Promise<CaseResult> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?query`)
  return (await probeServer(url, {}, caseOf(id), 'some')).result
}

t.test('a good server, and the report of a case', async t => {
  const server = await brokenServer()
  t.teardown(() => server.close())
  const { result, late } = await probeServer(new URL(server.url), {}, caseOf('20.3.1'), 'some')
  t.match(result, {
    id: '20.3.1',
    agent: 'some',
    behavior: 'OK',
    behaviorClose: 'OK',
    isServer: false,
    quick: false,
    expectation: /^RFC 6455, 5\.3: /,
    expected: { OK: ['text, 5 bytes: "Hello", then a clean close'] },
    received: ['text, 5 bytes: "Hello"'],
    remoteCloseCode: 1000,
    httpRequest: /^GET \/ HTTP\/1\.1\r\n/,
    httpResponse: /^HTTP\/1\.1 101 /,
  })
  t.equal(late, false)
  t.equal(server.served, 2, 'one connection more, to see that it serves')
})

t.test('a server that ends TCP in place of an answer has refused, but serves nobody', async t => {
  const result = await probe(t, '27.1.1', socket => socket.end())
  t.match(result, { behavior: 'FAILED', result: /^Afterwards the server did not serve a new connection: / })
})

t.test('an answer that is no HTTP, or only the start of one', async t => {
  const nonsense = await probe(t, '27.1.1', socket => socket.end('SMTP ready\r\n\r\n'))
  t.match(nonsense, { behavior: 'FAILED', result: 'The server\'s answer is no HTTP: "SMTP ready".' })
  const half = await probe(t, '27.1.1', socket => socket.end('HTTP/1.1 400 Bad'))
  t.match(half, { behavior: 'FAILED', httpResponse: '', result: /ended before the handshake was done/ })
})

t.test('an upgrade that is none', async t => {
  const result = await probe(t, '20.3.1', socket =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  )
  t.match(result, { behavior: 'FAILED', result: /Sec-WebSocket-Accept does not fit the key/ })
})

t.test('a good handshake that is refused', async t => {
  const result = await probe(t, '20.3.1', socket => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
  t.match(result, { behavior: 'FAILED', result: 'The peer refused the handshake with 403: that is not allowed.' })
})

t.test('a server that breaks a rule itself, in a case about another one', async t => {
  const server = await brokenServer('masks-its-frames')
  t.teardown(() => server.close())
  const { result } = await probeServer(new URL(server.url), {}, caseOf('24.1.1'), 'some')
  t.match(result, { behavior: 'FAILED', result: 'The peer sent a frame that is masked.' })
})

t.test('a server that never answers a close frame', async t => {
  const result = await probe(t, '24.1.1', socket => {
    socket.once('data', head => {
      const key = /sec-websocket-key: (\S+)/i.exec(head.toString('latin1'))?.[1] ?? ''
      const accept = `Sec-WebSocket-Accept: ${acceptKey(key)}`
      socket.write(`HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`)
    })
  })
  t.match(result, { behavior: 'FAILED', result: 'The peer did not answer the close frame.', wasCloseHandshakeTimeout: true })
})

t.test('no server at all', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  server.close()
  await once(server, 'close')
  const { result } = await probeServer(url, {}, caseOf('20.3.1'), 'some')
  t.match(result, { behavior: 'FAILED', received: [] })
})

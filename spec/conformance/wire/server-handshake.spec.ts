import t from 'tap'
import { readHead, type Head } from '../../../lib/conformance/wire/http.ts'
import { acceptRequest, readRequest, refuseRequest } from '../../../lib/conformance/wire/server-handshake.ts'
import { handshakeText, type HandshakeParts } from '../../helpers/raw-client.ts'
import { memoryPair, MemoryTransport } from '../../helpers/transports.ts'

async function headOf(parts: HandshakeParts): Promise<Head> {
  const [here, there] = memoryPair()
  there.write(handshakeText(parts))
  return readHead(here, 5000)
}

t.test('a request, and its answer', async t => {
  const request = readRequest(await headOf({ path: '/runCase?case=1&agent=a%20b' }))
  if (typeof request === 'string') return t.fail(request)
  t.equal(request.url.pathname, '/runCase')
  t.equal(request.url.searchParams.get('agent'), 'a b')
  const transport = new MemoryTransport()
  const { agreement, response } = acceptRequest(transport, request, [{ noContextTakeover: false, windowBits: 0 }])
  t.equal(agreement, undefined)
  t.equal(Buffer.concat(transport.writes.flat()).toString(), response)
  t.match(response, /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/s)
  t.notMatch(response, /Extensions/)
  return undefined
})

t.test('more than one slash in front is one', async t => {
  const targets = [
    ['/', '/'],
    ['//', '/'],
    ['/\\', '/'],
    ['//getCaseCount', '/getCaseCount'],
    ['///runCase', '/runCase'],
    ['//a:b@[c', '/a:b@[c'],
    ['/%', '/%'],
  ]
  for (const [path, pathname] of targets) {
    const request = readRequest(await headOf({ path: `${path}?case=1` }))
    if (typeof request === 'string') t.fail(`${path}: ${request}`)
    else t.match(request.url, { host: 'tester', pathname, search: '?case=1' }, path)
  }
})

t.test('with the extension, where it is offered and wished for', async t => {
  const head = await headOf({ headers: { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' } })
  const request = readRequest(head)
  if (typeof request === 'string') return t.fail(request)
  const wish = { noContextTakeover: false, windowBits: 9 }
  const { agreement, response } = acceptRequest(new MemoryTransport(), request, [wish])
  t.match(agreement, { client: { windowBits: 9 } })
  t.match(response, /\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n/)
  t.equal(acceptRequest(new MemoryTransport(), request, []).agreement, undefined)
  return undefined
})

t.test('requests that are none', async t => {
  const wrong: [parts: HandshakeParts, complaint: RegExp][] = [
    [{ method: 'POST' }, /has to be a GET/],
    [{ version: '1.0' }, /HTTP\/1\.1/],
    [{ path: 'http://x/' }, /GET of a path/],
    [{ headers: { upgrade: null } }, /Upgrade/],
    [{ headers: { connection: 'close' } }, /Connection/],
    [{ headers: { 'sec-websocket-version': '8' } }, /Version has to be 13/],
    [{ headers: { 'sec-websocket-key': 'AAAA' } }, /16 bytes/],
    [{ headers: { 'sec-websocket-key': null } }, /16 bytes/],
  ]
  for (const [parts, complaint] of wrong) t.match(readRequest(await headOf(parts)), complaint, JSON.stringify(parts))
})

t.test('a refusal ends the connection', async t => {
  const transport = new MemoryTransport()
  refuseRequest(transport, '404 Not Found', 'Nothing für you.')
  const text = Buffer.concat(transport.writes.flat()).toString()
  t.equal(
    text,
    'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 18\r\nConnection: close\r\n\r\nNothing für you.\n'
  )
  t.ok(transport.writableEnded)
})

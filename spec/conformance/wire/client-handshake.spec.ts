import t, { type Test } from 'tap'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { openClient, type Opened } from '../../../lib/conformance/wire/client-handshake.ts'
import { answerKey, readHead } from '../../../lib/conformance/wire/http.ts'
import { within } from '../../helpers/journal.ts'

const WISH = { noContextTakeover: false, windowBits: 0 }

interface Answering {
  readonly url: URL
  /** The requests that came. */
  readonly requests: string[]
  /** Resolves when the last connection is gone. */
  gone(): Promise<void>
}

/** A server that answers every request with what `answer` makes of its key; nothing: it says nothing. */
async function answering(t: Test, answer: (key: string) => string): Promise<Answering> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    void readHead(socket, 5000).then(
      ({ text, headers }) => {
        requests.push(text)
        socket.resume()
        socket.write(answer(headers.get('sec-websocket-key') ?? ''), 'latin1')
      },
      () => {}
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?query=1#fragment`)
  const gone = async (): Promise<void> => {
    for (const socket of sockets) await within(once(socket, 'close'), 'the connection to end')
  }
  return { url, requests, gone }
}

function accept(key: string, more = '', status = '101 Switching Protocols'): string {
  return `HTTP/1.1 ${status}\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: ${answerKey(key)}\r\n${more}\r\n`
}

async function open(t: Test, server: Answering, wishes = [WISH]): Promise<Opened> {
  const opened = await openClient(server.url, wishes, {})
  t.teardown(() => opened.socket.destroy())
  return opened
}

t.test('what is asked, and what comes of the answer', async t => {
  const server = await answering(
    t,
    key => accept(key, 'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n') + '\x81\x00'
  )
  const { agreement, request, response } = await open(t, server)
  t.match(agreement, { server: { windowBits: 10 } })
  t.equal(`${server.requests[0]}\r\n\r\n`, request)
  t.match(request, /^GET \/path\?query=1 HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/, 'without the fragment')
  t.match(
    request,
    /\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits\r\n/
  )
  t.equal(response.rest.toString('latin1'), '\x81\x00')
  const plainServer = await answering(t, accept)
  const plain = await open(t, plainServer, [])
  t.equal(plain.agreement, undefined)
  t.notMatch(plain.request, /Extensions/)
  t.not(plain.request, (await open(t, plainServer, [])).request, 'another key')
})

t.test('answers that are none', async t => {
  const wrong: [name: string, answer: (key: string) => string, complaint: RegExp][] = [
    ['another status', key => accept(key, '', '200 OK'), /no upgrade: its first line is "HTTP\/1\.1 200 OK"/],
    ['HTTP/1.0', key => accept(key).replace('1.1', '1.0'), /first line/],
    ['no upgrade', key => accept(key).replace('Upgrade: WebSocket', 'Upgrade: h2c'), /Upgrade is not websocket/],
    [
      'no connection',
      key => accept(key).replace('keep-alive, Upgrade', 'keep-alive'),
      /Connection does not say upgrade/,
    ],
    ['another key', () => accept('other'), /Sec-WebSocket-Accept does not fit/],
    ['a subprotocol', key => accept(key, 'Sec-WebSocket-Protocol: chat\r\n'), /subprotocol/],
    [
      'an extension',
      key => accept(key, 'Sec-WebSocket-Extensions: x-other\r\n'),
      /extensions: the extension x-other was not offered/,
    ],
  ]
  for (const [name, answer, complaint] of wrong) {
    const server = await answering(t, answer)
    await t.rejects(
      openClient(server.url, [WISH], {}),
      { name: 'HandshakeFailure', message: complaint, late: false, head: /^HTTP/ },
      name
    )
    await server.gone()
  }
})

t.test('nobody there', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await t.rejects(openClient(new URL(`ws://127.0.0.1:${port}`), [], {}), {
    name: 'HandshakeFailure',
    message: /failed: .*ECONNREFUSED/,
  })
})

t.test('over TLS, to a name and to an address', async t => {
  const read = (name: string): Buffer => readFileSync(new URL(`../../fixtures/localhost.${name}.pem`, import.meta.url))
  const cert = read('cert')
  const names: unknown[] = []
  const server = createTlsServer({ key: read('key'), cert }, socket => {
    socket.on('error', () => {})
    names.push(socket.servername, socket.alpnProtocol)
    void readHead(socket, 5000).then(({ headers }) => socket.write(accept(headers.get('sec-websocket-key') ?? '')))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const dial = async (host: string, tls: object): Promise<void> => {
    const { socket } = await openClient(new URL(`wss://${host}:${port}/`), [], tls)
    socket.destroy()
  }
  await dial('localhost', { ca: cert })
  await dial('127.0.0.1', { ca: cert, checkServerIdentity: () => undefined })
  t.same(names, ['localhost', false, false, false])
  await t.rejects(dial('localhost', {}), { name: 'HandshakeFailure', message: /self.signed/i })
})

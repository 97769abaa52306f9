import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { parseExposition } from '../helpers/exposition.ts'
import { PATIENCE } from '../helpers/pool-program.ts'

// The command as it is installed: from dist, which `npm test` has built.

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js')

function start(...parameters: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [MAIN, ...parameters], { env: { ...process.env, NODE_OPTIONS: '' } })
}

async function run(...parameters: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const child = start(...parameters)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code, out, err }
}

/** The address that a command prints. */
async function addressOf(child: ChildProcessWithoutNullStreams): Promise<URL> {
  let printed = ''
  for await (const chunk of child.stdout) {
    printed += String(chunk)
    const address = /(?:http|ws):\/\/\S+?(?=[;\s])/.exec(printed)
    if (address !== null) return new URL(address[0])
  }
  throw new Error(`it ended with ${JSON.stringify(printed)}`)
}

async function stop(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): Promise<unknown> {
  const exit = once(child, 'exit')
  child.kill(signal)
  return (await exit)[0]
}

async function fetchPage(url: URL): Promise<{ response: IncomingMessage; body: string }> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage]
  return { response, body: await text(response) }
}

/** What `/metrics` says, once so many workers take part in it: the address is told when the first of them listens. */
async function metricsOf(url: URL, workers: number) {
  const until = performance.now() + PATIENCE
  for (;;) {
    const { response, body } = await fetchPage(new URL('/metrics', url))
    const exposition = parseExposition(body)
    if (exposition.samples.get('kore_ws_workers') === workers || performance.now() > until) return { response, ...exposition }
  }
}

/** Handshakes on a raw socket and returns all that comes until the end, as text. */
function conversation(url: URL, path: string, ...frames: string[]): Conversation {
  return conversationOffering('', url, path, ...frames)
}

interface Conversation {
  readonly opened: Promise<void>
  readonly all: Promise<string>
}

/** The same with more header lines. */
function conversationOffering(headers: string, url: URL, path: string, ...frames: string[]): Conversation {
  const socket = connect(Number(url.port), url.hostname)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
      `${headers}\r\n`
  )
  for (const frame of frames) socket.write(Buffer.from(frame, 'hex'))
  let received = ''
  const opened = new Promise<void>(resolve => {
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      if (received.includes('\r\n\r\n')) resolve()
      if (received.endsWith(GOING_AWAY)) socket.write(Buffer.from(CLOSE, 'hex'))
    })
  })
  return { opened, all: once(socket, 'close').then(() => received) }
}

// "Hello" and a close frame, masked with 37fa213d (RFC 6455, section 5.7).
const HELLO = '818537fa213d7f9f4d5158'
const CLOSE = '888037fa213d'
/** The server's close frame with code 1001. */
const GOING_AWAY = '\x88\x02\x03\xe9'

t.test('help and version', async t => {
  const help = await run('--help')
  t.match(help, { code: 0, err: '', out: /serve .*\n.*echo / })
  t.same(await run(), help, 'no command shows the help')
  t.match(await run('--version'), { code: 0, out: /^\d+\.\d+\.\d+\n$/ })
  for (const command of ['serve', 'echo']) {
    t.match(await run(command, '--help'), { code: 0, err: '', out: /--port PORT/ }, command)
  }
})

t.test('a wrong command line gets one sentence and exit code 2', async t => {
  const wrong: [parameters: string[], sentence: RegExp][] = [
    [['sevre'], /^kore-ws: There is no command "sevre"; kore-ws --help lists them\.\n$/],
    [['toString'], /no command "toString"/],
    [['serve', '--prot', '1'], /^kore-ws: There is no flag --prot, but --port; --help lists them\.\n$/],
    [['serve', '--port'], /^kore-ws: --port needs a value, as in --port=PORT\.\n$/],
    [['echo', '--port', '65536'], /^kore-ws: --port takes a whole number from 0 to 65535, and not "65536"\.\n$/],
    [['serve', '--workers', '0'], /--workers takes a whole number from 1 to 1024/],
    [['serve', '--compression', 'on'], /^kore-ws: --compression takes shared or dedicated or off, and not "on"\.\n$/],
    [['serve', '--compression-threshold', 'x'], /^kore-ws: --compression-threshold takes a whole number from 0/],
  ]
  for (const [parameters, sentence] of wrong) {
    t.match(await run(...parameters), { code: 2, out: '', err: sentence }, parameters.join(' '))
  }
})

t.test('a port in use gets one sentence and exit code 2, with workers too', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const port = String((other.address() as AddressInfo).port)
  for (const more of [[], ['--workers', '2']]) {
    const sentence = `kore-ws: Port ${port} of 127.0.0.1 is in use: choose another with --port.\n`
    t.match(await run('serve', '--port', port, ...more), { code: 2, out: '', err: sentence }, more.join(' '))
  }
})

for (const more of [[], ['--workers', '2']]) {
  t.test(`serve ${more.join(' ')}: the page, the routes, and a clean end`, async t => {
    const child = start('serve', '--port', '0', '--max-message', '5', ...more)
    t.teardown(() => child.kill('SIGKILL'))
    const url = await addressOf(child)
    t.test('the page', async t => {
      const { response, body } = await fetchPage(url)
      t.equal(response.statusCode, 200)
      t.match(response.headers, { 'content-type': /^text\/html/, 'content-security-policy': /default-src 'none'/ })
      t.match(body, /<title>.*kore-ws.*<\/title>/s)
      t.notMatch(body, /(?:src|href)="http/, 'nothing is loaded from elsewhere')
      t.equal((await fetchPage(new URL('/other', url))).response.statusCode, 404)
    })
    t.test('/echo sends back; --max-message is its limit', async t => {
      t.match(await conversation(url, '/echo', HELLO, CLOSE).all, /\r\n\r\n\x81\x05Hello\x88\x00$/)
      t.match(await conversation(url, '/echo', '818600000000414141414141').all, /\r\n\r\n\x88.\x03\xf1/s, '1009')
    })
    t.test('/chat takes the same limit, and sends nothing back to the sender', async t => {
      t.match(await conversation(url, '/chat', HELLO, CLOSE).all, /\r\n\r\n\x88\x00$/)
      t.match(await conversation(url, '/chat', '818600000000414141414141').all, /\r\n\r\n\x88.\x03\xf1/s, '1009')
    })
    t.test('another path is not served', async t => {
      t.match(await conversation(url, '/other').all, /^HTTP\/1\.1 404 /)
    })
    t.test('/metrics counts what the routes have done, on all workers', async t => {
      const workers = more.length === 0 ? 1 : 2
      const { response, samples, labels } = await metricsOf(url, workers)
      t.match(response, { statusCode: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
      t.equal(samples.get('kore_ws_workers'), workers)
      const routes = ['/chat', '/echo', '/people']
      t.strictSame([...new Set(labels.map(({ route }) => route))].filter(route => route !== undefined).sort(), routes)
      t.equal(new Set(labels.map(({ worker }) => worker).filter(worker => worker !== undefined)).size, workers)
      const sum = (name: string, route: string, label = ''): number => {
        const of = [...samples].filter(([key]) => key.startsWith(`kore_ws_${name}{route="${route}",`) && key.includes(label))
        return of.reduce((total, [, value]) => total + value, 0)
      }
      for (const [route, sent] of [['/echo', 1], ['/chat', 0]] as const) {
        t.equal(sum('connections_opened_total', route), 2, route)
        t.equal(sum('connections_closed_total', route, 'code="1009"'), 1, route)
        t.equal(sum('connections_closed_total', route, 'code="1005"'), 1, route)
        t.equal(sum('messages_received_total', route), 1, route)
        t.equal(sum('messages_sent_total', route), sent, route)
        t.equal(sum('errors_total', route), 1, route)
      }
      t.equal(sum('connections_opened_total', '/people'), 0)
    })
    t.test('SIGINT closes with 1001 and exit code 0', async t => {
      const open = conversation(url, '/echo')
      await open.opened
      const chatting = conversation(url, '/chat')
      await chatting.opened
      const exit = stop(child, 'SIGINT')
      t.ok((await open.all).endsWith(GOING_AWAY))
      t.ok((await chatting.all).endsWith(GOING_AWAY))
      t.equal(await exit, 0)
    })
  })
}

/** "Hello", compressed (RFC 7692, section 7.2.3.1) and masked with a key of zeros. */
const COMPRESSED_HELLO = 'c18700000000f248cdc9c90700'
/** Forty times the letter a, and that compressed by whichever compressor. */
const LETTERS = `81a800000000${'61'.repeat(40)}`
const OFFER = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n'

t.test('serve --compression: what /echo and /people agree on, and from how many bytes on', async t => {
  const cases: [parameters: string[], agreed: RegExp | undefined, compressed: boolean][] = [
    [[], undefined, false],
    [['--compression', 'dedicated', '--compression-threshold', '40'], /permessage-deflate; server_max_window_bits=12; client_max_window_bits=12\r\n/, true],
    [['--compression', 'shared', '--compression-threshold', '41'], /permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/, false],
  ]
  const serving = cases.map(async ([parameters, agreed, compressed]) => {
    const child = start('serve', '--port', '0', ...parameters)
    t.teardown(() => child.kill('SIGKILL'))
    const url = await addressOf(child)
    const name = parameters.join(' ')
    for (const path of ['/echo', '/people']) {
      const answer = await conversationOffering(OFFER, url, path, CLOSE).all
      if (agreed === undefined) t.notMatch(answer, /extensions/i, name)
      else t.match(answer, agreed, name)
    }
    const answer = await conversationOffering(OFFER, url, '/echo', LETTERS, CLOSE).all
    t.equal(answer.includes('\x81\x28' + 'a'.repeat(40)), !compressed, name)
    if (agreed !== undefined) t.match(await conversationOffering(OFFER, url, '/echo', COMPRESSED_HELLO, CLOSE).all, /\x81\x05Hello/)
    t.notMatch(await conversationOffering(OFFER, url, '/chat', CLOSE).all, /extensions/i, 'Kore has none')
    t.equal(await stop(child, 'SIGTERM'), 0)
  })
  await Promise.all(serving)
})

t.test('echo sends back on every path, and ends cleanly on SIGTERM', async t => {
  const child = start('echo', '--port', '0')
  t.teardown(() => child.kill('SIGKILL'))
  const url = await addressOf(child)
  t.equal(url.protocol, 'ws:')
  t.match(await conversation(url, '/any/path?at=all', HELLO, CLOSE).all, /\r\n\r\n\x81\x05Hello\x88\x00$/)
  const { response } = await fetchPage(new URL(`http://${url.host}/`))
  t.match(response, { statusCode: 426, headers: { upgrade: 'websocket' } })
  t.equal(await stop(child, 'SIGTERM'), 0)
})

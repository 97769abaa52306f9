/** `limits.handshakeTime` for requests to a port of the server's own: what never comes whole is cut, and never too early. */
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually } from './helpers/journal.ts'
import { handshakeText } from './helpers/raw-client.ts'
import { clientsOf, running } from './helpers/running.ts'
import { subscribed } from './helpers/subscribed.ts'
import type { WireClient } from './helpers/wire-client.ts'

const TIME = 300
const HANDSHAKE = handshakeText()

/** Writes a character of the text every now and then, and never the last one. */
function trickle(t: Test, { socket }: WireClient, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    if (at < text.length - 1 && socket.writable) socket.write(text[at++])
  }, 20)
  socket.once('data', () => clearInterval(timer))
  t.teardown(() => clearInterval(timer))
}

/** What comes of a request that never comes whole. */
const REQUESTS: readonly [what: string, send: (t: Test, client: WireClient) => void][] = [
  ['nothing', () => {}],
  ['an empty line', (_, { socket }) => void socket.write('\r\n')],
  ['the beginning of its line', (_, { socket }) => void socket.write('GET / HT')],
  ['its line', (_, { socket }) => void socket.write('GET / HTTP/1.1\r\n')],
  ['the beginning of a header', (_, { socket }) => void socket.write(HANDSHAKE.slice(0, -10))],
  ['all but the last byte', (_, { socket }) => void socket.write(HANDSHAKE.slice(0, -1))],
  ['one byte after the other', (t, client) => trickle(t, client, HANDSHAKE)],
]

for (const [what, send] of REQUESTS) {
  t.test(`of a request comes ${what}: 408 and the end, not before the time is over`, async t => {
    const refused = subscribed(t, 'kore-ws.handshake.refused')
    const { dial, server, journal } = await running(t, { limits: { handshakeTime: TIME } })
    const began = performance.now()
    const client = await dial()
    const answer = client.answer()
    send(t, client)
    const { status, body, headers } = await answer
    const lasted = performance.now() - began
    t.ok(lasted >= TIME, `${lasted} ms`)
    t.match({ status, body, headers }, { status: 408, body: 'The handshake took too long.\n', headers: { connection: 'close' } })
    // A byte that crosses the end makes a reset of it.
    await eventually('the end', () => client.journal.lines.some(line => line === 'end' || line === 'error ECONNRESET'))
    await eventually('nothing to be left of it', () => server.metrics().handshakes.incomplete === 0)
    t.strictSame(journal.lines, [])
    t.strictSame(refused, [{ role: 'server', status: 408, reason: 'timeout', remoteAddress: '127.0.0.1' }])
    t.equal(server.metrics().limitsReached['handshakeTime'], 1)
  })
}

t.test('the time is each request’s own, and what has come whole is not cut', async t => {
  // The second one has to be in time on a machine that stands still for a moment.
  const { dial, client, journal } = await running(t, { limits: { handshakeTime: 4 * TIME } })
  const open = await client()
  const [first, second] = [await dial(), await dial()]
  for (const each of [first, second]) each.socket.write(HANDSHAKE.slice(0, -1))
  second.socket.write(HANDSHAKE.slice(-1))
  t.equal((await second.answer()).status, 101)
  t.equal((await first.answer()).status, 408)
  for (const each of [open, second]) {
    each.send(frame('81', 'still here'), closeFrame(1000))
    await each.journal.until('end')
  }
  const heard = ['open', 'open', 'text still here', 'close 1000', 'text still here', 'close 1000']
  t.strictSame(journal.lines, heard)
})

t.test('a client that goes away before is forgotten, and nothing is told', async t => {
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  // All three have to be there at a time, on a machine that stands still for a moment.
  const { dial, server } = await running(t, { limits: { handshakeTime: 4 * TIME } })
  const [going, resetting, silent] = [await dial(), await dial(), await dial()]
  const answer = silent.answer()
  resetting.socket.write(HANDSHAKE.slice(0, -1))
  await eventually('all to be counted', () => server.metrics().handshakes.incomplete === 3)
  going.socket.destroy()
  ;(resetting.socket as Socket).resetAndDestroy()
  await eventually('two to be forgotten', () => server.metrics().handshakes.incomplete === 1)
  t.equal((await answer).status, 408)
  // On Node 20 a reset may look like an end, which can be answered.
  const told = refused.filter(refusal => (refusal as { reason: string }).reason !== 'request')
  t.match(told, [{ reason: 'timeout' }])
  t.equal(told.length, 1)
})

t.test('a body that never comes is not waited for', async t => {
  const server = new WebSocketServer({ limits: { handshakeTime: Infinity } })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  const { dial } = clientsOf(t, port)
  for (const [request, status] of [
    ['POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf', 426],
    ['POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf', 426],
    [handshakeText({ headers: { 'content-length': '9' } }), 400],
  ] as const) {
    const client = await dial()
    client.socket.write(request)
    t.equal((await client.answer()).status, status, request)
    await client.journal.until('end')
  }
})

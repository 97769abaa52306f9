/**
 * A server that takes our offer to do without context, and does not promise to (RFC 7692, section 7.1.1.1): its messages
 * may refer back to earlier ones, so the client keeps a context for that connection. What the client sends refers to
 * nothing, as it has promised.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import t from 'tap'
import type { Connection } from '../lib/transport/connection.ts'
import type { Message } from '../lib/transport/message.ts'
import { open, take } from './helpers/client.ts'
import { inflated } from './helpers/deflated.ts'
import { bytes, frame } from './helpers/frames.ts'
import { eventually } from './helpers/journal.ts'
import { acceptingWith, headersOf, RawServer, type Reply } from './helpers/raw-server.ts'
import { opened } from './helpers/websocket.ts'
import { WireClient } from './helpers/wire-client.ts'

const PROMISE = 'server_no_context_takeover'
const WINDOW = 32 * 1024

/** Does not become smaller by itself, but next to nothing behind itself. */
const NOISE = randomBytes(600).toString('base64')

/** Compresses messages one behind the other, each of which may refer back to those before. */
class Context {
  #window = Buffer.alloc(0)

  compress(message: Message): Buffer {
    const plain = Buffer.from(message as string)
    const dictionary = this.#window.length === 0 ? {} : { dictionary: this.#window }
    const compressed = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH, ...dictionary }).subarray(0, -4)
    this.#window = Buffer.concat([this.#window, plain]).subarray(-WINDOW)
    return compressed
  }

  /** Whole messages. */
  frames(messages: readonly Message[]): string {
    return messages.map(each => frame(typeof each === 'string' ? 'c1' : 'c2', this.compress(each))).join('')
  }
}

/** Answers with this extension, and frames right behind. */
const answering = (extensions: string, frames = ''): Reply => head =>
  Buffer.concat([Buffer.from(acceptingWith(head, { 'Sec-WebSocket-Extensions': extensions })), bytes(frames)])

const ANSWERS = [
  'permessage-deflate',
  'permessage-deflate; client_no_context_takeover',
  'permessage-deflate; server_max_window_bits=15; client_max_window_bits=10',
]

t.test('messages that refer back to earlier ones come as they were, whole and byte by byte', async t => {
  const messages = [NOISE, `${NOISE}!`, 'something else', Buffer.from(NOISE), NOISE.slice(100)]
  const context = new Context()
  context.compress(NOISE)
  const second = context.compress(`${NOISE}!`)
  t.ok(second.length < 100, `${second.length} bytes`)
  t.throws(() => inflated(second), 'it can not be read alone')
  for (const answer of ANSWERS) {
    for (const byteByByte of [false, true]) {
      const raw = await RawServer.open(t, answering(answer, new Context().frames(messages)), { byteByByte })
      const socket = await open(t, raw.url)
      t.match(headersOf(raw.heads[0])['sec-websocket-extensions'], PROMISE, 'it was asked to do without')
      t.equal(socket.extensions, answer)
      t.strictSame(await take(socket, messages.length), messages, `${answer}, ${byteByByte ? 'byte by byte' : 'whole'}`)
    }
  }
})

t.test('in fragments, and behind messages that go plain', async t => {
  const raw = await RawServer.open(t, answering('permessage-deflate'))
  const socket = await open(t, raw.url)
  const [peer] = raw.sockets
  const context = new Context()
  peer.write(bytes(context.frames([NOISE])))
  t.strictSame(await take(socket, 1), [NOISE])
  // What goes plain is not part of the window.
  peer.write(bytes(frame('81', 'plain') + frame('89', 'ping')))
  t.strictSame(await take(socket, 1), ['plain'])
  const compressed = context.compress(NOISE)
  const half = compressed.length >> 1
  peer.write(bytes(frame('41', compressed.subarray(0, half)) + frame('80', compressed.subarray(half))))
  t.strictSame(await take(socket, 1), [NOISE])
})

t.test('large messages, inflated elsewhere, and small ones refer to one another', async t => {
  const large = randomBytes(600_000)
  const tail = large.subarray(-20_000)
  const messages: Message[] = [NOISE, Buffer.concat([Buffer.from(NOISE), large]), tail, NOISE, large, tail]
  const raw = await RawServer.open(t, answering('permessage-deflate', new Context().frames(messages)))
  const socket = await open(t, raw.url)
  for (const [at, expected] of messages.entries()) {
    const [message] = await take(socket, 1)
    t.ok(Buffer.from(message as string).equals(Buffer.from(expected as string)), `message ${at}`)
  }
})

t.test('what the client sends refers to nothing, and is compressed', async t => {
  for (const answer of ANSWERS) {
    let wire: WireClient | undefined
    const reply = answering(answer)
    const raw = await RawServer.open(t, (head, peer) => {
      wire = new WireClient(peer)
      return reply(head, peer)
    })
    const socket = await open(t, raw.url)
    const text = 'the same again, '.repeat(200)
    for (let i = 0; i < 3; i++) socket.send(text)
    await eventually('the messages', () => wire?.frames.length === 3)
    for (const { first, payload } of wire?.frames ?? []) {
      t.equal(first, 0xc1, answer)
      t.equal(inflated(payload).toString(), text)
    }
  }
})

t.test('each connection has a context of its own, and none where the server has promised to do without', async t => {
  const plain = await RawServer.open(t, answering('permessage-deflate'))
  const promising = await RawServer.open(t, answering(`permessage-deflate; ${PROMISE}`))
  const firsts = [NOISE, randomBytes(3000).toString('base64'), NOISE]
  const sockets: Connection[] = []
  const peers: Socket[] = []
  for (const raw of [plain, plain, promising]) {
    sockets.push(await open(t, raw.url))
    peers.push(...[...raw.sockets].slice(-1))
  }
  const contexts = firsts.map(() => new Context())
  const sayAll = (): void => {
    for (const [at, peer] of peers.entries()) peer.write(bytes(contexts[at].frames([firsts[at]])))
  }
  sayAll()
  for (const [at, first] of firsts.entries()) t.strictSame(await take(sockets[at], 1), [first])
  sayAll()
  for (const at of [0, 1]) t.strictSame(await take(sockets[at], 1), [firsts[at]])
  await eventually('the end', () => sockets[2].closeInfo !== undefined)
  t.match(sockets[2].closeInfo, { code: 1007, clean: false }, 'the promise was broken')
})

t.test("the browser's class takes it as well", async t => {
  const message = NOISE.slice(0, 150)
  const raw = await RawServer.open(t, answering('permessage-deflate', new Context().frames([message, message])))
  const { socket, journal } = await opened(t, raw.url)
  t.equal(socket.extensions, 'permessage-deflate')
  t.strictSame(await journal.reach(3), ['1 open', `1 text ${message}`, `1 text ${message}`])
})

/** A text that is longer than V8's strings ends its connection with 1009: it is the peer's doing, and no fault of a callback. */
import buffer from 'node:buffer'
import type { AddressInfo } from 'node:net'
import { StringDecoder as NodeStringDecoder } from 'node:string_decoder'
import t, { type Test } from 'tap'
import * as sending from '../lib/index.ts'
import type { Connection, Message } from '../lib/index.ts'
import { Journal, within } from './helpers/journal.ts'

/** Node's own has half a gigabyte of them. As little as is looked at: what one read brings whole can't be too long. */
const MAX_STRING_LENGTH = 2 * 1024 * 1024

/** As Node's, which has its limit from the engine. */
class StringDecoder extends NodeStringDecoder {
  override write(bytes: Buffer): string {
    const text = super.write(bytes)
    if (text.length > MAX_STRING_LENGTH) throw tooLong()
    return text
  }
}

const nodeBuffer = { ...buffer, constants: { ...buffer.constants, MAX_STRING_LENGTH } }
const mocks = { 'node:buffer': { ...nodeBuffer, default: nodeBuffer }, 'node:string_decoder': { StringDecoder } }
/** The library as it was built, on an engine of shorter strings: tap's loader of TypeScript mocks no module of a module. */
const receiving = await t.mockImport<typeof sending>('../dist/index.js', mocks)

function tooLong(): Error {
  return Object.assign(new Error('Cannot create a string'), { code: 'ERR_STRING_TOO_LONG' })
}

const HERE = { port: 0, host: '127.0.0.1' }
const TOO_BIG = 'the message is larger than the limit'

interface Ends {
  /** What sends, and has no such limit. */
  readonly peer: Connection
  /** `text of 5`, `error message-too-big`, `close 1009`, and of a loop `thrown 1009`. */
  readonly journal: Journal
  /** The texts that came. */
  readonly texts: Message[]
}

type Meet = (t: Test, compression: boolean) => Promise<Ends>

class Ear {
  readonly journal = new Journal()
  readonly texts: Message[] = []
  readonly callbacks = {
    close: (_: Connection, code: number) => this.journal.add(`close ${code}`),
    error: (_: Connection | null, error: unknown) => this.journal.add(`error ${(error as { code?: string }).code}`),
  }

  readonly hear = (_: unknown, message: Message): void => {
    this.texts.push(message)
    this.journal.add(`text of ${message.length}`)
  }

  /** Takes all messages as they come. */
  async loop(connection: Connection): Promise<void> {
    for await (const message of connection) this.hear(connection, message)
  }

  /** The same, piece by piece. */
  async stream(connection: Connection): Promise<void> {
    for await (const message of connection.messages({ stream: true })) {
      let text = ''
      for await (const piece of message) text += piece as string
      this.hear(connection, text)
    }
  }

  /** In a loop until the end. */
  follow(how: 'loop' | 'stream', connection: Connection): void {
    this[how](connection).catch((error: { closeCode?: number }) => this.journal.add(`thrown ${error.closeCode}`))
  }
}

/** A server of the one library and a client of the other. */
async function meet(t: Test, server: sending.WebSocketServer, join: (url: string) => Promise<Connection | undefined>): Promise<Connection> {
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen(HERE)) as AddressInfo
  const joined = await within(join(`ws://127.0.0.1:${port}`), 'a connection')
  if (joined !== undefined) t.teardown(() => joined.terminate())
  return joined ?? [...server.connections][0]
}

function serving(how: 'callback' | 'loop' | 'stream'): Meet {
  return async (t, compression) => {
    const ear = new Ear()
    const server = new receiving.WebSocketServer({
      ...ear.callbacks,
      compression,
      ...(how === 'callback' ? { message: ear.hear } : { open: socket => ear.follow(how, socket) }),
    })
    return { ...ear, peer: await meet(t, server, url => sending.connect(url, { compression })) }
  }
}

function connecting(how: 'callback' | 'loop'): Meet {
  return async (t, compression) => {
    const ear = new Ear()
    const server = new sending.WebSocketServer({ compression })
    const peer = await meet(t, server, async url => {
      const options = { ...ear.callbacks, compression, ...(how === 'callback' && { message: ear.hear }) }
      const connection = await receiving.connect(url, options)
      t.teardown(() => connection.terminate())
      if (how === 'loop') ear.follow(how, connection)
      return undefined
    })
    return { ...ear, peer }
  }
}

const asClass: Meet = async (t, compression) => {
  const ear = new Ear()
  const server = new sending.WebSocketServer({ compression })
  const peer = await meet(t, server, url => {
    const socket = new receiving.WebSocket(url, { compression })
    t.teardown(() => socket.close())
    socket.addEventListener('message', ({ data }) => ear.hear(socket, data as string))
    socket.addEventListener('error', ({ error }) => ear.journal.add(`error ${(error as { code?: string }).code}`))
    socket.addEventListener('close', ({ code }) => ear.journal.add(`close ${code}`))
    return new Promise(resolve => socket.addEventListener('open', () => resolve(undefined)))
  })
  return { ...ear, peer }
}

const RECEIVERS: readonly [name: string, meet: Meet, end: readonly string[]][] = [
  ['a server\'s callback', serving('callback'), ['error message-too-big', 'close 1009']],
  ['a loop over a server\'s connection', serving('loop'), ['error message-too-big', 'close 1009', 'thrown 1009']],
  ['a client\'s callback', connecting('callback'), ['error message-too-big', 'close 1009']],
  ['a loop over a client\'s connection', connecting('loop'), ['error message-too-big', 'close 1009', 'thrown 1009']],
  // What fails tells a page no more than 1006 (WebSockets Standard, section 4).
  ['the class', asClass, ['error message-too-big', 'close 1006']],
]

const WAYS: readonly [name: string, compression: boolean, send: (peer: Connection, text: string) => unknown][] = [
  ['in one frame', false, (peer, text) => peer.send(text)],
  ['in fragments', false, (peer, text) => peer.sendStream([text.slice(0, 1000), text.slice(1000)])],
  ['compressed', true, (peer, text) => peer.send(text)],
]

/** One is known to be ASCII, the other has to be decoded to be counted. Each is one UTF-16 code unit. */
const CHARACTERS = ['a', 'é']

for (const [receiver, meet, end] of RECEIVERS) {
  for (const [way, compression, send] of WAYS) {
    t.test(`${receiver}, ${way}: the longest text comes, and one character more is 1009`, async t => {
      for (const character of CHARACTERS) {
        const longest = character.repeat(MAX_STRING_LENGTH)
        const { peer, journal, texts } = await meet(t, compression)
        t.equal(peer.extensions !== '', compression)
        await send(peer, longest)
        await journal.until('text of')
        t.ok(texts.pop() === longest, `${character}: the longest, whole`)
        const sent = Promise.resolve(send(peer, longest + character)).catch(() => {})
        t.match(await within(peer.closed, 'the end'), { code: 1009, reason: TOO_BIG }, `${character}: what the peer is told`)
        await journal.until(end[end.length - 1])
        t.strictSame(journal.lines, [`text of ${MAX_STRING_LENGTH}`, ...end], character)
        await within(sent, 'the sender to be told')
      }
    })
  }
}

t.test('a message that is read piece by piece may be longer than any string, a piece of it may not', async t => {
  const text = 'é'.repeat(MAX_STRING_LENGTH + 1)
  for (const [way, compression, send] of WAYS) {
    const { peer, journal, texts } = await serving('stream')(t, compression)
    await send(peer, text)
    if (!compression) {
      await journal.until('text of')
      t.ok(texts[0] === text, way)
      t.equal(peer.readyState, 'open')
      continue
    }
    // What was compressed comes as one piece.
    t.match(await within(peer.closed, 'the end'), { code: 1009, reason: TOO_BIG }, way)
    await journal.until('thrown')
    t.strictSame(journal.lines, ['error message-too-big', 'close 1009', 'thrown 1009'], way)
  }
})

t.test('binary messages have nothing to do with it', async t => {
  const { peer, journal } = await serving('callback')(t, false)
  peer.send(Buffer.alloc(MAX_STRING_LENGTH + 1))
  await journal.until(`text of ${MAX_STRING_LENGTH + 1}`)
  t.equal(peer.readyState, 'open')
})

t.test('where Buffer decodes, because there is no transcode, its own error says the same', async t => {
  const without = { ...buffer, transcode: undefined }
  const { decodeLargeText } = await t.mockImport<typeof import('../lib/transport/large-text.ts')>('../lib/transport/large-text.ts', {
    'node:buffer': { ...without, default: without },
  })
  const failing = (error: Error): Buffer => {
    const toString = (): never => {
      throw error
    }
    return Object.assign(Buffer.from('é'), { subarray: () => ({ toString }) as unknown as Buffer })
  }
  t.throws(() => decodeLargeText(failing(tooLong()), 0, 2), { name: 'Violation', code: 'message-too-big', closeCode: 1009 })
  t.throws(() => decodeLargeText(failing(new Error('other')), 0, 2), { name: 'Error', message: 'other' }, 'other errors stay what they are')
})

/** A server without a `message` callback: what comes before anybody asks for it is there for whoever asks first. */
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { ServerOptions } from '../lib/server-options.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { webStreams } from '../lib/transport/web-streams.ts'
import { closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, Journal, turn } from './helpers/journal.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'

/** The ways to take messages: each calls `take` with what came, in order, until the end. */
const READERS: Readonly<Record<string, (socket: Connection, take: (message: string) => void) => Promise<void>>> = {
  async 'for await'(socket, take) {
    for await (const message of socket) take(String(message))
  },
  async 'messages()'(socket, take) {
    for await (const message of socket.messages()) take(String(message))
  },
  async 'messages({ stream: true })'(socket, take) {
    for await (const message of socket.messages({ stream: true })) {
      const pieces: string[] = []
      for await (const piece of message) pieces.push(String(piece))
      take(pieces.join(''))
    }
  },
  async 'webStreams'(socket, take) {
    for await (const message of webStreams(socket).readable) take(String(message))
  },
}

/** What comes with the request, and what comes behind the answer. */
const EARLY = ['with', 'the', 'request']
const LATER = ['behind', 'the', 'answer']
const text = (message: string): string => frame('81', message)

interface Opened {
  readonly server: WebSocketServer
  /** The messages, then `ended` or what the loop threw; `close …` of the callback. */
  readonly heard: Journal
  /** Lets `open` go on to its loop. */
  go(): void
}

/** A server whose `open` waits for something before it takes messages. */
function patient(read: (typeof READERS)[string], options: ServerOptions<unknown> = {}): Opened {
  const heard = new Journal()
  let go: () => void = () => {}
  const gate = new Promise<void>(resolve => {
    go = resolve
  })
  const server = new WebSocketServer({
    ...options,
    async open(socket) {
      await gate
      try {
        await read(socket, message => heard.add(message))
        heard.add('ended')
      } catch (error) {
        heard.add(`threw ${String(error)}`)
      }
    },
    close: (_, code) => heard.add(`close ${code}`),
    error: (_, error) => heard.add(`error ${String(error)}`),
  })
  return { server, heard, go }
}

const wire = (messages: readonly string[]): string => messages.map(message => masked(text(message))).join('')
const sizeOf = (wire: string): number => wire.length / 2

/** The server has read so many bytes of its clients. */
async function hasRead(server: WebSocketServer, bytes: number): Promise<void> {
  await eventually('the messages to be read', () => server.metrics().bytes.received >= bytes)
  for (let i = 0; i < 5; i++) await turn()
}

for (const door of SERVER_DOORS) {
  for (const [name, read] of Object.entries(READERS)) {
    for (const [how, accept] of [['at once', undefined], ['later', async () => void (await turn())]] as const) {
      t.test(`${door.name}: ${name} begun late gets what came before, in order, where accept answers ${how}`, async t => {
        const { server, heard, go } = patient(read, { accept })
        const client = await visitor(t, await door.open(t, server), {}, wire(EARLY))
        client.send(...LATER.map(text))
        await hasRead(server, sizeOf(wire(EARLY) + wire(LATER)))
        t.strictSame(heard.lines, [])
        go()
        await heard.reach(EARLY.length + LATER.length)
        client.send(text('last'), closeFrame(1000))
        await heard.until('ended')
        t.strictSame([...heard.lines].filter(line => line !== 'close 1000'), [...EARLY, ...LATER, 'last', 'ended'])
      })
    }

    t.test(`${door.name}: ${name} begun when the connection is over gets what came before, and ends`, async t => {
      const { server, heard, go } = patient(read)
      const client = await visitor(t, await door.open(t, server), {}, wire(EARLY))
      client.send(...LATER.map(text), closeFrame(1000))
      await heard.until('close 1000')
      go()
      await heard.until('ended')
      t.strictSame(heard.lines, ['close 1000', ...EARLY, ...LATER, 'ended'])
    })
  }

  t.test(`${door.name}: of more than are kept none is lost, and the others wait with the peer`, async t => {
    for (const [name, read] of Object.entries(READERS)) {
      const { server, heard, go } = patient(read)
      const all = Array.from({ length: 500 }, (_, i) => `${i} ${'x'.repeat(1000)}`)
      const client = await visitor(t, await door.open(t, server), {}, wire(all.slice(0, 100)))
      client.send(...all.slice(100).map(text), closeFrame(1000))
      for (let i = 0; i < 20; i++) await turn()
      t.strictSame(heard.lines, [], 'the close frame waits behind them')
      go()
      await heard.until('ended')
      const messages = heard.lines.filter(line => line.includes(' x'))
      t.equal(messages.length, all.length, name)
      t.ok(messages.every((message, i) => message === all[i]), `${name}, in order`)
    }
  })
}

t.test('a large message that had begun before comes whole, in front of those behind it', async t => {
  for (const [name, read] of Object.entries(READERS)) {
    const { server, heard, go } = patient(async (socket, take) => read(socket, message => take(`${message.length} bytes`)))
    const [{ open }] = SERVER_DOORS
    const large = masked(text('x'.repeat(300_000)))
    const client = await visitor(t, await open(t, server), {}, large.slice(0, 100_000))
    await hasRead(server, 50_000)
    go()
    await turn()
    client.sendRaw(large.slice(100_000) + wire(['next']))
    await heard.reach(2)
    t.strictSame(heard.lines, ['300000 bytes', '4 bytes'], name)
  }
})

t.test('a loop that is left leaves the rest to the next one, of any kind', async t => {
  const heard = new Journal()
  const server = new WebSocketServer({
    async open(socket) {
      for await (const message of socket) {
        heard.add(`whole ${String(message)}`)
        break
      }
      await turn()
      for await (const message of socket.messages({ stream: true })) {
        for await (const piece of message) heard.add(`piece ${String(piece)}`)
        break
      }
      await turn()
      const reader = webStreams(socket).readable.getReader()
      heard.add(`chunk ${String((await reader.read()).value)}`)
    },
  })
  const [{ open }] = SERVER_DOORS
  await visitor(t, await open(t, server), {}, wire(['a', 'b', 'c']))
  t.strictSame(await heard.reach(3), ['whole a', 'piece b', 'chunk c'])
})

/** A server that sends as soon as it may. */
async function eager(t: Test, messages: readonly string[]): Promise<string> {
  const server = new WebSocketServer({
    open(socket) {
      for (const message of messages) socket.send(message)
      setImmediate(() => socket.close(1000))
    },
    message() {},
  })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  return `ws://127.0.0.1:${port}`
}

for (const [name, read] of Object.entries(READERS)) {
  t.test(`connect: ${name} begun late gets what came before, in order, and ends`, async t => {
    const socket = await connect(await eager(t, [...EARLY, ...LATER]))
    await socket.closed
    const heard = new Journal()
    await read(socket, message => heard.add(message))
    t.strictSame(heard.lines, [...EARLY, ...LATER])
  })
}

import { Agent } from 'node:http'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import type { Connection } from '../lib/transport/connection.ts'
import type { Message } from '../lib/transport/message.ts'
import { WebSocket } from '../lib/websocket.ts'
import { DOORS, MESSAGE_BYTES, type Door, type Entrance } from './helpers/doors.ts'
import { Journal, within } from './helpers/journal.ts'

const SIZES = [0, 1, 125, 126, 127, 16_383, 16_384, 65_535, 65_536, 131_072, MESSAGE_BYTES]
const noise = (length: number): Buffer => Buffer.from(new Uint8Array(length).map((_, i) => i * 7 + (i >> 8)).buffer)
const letters = (length: number): string => 'äbcdefghij klm'.repeat(length).slice(0, length / 2)

/** Makes connections to a door, whatever it is made of. */
class DoorAgent extends Agent {
  readonly #entrance: Entrance

  constructor(entrance: Entrance) {
    super()
    this.#entrance = entrance
  }

  override createConnection(_: unknown, done?: (error: Error | null, socket: Duplex) => void): undefined {
    this.#entrance.dial().then(
      socket => done?.(null, socket),
      error => done?.(error, undefined as never)
    )
  }
}

interface Visit {
  readonly t: Test
  readonly door: Door
  readonly entrance: Entrance
  readonly heard: Journal
  client(): Promise<Connection>
}

async function take(socket: Connection, count: number): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of socket) if (messages.push(message) === count) break
  return messages
}

const BEHAVIOURS: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
  async 'what is agreed on'({ t, door, client }) {
    const { extensions } = await client()
    t.match(extensions, door.compression === undefined ? /^$/ : /^permessage-deflate/)
    t.equal(/no_context_takeover/.test(extensions), door.compression === 'shared')
  },

  async 'text and binary of every size come back as they were'({ t, client }) {
    const socket = await client()
    for (const size of SIZES) {
      const sent = [letters(size), noise(size)]
      for (const message of sent) socket.send(message)
      const [text, binary] = await take(socket, 2)
      t.equal(text, sent[0], `${size}`)
      t.ok(noise(size).equals(binary as Buffer), `${size} bytes`)
    }
  },

  async 'many messages at once come back in order'({ t, client }) {
    const socket = await client()
    const all = Array.from({ length: 2000 }, (_, i) => `${i}`)
    for (const each of all) socket.send(each)
    t.strictSame(await take(socket, 2000), all)
  },

  async 'a message sent in pieces is one message'({ t, client }) {
    const socket = await client()
    await socket.sendStream(['a', 'ä', '', 'b'])
    await socket.sendStream([noise(70_000), noise(5)])
    const [text, binary] = await take(socket, 2)
    t.equal(text, 'aäb')
    t.ok(Buffer.concat([noise(70_000), noise(5)]).equals(binary as Buffer))
  },

  async 'the close code of the client arrives'({ t, door, client, heard }) {
    const socket = await client()
    socket.close(3333, 'bye')
    await heard.until('close')
    t.equal(heard.lines.at(-1), door.tellsCodes ? 'close 3333' : 'close')
    await take(socket, 1)
    t.strictSame(socket.closeInfo, { code: 3333, reason: 'bye', clean: true })
  },

  async 'a broadcast reaches it, and the end of the server is 1001'({ t, entrance, client }) {
    const socket = await client()
    entrance.broadcast('hello '.repeat(500))
    t.strictSame(await take(socket, 1), ['hello '.repeat(500)])
    const ended = entrance.shutDown()
    t.strictSame(await take(socket, 1), [])
    t.equal(socket.closeInfo?.code, 1001)
    await ended
  },

  async "the browser's class"({ t, door, entrance }) {
    const socket = new WebSocket('ws://127.0.0.1/', { agent: new DoorAgent(entrance), compression: optionOf(door) })
    t.teardown(() => socket.close())
    const journal = new Journal()
    socket.onopen = () => socket.send('hello')
    socket.onmessage = ({ data }) => {
      journal.add(`message ${String(data)}`)
      socket.close(1000)
    }
    socket.onclose = ({ code, wasClean }) => journal.add(`close ${code} ${wasClean}`)
    await journal.until('close')
    t.strictSame(journal.lines, ['message hello', 'close 1000 true'])
  },
}

/** Compresses all that it may, as the door does. */
function optionOf({ compression }: Door): { mode: 'shared' | 'dedicated'; threshold: number } | false {
  return compression === undefined ? false : { mode: compression, threshold: 0 }
}

for (const door of DOORS) {
  t.test(door.name, async t => {
    for (const [name, behave] of Object.entries(BEHAVIOURS)) {
      t.test(name, async t => {
        const heard = new Journal()
        const entrance = await door.open(t, {
          message() {},
          close: code => heard.add(code === undefined ? 'close' : `close ${code}`),
        })
        const client = async (): Promise<Connection> => {
          const agent = new DoorAgent(entrance)
          const socket = await within(connect('ws://127.0.0.1/', { agent, compression: optionOf(door) }), 'the connection')
          t.teardown(() => socket.terminate())
          return socket
        }
        await behave({ t, door, entrance, heard, client })
      })
    }
  })
}

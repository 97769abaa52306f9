/** No callback runs inside a call: not even that of another connection, which the budget of memory drops for it. */
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { frame, masked } from './helpers/frames.ts'
import { eventually, Journal } from './helpers/journal.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** B holds more than a mebibyte, and A less, so that it is B that has to go, also where the system takes some more of it. */
const MEMORY = 2_000_000
const HELD_BY_B = 1_300_000
const PART = 50_000

/** What A calls until memory is short. */
const CALLS: Readonly<Record<string, (a: Connection, server: WebSocketServer, b: Connection) => unknown>> = {
  send: a => a.send(Buffer.alloc(PART)),
  publish: (_, server) => server.publish('a', Buffer.alloc(PART)),
  broadcast: (_, server, b) => server.broadcast(Buffer.alloc(PART), { except: b }),
  subscribe(a) {
    for (let i = 0; i < 60; i++) a.subscribe(`${i} ${Math.random()}`.padEnd(200))
  },
}

/** What B holds, and the code that it ends with. */
const HELD: Readonly<Record<string, [code: number, hold: (b: Connection, client: WireClient) => void]>> = {
  // Its memory grows with what has come, by jumps, but not beyond the length in its header.
  'half a message': [1013, (_, client) => client.sendRaw(masked(frame('82', Buffer.alloc(HELD_BY_B))).slice(0, -2))],
  'what it does not take': [1006, (b, client) => {
    client.socket.pause()
    // What the system takes counts with nobody.
    while (b.bufferedAmount < HELD_BY_B) b.send(Buffer.alloc(PART))
  }],
}

interface Both {
  readonly server: WebSocketServer
  readonly a: Connection
  readonly b: Connection
  /** `calling …`, `called …` and `close … of …`, in order. */
  readonly log: Journal
  readonly clients: readonly WireClient[]
}

async function both(t: Test): Promise<Both> {
  const log = new Journal()
  const sockets: Connection[] = []
  const server = new WebSocketServer({
    limits: { memory: MEMORY, queuedBytes: Infinity, topics: Infinity },
    open(socket) {
      sockets.push(socket)
      socket.subscribe(sockets.length === 1 ? 'a' : 'b')
    },
    message() {},
    close: (socket, code, reason) => log.add(`close ${code} ${reason} of ${socket === sockets[0] ? 'A' : 'B'}`),
  })
  const dial = await SERVER_DOORS[0].open(t, server)
  const clients = [await visitor(t, dial), await visitor(t, dial)]
  await eventually('both to be there', () => sockets.length === 2)
  return { server, a: sockets[0], b: sockets[1], log, clients }
}

for (const [what, [code, hold]] of Object.entries(HELD)) {
  for (const [name, call] of Object.entries(CALLS)) {
    t.test(`${name} of A, where B is dropped for it and holds ${what}: B's close callback comes behind the call`, async t => {
      const { server, a, b, log, clients } = await both(t)
      // All that A is sent has to wait.
      clients[0].socket.pause()
      while (a.send(Buffer.alloc(PART)));
      hold(b, clients[1])
      await eventually('B to hold it', () => server.metrics().memory.held > HELD_BY_B - PART)
      let dropped = false
      for (let i = 0; i < 100 && !dropped; i++) {
        log.add(`calling ${i}`)
        call(a, server, b)
        log.add(`called ${i}`)
        dropped = server.metrics().limitsReached['memory'] === 1
      }
      t.ok(dropped, 'memory was short')
      await log.until('close')
      const end = log.lines.findIndex(line => line.startsWith('close'))
      t.equal(log.lines[end], `close ${code} memory of B`)
      t.match(log.lines[end - 1], /^called/)
      t.equal(a.readyState, 'open')
    })
  }
}

/**
 * Closing with a lot queued, over real sockets. The clock of the deadlines is the test's: it goes on when the peer has taken
 * something, or when the test says so, and however slow the machine is that is neither too early nor too late.
 */
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { RESOLUTION } from '../lib/transport/deadlines.ts'
import { closeFrame } from './helpers/frames.ts'
import { Journal, turn, within } from './helpers/journal.ts'
import { SERVER_DOORS, visitor, type Dial } from './helpers/server-doors.ts'
import { Time } from './helpers/stopped-clock.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** Milliseconds, and a time well within it. */
const CLOSING_TIME = 300
const PAUSE = 200
const MIB = 1024 * 1024
/** More than the system takes of it, whatever it has for a socket. */
const COUNT = 48
/** What a steady reader takes at a time. */
const PART = 4 * MIB
const PATIENCE = 20_000

interface Slow {
  readonly server: WebSocketServer
  readonly client: WireClient
  readonly connection: Connection
  readonly time: Time
  /** `close 1000` and so on. */
  readonly journal: Journal
}

/** A connection with 48 MiB queued, to a client that takes nothing. */
async function queued(t: Test, open: (t: Test, server: WebSocketServer) => Promise<Dial>): Promise<Slow> {
  const journal = new Journal()
  const server = new WebSocketServer({
    limits: { closingTime: CLOSING_TIME, queuedBytes: Infinity },
    heartbeat: false,
    message() {},
    close: (_, code, reason) => journal.add(`close ${code} ${reason}`.trimEnd()),
  })
  const client = await visitor(t, await open(t, server))
  client.socket.pause()
  const [connection] = server.connections
  const message = Buffer.alloc(MIB, 'x')
  for (let i = 0; i < COUNT; i++) connection.send(message)
  await settled(connection)
  return { server, client, connection, journal, time: new Time(t) }
}

/** Until the system takes no more. */
async function settled(connection: Connection): Promise<void> {
  for (let same = 0; same < 50; same++) {
    const before = connection.bufferedAmount
    await turn()
    if (connection.bufferedAmount < before) same = 0
  }
}

/** The client reads until some of what is queued was taken, or the last of it. */
async function takeSome(socket: Duplex, connection: Connection): Promise<void> {
  const rest = Math.max(0, connection.bufferedAmount - PART)
  socket.resume()
  while (connection.bufferedAmount > rest) {
    if (connection.readyState === 'closed') throw new Error('it was cut')
    await turn()
  }
  socket.pause()
}

/** The client takes nothing, until it is cut. @returns milliseconds since the system has taken something */
async function takeNothing({ connection, journal, time }: Slow): Promise<number> {
  let idle = 0
  for (let before = connection.bufferedAmount; journal.lines.length === 0; before = connection.bufferedAmount) {
    await time.pass(RESOLUTION)
    const taken = connection.readyState !== 'closed' && connection.bufferedAmount < before
    idle = taken ? 0 : idle + RESOLUTION
  }
  return idle
}

/** The client takes some, then time passes, and so on to the end. @returns milliseconds that passed */
async function takeSteadily({ client, connection, time }: Slow): Promise<number> {
  let lasted = 0
  while (connection.bufferedAmount > 0) {
    await takeSome(client.socket, connection)
    await time.pass(PAUSE)
    lasted += PAUSE
  }
  client.socket.resume()
  return lasted
}

const CLOSES: Readonly<Record<string, (slow: Slow) => unknown>> = {
  'close of the connection': ({ connection }) => connection.close(1001),
  'close of the server, without a timeout': ({ server }) => server.close(),
}

/** One of each kind of transport. */
const DOORS = SERVER_DOORS.filter(({ name }) => /TCP|unix|https/.test(name))

for (const door of DOORS) {
  for (const [how, close] of Object.entries(CLOSES)) {
    t.test(`${door.name}, ${how}: a peer that takes what is queued steadily gets all, and the end is clean`, async t => {
      const slow = await queued(t, door.open)
      const { client, connection, journal } = slow
      t.ok(connection.bufferedAmount > 8 * MIB, `${connection.bufferedAmount} bytes wait`)
      const ending = close(slow)
      const lasted = await within(takeSteadily(slow), 'all to be taken', PATIENCE)
      t.ok(lasted > CLOSING_TIME, `${lasted} ms`)
      t.strictSame(journal.lines, [], 'not cut')
      await client.journal.until('close 1001', PATIENCE)
      t.equal(client.journal.lines.filter(line => line === `binary of ${MIB} bytes`).length, COUNT)
      client.send(closeFrame(1001))
      client.socket.end()
      await journal.until('close 1001')
      t.strictSame(connection.closeInfo, { code: 1001, reason: '', clean: true })
      t.strictSame(await ending, how.includes('server') ? { closed: 1, dropped: 0, refused: 0 } : undefined)
    })

    t.test(`${door.name}, ${how}: a peer that takes nothing is cut when the time is over, not before`, async t => {
      const slow = await queued(t, door.open)
      const { journal, server } = slow
      const ending = close(slow)
      const idle = await within(takeNothing(slow), 'the end', PATIENCE)
      t.ok(idle >= CLOSING_TIME && idle <= CLOSING_TIME + RESOLUTION, `${idle} ms`)
      t.strictSame(journal.lines, ['close 1006 close-timeout'])
      t.strictSame(await ending, how.includes('server') ? { closed: 0, dropped: 1, refused: 0 } : undefined)
      t.equal(server.metrics().limitsReached['closingTime'], 1)
    })

    t.test(`${door.name}, ${how}: one that stops taking is cut so long after it has taken something`, async t => {
      const slow = await queued(t, door.open)
      const { client, connection, journal, time } = slow
      const ending = close(slow)
      for (let i = 0; i < 4; i++) {
        await takeSome(client.socket, connection)
        await time.pass(PAUSE)
        t.strictSame(journal.lines, [])
      }
      await within(takeNothing(slow), 'the end', PATIENCE)
      t.strictSame(journal.lines, ['close 1006 close-timeout'])
      await ending
    })
  }
}

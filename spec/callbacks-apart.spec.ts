/** Callbacks of several connections in one turn: where one throws, the others are called all the same. */
import t, { type Test } from 'tap'
import { deliver } from '../lib/broadcast/broadcaster.ts'
import { encodeShared } from '../lib/broadcast/shared-frame.ts'
import { Opcode } from '../lib/protocol/opcode.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { ServerOptions } from '../lib/server-options.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { MemoryBudget } from '../lib/transport/memory-budget.ts'
import { connected, startConnection, type Connected, type ConnectedOptions, type Handlers } from './helpers/connected.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually, Journal, turn, within } from './helpers/journal.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'
import { MemoryTransport } from './helpers/transports.ts'
import type { WireClient } from './helpers/wire-client.ts'

function fail(): never {
  throw new Error('oops')
}

/** Three connections, of which the first has callbacks that throw. */
async function three(t: Test, name: keyof Handlers, options: ConnectedOptions = {}): Promise<readonly [Connected, Connected, Connected]> {
  const peers = [connected(t, { [name]: fail }, options), connected(t, {}, options), connected(t, {}, options)] as const
  await turn()
  return peers
}

/** Journals without their first line, which is `open`. */
const heard = (peers: readonly Connected[]): string[][] => peers.map(({ journal }) => journal.lines.slice(1))

t.test('drain, where the transports of three take more in one turn', async t => {
  const peers = await three(t, 'drain')
  for (const { transport, connection } of peers) {
    transport.stall()
    while (connection.send('x'.repeat(10_000)));
  }
  await turn()
  for (const { transport } of peers) transport.goOn()
  for (const { journal } of peers) await journal.until('drain')
  await turn()
  t.strictSame(heard(peers), [['drain', 'failed oops', 'close 1011'], ['drain'], ['drain']])
})

t.test('close, where three end in one turn', async t => {
  const ends: Readonly<Record<string, [end: (peer: Connected) => void, line: string]>> = {
    'dropped by us': [({ connection }) => connection.terminate(), 'close 1006 terminated'],
    'closed by their peers': [({ feed }) => feed(closeFrame(1000)), 'close 1000'],
    'failed': [({ feed }) => feed('8300'), 'close 1002'],
  }
  for (const [how, [end, line]] of Object.entries(ends)) {
    const warned = new Promise<Error>(resolve => process.once('warning', resolve))
    const peers = await three(t, 'close')
    for (const peer of peers) end(peer)
    for (const { journal } of peers) await journal.until(line)
    t.match(await within(warned, 'a warning'), { message: 'oops' }, how)
    for (const { journal } of peers) t.equal(journal.lines.filter(each => each.startsWith('close')).length, 1, how)
  }
})

t.test('close, where the time of three is over in one turn', async t => {
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const peers = await three(t, 'close', { limits: { idleTime: 100 } })
  for (const { journal } of peers) await journal.until('close')
  t.strictSame(heard(peers), [['close 1001 idle'], ['close 1001 idle'], ['close 1001 idle']])
  t.match(await within(warned, 'a warning'), { message: 'oops' })
})

t.test('close, where the budget of memory drops three at once', async t => {
  const memory = new MemoryBudget(100_000)
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const peers = await three(t, 'close', { memory })
  for (const { feed } of peers) feed(frame('01', Buffer.alloc(20_000)))
  await turn()
  // What the application keeps leaves them no room.
  memory.keep(95_000)
  for (const { journal } of peers) await journal.until('close')
  t.strictSame(heard(peers), [['close 1013 memory'], ['close 1013 memory'], ['close 1013 memory']])
  t.match(await within(warned, 'a warning'), { message: 'oops' })
})

t.test('a broadcast reaches the others where the transport of one throws at once', async t => {
  class Broken extends MemoryTransport {
    override write(): boolean {
      throw new Error('write is broken')
    }
  }
  const large = Buffer.alloc(100_000)
  const one = startConnection(t, new Broken())
  const others = [connected(t), connected(t)]
  await turn()
  const all = [one, ...others].map(({ connection }) => connection)
  t.equal(deliver(all, encodeShared(Opcode.binary, large), undefined, undefined), 2)
  await one.journal.until('close')
  t.strictSame(one.journal.lines.slice(0, 3), ['open', 'failed write is broken', 'close 1006 internal-error'])
  for (const { transport } of others) t.ok(transport.written() === frame('82', large))
})

/** A server with three clients whose first connection has callbacks that throw, as has the error callback. */
async function served(
  t: Test,
  open: (typeof SERVER_DOORS)[number]['open'],
  options: ServerOptions<unknown> = {}
): Promise<{ server: WebSocketServer; clients: WireClient[]; heard: Journal }> {
  const heard = new Journal()
  const names = new Map<Connection, string>()
  const nameOf = (socket: Connection | null): string => (socket && names.get(socket)) ?? '?'
  const noted = (what: string) => (socket: Connection): void => {
    heard.add(`${what} ${nameOf(socket)}`)
    if (nameOf(socket) === 'a') fail()
  }
  const server = new WebSocketServer({
    ...options,
    open: socket => void names.set(socket, 'abc'[names.size]),
    message: noted('message'),
    drain: noted('drain'),
    pong: noted('pong'),
    close: noted('close'),
    error(socket) {
      heard.add(`error ${nameOf(socket)}`)
      fail()
    },
  })
  const dial = await open(t, server)
  const clients = [await visitor(t, dial), await visitor(t, dial), await visitor(t, dial)]
  await eventually('all to be there', () => names.size === 3)
  // What is told is not the matter here.
  const onWarning = (): void => {}
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  return { server, clients, heard }
}

const sorted = ({ lines }: Journal): string[] => [...lines].sort()

for (const door of SERVER_DOORS) {
  t.test(`${door.name}: all are dropped when the server is closed, though the first callback throws`, async t => {
    const { server, heard } = await served(t, door.open)
    const counts = await within(server.close({ timeout: 0 }), 'the end of the server')
    t.strictSame(counts, { closed: 0, dropped: 3, refused: 0 })
    t.strictSame(sorted(heard), ['close a', 'close b', 'close c'])
    t.equal(server.connections.size, 0)
  })

  t.test(`${door.name}: all drain when their clients read, though the first callback throws, and so does error`, async t => {
    const { server, heard, clients } = await served(t, door.open)
    for (const { socket } of clients) socket.pause()
    const message = Buffer.alloc(200_000)
    for (const connection of server.connections) while (connection.send(message));
    for (const { socket } of clients) socket.resume()
    for (const name of ['drain a', 'drain b', 'drain c', 'close a']) await heard.until(name)
    t.strictSame(sorted(heard), ['close a', 'drain a', 'drain b', 'drain c', 'error a'])
    t.equal(server.broadcast('still here'), 2)
    for (const client of clients.slice(1)) await client.journal.until('text still here')
  })

  t.test(`${door.name}: all hear messages and pongs that come at once, though the first callback throws`, async t => {
    const { heard, clients } = await served(t, door.open)
    for (const client of clients) client.send(frame('81', 'hello'), frame('8a', 'pong'))
    for (const name of ['message a', 'pong b', 'pong c', 'close a']) await heard.until(name)
    t.strictSame(sorted(heard), ['close a', 'error a', 'message a', 'message b', 'message c', 'pong b', 'pong c'])
  })
}

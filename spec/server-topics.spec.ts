/** Who takes part in which topic, and that nothing is left of a topic that nobody takes part in any more. */
import t from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { held } from './helpers/memory.ts'
import { running } from './helpers/running.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'
import type { WireClient } from './helpers/wire-client.ts'

t.test('isSubscribed and subscriberCount, from subscribe to unsubscribe, each as often as it is called', async t => {
  const { server, client } = await running(t)
  await client()
  await client()
  await eventually('both to be there', () => server.connections.size === 2)
  const [one, other] = server.connections
  const state = (): unknown[] => [one.isSubscribed('room'), other.isSubscribed('room'), server.subscriberCount('room')]
  t.strictSame(state(), [false, false, 0])
  for (let i = 0; i < 2; i++) one.subscribe('room')
  t.strictSame(state(), [true, false, 1], 'twice is as once')
  other.subscribe('room')
  t.strictSame(state(), [true, true, 2])
  one.unsubscribe('other')
  t.strictSame(state(), [true, true, 2], 'another topic')
  for (let i = 0; i < 2; i++) one.unsubscribe('room')
  t.strictSame(state(), [false, true, 1])
  other.unsubscribe('room')
  t.strictSame(state(), [false, false, 0])
  one.subscribe('room')
  t.strictSame(state(), [true, false, 1], 'a topic that was left by all begins anew')
})

t.test('a topic of one server is none of another', async t => {
  const [here, there] = [await running(t), await running(t)]
  await here.client()
  await there.client()
  await eventually('both to be there', () => here.server.connections.size + there.server.connections.size === 2)
  const [[one], [other]] = [here.server.connections, there.server.connections]
  one.subscribe('room')
  t.strictSame([here.server.subscriberCount('room'), there.server.subscriberCount('room')], [1, 0])
  t.strictSame([one.isSubscribed('room'), other.isSubscribed('room')], [true, false])
})

/** The ways in which a connection ends; the code that is told. */
const ENDS: Readonly<Record<string, [code: number, end: (client: WireClient, socket: Connection) => void]>> = {
  'is closed by the client': [1000, client => client.send(closeFrame(1000))],
  'is closed by the server': [1001, (client, socket) => {
    socket.close(1001)
    client.send(closeFrame(1001))
  }],
  'is dropped by the server': [1006, (_, socket) => socket.terminate()],
  'is lost': [1006, client => client.socket.destroy()],
  'breaks the protocol': [1002, client => client.sendRaw('8300')],
}

for (const door of SERVER_DOORS) {
  for (const [how, [code, end]] of Object.entries(ENDS)) {
    t.test(`${door.name}: one that ${how} is in no topic, its close callback sees that, and it can not come back`, async t => {
      const seen: unknown[] = []
      const server = new WebSocketServer({
        open(socket) {
          for (const topic of ['a', 'b']) socket.subscribe(topic)
        },
        message() {},
        close(socket, code) {
          socket.subscribe('a')
          socket.unsubscribe('b')
          seen.push(code, socket.isSubscribed('a'), socket.isSubscribed('b'), server.subscriberCount('a'), server.subscriberCount('b'))
        },
        error() {},
      })
      const dial = await door.open(t, server)
      const [client] = [await visitor(t, dial), await visitor(t, dial)]
      await eventually('both to be there', () => server.connections.size === 2)
      const [one, other] = server.connections
      t.equal(server.subscriberCount('a'), 2)
      end(client, one)
      await eventually('its end', () => seen.length > 0)
      t.strictSame(seen, [code, false, false, 1, 1])
      one.subscribe('a')
      t.strictSame([one.isSubscribed('a'), other.isSubscribed('a'), server.subscriberCount('a')], [false, true, 1])
    })
  }
}

t.test('one that is closing keeps its topics until it is over, joins none, and may leave', async t => {
  const { server, client, journal } = await running(t, {
    open(socket) {
      for (const topic of ['a', 'b']) socket.subscribe(topic)
    },
  })
  const one = await client()
  const [socket] = server.connections
  socket.close(1000)
  socket.subscribe('c')
  socket.unsubscribe('b')
  t.strictSame(['a', 'b', 'c'].map(topic => socket.isSubscribed(topic)), [true, false, false])
  t.equal(server.publish('a', 'nobody hears it'), 0)
  await one.journal.until('close 1000')
  one.send(closeFrame(1000))
  await journal.until('close 1000')
  t.strictSame(['a', 'b', 'c'].map(topic => server.subscriberCount(topic)), [0, 0, 0])
})

t.test('one topic too many is not joined', async t => {
  const { server, client } = await running(t, { limits: { topics: 1 } })
  const one = await client()
  const [socket] = server.connections
  socket.subscribe('a')
  socket.subscribe('b')
  t.strictSame([socket.isSubscribed('a'), socket.isSubscribed('b'), server.subscriberCount('b')], [true, false, 0])
  await one.journal.until('close 1008')
})

t.test('while a message is handed out, members may leave and join', async t => {
  const { server, client, journal } = await running(t, {
    message(socket, data) {
      if (data === 'leave') socket.unsubscribe('room')
      else socket.subscribe('room')
      journal.add(`count ${server.subscriberCount('room')}`)
    },
  })
  const [one, other] = [await client(), await client()]
  for (const [each, text] of [[one, 'join'], [other, 'join'], [one, 'leave'], [other, 'leave'], [one, 'join']] as const) {
    const before = journal.lines.length
    each.send(frame('81', text))
    await eventually('the answer', () => journal.lines.slice(before).some(line => line.startsWith('count')))
  }
  t.strictSame(journal.lines.filter(line => line.startsWith('count')), ['count 1', 'count 2', 'count 1', 'count 0', 'count 1'])
})

const NAMES = 20_000

/** A name of 240 characters that no other has. */
const nameOf = (i: number): string => `${i} `.padEnd(240, 'x')

t.test('nothing is left of topics that were left, or whose last member is gone', async t => {
  const { server, client } = await running(t, { limits: { topics: Infinity } })
  const one = await client()
  await client()
  await eventually('both to be there', () => server.connections.size === 2)
  const [first, second] = server.connections
  const before = held()
  for (let i = 0; i < NAMES; i++) {
    first.subscribe(nameOf(i))
    second.subscribe(nameOf(i))
  }
  const full = held() - before
  t.ok(full > NAMES * 240, `${full} bytes for ${NAMES} topics`)
  for (let i = 0; i < NAMES; i++) second.unsubscribe(nameOf(i))
  t.equal(server.subscriberCount(nameOf(0)), 1)
  one.send(closeFrame(1000))
  await eventually('the end of one', () => server.connections.size === 1)
  await turn()
  const left = held() - before
  t.ok(left < full / 10, `${left} of ${full} bytes are left`)
  t.equal(server.subscriberCount(nameOf(0)), 0)
})

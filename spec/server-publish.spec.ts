import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import type { PublishOptions } from '../lib/transport/connection-setup.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually, turn } from './helpers/journal.ts'
import { FakeBus } from './helpers/fake-bus.ts'
import { clientsOf, running } from './helpers/running.ts'

t.test('publish goes to who subscribed, and says to how many', async t => {
  const { server, client } = await running(t, {
    message(socket, data) {
      if (data === 'join') socket.subscribe('room')
      if (data === 'leave') socket.unsubscribe('room')
      socket.send('done')
    },
  })
  const [one, two, three] = [await client(), await client(), await client()]
  for (const each of [one, two]) each.send(frame('81', 'join'))
  for (const each of [one, two]) await each.lines(1)
  t.equal(server.publish('room', 'a'), 2)
  t.equal(server.publish('other', 'a'), 0)
  two.send(frame('81', 'leave'))
  await two.lines(3)
  t.equal(server.publish('room', 'b'), 1)
  three.send(frame('81', 'hello'))
  t.strictSame(await one.lines(3), ['text done', 'text a', 'text b'])
  t.strictSame(two.journal.lines, ['text done', 'text a', 'text done'])
  t.strictSame(await three.lines(1), ['text done'])
})

t.test('publish of a connection leaves it out', async t => {
  const counts: number[] = []
  const { client } = await running(t, {
    open: socket => socket.subscribe('room'),
    message(socket, data) {
      counts.push(socket.publish('room', data))
      socket.send('done')
    },
  })
  const [one, two, three] = [await client(), await client(), await client()]
  one.send(frame('81', 'hello'))
  t.strictSame(await one.lines(1), ['text done'])
  t.strictSame(await two.lines(1), ['text hello'])
  t.strictSame(await three.lines(1), ['text hello'])
  t.strictSame(counts, [2])
})

t.test('broadcast goes to all, or all but one, and says to how many', async t => {
  const { server, journal, client } = await running(t)
  t.equal(server.broadcast('nobody'), 0)
  const [one, two] = [await client(), await client()]
  await journal.reach(2)
  const [first] = server.connections
  t.equal(server.broadcast('a'), 2)
  t.equal(server.broadcast('b', { except: first }), 1)
  t.equal(server.broadcast('c', { except: undefined }), 2)
  t.strictSame(await one.lines(2), ['text a', 'text c'])
  t.strictSame(await two.lines(3), ['text a', 'text b', 'text c'])
})

t.test('a connection that is closing or gone gets nothing, and is in no topic', async t => {
  const { server, journal, client } = await running(t, { open: socket => socket.subscribe('room') })
  const [one] = [await client(), await client()]
  await journal.reach(2)
  const [first, second] = server.connections
  first.close()
  t.strictSame([server.broadcast('a'), server.publish('room', 'a')], [1, 1])
  one.send(closeFrame(1000))
  await journal.until('close')
  t.strictSame([server.broadcast('a'), server.publish('room', 'a')], [1, 1])
  second.terminate()
  t.strictSame([server.broadcast('a'), server.publish('room', 'a')], [0, 0])
  await eventually('the end of it', () => server.connections.size === 0)
})

t.test('a connection that is over takes part in nothing, even if it asks to', async t => {
  const { server, client, journal } = await running(t, { close: socket => socket.subscribe('room') })
  const one = await client()
  one.send(closeFrame(1000))
  await journal.until('close')
  t.equal(server.publish('room', 'a'), 0)
})

t.test('a connection that is gone is held by no topic', async t => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const lost: WeakRef<object>[] = []
  const server = new WebSocketServer({
    open(socket) {
      lost.push(new WeakRef(socket))
      socket.subscribe('room')
    },
  })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  const { client } = clientsOf(t, port)
  for (let i = 0; i < 10; i++) {
    const each = await client()
    each.send(closeFrame(1000))
    await each.journal.until('end')
    each.socket.end()
    await each.journal.until('closed')
  }
  await eventually('the end of all', () => server.connections.size === 0)
  // A transport may be gone a little later, and so may what belongs to it.
  await eventually('nearly all to be collected', () => {
    collectGarbage()
    return lost.filter(each => each.deref() !== undefined).length <= 2
  })
  t.equal(lost.length, 10)
})

t.test('several of one tick arrive as one chunk', async t => {
  const { server, journal, client } = await running(t, { open: socket => socket.subscribe('room') })
  const clients = [await client(), await client()]
  await journal.reach(2)
  const before = clients.map(({ chunks }) => chunks.length)
  for (let i = 0; i < 20; i++) {
    server.publish('room', `p${i}`)
    server.broadcast(`b${i}`)
  }
  const expected = Array.from({ length: 20 }, (_, i) => [`text p${i}`, `text b${i}`]).flat()
  for (const [i, each] of clients.entries()) {
    t.strictSame(await each.lines(40), expected)
    t.equal(each.chunks.length, before[i] + 1)
  }
})

t.test('publishes of a message handler leave with the answer, in one chunk', async t => {
  const { client, journal } = await running(t, {
    open: socket => socket.subscribe('room'),
    message(socket, data) {
      socket.publish('room', data)
      socket.publish('room', data)
      socket.send(data)
    },
  })
  const [one, two] = [await client(), await client()]
  await journal.reach(2)
  const before = two.chunks.length
  one.send(frame('81', 'a'), frame('81', 'b'))
  t.strictSame(await one.lines(2), ['text a', 'text b'])
  t.strictSame(await two.lines(4), ['text a', 'text a', 'text b', 'text b'])
  t.equal(two.chunks.length, before + 1)
})

t.test('the binary option, and bytes of every size', async t => {
  const { server, journal, client } = await running(t)
  const one = await client()
  await journal.until('open')
  server.broadcast('a')
  server.broadcast('a', { binary: true })
  server.broadcast(Buffer.from('a'))
  server.broadcast(Buffer.from('a'), { binary: false })
  for (const size of [125, 126, 65_535, 65_536, 100_000, 1_000_000]) server.broadcast(Buffer.alloc(size, size))
  t.strictSame(await one.lines(4), ['text a', 'binary 61', 'binary 61', 'text a'])
  const frames = await one.received(10)
  for (const [i, size] of [125, 126, 65_535, 65_536, 100_000, 1_000_000].entries()) {
    t.ok(frames[4 + i].payload.equals(Buffer.alloc(size, size)), `${size} bytes`)
  }
})

t.test('misuse is thrown', async t => {
  const { server } = await running(t)
  const misuse = { name: 'MisuseError', code: 'invalid-argument' }
  t.throws(() => server.publish(5 as unknown as string, 'a'), { ...misuse, message: /^topic/ })
  t.throws(() => server.publish('room', {} as string), { ...misuse, message: /^data/ })
  t.throws(() => server.broadcast('a', { scope: 'all' as 'global' }), { ...misuse, message: /^scope/ })
  t.throws(() => server.broadcast(Buffer.from([0xff]), { binary: false }), misuse)
})

t.test("scope 'global': over the bus to the other process, once, and the count is of this one", async t => {
  const bus = new FakeBus()
  const options = { open: (socket: { subscribe(topic: string): void }) => socket.subscribe('room') }
  const [here, there] = [await running(t, { ...options, bus: bus.end() }), await running(t, { ...options, bus: bus.end() })]
  const [one, other, third] = [await here.client(), await there.client(), await there.client()]
  await here.journal.reach(1)
  await there.journal.reach(2)
  const global: PublishOptions = { scope: 'global' }
  t.strictSame([here.server.publish('room', 'a', global), here.server.publish('room', 'b')], [1, 1])
  t.strictSame([here.server.broadcast('c', global), here.server.broadcast('d', { scope: 'local' })], [1, 1])
  const [connection] = here.server.connections
  t.strictSame([here.server.broadcast('e', { ...global, except: connection }), connection.publish('room', 'f', global)], [0, 0])
  t.equal(here.server.publish('nobody', 'g', global), 0)
  there.server.broadcast('end', global)
  t.strictSame(await one.lines(5), ['text a', 'text b', 'text c', 'text d', 'text end'])
  for (const each of [other, third]) t.strictSame(await each.lines(5), ['text a', 'text c', 'text e', 'text f', 'text end'])
})

t.test('servers of different names on one bus keep to themselves, whatever their paths', async t => {
  const bus = new FakeBus()
  const [a, b, everywhere] = await Promise.all([
    running(t, { name: 'a', path: '/b', bus: bus.end() }),
    running(t, { name: 'b', path: '/b', bus: bus.end() }),
    running(t, { bus: bus.end() }),
  ])
  const clients = [await b.client({ path: '/b' }), await everywhere.client()]
  await b.journal.until('open')
  await everywhere.journal.until('open')
  a.server.broadcast('a', { scope: 'global' })
  b.server.broadcast('b')
  everywhere.server.broadcast('e')
  t.strictSame(await clients[0].lines(1), ['text b'])
  t.strictSame(await clients[1].lines(1), ['text e'])
})

t.test('two servers of a process on one bus need different names', async t => {
  const bus = new FakeBus().end()
  const { server } = await running(t, { bus })
  t.throws(() => new WebSocketServer({ bus }), { name: 'MisuseError', code: 'invalid-state', message: /name/ })
  t.throws(() => new WebSocketServer({ bus, path: '/admin' }), { code: 'invalid-state' })
  const admin = new WebSocketServer({ bus, name: 'admin' })
  t.throws(() => new WebSocketServer({ bus, name: 'admin' }), { code: 'invalid-state' })
  await server.close()
  await new WebSocketServer({ bus }).close()
  await admin.close()
})

t.test("scope 'global' without a bus is misuse", async t => {
  const { server, client, journal } = await running(t)
  const one = await client()
  await journal.until('open')
  const [connection] = server.connections
  const misuse = { name: 'MisuseError', code: 'invalid-state', message: /bus: clusterBus/ }
  t.throws(() => server.broadcast('a', { scope: 'global' }), misuse)
  t.throws(() => server.publish('room', 'a', { scope: 'global' }), misuse)
  t.throws(() => connection.publish('room', 'a', { scope: 'global' }), misuse)
  server.broadcast('b')
  t.strictSame(await one.lines(1), ['text b'], 'and nothing was sent')
})

t.test('what comes over a bus and is no broadcast is dropped and counted, and nobody gets it', async t => {
  const bus = new FakeBus()
  const stranger = bus.end()
  const { server, client, journal } = await running(t, { bus: bus.end() })
  const one = await client()
  await journal.until('open')
  for (const each of [[], [0x81], [0x81, 1, 0x61], [0x4b, 0x57, 1, 1]]) stranger.publish('server ', Uint8Array.from(each))
  server.broadcast('good')
  t.strictSame(await one.lines(1), ['text good'])
  t.equal(server.metrics().bus.malformed, 4)
})

t.test('who is subscribed, and how many are', async t => {
  const { server, client, journal } = await running(t, { open: socket => socket.subscribe('room') })
  await client()
  await client()
  await journal.reach(2)
  const [one, other] = server.connections
  t.strictSame([server.subscriberCount('room'), server.subscriberCount('nobody')], [2, 0])
  other.subscribe('more')
  one.unsubscribe('room')
  t.strictSame([one.isSubscribed('room'), other.isSubscribed('room'), other.isSubscribed('more')], [false, true, true])
  t.strictSame([server.subscriberCount('room'), server.subscriberCount('more')], [1, 1])
  t.throws(() => server.subscriberCount(5 as unknown as string), { code: 'invalid-argument', message: /^topic/ })
  other.terminate()
  await journal.until('close')
  t.equal(server.subscriberCount('room'), 0)
})

t.test('a server that closes leaves the bus', async t => {
  const bus = new FakeBus()
  const { server } = await running(t, { bus: bus.end() })
  t.equal(bus.listeners, 1)
  await server.close()
  t.equal(bus.listeners, 0)
})

t.test('while the bus is congested no further message is read, here or there, and none is lost', async t => {
  const drains: (() => void)[] = []
  const congested = { ...new FakeBus().end(), congested: false, drained: () => new Promise<void>(resolve => drains.push(resolve)) }
  const { server, client, journal } = await running(t, {
    bus: congested,
    message(_, data) {
      server.broadcast(data, { scope: 'global' })
      if (data === 'much') congested.congested = true
    },
  })
  const [one, two] = [await client(), await client()]
  one.send(frame('81', 'a'), frame('81', 'much'), frame('81', 'b'))
  await journal.until('text much')
  const before = server.metrics().bytes.received
  two.send(frame('81', 'c'))
  await eventually('the other to be read', () => server.metrics().bytes.received > before)
  await turn()
  t.notOk(journal.lines.includes('text b') || journal.lines.includes('text c'))
  t.equal(drains.length, 1)
  congested.congested = false
  drains[0]()
  await journal.until('text b')
  await journal.until('text c')
  const expected = ['text a', 'text b', 'text c', 'text much']
  t.strictSame([...(await one.lines(4))].sort(), expected)
  t.strictSame([...(await two.lines(4))].sort(), expected)
})

import t, { type Test } from 'tap'
import { Broadcaster, deliver } from '../../lib/broadcast/broadcaster.ts'
import type { Bus } from '../../lib/broadcast/bus.ts'
import { encodeShared } from '../../lib/broadcast/shared-frame.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import type { Compression } from '../../lib/protocol/message-codec.ts'
import type { Connection } from '../../lib/transport/connection.ts'
import type { PublishOptions } from '../../lib/transport/connection-setup.ts'
import type { Payload } from '../../lib/transport/payload.ts'
import { FakeBus } from '../helpers/fake-bus.ts'
import { connected } from '../helpers/connected.ts'
import { deflatedFrame } from '../helpers/deflated.ts'
import { frame } from '../helpers/frames.ts'
import { HandCompressor, HandDecompressor } from '../helpers/hand-codec.ts'
import { turn } from '../helpers/journal.ts'

interface Member {
  readonly connection: Connection<string>
  /** What it was sent since the last call. */
  written(): Promise<string>
}

interface Group {
  readonly broadcaster: Broadcaster<string>
  readonly members: readonly Member[]
}

function group(t: Test, count: number, bus?: Bus, channel = 'group'): Group {
  return groupOf(t, Array.from({ length: count }, () => undefined), bus, channel)
}

/** A member for each. */
function groupOf(t: Test, compressions: readonly (Compression | undefined)[], bus?: Bus, channel = 'group'): Group {
  const members = compressions.map(compression => {
    const { connection, transport } = connected(t, {}, { compression })
    const written = async (): Promise<string> => {
      await turn()
      return transport.written()
    }
    return { connection, written }
  })
  return { broadcaster: new Broadcaster(new Set(members.map(({ connection }) => connection)), bus, channel), members }
}

const HELLO = frame('81', 'hello')

t.test('broadcast: to everybody, or all but one; the count is of those who got it', async t => {
  const { broadcaster, members } = group(t, 3)
  const [a, b, c] = members
  t.equal(broadcaster.broadcast('hello', {}, undefined), 3)
  t.strictSame([await a.written(), await b.written(), await c.written()], [HELLO, HELLO, HELLO])
  t.equal(broadcaster.broadcast('hello', {}, b.connection), 2)
  t.strictSame([await a.written(), await b.written(), await c.written()], [HELLO, '', HELLO])
  a.connection.close()
  await a.written()
  t.equal(broadcaster.broadcast('hello', {}, undefined), 2, 'one is closing')
  t.equal(await a.written(), '')
})

t.test('publish: to who takes part in the topic', async t => {
  const { broadcaster, members } = group(t, 3)
  const [a, b, c] = members
  for (const { connection } of [a, b]) broadcaster.subscribe(connection, 'room')
  t.equal(broadcaster.publish('room', 'hello', {}, undefined), 2)
  t.equal(broadcaster.publish('room', 'hello', {}, a.connection), 1)
  t.equal(broadcaster.publish('other', 'hello', {}, undefined), 0)
  t.strictSame([await a.written(), await b.written(), await c.written()], [HELLO, HELLO + HELLO, ''])
  broadcaster.unsubscribe(a.connection, 'room')
  t.equal(broadcaster.publish('room', 'hello', {}, undefined), 1)
  broadcaster.leave(b.connection)
  t.equal(broadcaster.publish('room', 'hello', {}, undefined), 0)
})

t.test('the kind of message: strings are text, bytes binary, unless the option says otherwise', async t => {
  const { broadcaster, members } = group(t, 1)
  const cases: [data: Payload, options: PublishOptions, expected: string][] = [
    ['a', {}, frame('81', 'a')],
    ['a', { binary: true }, frame('82', 'a')],
    [Buffer.from('a'), {}, frame('82', 'a')],
    [Buffer.from('a'), { binary: false }, frame('81', 'a')],
    [new Uint16Array([0x6161]), {}, frame('82', 'aa')],
  ]
  for (const [data, options, expected] of cases) {
    broadcaster.broadcast(data, options, undefined)
    t.equal(await members[0].written(), expected)
  }
})

t.test('several of one tick are one write for each receiver', async t => {
  const transports = [connected(t), connected(t)]
  const broadcaster = new Broadcaster(new Set(transports.map(({ connection }) => connection)), undefined, '')
  await turn()
  for (let i = 0; i < 50; i++) broadcaster.broadcast(`${i}`, {}, undefined)
  await turn()
  for (const { transport } of transports) {
    t.equal(transport.writes.length, 1)
    t.equal(transport.written(), Array.from({ length: 50 }, (_, i) => frame('81', `${i}`)).join(''))
  }
})

t.test('encoded once: every receiver gets the same memory', async t => {
  const receivers = [connected(t), connected(t)]
  const broadcaster = new Broadcaster(new Set(receivers.map(({ connection }) => connection)), undefined, '')
  await turn()
  broadcaster.broadcast('x'.repeat(10_000), {}, undefined)
  await turn()
  const [[[one]], [[other]]] = receivers.map(({ transport }) => transport.writes)
  t.equal(one.buffer, other.buffer)
  t.equal(one.byteOffset, other.byteOffset)
})

t.test('a message between what a connection sends itself keeps its place', async t => {
  const { broadcaster, members } = group(t, 1)
  const [{ connection, written }] = members
  connection.send('a')
  broadcaster.broadcast('b', {}, undefined)
  connection.send('c')
  t.equal(await written(), frame('81', 'a') + frame('81', 'b') + frame('81', 'c'))
})

t.test('misuse is thrown, and nobody gets anything, here or elsewhere', async t => {
  const bus = new FakeBus()
  const { broadcaster, members } = group(t, 1, bus.end())
  const heard: Buffer[] = []
  bus.end().subscribe('group', bytes => heard.push(bytes))
  const wrong = { name: 'MisuseError', code: 'invalid-argument' }
  t.throws(() => broadcaster.broadcast(5 as unknown as string, { scope: 'global' }, undefined), { ...wrong, message: /^data/ })
  t.throws(() => broadcaster.broadcast(Buffer.from([0xc3]), { binary: false, scope: 'global' }, undefined), wrong)
  t.throws(() => broadcaster.publish('x'.repeat(256), 'a', { scope: 'global' }, undefined), { ...wrong, message: /^topic/ })
  for (const topic of [undefined, null, 5, {}] as unknown as string[]) {
    t.throws(() => broadcaster.publish(topic, 'a', {}, undefined), { ...wrong, message: /^topic/ })
    t.throws(() => broadcaster.subscribe(members[0].connection, topic), { ...wrong, message: /^topic/ })
    t.throws(() => broadcaster.unsubscribe(members[0].connection, topic), { ...wrong, message: /^topic/ })
  }
  t.equal(await members[0].written(), '')
  t.strictSame(heard, [])
})

t.test("scope: local stays here, and so does what says nothing; global reaches the others' too, once each", async t => {
  const bus = new FakeBus()
  const [one, two, three] = [group(t, 1, bus.end()), group(t, 2, bus.end()), group(t, 1, bus.end())]
  const counts = [{}, { scope: 'local' }, { scope: undefined }, { scope: 'global' }] as PublishOptions[]
  for (const [i, options] of counts.entries()) {
    t.equal(one.broadcaster.broadcast(`${i}`, options, undefined), 1, 'the count is of this process')
  }
  t.equal(await one.members[0].written(), ['0', '1', '2', '3'].map(each => frame('81', each)).join(''))
  for (const { written } of [...two.members, ...three.members]) t.equal(await written(), frame('81', '3'))
})

t.test('global, by topic: with names and payloads of every size', async t => {
  const bus = new FakeBus()
  const [here, there] = [group(t, 1, bus.end()), group(t, 2, bus.end())]
  for (const topic of ['', 'room', 'ä'.repeat(255), '€'.repeat(255)]) {
    there.broadcaster.subscribe(there.members[0].connection, topic)
    for (const length of [0, 1, 126, 65_536]) {
      here.broadcaster.publish(topic, Buffer.alloc(length, 1), { scope: 'global' }, undefined)
      const expected = frame('82', Buffer.alloc(length, 1))
      t.ok((await there.members[0].written()) === expected, `${topic.slice(0, 5)}, ${length} bytes`)
    }
    there.broadcaster.unsubscribe(there.members[0].connection, topic)
    here.broadcaster.publish(topic, 'nobody', { scope: 'global' }, undefined)
    t.equal(await there.members[0].written(), '')
    t.equal(await there.members[1].written(), '')
  }
})

t.test('who is left out here is left out, and nobody elsewhere is', async t => {
  const bus = new FakeBus()
  const [here, there] = [group(t, 2, bus.end()), group(t, 1, bus.end())]
  t.equal(here.broadcaster.broadcast('hello', { scope: 'global' }, here.members[0].connection), 1)
  t.equal(await here.members[0].written(), '')
  t.equal(await there.members[0].written(), HELLO)
})

t.test('channels keep servers on one bus apart', async t => {
  const bus = new FakeBus()
  const [here, there] = [group(t, 1, bus.end(), 'one'), group(t, 1, bus.end(), 'other')]
  here.broadcaster.broadcast('hello', { scope: 'global' }, undefined)
  t.equal(await there.members[0].written(), '')
})

t.test('closed, it leaves the bus', async t => {
  const bus = new FakeBus()
  const [here, there] = [group(t, 1, bus.end()), group(t, 1, bus.end())]
  there.broadcaster.close()
  here.broadcaster.broadcast('hello', { scope: 'global' }, undefined)
  t.equal(await there.members[0].written(), '')
  t.equal(bus.listeners, 1)
})

t.test('without a bus, global is misuse, and local is local', async t => {
  const { broadcaster, members } = group(t, 1)
  t.throws(() => broadcaster.broadcast('no', { scope: 'global' }, undefined), { name: 'MisuseError', code: 'invalid-state', message: /bus/ })
  t.equal(broadcaster.broadcast('hello', { scope: 'local' }, undefined), 1)
  t.equal(await members[0].written(), HELLO)
  broadcaster.close()
})

t.test('deliver counts those who took the frame', async t => {
  const shared = encodeShared(Opcode.text, 'hello')
  const calls: unknown[] = []
  const receiver = (takes: boolean): { sendShared(...given: unknown[]): boolean; broken(): void } => ({
    broken() {},
    sendShared(...given) {
      calls.push(given)
      return takes
    },
  })
  const [a, b, c] = [receiver(true), receiver(false), receiver(true)]
  t.equal(deliver([a, b, c], shared, undefined, undefined), 2)
  t.equal(deliver([a, b, c], shared, false, c), 1)
  t.equal(deliver([], shared, undefined, undefined), 0)
  const given = [undefined, undefined, undefined, false, false].map(compress => [shared, compress])
  t.ok(calls.every((call, i) => (call as unknown[]).every((each, at) => each === given[i][at])))
  t.equal(calls.length, 5)
})

const LONG = 'long '.repeat(50)

/** As of a connection that compresses with this. */
function through(compressor: HandCompressor, threshold = 100): Compression {
  return { compressor, decompressor: new HandDecompressor(), threshold }
}

t.test('one encoding for all that send the same bytes: plain, and each compressor once', async t => {
  const [small, large] = [new HandCompressor(), new HandCompressor()]
  const takeover = [new HandCompressor({ contextTakeover: true }), new HandCompressor({ contextTakeover: true })]
  const compressions = [undefined, through(small), through(large), undefined, through(small), ...takeover.map(each => through(each))]
  const { broadcaster, members } = groupOf(t, compressions)
  t.equal(broadcaster.broadcast(LONG, {}, undefined), 7)
  const plain = frame('81', LONG)
  const compressed = deflatedFrame('81', LONG)
  const expected = compressions.map(compression => (compression === undefined ? plain : compressed))
  t.strictSame(await Promise.all(members.map(({ written }) => written())), expected)
  t.strictSame([small, large, ...takeover].map(({ calls }) => calls), Array(4).fill(['at once 250']))
})

t.test('the threshold, and what `compress` says', async t => {
  const compressor = new HandCompressor()
  const { broadcaster, members } = groupOf(t, [through(compressor), through(compressor, Infinity)])
  const short = 's'.repeat(99)
  const cases: [data: string, options: PublishOptions, expected: [string, string]][] = [
    [LONG, {}, [deflatedFrame('81', LONG), frame('81', LONG)]],
    [short, {}, [frame('81', short), frame('81', short)]],
    [short, { compress: true }, [deflatedFrame('81', short), deflatedFrame('81', short)]],
    [LONG, { compress: false }, [frame('81', LONG), frame('81', LONG)]],
  ]
  for (const [data, options, expected] of cases) {
    broadcaster.broadcast(data, options, undefined)
    t.strictSame(await Promise.all(members.map(({ written }) => written())), expected)
  }
  const large = Buffer.alloc(1001)
  broadcaster.broadcast(large, { compress: true }, undefined)
  t.equal(await members[0].written(), frame('82', large), 'too large to be compressed at once')
})

t.test('from the bus: compressed as here, and what `compress` said holds everywhere', async t => {
  const bus = new FakeBus()
  const here = group(t, 1, bus.end())
  const there = groupOf(t, [through(new HandCompressor()), undefined], bus.end())
  there.broadcaster.subscribe(there.members[0].connection, 'room')
  const short = 's'.repeat(99)
  for (const [data, compress, expected] of [
    [LONG, undefined, deflatedFrame('81', LONG)],
    [LONG, false, frame('81', LONG)],
    [short, undefined, frame('81', short)],
    [short, true, deflatedFrame('81', short)],
  ] as const) {
    here.broadcaster.broadcast(data, { compress, scope: 'global' }, undefined)
    t.equal(await there.members[0].written(), expected, `${data.length}, ${compress}`)
    t.equal(await there.members[1].written(), frame('81', data))
    here.broadcaster.publish('room', data, { compress, scope: 'global' }, undefined)
    t.equal(await there.members[0].written(), expected)
    t.equal(await there.members[1].written(), '')
  }
})

t.test('several of one tick are one piece of memory to each receiver, compressed ones too', async t => {
  const compressor = new HandCompressor()
  const receivers = [connected(t), connected(t, {}, { compression: through(compressor) }), connected(t, {}, { compression: through(compressor) })]
  const broadcaster = new Broadcaster(new Set(receivers.map(({ connection }) => connection)), undefined, '')
  await turn()
  for (let i = 0; i < 20; i++) broadcaster.broadcast(`${i} ${LONG}`, {}, undefined)
  await turn()
  for (const [i, { transport }] of receivers.entries()) {
    t.strictSame(transport.writes.map(chunks => chunks.length), [1], 'one write of one piece')
    const expected = Array.from({ length: 20 }, (_, n) => (i === 0 ? frame('81', `${n} ${LONG}`) : deflatedFrame('81', `${n} ${LONG}`)))
    t.equal(transport.written(), expected.join(''))
  }
  t.equal(compressor.calls.length, 20)
})

import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { RESOLUTION } from '../../../lib/transport/deadlines.ts'
import { connected, startConnection } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, hex, masked } from '../../helpers/frames.ts'
import { eventually, turn } from '../../helpers/journal.ts'
import { socketPair } from '../../helpers/transports.ts'
import { WireClient } from '../../helpers/wire-client.ts'
import { handCompression } from '../../helpers/hand-codec.ts'
import { deflatedFrame } from '../../helpers/deflated.ts'
import { random } from '../../helpers/random.ts'

const [TEXT, PING, PONG] = ['81', '89', '8a']

t.test('pings and pongs of ours, with text, bytes or nothing', async t => {
  const { connection, transport } = connected(t)
  for (const payload of ['', 'ä', new Uint16Array([0x6161])]) void connection.ping(payload)
  t.strictSame([connection.pong(), connection.pong(Buffer.alloc(125))], [true, true])
  await turn()
  const expected = [frame(PING), frame(PING, 'ä'), frame(PING, 'aa'), frame(PONG), frame(PONG, Buffer.alloc(125))]
  t.equal(transport.written(), expected.join(''))
})

t.test('ping: how long the pong took, each its own', async t => {
  const pongs: string[] = []
  const { connection, transport, journal, feed } = connected(t, { pong: (_, data) => void pongs.push(hex(data)) })
  await turn()
  const [one, two, three] = [connection.ping(), connection.ping('mine'), connection.ping()]
  await turn()
  const sent = transport.written()
  const payloads = [sent.slice(4, 20), hex(Buffer.from('mine')), sent.slice(36)]
  t.equal(sent, payloads.map(payload => frame(PING, bytes(payload))).join(''))
  t.not(payloads[0], payloads[2])
  feed(frame(PONG, 'nobody asked'))
  const before = performance.now()
  await eventually('5 ms', () => performance.now() - before > 5)
  // Section 5.5.3: a peer may answer only the newest of several pings.
  feed(frame(PONG, 'mine'))
  const times = await Promise.all([one, two])
  t.ok(times.every(time => time >= 5 && time < 60_000), `${times}`)
  feed(frame(PONG, bytes(payloads[2])))
  t.ok((await three) >= 5)
  t.strictSame(pongs, [hex(Buffer.from('nobody asked')), payloads[1], payloads[2]])
  t.strictSame(journal.lines, ['open'])
})

t.test('ping: rejects where the connection ends first, and whoever does not look is not told', async t => {
  const { connection, feed } = connected(t)
  await turn()
  const waiting = [connection.ping(), connection.ping('a')]
  void connection.ping()
  feed(closeFrame(1000, 'bye'))
  for (const each of waiting) await t.rejects(each, { code: 'connection-closed', closeCode: 1000, reason: 'bye' })
  await t.rejects(connection.ping(), { code: 'connection-closed' })
})

t.test('ping: no more than 128 wait', async t => {
  const { connection, transport, feed } = connected(t)
  await turn()
  transport.written()
  const all = Array.from({ length: 128 }, () => connection.ping())
  await turn()
  const sent = transport.written()
  t.throws(() => connection.ping(), { name: 'MisuseError', code: 'invalid-state', message: /128/ })
  await turn()
  t.equal(transport.written(), '')
  feed(frame(PONG, bytes(sent.slice(-16))))
  await Promise.all(all)
  void connection.ping()
})

t.test('a ping is answered by itself, and neither it nor a pong is a message', async t => {
  const { transport, journal, feed } = connected(t)
  feed(frame(PING, 'a'), frame(PONG, 'b'), frame(PING))
  await turn()
  t.equal(transport.written(), frame(PONG, 'a') + frame(PONG))
  t.strictSame(journal.lines, ['open'])
})

t.test('while the transport is blocked only the newest ping is answered, when it takes more', async t => {
  const { connection, transport, feed } = connected(t)
  await turn()
  transport.stall()
  connection.send(Buffer.alloc(100_000))
  transport.written()
  for (let i = 0; i < 1000; i++) feed(frame(PING, `${i}`))
  await turn()
  t.equal(connection.bufferedAmount, 100_010)
  transport.goOn()
  await turn()
  t.equal(transport.written(), frame(PONG, '999'))
})

t.test('a flood of pings from a peer that never reads: bounded memory, and no end', async t => {
  const [server, client] = await socketPair(t)
  const { connection, journal } = startConnection(t, server, {}, { limits: { controlFrames: Infinity } })
  client.pause()
  const pings = bytes(masked(frame(PING, Buffer.alloc(125, 1))).repeat(1000))
  let most = 0
  let left = 20
  // Until the kernel takes no more pongs, and some time after that.
  while (left > 0) {
    if (!client.write(pings)) await eventually('a server that reads on', () => !client.writableNeedDrain)
    most = Math.max(most, connection.bufferedAmount)
    if (server.writableNeedDrain) left--
  }
  t.ok(most < 300_000, `${most} bytes queued at most`)
  t.equal(connection.readyState, 'open')
  // It is alive, and so are its messages.
  client.write(bytes(masked(frame(TEXT, 'hello'))))
  await journal.until('text hello')
  const wire = new WireClient(client)
  client.resume()
  wire.send(closeFrame(1000))
  await wire.journal.until('close 1000')
})

t.test('idleTime: without a byte in or out the connection is closed with 1001', async t => {
  const { connection, transport, journal } = connected(t, {}, { limits: { idleTime: 2 * RESOLUTION } })
  t.equal(connection.idleTime, 2 * RESOLUTION)
  await journal.until('close')
  t.strictSame(journal.lines, ['open', 'close 1001 idle'])
  t.equal(transport.written(), closeFrame(1001, 'idle'))
})

t.test('idleTime: what comes and what goes keeps the connection alive', async t => {
  const quiet = connected(t, {}, { limits: { idleTime: 5 * RESOLUTION } })
  const receiving = connected(t, {}, { limits: { idleTime: 5 * RESOLUTION } })
  const sending = connected(t, {}, { limits: { idleTime: 5 * RESOLUTION } })
  const busy = setInterval(() => {
    receiving.feed(frame(PONG))
    sending.connection.send('x')
  }, RESOLUTION / 2)
  t.teardown(() => clearInterval(busy))
  await quiet.journal.until('close 1001')
  await wait(2 * RESOLUTION)
  t.equal(receiving.connection.readyState, 'open')
  t.equal(sending.connection.readyState, 'open')
  clearInterval(busy)
  await receiving.journal.until('close 1001')
  await sending.journal.until('close 1001')
})

t.test('idleTime can be changed while the connection is open, to Infinity too', async t => {
  const sooner = connected(t)
  t.equal(sooner.connection.idleTime, Infinity)
  const never = connected(t, {}, { limits: { idleTime: RESOLUTION } })
  sooner.connection.idleTime = 2 * RESOLUTION
  never.connection.idleTime = Infinity
  await sooner.journal.until('close 1001')
  t.equal(never.connection.readyState, 'open')
  for (const wrong of [-1, 1.5, NaN, '5', null, undefined]) {
    t.throws(() => Object.assign(never.connection, { idleTime: wrong }), { code: 'invalid-option', message: /^idleTime/ })
  }
  t.equal(never.connection.idleTime, Infinity)
})

t.test('idleTime does not matter any more when the closing handshake has begun', async t => {
  const { connection, journal, feed } = connected(t, {}, { limits: { idleTime: 2 * RESOLUTION } })
  const idle = connected(t, {}, { limits: { idleTime: 3 * RESOLUTION } })
  connection.close(1000)
  connection.idleTime = RESOLUTION
  await idle.journal.until('close 1001')
  t.strictSame(journal.lines, ['open'])
  feed(closeFrame(1000))
  await journal.until('close 1000')
})

t.test('a peer whose input waits is pinged after 2, 4, 8 turns and so on: where it is gone, that ends it', async t => {
  const compression = handCompression()
  const { feed, transport, connection } = connected(t, {}, { compression })
  await turn()
  /** At which of the next turns of the heartbeat there is a ping, where the interval has 6. */
  const pinged = async (turns: number): Promise<number[]> => {
    const at: number[] = []
    for (let i = 1; i <= turns; i++) {
      connection.countSilence(6)
      await turn()
      if (transport.written() === frame('89')) at.push(i)
    }
    return at
  }
  t.strictSame(await pinged(5), [], 'not one that waits for nothing')
  const below = random(t)
  const message = Buffer.from(Array.from({ length: 5000 }, () => below(16)))
  feed(deflatedFrame('82', message))
  await turn()
  t.strictSame(await pinged(20), [2, 4, 6, 12, 18], 'at last once in an interval')
  compression.decompressor.finish()
  await turn()
  t.strictSame(await pinged(3), [])
  feed(deflatedFrame('82', message))
  await turn()
  t.strictSame(await pinged(2), [2], 'what was held back before does not count')
  transport.stall()
  connection.send('')
  await turn()
  t.strictSame(await pinged(8), [], 'what is queued asks as well')
})

t.test('so is one that waits for callbacks, and one that the user has paused', async t => {
  const { feed, transport, connection } = connected(t, { message: () => new Promise(() => {}) }, { limits: { pendingMessages: 1 } })
  await turn()
  feed(frame('81', 'a'))
  await turn()
  for (let i = 0; i < 2; i++) connection.countSilence(6)
  await turn()
  t.equal(transport.written(), frame('89'))
  const paused = connected(t)
  await turn()
  paused.connection.pause()
  for (let i = 0; i < 20; i++) paused.connection.countSilence(6)
  await turn()
  t.equal(paused.transport.written(), frame('89').repeat(5), 'after 2 and 4, then every 6')
  t.equal(paused.connection.countSilence(6), 0, 'it can not be heard, and is not dropped')
})

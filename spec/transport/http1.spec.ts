import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { refuse } from '../../lib/handshake/refusal.ts'
import { usesInternals } from '../../lib/node-internals/switch.ts'
import { destroyAfter, ownHead, PendingUpgrade, refuseBadRequest, refuseUpgrade, takeOver } from '../../lib/transport/http1.ts'
import { MemoryBudget } from '../../lib/transport/memory-budget.ts'
import { bytes } from '../helpers/frames.ts'
import { turn } from '../helpers/journal.ts'
import { retainedBy } from '../helpers/memory.ts'
import { closed, MemoryTransport, socketPair } from '../helpers/transports.ts'
import { WireClient } from '../helpers/wire-client.ts'

const LONG = 60_000

t.test('takeOver switches timeouts and delays off, where there are any', async t => {
  const socket = new Socket()
  t.teardown(() => socket.destroy())
  const calls: unknown[] = []
  Object.assign(socket, {
    setTimeout: (time: number) => calls.push(['setTimeout', time]),
    setNoDelay: (on: boolean) => calls.push(['setNoDelay', on]),
  })
  takeOver(socket)
  t.strictSame(calls, [['setTimeout', 0], ['setNoDelay', true]])
  takeOver(new PassThrough())
})

t.test('takeOver leaves to others what they listen to, and to sockets that may not be half open what they need', async t => {
  for (const allowHalfOpen of [true, false]) {
    const socket = new Socket({ allowHalfOpen })
    t.teardown(() => socket.destroy())
    const own = socket.listeners('end')
    const ofOthers = (): void => {}
    socket.on('end', ofOthers)
    takeOver(socket)
    t.strictSame(socket.listeners('end'), allowHalfOpen && usesInternals ? [ofOthers] : [...own, ofOthers], `${allowHalfOpen}`)
  }
})

t.test('a refusal goes out as a whole response, and our side ends', async t => {
  const transport = new MemoryTransport()
  refuseUpgrade(transport, refuse(403, { headers: { 'x-why': 'no' }, body: 'Go away.\n' }), LONG)
  await turn()
  const [head, body] = Buffer.from(transport.written(), 'hex').toString().split('\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.match(head, /x-why: no/)
  t.equal(body, 'Go away.\n')
  t.equal(transport.finished, true)
  t.equal(transport.destroyed, false)
  transport.push(null)
  await closed(transport)
})

t.test('a status without a name has none', async t => {
  const transport = new MemoryTransport()
  refuseUpgrade(transport, refuse(499), LONG)
  await turn()
  t.match(Buffer.from(transport.written(), 'hex').toString(), /^HTTP\/1\.1 499 \r\n/)
  transport.destroy()
})

t.test('what the client still sends is thrown away, and it gets the answer without a reset', async t => {
  const [server, client] = await socketPair(t)
  const wire = new WireClient(client)
  const answer = wire.answer()
  client.write(Buffer.alloc(3_000_000))
  refuseUpgrade(server, refuse(503), LONG)
  t.equal((await answer).status, 503)
  await wire.journal.until('end')
  client.end()
  await wire.journal.until('closed')
  t.strictSame(wire.journal.lines, ['end', 'closed'])
})

t.test('a client that does not end is dropped after closingTime', async t => {
  const [server, client] = await socketPair(t)
  const wire = new WireClient(client)
  const answer = wire.answer()
  refuseUpgrade(server, refuse(503), 100)
  await answer
  await closed(server)
  t.equal(server.destroyed, true)
})

t.test('what Node would not read is answered and the socket dropped; where nobody hears, it is just dropped', async t => {
  const rows = [
    ['HPE_HEADER_OVERFLOW', 'HTTP/1.1 431 '],
    ['ERR_HTTP_REQUEST_TIMEOUT', 'HTTP/1.1 408 '],
    ['HPE_INVALID_METHOD', 'HTTP/1.1 400 '],
    ['ECONNRESET', ''],
  ] as const
  for (const [code, head] of rows) {
    const transport = new MemoryTransport()
    const refusal = refuseBadRequest(Object.assign(new Error(code), { code }), transport)
    t.equal(bytes(transport.written()).toString().slice(0, 13), head, code)
    t.equal(refusal?.status, head === '' ? undefined : Number(head.slice(9)))
    t.equal(transport.destroyed, true)
  }
  const ended = new MemoryTransport().end()
  t.equal(refuseBadRequest(new Error('any'), ended), undefined)
  t.equal(ended.destroyed, true)
})

t.test('a socket that can take nothing any more is dropped', async t => {
  const transport = new MemoryTransport()
  transport.end()
  refuseUpgrade(transport, refuse(503), LONG)
  t.equal(transport.destroyed, true)
  t.equal(transport.written(), '')
})

t.test('an error on the way does no harm', async t => {
  const transport = new MemoryTransport()
  transport.stall()
  refuseUpgrade(transport, refuse(503), LONG)
  transport.destroy(new Error('the cable broke'))
  await closed(transport)
  t.pass('nobody has thrown')
})

interface Watched {
  readonly transport: MemoryTransport
  readonly pending: PendingUpgrade
  readonly calls: string[]
}

function pending(t: Test, time = LONG, head = ''): Watched {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const calls: string[] = []
  const onEnough = (why: string): void => void calls.push(why)
  const upgrade = new PendingUpgrade(transport, Buffer.from(head), time, onEnough, () => void calls.push('gone'))
  return { transport, pending: upgrade, calls }
}

t.test('what the client sends ahead is kept in order, behind the head', async t => {
  const { transport, pending: upgrade } = pending(t, LONG, 'head ')
  transport.push('first ')
  await turn()
  transport.push('second')
  await turn()
  t.equal(upgrade.finish().toString(), 'head first second')
})

t.test('what comes after finish is left to others', async t => {
  const { transport, pending: upgrade } = pending(t)
  transport.push('early')
  await turn()
  const early = upgrade.finish()
  t.equal(transport.isPaused(), true)
  transport.push('late')
  await turn()
  t.equal(early.toString(), 'early')
  t.equal(transport.read()?.toString(), 'late')
  t.strictSame(['data', 'end', 'close'].map(event => transport.listenerCount(event)), [0, 0, 0])
})

t.test('an error after finish does no harm', async t => {
  const { transport, pending: upgrade, calls } = pending(t)
  upgrade.finish()
  transport.destroy(new Error('the cable broke'))
  await closed(transport)
  t.strictSame(calls, [])
})

t.test('bytes that come one at a time take no more memory than their number', async t => {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const upgrade = new PendingUpgrade(transport, Buffer.alloc(0), 10_000, () => {}, () => {})
  const COUNT = 20_000
  // What V8 makes of code that runs for the first time is not the upgrade's.
  const first = new MemoryTransport()
  const before = new PendingUpgrade(first, Buffer.alloc(0), 10_000, () => {}, () => {})
  for (let i = 0; i < COUNT; i++) first.emit('data', Buffer.from([i]))
  before.finish()
  first.destroy()
  const retained = retainedBy(() => {
    for (let i = 0; i < COUNT / 4; i++) transport.emit('data', Buffer.from([i]))
    return upgrade
  })
  t.ok(retained < 200_000, `${retained} bytes for ${COUNT / 4}`)
  const early = upgrade.finish()
  t.equal(early.length, (3 * COUNT) / 4)
  t.ok(early.equals(Buffer.from(Array.from({ length: early.length }, (_, i) => i % (COUNT / 4)))), 'in order')
})

t.test('from 64 KiB on the client is slowed down, the head counted', async t => {
  const { transport } = pending(t, LONG, 'x'.repeat(36_000))
  transport.push(Buffer.alloc(29_535))
  await turn()
  t.equal(transport.isPaused(), false)
  transport.push(Buffer.alloc(1))
  await turn()
  t.equal(transport.isPaused(), true)
})

t.test('the time runs out: told once, and the socket is left alone', async t => {
  const { transport, pending: upgrade, calls } = pending(t, 100)
  const { pending: other, calls: otherCalls } = pending(t, LONG)
  while (calls.length === 0) await turn()
  t.strictSame(calls, ['timeout'])
  t.equal(transport.destroyed, false)
  upgrade.finish()
  other.finish()
  t.strictSame(otherCalls, [])
})

t.test('after finish the time does not run out, and nobody is told of the end', async t => {
  const { transport, pending: upgrade, calls } = pending(t, 200)
  const { calls: later } = pending(t, 400)
  upgrade.finish()
  while (later.length === 0) await turn()
  t.strictSame(calls, [])
  transport.destroy()
  await closed(transport)
  t.strictSame(calls, [])
})

for (const [how, leave] of [
  ['ends', (transport: MemoryTransport) => transport.push(null)],
  ['fails', (transport: MemoryTransport) => transport.destroy(new Error('the cable broke'))],
  ['closes', (transport: MemoryTransport) => transport.destroy()],
] as const) {
  t.test(`a client that ${how} is told of once, its socket dropped, and its time does not run out`, async t => {
    const { transport, calls } = pending(t, 300)
    const { calls: later } = pending(t, 500)
    leave(transport)
    await turn()
    t.strictSame(calls, ['gone'])
    t.equal(transport.destroyed, true)
    while (later.length === 0) await turn()
    t.strictSame(calls, ['gone'])
  })
}

t.test('what is kept is counted, the head from recount on, and not any more when it is over', async t => {
  for (const end of ['finish', 'gone'] as const) {
    const memory = new MemoryBudget(200_000)
    const transport = new MemoryTransport()
    t.teardown(() => transport.destroy())
    const upgrade = new PendingUpgrade(transport, Buffer.alloc(3000), LONG, () => {}, () => {}, memory, 10_000)
    t.equal(memory.bytes, 0)
    upgrade.recount()
    t.equal(memory.bytes, 13_000, 'as much as there is, and the request')
    transport.push(Buffer.alloc(500))
    await turn()
    const grown = memory.bytes
    t.ok(grown >= 13_500 && grown < 20_000, `${grown}: with the room to grow`)
    transport.push(Buffer.alloc(10))
    await turn()
    t.equal(memory.bytes, grown)
    if (end === 'finish') t.equal(upgrade.finish().length, 3510)
    else transport.destroy()
    await turn()
    t.strictSame([memory.bytes, memory.holders], [0, 0])
    t.strictSame(upgrade.finish(), Buffer.alloc(0), 'nothing of it is left')
  }
})

t.test('a client that was slowed down counts with what its socket may still read', async t => {
  const memory = new MemoryBudget(1_000_000)
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const upgrade = new PendingUpgrade(transport, Buffer.alloc(65_535), LONG, () => {}, () => {}, memory)
  upgrade.recount()
  t.equal(memory.bytes, 65_535)
  transport.push(Buffer.alloc(1))
  await turn()
  t.equal(memory.bytes, 65_536 + transport.readableHighWaterMark + 65_536)
  t.equal(upgrade.finish().length, 65_536)
  const full = new PendingUpgrade(transport, Buffer.alloc(65_536), LONG, () => {}, () => {}, memory)
  await turn()
  t.equal(transport.isPaused(), true, 'so also where all of it came with the request')
  full.finish()
})

t.test('near the budget a client that waits is read up to its own limit, for each byte is counted', async t => {
  const memory = new MemoryBudget(200_000)
  const holder = { connection: null, recount() {}, stopReading() {}, resumeReading() {}, dropHeld() {} }
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const upgrade = new PendingUpgrade(transport, Buffer.alloc(0), LONG, () => {}, () => {}, memory)
  transport.push(Buffer.alloc(60_000))
  await turn()
  memory.report(holder, 0, 100_000)
  t.equal(memory.stopped, 2)
  t.equal(transport.isPaused(), false)
  transport.push(Buffer.alloc(4000))
  await turn()
  t.ok(memory.bytes >= 164_000)
  memory.report(holder, 100_000, 0)
  t.equal(memory.stopped, 0)
  t.equal(upgrade.finish().length, 64_000)
})

t.test('what is kept holds on to nothing that it was read with', async t => {
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  for (const length of [0, 10]) {
    const held = retainedBy(() => {
      const head = (): Buffer => Buffer.alloc(60_000).subarray(0, length)
      const upgrades = Array.from({ length: 10 }, () => new PendingUpgrade(new MemoryTransport(), head(), LONG, () => {}, () => {}))
      return [upgrades, Array.from({ length: 10 }, () => ownHead(head()))]
    })
    t.ok(held < 200_000, `${held} bytes for heads of ${length}`)
  }
})

t.test('over the budget it is told so, once', async t => {
  const memory = new MemoryBudget(2000)
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  const calls: string[] = []
  const upgrade = new PendingUpgrade(transport, Buffer.alloc(3000), LONG, why => void calls.push(why), () => void calls.push('gone'), memory)
  upgrade.recount()
  t.strictSame([calls, memory.bytes], [['memory'], 0])
  upgrade.finish()
  t.strictSame([calls, memory.bytes, memory.holders], [['memory'], 0, 0])
})

t.test('destroyAfter destroys a stream that is not gone in time, and shortens a time that was set before', async t => {
  const [soon, gone] = [new MemoryTransport(), new MemoryTransport()]
  t.teardown(() => soon.destroy())
  destroyAfter(soon, LONG)
  destroyAfter(soon, 100)
  destroyAfter(gone, 100)
  gone.destroy()
  t.equal(soon.destroyed, false)
  await closed(soon)
  t.pass('in time')
})

import { createServer } from 'node:http'
import { Duplex, PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { REFUSALS, type Refusal } from '../../lib/handshake/refusal.ts'
import { Admission, type AdmissionLimits } from '../../lib/transport/admission.ts'
import { MemoryBudget } from '../../lib/transport/memory-budget.ts'
import { bytes } from '../helpers/frames.ts'
import { turn } from '../helpers/journal.ts'
import { random } from '../helpers/random.ts'
import { closed, MemoryTransport } from '../helpers/transports.ts'

const NONE: AdmissionLimits = { connections: Infinity, connectionsPerAddress: Infinity, handshakes: Infinity, handshakeBytes: 16_384 }

function made(limits: Partial<AdmissionLimits>, countsNear = true, memory?: MemoryBudget): { admission: Admission; reached: () => string } {
  const diagnostics = new Diagnostics()
  const admission = new Admission({ ...NONE, ...limits }, countsNear, diagnostics, memory)
  return { admission, reached: () => [...diagnostics.limitsReached].join(' ') }
}

t.test('connections: so many, and one more when one has left', async t => {
  const { admission, reached } = made({ connections: 2 })
  t.equal(admission.enter('192.0.2.1'), undefined)
  t.equal(admission.enter(undefined), undefined)
  t.equal(admission.connections, 2)
  t.equal(reached(), '')
  t.equal(admission.enter('192.0.2.2'), REFUSALS.busy)
  t.equal(admission.enter(undefined), REFUSALS.busy)
  t.equal(reached(), 'connections,2')
  t.equal(admission.connections, 2, 'one that is refused does not count')
  admission.leave(undefined)
  t.equal(admission.enter('192.0.2.2'), undefined)
  t.equal(admission.enter('192.0.2.2'), REFUSALS.busy)
})

t.test('connections: 0 lets nobody in', async t => {
  t.equal(made({ connections: 0 }).admission.enter('192.0.2.1'), REFUSALS.busy)
  t.equal(made({ connectionsPerAddress: 0 }).admission.enter('192.0.2.1'), REFUSALS.address)
})

t.test('connections of one address: IPv6 by its first 64 bits, IPv4 in both notations, and no unix sockets', async t => {
  const { admission, reached } = made({ connectionsPerAddress: 2 })
  t.equal(admission.enter('192.0.2.1'), undefined)
  t.equal(admission.enter('::ffff:192.0.2.1'), undefined)
  t.equal(admission.enter('192.0.2.1'), REFUSALS.address)
  t.equal(admission.enter('192.0.2.2'), undefined)
  t.equal(admission.enter('2001:db8::1'), undefined)
  t.equal(admission.enter('2001:db8::ffff:1'), undefined)
  t.equal(admission.enter('2001:db8::1'), REFUSALS.address)
  t.equal(admission.enter('2001:db8:0:1::1'), undefined)
  for (let i = 0; i < 5; i++) t.equal(admission.enter(undefined), undefined)
  t.equal(reached(), 'connectionsPerAddress,2')
  t.strictSame([admission.connections, admission.addresses], [11, 4])
  admission.leave('192.0.2.1')
  t.equal(admission.enter('::ffff:c000:201'), undefined)
  t.equal(admission.enter('192.0.2.1'), REFUSALS.address)
})

t.test('an address that has left is forgotten, and one that was never counted takes nothing away', async t => {
  const { admission } = made({ connectionsPerAddress: 2 })
  admission.enter('192.0.2.1')
  admission.enter('192.0.2.1')
  admission.leave('192.0.2.1')
  t.equal(admission.addresses, 1)
  admission.leave('192.0.2.1')
  t.strictSame([admission.addresses, admission.connections], [0, 0])
  admission.enter(undefined)
  admission.leave(undefined)
  t.strictSame([admission.addresses, admission.connections], [0, 0])
})

t.test('unless they are to be counted, this machine and private networks are not', async t => {
  const { admission } = made({ connectionsPerAddress: 1 }, false)
  for (const address of ['127.0.0.1', '10.0.0.1', '::ffff:192.168.0.1', 'fd00::1']) {
    for (let i = 0; i < 3; i++) t.equal(admission.enter(address), undefined, address)
  }
  t.equal(admission.addresses, 0)
  t.equal(admission.enter('192.0.2.1'), undefined)
  t.equal(admission.enter('192.0.2.1'), REFUSALS.address)
  admission.leave('10.0.0.1')
  t.strictSame([admission.addresses, admission.connections], [1, 12])
})

t.test('where they are to be counted, they are', async t => {
  const { admission } = made({ connectionsPerAddress: 1 }, true)
  for (const address of ['127.0.0.1', '10.0.0.1', 'fd00::1']) {
    t.equal(admission.enter(address), undefined)
    t.equal(admission.enter(address), REFUSALS.address)
  }
})

t.test('without a limit no address is kept', async t => {
  const { admission } = made({})
  for (let i = 0; i < 5; i++) t.equal(admission.enter('192.0.2.1'), undefined)
  t.equal(admission.addresses, 0)
})

t.test('handshakes: so many wait, and one more when one is settled', async t => {
  const { admission, reached } = made({ handshakes: 2 })
  t.equal(admission.wait(), undefined)
  t.equal(admission.wait(), undefined)
  t.equal(admission.handshakes, 2)
  t.equal(reached(), '')
  t.equal(admission.wait(), REFUSALS.busy)
  t.equal(reached(), 'handshakes,1')
  t.equal(admission.handshakes, 2)
  admission.settle()
  t.equal(admission.wait(), undefined)
  admission.settle()
  admission.settle()
  t.equal(admission.handshakes, 0)
})

interface Watching {
  readonly admission: Admission
  readonly refused: [Duplex, Refusal][]
  reached(): string
  /** Somebody who has sent nothing so far. */
  connect(): PassThrough
  /** The socket's request, a plain one, has come. */
  request(socket: Duplex): void
}

function watching(t: Test, handshakes: number, memory?: MemoryBudget): Watching {
  const { admission, reached } = made({ handshakes }, true, memory)
  const http = createServer()
  http.removeAllListeners('connection')
  const refused: [Duplex, Refusal][] = []
  admission.watch(http, (socket, refusal) => void refused.push([socket, refusal]))
  const connect = (): PassThrough => {
    const socket = new PassThrough()
    t.teardown(() => socket.destroy())
    http.emit('connection', socket)
    return socket
  }
  return { admission, refused, reached, connect, request: socket => void http.emit('request', { socket }) }
}

t.test('requests that have not come whole count, until they have, or the socket is gone', async t => {
  const { admission, connect, request, refused } = watching(t, 5)
  const [one, two, three] = [connect(), connect(), connect()]
  t.equal(admission.handshakes, 3)
  admission.arrived(one)
  t.equal(admission.handshakes, 2)
  admission.arrived(one)
  t.equal(admission.handshakes, 2)
  request(two)
  t.equal(admission.handshakes, 1)
  three.destroy()
  await turn()
  t.equal(admission.handshakes, 0)
  for (const socket of [one, two]) t.equal(socket.listenerCount('close'), 0)
  t.strictSame(refused, [])
})

t.test('one too many: whoever has waited longest for a request has to go', async t => {
  const { admission, connect, refused, reached } = watching(t, 2)
  const [one, two] = [connect(), connect()]
  t.equal(reached(), '')
  const three = connect()
  t.strictSame(refused, [[one, REFUSALS.busy]])
  t.equal(admission.handshakes, 2)
  t.equal(reached(), 'handshakes,1')
  t.equal(admission.wait(), undefined, 'and in favour of one whose request has come')
  t.strictSame(refused[1], [two, REFUSALS.busy])
  t.equal(admission.wait(), undefined)
  t.strictSame(refused[2], [three, REFUSALS.busy])
  t.equal(admission.wait(), REFUSALS.busy)
  t.equal(refused.length, 3)
  t.equal(reached(), 'handshakes,4')
  const four = connect()
  t.strictSame(refused[3], [four, REFUSALS.busy], 'the newest, where it is the only one')
  t.equal(admission.handshakes, 2)
})

t.test('sockets that were refused count until they are gone; one too many, and the oldest of them is cut off', async t => {
  const { admission, connect, refused, reached } = watching(t, 3)
  const sockets = Array.from({ length: 3 }, () => new MemoryTransport())
  for (const socket of sockets) {
    t.teardown(() => socket.destroy())
    admission.refuse(socket, REFUSALS.path, 10_000)
  }
  const destroyed = (): boolean[] => sockets.map(socket => socket.destroyed)
  t.strictSame([admission.refused, admission.handshakes, admission.pending, admission.incomplete], [3, 3, 0, 0])
  t.strictSame([destroyed(), reached()], [[false, false, false], ''])
  t.equal(admission.wait(), undefined)
  t.strictSame([destroyed(), admission.refused, admission.handshakes], [[true, false, false], 2, 3])
  const newcomer = connect()
  t.strictSame([destroyed(), admission.refused, admission.incomplete], [[true, true, false], 1, 1])
  t.strictSame(refused, [], 'before a request that may still come')
  sockets[2].destroy()
  await turn()
  t.strictSame([admission.refused, admission.handshakes], [0, 2])
  admission.wait()
  const last = new MemoryTransport()
  admission.refuse(last, REFUSALS.path, 10_000)
  t.strictSame([last.destroyed, admission.refused], [true, 0], 'one that finds no room is not waited for')
  t.match(bytes(last.written()).toString(), /^HTTP\/1\.1 404 /)
  const gone = new MemoryTransport()
  gone.end()
  admission.refuse(gone, REFUSALS.path, 10_000)
  t.equal(admission.refused, 0)
  newcomer.destroy()
})

t.test('refused sockets can be told to be gone in time', async t => {
  const { admission } = made({})
  const socket = new MemoryTransport()
  admission.refuse(socket, REFUSALS.path, 60_000)
  admission.endRefused(100)
  await closed(socket)
  t.equal(admission.refused, 0)
})

t.test('memory: each request that has not come whole counts, and each refused socket; over the budget half of them go', async t => {
  const REQUEST = 48 * 1024
  const memory = new MemoryBudget(20 * REQUEST)
  const { admission, connect, request, refused } = watching(t, Infinity, memory)
  const sockets = Array.from({ length: 8 }, () => connect())
  t.strictSame([memory.bytes, memory.holders], [8 * REQUEST, 1])
  request(sockets[0])
  t.equal(memory.bytes, 7 * REQUEST)
  sockets[1].destroy()
  await turn()
  t.equal(memory.bytes, 6 * REQUEST)
  const transport = new MemoryTransport()
  t.teardown(() => transport.destroy())
  admission.refuse(transport, REFUSALS.path, 10_000)
  t.equal(memory.bytes, 6 * REQUEST + 4096)
  const holder = { connection: null, recount() {}, stopReading() {}, resumeReading() {}, dropHeld() {} }
  memory.report(holder, 0, 5 * REQUEST)
  for (let i = 0; i < 8; i++) connect()
  t.strictSame([admission.incomplete, refused.length, transport.destroyed], [14, 0, false])
  connect()
  t.strictSame(refused.slice(0, 6).map(([socket]) => socket), sockets.slice(2), 'the oldest first')
  t.strictSame([admission.incomplete, refused.length, transport.destroyed], [7, 8, true])
  t.equal(memory.bytes, 12 * REQUEST)
  memory.report(holder, 5 * REQUEST, 0)
  memory.report(holder, 0, 20 * REQUEST)
  t.strictSame([admission.handshakes, memory.bytes], [7, 7 * REQUEST], 'whoever holds most goes first')
})

t.test('100,000 connections come and go: nothing is left of them', async t => {
  const next = random(t)
  const { admission } = made({ connections: 500, connectionsPerAddress: 5, handshakes: 50 })
  const open: (string | undefined)[] = []
  let [refused, waiting] = [0, 0]
  for (let i = 0; i < 100_000; i++) {
    const address = [undefined, `192.0.2.${next(200)}`, `::ffff:192.0.2.${next(200)}`, `2001:db8::${next(100)}:0:0:0:1`][next(4)]
    if (admission.enter(address) === undefined) open.push(address)
    else refused++
    if (next(3) === 0 && admission.wait() === undefined) waiting++
    if (next(3) > 0 && waiting > 0) {
      admission.settle()
      waiting--
    }
    if (open.length > 0 && next(100) < 45) admission.leave(open.splice(next(open.length), 1)[0])
  }
  t.ok(refused > 0)
  t.equal(admission.connections, open.length)
  for (const address of open) admission.leave(address)
  for (; waiting > 0; waiting--) admission.settle()
  t.strictSame([admission.connections, admission.addresses, admission.handshakes], [0, 0, 0])
})

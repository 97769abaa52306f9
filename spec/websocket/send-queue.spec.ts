/** `send` and `bufferedAmount` of the browser's class: WebSockets Standard, section 3.1. */
import t, { type Test } from 'tap'
import { WebSocket } from '../../lib/websocket.ts'
import { eventually, Journal, turn } from '../helpers/journal.ts'
import { accepting, RawServer } from '../helpers/raw-server.ts'
import { running } from '../helpers/running.ts'
import { opened, watch } from '../helpers/websocket.ts'

/** A Blob whose bytes come when the test lets them. */
class SlowBlob extends Blob {
  resolve: () => void = () => {}
  reject: (error: Error) => void = () => {}

  override arrayBuffer(): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      this.resolve = () => resolve(super.arrayBuffer())
      this.reject = reject
    })
  }
}

/** A server that writes down what comes, and a socket of it. */
async function pair(t: Test): Promise<{ socket: WebSocket; events: Journal; server: Journal }> {
  const { port, journal } = await running(t)
  const { socket, journal: events } = await opened(t, `ws://127.0.0.1:${port}`)
  return { socket, events, server: journal }
}

t.test('send while connecting is an InvalidStateError, but for arguments that are wrong before', async t => {
  const { socket } = watch(t, new WebSocket('ws://127.0.0.1:1'))
  for (const data of ['a', Buffer.from('a'), new Blob(['a'])]) t.throws(() => socket.send(data), { name: 'InvalidStateError' })
  t.throws(() => socket.send('a'), { message: 'there is no connection yet' })
  t.throws(() => (socket.send as () => void)(), TypeError)
  t.throws(() => socket.send(new Uint8Array(new SharedArrayBuffer(1))), TypeError)
  t.equal(socket.bufferedAmount, 0)
})

t.test('what send takes, and as what it goes', async t => {
  const { socket, server } = await pair(t)
  const { buffer } = Uint8Array.from([1, 2, 3, 4])
  const rows: [data: unknown, line: string][] = [
    ['a', 'text a'],
    ['', 'text'],
    ['ü€\u{1f600}', 'text ü€\u{1f600}'],
    ['\ud800', 'text \ufffd'],
    [5, 'text 5'],
    [null, 'text null'],
    [undefined, 'text undefined'],
    [{}, 'text [object Object]'],
    [Buffer.from('ab'), 'binary 6162'],
    [buffer, 'binary 01020304'],
    [new Uint16Array(buffer, 2), 'binary 0304'],
    [new DataView(buffer, 1, 2), 'binary 0203'],
    [new ArrayBuffer(0), 'binary'],
    [new Blob(['ab', 'c']), 'binary 616263'],
    [new Blob([]), 'binary'],
    ['last', 'text last'],
  ]
  for (const [data] of rows) socket.send(data as string)
  t.strictSame((await server.until('text last')).slice(1), rows.map(([, line]) => line))
})

t.test('bytes are those of the moment of the call', async t => {
  const { socket, server } = await pair(t)
  const bytes = Buffer.alloc(100_000, 'a')
  const small = Buffer.from('ab')
  for (const view of [bytes, small, small.buffer]) socket.send(view)
  bytes.fill('b')
  small.fill('c')
  const blob = new SlowBlob(['slow'])
  socket.send(blob)
  const waiting = Buffer.from('de')
  socket.send(waiting)
  waiting.fill('f')
  blob.resolve()
  const lines = await server.reach(6)
  t.strictSame([lines[1], lines[2], lines[4], lines[5]], ['binary of 100000', 'binary 6162', 'binary 736c6f77', 'binary 6465'])
})

t.test('the order is that of the calls, though Blobs are read meanwhile', async t => {
  const { socket, server } = await pair(t)
  const blobs = ['b', 'd', 'e'].map(text => new SlowBlob([text]))
  socket.send('a')
  socket.send(blobs[0])
  socket.send('c')
  socket.send(blobs[1])
  socket.send(blobs[2])
  socket.send('f')
  socket.close(3000, 'done')
  t.equal(socket.readyState, 2)
  await server.until('text a')
  for (let i = 0; i < 10; i++) await turn()
  t.strictSame(server.lines, ['open', 'text a'])
  for (const blob of blobs) {
    blob.resolve()
    for (let i = 0; i < 10; i++) await turn()
  }
  t.strictSame(await server.until('close'), ['open', 'text a', 'binary 62', 'text c', 'binary 64', 'binary 65', 'text f', 'close 3000 done'])
})

t.test('random sends, Blobs among them, arrive in order', async t => {
  const { socket, server } = await pair(t)
  const expected: string[] = []
  for (let i = 0; i < 300; i++) {
    const text = `${i}`
    const hex = Buffer.from(text).toString('hex')
    if (i % 3 === 0) socket.send(new Blob([text]))
    else socket.send(i % 3 === 1 ? text : Buffer.from(text))
    expected.push(i % 3 === 1 ? `text ${text}` : `binary ${hex}`)
    if (i % 50 === 0) await turn()
  }
  socket.close()
  t.strictSame((await server.until('close')).slice(1, -1), expected)
})

t.test('a Blob that can not be read fails the connection: no gap goes unnoticed', async t => {
  const { socket, events, server } = await pair(t)
  const blob = new SlowBlob(['abc'])
  socket.send(blob)
  socket.send('behind')
  blob.reject(new Error('changed'))
  t.strictSame(await events.until('3 close'), ['1 open', '3 error', '3 close 1006, not clean'])
  t.strictSame(await server.until('close'), ['open', 'close 1006'])
  t.equal(socket.bufferedAmount, 9)
})

t.test('a connection that ends while a Blob is read', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url)
  const blob = new SlowBlob(['abc'])
  socket.send(blob)
  socket.send('de')
  for (const peer of raw.sockets) peer.destroy()
  await journal.until('3 close')
  blob.resolve()
  for (let i = 0; i < 10; i++) await turn()
  t.equal(socket.bufferedAmount, 5)
  t.strictSame(journal.lines, ['1 open', '3 error', '3 close 1006, not clean'])
})

t.test('bufferedAmount: payload only, growing within a turn, and none when all is on its way', async t => {
  const { socket, server } = await pair(t)
  const rows: [data: string | Buffer | Blob, bytes: number][] = [
    ['a', 1],
    ['€', 3],
    ['\ud800', 3],
    ['', 0],
    [Buffer.alloc(200), 200],
    [Buffer.alloc(100_000), 100_000],
    [new Blob(['abc']), 3],
    ['behind', 6],
  ]
  let total = 0
  t.equal(socket.bufferedAmount, 0)
  for (const [data, bytes] of rows) {
    socket.send(data)
    total += bytes
    t.equal(socket.bufferedAmount, total)
  }
  await eventually('all of it on its way', () => socket.bufferedAmount === 0)
  await server.until('text behind')
})

t.test('bufferedAmount of a server that does not read: exactly the payloads that wait', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket } = await opened(t, raw.url, { limits: { queuedBytes: Infinity } })
  const [peer] = raw.sockets
  peer.pause()
  const block = Buffer.alloc(1_000_000)
  // As much as the system takes, and then 20 blocks more.
  while (socket.bufferedAmount < 20_000_000) {
    socket.send(block)
    await turn()
  }
  const waiting = socket.bufferedAmount
  for (const size of [1, 125, 126, 65_535, 65_536]) socket.send(Buffer.alloc(size))
  const small = 1 + 125 + 126 + 65_535 + 65_536
  t.equal(socket.bufferedAmount, waiting + small, 'in this turn')
  await turn()
  await turn()
  t.equal(socket.bufferedAmount, waiting + small, 'and in the next, without headers')
  peer.resume()
  await eventually('all of it on its way', () => socket.bufferedAmount === 0)
})

t.test('bufferedAmount grows for good once it is closing, and keeps what was not sent', async t => {
  const { socket, events } = await pair(t)
  socket.send('abc')
  socket.close()
  t.equal(socket.bufferedAmount, 3)
  socket.send('de')
  socket.send(new Blob(['f']))
  t.equal(socket.bufferedAmount, 6)
  await events.until('3 close')
  t.equal(socket.bufferedAmount, 3, 'what was sent before is')
  socket.send(Buffer.from('gh'))
  t.equal(socket.bufferedAmount, 5)
  t.strictSame(events.lines, ['1 open', '3 close 1005, clean'])
})

t.test('bufferedAmount of one that never opened', async t => {
  const { socket, journal } = watch(t, new WebSocket('ws://127.0.0.1:1'))
  socket.close()
  socket.send('abc')
  t.equal(socket.bufferedAmount, 3)
  await journal.until('3 close')
  socket.send('de')
  t.equal(socket.bufferedAmount, 5)
})

t.test('what waits when the connection is cut off stays in bufferedAmount', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url)
  const [peer] = raw.sockets
  peer.pause()
  for (let i = 0; i < 12; i++) socket.send(Buffer.alloc(1_000_000))
  await turn()
  await turn()
  const waiting = socket.bufferedAmount
  t.ok(waiting > 0)
  peer.resetAndDestroy()
  await journal.until('3 close')
  t.ok(socket.bufferedAmount >= 0 && socket.bufferedAmount <= 12_000_000, `${waiting} before, ${socket.bufferedAmount} after`)
  const after = socket.bufferedAmount
  socket.send('abc')
  t.equal(socket.bufferedAmount, after + 3)
})

t.test('any amount may be sent in one turn, unless a limit is given', async t => {
  for (const limits of [undefined, {}, { queuedBytes: undefined }, { messageBytes: 5 }]) {
    const { port, journal: server } = await running(t)
    const { socket, journal } = await opened(t, `ws://127.0.0.1:${port}`, { limits, compression: false })
    for (let i = 0; i < 20; i++) socket.send(Buffer.alloc(1_000_000))
    socket.close(1000)
    await server.until('close 1000')
    t.equal(server.lines.filter(line => line === 'binary of 1000000').length, 20)
    t.strictSame(await journal.until('3 close'), ['1 open', '3 close 1000, clean'])
  }
  for (const limits of [null, 5, { queuedBytes: -1 }]) {
    const wrong = { limits } as unknown as ConstructorParameters<typeof WebSocket>[1]
    t.throws(() => new WebSocket('ws://127.0.0.1:1', wrong), { name: 'MisuseError', code: 'invalid-option' })
  }
})

t.test('more than may be queued: the connection is given up, with error and 1006', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url, { limits: { queuedBytes: 1_000_000 } })
  raw.sockets.forEach(peer => peer.pause())
  for (let i = 0; i < 40 && socket.readyState === 1; i++) {
    socket.send(Buffer.alloc(500_000))
    await turn()
  }
  t.strictSame(await journal.until('3 close'), ['1 open', '3 error', '3 close 1006, not clean'])
  const { bufferedAmount } = socket
  t.ok(bufferedAmount > 500_000 && bufferedAmount <= 1_500_000, `what has not gone, and the one too many: ${bufferedAmount}`)
})

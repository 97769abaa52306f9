/** The browser's class: a test per rule of the WebSockets Standard, section 3. */
import t from 'tap'
import { WebSocket } from '../lib/websocket.ts'
import { bytes, closeFrame, frame, masked } from './helpers/frames.ts'
import { eventually, Journal, turn, within } from './helpers/journal.ts'
import { accepting, acceptingWith, answering, CERT, headersOf, RawServer, type Reply } from './helpers/raw-server.ts'
import { running } from './helpers/running.ts'
import { opened, watch } from './helpers/websocket.ts'

const NOT_CLEAN = ['3 error', '3 close 1006, not clean']
const early = (frames: string): Reply => head => Buffer.concat([Buffer.from(accepting(head)), bytes(frames)])

t.test('constructor: URLs that are none, of another scheme, or with a fragment are SyntaxErrors', async t => {
  const urls = ['', 'a', '/a', '//a', '#a', 'ws:', 'ws://', 'ws://a b.example/', 'wss://a b.example/', 'ftp://a/', 'mailto:a@b', 'about:blank']
  for (const url of [...urls, 'ws://a/#', 'ws://a/#b', 'http://a/#', 'ws://a:65536', 'ws://a%3Ab:c@d', null, undefined, 5, {}]) {
    t.throws(() => new WebSocket(url as string), { name: 'SyntaxError', message: /^url must be an absolute URL/ }, String(url))
    try {
      new WebSocket(url as string)
    } catch (error) {
      t.ok(error instanceof DOMException)
    }
  }
  t.throws(() => new (WebSocket as unknown as new () => WebSocket)(), TypeError)
})

t.test('constructor: http means ws, https wss; url is the serialization', async t => {
  const rows: [given: string | URL, url: string][] = [
    ['ws://127.0.0.1:1', 'ws://127.0.0.1:1/'],
    ['http://127.0.0.1:1/a?b', 'ws://127.0.0.1:1/a?b'],
    ['https://127.0.0.1:1/', 'wss://127.0.0.1:1/'],
    ['HTTP://LOCALHOST:80/', 'ws://localhost/'],
    [new URL('wss://localhost:443/a b'), 'wss://localhost/a%20b'],
    ['ws://user:pass@127.0.0.1:1/', 'ws://user:pass@127.0.0.1:1/'],
  ]
  for (const [given, url] of rows) {
    const { socket, journal } = watch(t, new WebSocket(given))
    t.equal(socket.url, url)
    socket.close()
    await journal.until('3 close')
  }
})

t.test('constructor: subprotocols that are no tokens, or not different, are SyntaxErrors', async t => {
  const wrong: unknown[] = ['', 'a b', 'a,b', 'ü', 'a\0', '\x7f', [''], ['a', 'b c'], ['a', 'a'], ['echo', 'eCho'], ['a/b'], ['[']]
  for (const protocols of [...wrong, { protocols: ['a', 'a'] }, { protocols: 'a b' }, { protocols: {} }]) {
    const expected = { name: 'SyntaxError', message: 'protocols must be different tokens' }
    t.throws(() => new WebSocket('ws://127.0.0.1:1', protocols as string), expected, JSON.stringify(protocols))
  }
})

t.test('constructor: subprotocols as a string, a sequence, or in options', async t => {
  const { port } = await running(t, { protocols: ['b', 'a', 'null'] })
  const rows: [protocols: unknown, agreed: string][] = [
    [undefined, ''],
    [[], ''],
    ['a', 'a'],
    [['a', 'b'], 'b'],
    [new Set(['a']), 'a'],
    [null, 'null'],
    [{}, ''],
    [{ protocols: 'a' }, 'a'],
    [{ protocols: ['a', 'b'] }, 'b'],
    [{ protocols: undefined }, ''],
  ]
  for (const [protocols, agreed] of rows) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, protocols as string)
    t.equal(socket.protocol, '', 'not yet')
    await watch(t, socket).journal.until('1 open')
    t.equal(socket.protocol, agreed, JSON.stringify(protocols))
    t.equal(socket.extensions, '')
  }
})

t.test('constructor: options of connect, as the class of Node takes them', async t => {
  const raw = await RawServer.open(t, accepting, { tls: true })
  const init = { headers: { 'x-a': 'b' }, origin: 'https://page.example', tls: { ca: CERT }, protocols: [] }
  await opened(t, raw.url, init)
  t.match(headersOf(raw.heads[0]), { 'x-a': 'b', origin: 'https://page.example' })
  t.throws(() => new WebSocket(raw.url, { timeout: -1 }), { name: 'MisuseError', code: 'invalid-option' })
  t.throws(() => new WebSocket(raw.url, { headers: { Host: 'a' } }), { name: 'MisuseError', code: 'invalid-header' })
  t.throws(() => new WebSocket(raw.url, { maxPayload: 5 } as object), { name: 'MisuseError', code: 'invalid-option' })
  for (const name of ['message', 'drain', 'close', 'error', 'signal']) {
    const message = `${name} is no option here: there are events and close()`
    t.throws(() => new WebSocket(raw.url, { [name]: () => {} }), { name: 'MisuseError', code: 'invalid-option', message })
  }
  t.equal(raw.accepted, 1)
})

t.test('constructor: headers as Fetch has them', async t => {
  const raw = await RawServer.open(t, accepting)
  for (const headers of [[['x-a', 'b']], new Headers({ 'x-a': 'b' }), { 'x-a': 'b' }]) await opened(t, raw.url, { headers, dispatcher: undefined } as object)
  t.strictSame(raw.heads.map(head => headersOf(head)['x-a']), ['b', 'b', 'b'])
  t.throws(() => new WebSocket(raw.url, { headers: [['Host', 'a']] }), { name: 'MisuseError', code: 'invalid-header' })
  const message = /^dispatcher is no option: write agent, or proxy$/
  t.throws(() => new WebSocket(raw.url, { dispatcher: {} } as object), { name: 'MisuseError', code: 'invalid-option', message })
})

t.test('whose member it is comes before what it is given', async t => {
  const touched: string[] = []
  const given = { toString: () => (touched.push('text'), 'blob'), valueOf: () => (touched.push('number'), 1000) } as unknown as number
  const { prototype } = WebSocket
  const setter = Object.getOwnPropertyDescriptor(prototype, 'binaryType')?.set
  for (const stranger of [{}, null, undefined, prototype, new EventTarget()]) {
    t.throws(() => prototype.close.call(stranger as WebSocket, given, 'bye'), TypeError)
    t.throws(() => prototype.send.call(stranger as WebSocket, given as unknown as string), TypeError)
    t.throws(() => setter?.call(stranger, given), TypeError)
    t.throws(() => setter?.call(stranger, 'nothing'), TypeError)
  }
  t.strictSame(touched, [])
})

t.test('constants, of class and prototype, that can not be changed', async t => {
  const expected = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }
  for (const holder of [WebSocket, WebSocket.prototype]) {
    for (const [name, value] of Object.entries(expected)) {
      const descriptor = Object.getOwnPropertyDescriptor(holder, name)
      t.strictSame(descriptor, { value, writable: false, enumerable: true, configurable: false }, name)
    }
  }
})

t.test('the interface: names, members that can be enumerated, arguments that count', async t => {
  const { prototype } = WebSocket
  t.equal(Object.prototype.toString.call(Object.create(prototype)), '[object WebSocket]')
  t.equal(WebSocket.name, 'WebSocket')
  t.equal(WebSocket.length, 1)
  t.ok(prototype instanceof EventTarget)
  const attributes = ['url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol', 'onmessage', 'binaryType']
  // The last two are not of the standard: as Node's sockets.
  const members = [...attributes, 'close', 'send', 'ref', 'unref']
  for (const name of members) t.equal(Object.getOwnPropertyDescriptor(prototype, name)?.enumerable, true, name)
  for (const name of ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol']) {
    t.equal(Object.getOwnPropertyDescriptor(prototype, name)?.set, undefined, `${name} can't be set`)
  }
  const own = Object.getOwnPropertyNames(prototype).filter(name => !members.includes(name))
  t.strictSame(own.sort(), ['CLOSED', 'CLOSING', 'CONNECTING', 'OPEN', 'constructor'])
  t.equal(prototype.close.length, 0)
  t.equal(prototype.send.length, 1)
  t.throws(() => prototype.url, TypeError, 'the prototype is no WebSocket')
})

t.test('it can stand in for the global class', async t => {
  const { port } = await running(t, { message: (socket, data) => void socket.send(data) })
  const before = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
  t.teardown(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'WebSocket')
    else Object.defineProperty(globalThis, 'WebSocket', before)
  })
  Object.defineProperty(globalThis, 'WebSocket', { value: WebSocket, configurable: true, writable: true })
  const Global = Reflect.get(globalThis, 'WebSocket') as typeof WebSocket
  const { socket, journal } = await opened(t, `ws://127.0.0.1:${port}`)
  socket.send('a')
  await journal.until('1 text a')
  t.ok(socket instanceof Global)
})

t.test('states and events: connecting, open, messages, close', async t => {
  const { port } = await running(t, {
    open: socket => void socket.send('hello'),
    message: socket => socket.close(4000, 'bye'),
  })
  const { socket, journal } = watch(t, new WebSocket(`ws://127.0.0.1:${port}`))
  t.equal(socket.readyState, 0)
  t.strictSame(journal.lines, [], 'nothing happens inside the constructor')
  await journal.until('1 text')
  socket.send('a')
  t.strictSame(await journal.until('3 close'), ['1 open', '1 text hello', '3 close 4000 bye, clean'])
  t.equal(socket.readyState, 3)
})

t.test('events are plain, neither bubble nor can be cancelled, and have this target', async t => {
  const { port } = await running(t, { open: socket => (socket.send('a'), socket.close(1000)) })
  const events: Event[] = []
  const collect = (socket: WebSocket): Promise<void> =>
    within(new Promise<void>(resolve => {
      for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, event => void events.push(event))
      socket.addEventListener('close', () => resolve())
    }), 'the close event')
  const good = new WebSocket(`ws://127.0.0.1:${port}/path?query`)
  await collect(good)
  const [, message] = events as [Event, MessageEvent]
  t.strictSame(events.map(({ type }) => type), ['open', 'message', 'close'])
  t.strictSame([message.data, message.origin, message.lastEventId, message.source], ['a', `ws://127.0.0.1:${port}`, '', null])
  await collect(new WebSocket('ws://127.0.0.1:1'))
  t.strictSame(events.slice(3).map(({ type, constructor }) => `${type} ${constructor.name}`), ['error ErrorEvent', 'close CloseEvent'])
  for (const event of events) t.strictSame([event.bubbles, event.cancelable], [false, false])
})

t.test('a handshake that fails: error, then close 1006, and no reason why', async t => {
  const replies: [how: string, reply: Reply][] = [
    ['refused', () => answering(403, {}, 'no')],
    ['a redirect', () => answering(302, { location: '/there' })],
    ['a wrong answer', head => acceptingWith(head, { 'Sec-WebSocket-Accept': 'x' })],
    ['an extension nobody asked for', head => acceptingWith(head, { 'Sec-WebSocket-Extensions': 'x' })],
    ['a subprotocol nobody asked for', head => acceptingWith(head, { 'Sec-WebSocket-Protocol': 'x' })],
    ['not HTTP', () => 'hello\r\n\r\n'],
    ['the end', (_, socket) => void socket.end()],
  ]
  for (const [how, reply] of replies) {
    const raw = await RawServer.open(t, reply)
    const { journal } = watch(t, new WebSocket(raw.url))
    await journal.until('3 close')
    t.strictSame(journal.lines, NOT_CLEAN, how)
    await raw.left()
  }
})

t.test('a server that takes none of the subprotocols offered is no good', async t => {
  const raw = await RawServer.open(t, early(frame('81', 'a')))
  const { socket, journal } = watch(t, new WebSocket(raw.url, ['a', 'b']))
  t.strictSame(await journal.until('3 close'), NOT_CLEAN)
  t.equal(socket.protocol, '')
  await raw.left()
})

t.test('close while connecting: closing at once, then error and close 1006; nobody is connected any more', async t => {
  const raw = await RawServer.open(t, () => {})
  for (const wait of [async () => {}, turn, () => eventually('the request', () => raw.heads.length > 0)]) {
    const { socket, journal } = watch(t, new WebSocket(raw.url))
    await wait()
    socket.close(1000, 'never mind')
    t.equal(socket.readyState, 2)
    t.strictSame(journal.lines, [], 'no event inside the call')
    socket.close()
    t.strictSame(await journal.until('3 close'), NOT_CLEAN)
    await eventually('nobody there', () => raw.sockets.size === 0)
  }
})

t.test('close at about the time when the answer comes never opens, or closes cleanly', async t => {
  const { port } = await running(t)
  for (let turns = 0; turns < 30; turns++) {
    const { socket, journal } = watch(t, new WebSocket(`ws://127.0.0.1:${port}`))
    for (let i = 0; i < turns; i++) await turn()
    const state = socket.readyState
    socket.close()
    const lines = await journal.until('3 close')
    if (state === 0) t.strictSame(lines, NOT_CLEAN, `${turns} turns`)
    else t.strictSame(lines, ['1 open', '3 close 1005, clean'], `${turns} turns`)
  }
})

t.test('close in the reaction to the answer, when the connection is there but not told yet', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = watch(t, new WebSocket(raw.url))
  raw.server.on('connection', peer => peer.on('data', () => queueMicrotask(() => {})))
  socket.addEventListener('open', () => socket.close(3000))
  await journal.until('1 open')
  t.equal(socket.readyState, 2)
  for (const peer of raw.sockets) peer.end(bytes(closeFrame(3000)))
  t.strictSame(await journal.until('3 close'), ['1 open', '3 close 3000, clean'])
})

t.test('close codes: 1000 and 3000 to 4999, clamped; others are InvalidAccessErrors', async t => {
  const { port } = await running(t)
  const { socket } = await opened(t, `ws://127.0.0.1:${port}`)
  const wrong: unknown[] = [0, 999, 1001, 1005, 1006, 1011, 1015, 2999, 5000, 65_535, 70_000, -1, NaN, null, 'text', {}, 999.4, 2999.4, 4999.6]
  for (const code of wrong) {
    t.throws(() => socket.close(code as number), { name: 'InvalidAccessError' }, String(code))
  }
  t.throws(() => socket.close('only a reason' as unknown as number), { name: 'InvalidAccessError' })
  t.equal(socket.readyState, 1, 'nothing was closed')
  const rows: [code: unknown, sent: string][] = [
    [undefined, 'close 1005'],
    [1000, 'close 1000'],
    [3000, 'close 3000'],
    [4999, 'close 4999'],
    ['3001', 'close 3001'],
    [999.5, 'close 1000'],
    [1000.5, 'close 1000'],
    [2999.6, 'close 3000'],
    [4999.4, 'close 4999'],
  ]
  for (const [code, sent] of rows) {
    const server = await running(t)
    const { socket } = await opened(t, `ws://127.0.0.1:${server.port}`)
    socket.close(code as number)
    t.strictSame(await server.journal.until('close'), ['open', sent], String(code))
  }
})

t.test('close reasons: at most 123 bytes of UTF-8, else a SyntaxError', async t => {
  const rows: [reason: unknown, sent: string][] = [
    [undefined, 'close 3000'],
    ['', 'close 3000'],
    ['bye', 'close 3000 bye'],
    ['x'.repeat(123), `close 3000 ${'x'.repeat(123)}`],
    ['€'.repeat(41), `close 3000 ${'€'.repeat(41)}`],
    ['\ud800', 'close 3000 \ufffd'],
    [null, 'close 3000 null'],
    [5, 'close 3000 5'],
  ]
  for (const [reason, sent] of rows) {
    const { port, journal } = await running(t)
    const { socket } = await opened(t, `ws://127.0.0.1:${port}`)
    for (const long of ['x'.repeat(124), '€'.repeat(41) + 'x', '\ud800'.repeat(42)]) {
      t.throws(() => socket.close(3000, long), { name: 'SyntaxError' })
      t.throws(() => socket.close(undefined, long), { name: 'SyntaxError' })
    }
    socket.close(3000, reason as string)
    t.strictSame(await journal.until('close'), ['open', sent])
  }
  const { port, journal } = await running(t)
  const { socket } = await opened(t, `ws://127.0.0.1:${port}`)
  t.throws(() => socket.close(1, 'x'.repeat(124)), { name: 'InvalidAccessError' }, 'the code comes first')
  socket.close(undefined, 'only a reason')
  t.strictSame(await journal.until('close'), ['open', 'close 1000 only a reason'])
})

t.test('wrong arguments throw in every state, right ones do nothing once it is closing', async t => {
  const { port, journal: server } = await running(t)
  const { socket, journal } = watch(t, new WebSocket(`ws://127.0.0.1:${port}`))
  t.throws(() => socket.close(5), { name: 'InvalidAccessError' })
  await journal.until('1 open')
  socket.close(3000)
  t.equal(socket.readyState, 2)
  socket.close(3001, 'again')
  t.throws(() => socket.close(5), { name: 'InvalidAccessError' })
  await journal.until('3 close')
  socket.close(3002)
  t.throws(() => socket.close(1000, 'x'.repeat(124)), { name: 'SyntaxError' })
  t.strictSame(await server.until('close'), ['open', 'close 3000'])
  t.strictSame(journal.lines, ['1 open', '3 close 3000, clean'])
})

t.test('how it ends: by the server, without a code, cut off, by a violation', async t => {
  const endings: [how: string, end: Reply, lines: string[]][] = [
    ['a code and a reason', (_, peer) => void peer.end(bytes(closeFrame(4001, 'bye'))), ['3 close 4001 bye, clean']],
    ['1000', (_, peer) => void peer.end(bytes(closeFrame(1000))), ['3 close 1000, clean']],
    ['no code', (_, peer) => void peer.end(bytes(frame('88'))), ['3 close 1005, clean']],
    ['cut off', (_, peer) => void peer.end(), NOT_CLEAN],
    ['reset', (_, peer) => void peer.resetAndDestroy(), NOT_CLEAN],
    ['a masked frame', (_, peer) => void peer.end(bytes(masked(frame('81', 'a')))), NOT_CLEAN],
    ['a message that is not UTF-8', (_, peer) => void peer.end(bytes('8101ff')), NOT_CLEAN],
    ['a close code that may not be sent', (_, peer) => void peer.end(bytes(closeFrame(1005))), NOT_CLEAN],
    ['a reserved opcode', (_, peer) => void peer.end(bytes('8300')), NOT_CLEAN],
  ]
  for (const [how, end, lines] of endings) {
    const raw = await RawServer.open(t, accepting)
    const { journal } = await opened(t, raw.url)
    for (const peer of raw.sockets) end('', peer)
    t.strictSame((await journal.until('3 close')).slice(1), lines, how)
  }
})

t.test('a message that is too large for the limit fails the connection', async t => {
  const raw = await RawServer.open(t, early(frame('82', Buffer.alloc(11))))
  const { socket, journal } = watch(t, new WebSocket(raw.url, { limits: { messageBytes: 10 } }))
  await eventually('closing', () => socket.readyState === 2)
  for (const peer of raw.sockets) peer.end()
  t.strictSame(await journal.until('3 close'), ['1 open', ...NOT_CLEAN])
})

t.test('a connection that we fail ourselves: what we tell the server is not how it ended', async t => {
  const ways: [how: string, limits: object, frames: string][] = [
    ['too many pings', { controlFrames: 2 }, frame('89').repeat(10)],
    ['silence', { idleTime: 100 }, ''],
  ]
  for (const [how, limits, frames] of ways) {
    const raw = await RawServer.open(t, early(frames))
    const { socket, journal } = await opened(t, raw.url, { limits })
    await eventually('the end', () => socket.readyState === 2)
    for (const peer of raw.sockets) peer.end()
    t.strictSame(await journal.until('3 close'), ['1 open', ...NOT_CLEAN], how)
  }
})

t.test('closed is when the transport is gone: closing from the close frame on', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url)
  const [peer] = raw.sockets
  peer.write(bytes(closeFrame(1000)))
  await eventually('closing', () => socket.readyState === 2)
  for (let i = 0; i < 10; i++) await turn()
  t.strictSame([socket.readyState, journal.lines], [2, ['1 open']])
  peer.end()
  t.strictSame(await journal.until('3 close'), ['1 open', '3 close 1000, clean'])
})

t.test('a server that does not answer the close frame in time', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url, { limits: { closingTime: 100 } })
  socket.close(1000)
  t.strictSame(await journal.until('3 close'), ['1 open', ...NOT_CLEAN])
  await raw.left()
})

t.test('messages that come once it is closing are passed over', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket, journal } = await opened(t, raw.url)
  socket.close()
  for (const peer of raw.sockets) peer.end(bytes(frame('81', 'late') + closeFrame(1000)))
  t.strictSame(await journal.until('3 close'), ['1 open', '3 close 1000, clean'])
})

t.test('messages: text, and binary as binaryType says at that moment', async t => {
  const raw = await RawServer.open(t, accepting)
  const { socket } = await opened(t, raw.url)
  const [peer] = raw.sockets
  const next = (): Promise<unknown> =>
    within(new Promise(resolve => socket.addEventListener('message', ({ data }) => resolve(data), { once: true })), 'a message')
  const send = async (wire: string): Promise<unknown> => {
    const data = next()
    peer.write(bytes(wire))
    return data
  }
  t.equal(socket.binaryType, 'blob')
  t.equal(await send(frame('81', 'ü€\u{1f600}')), 'ü€\u{1f600}')
  t.equal(await send(frame('81')), '')
  const blob = (await send(frame('82', 'ab'))) as Blob
  t.ok(blob instanceof Blob)
  t.strictSame([blob.size, blob.type, await blob.text()], [2, '', 'ab'])
  for (const ignored of ['text', '', 'Blob', null, undefined, 5]) {
    socket.binaryType = ignored as 'blob'
    t.equal(socket.binaryType, 'blob', String(ignored))
  }
  socket.binaryType = 'arraybuffer'
  t.equal(socket.binaryType, 'arraybuffer')
  const buffer = (await send(frame('82', 'cd'))) as ArrayBuffer
  t.ok(buffer instanceof ArrayBuffer)
  t.strictSame([...new Uint8Array(buffer)], [0x63, 0x64])
  await send(frame('82', 'ef'))
  t.strictSame([...new Uint8Array(buffer)], [0x63, 0x64], 'a copy of its own')
  const large = Buffer.alloc(300_000, 'x')
  t.ok(Buffer.from((await send(frame('82', large))) as ArrayBuffer).equals(large))
  socket.binaryType = { toString: () => 'blob' } as 'blob'
  t.equal(((await send(frame('82', large))) as Blob).size, 300_000)
})

t.test('messages that come together with the answer, one byte at a time, and in fragments', async t => {
  for (const byteByByte of [false, true]) {
    const raw = await RawServer.open(t, early(frame('81', 'a') + frame('01', 'b') + frame('80', 'c') + closeFrame(1000)), { byteByByte })
    const { socket, journal } = watch(t, new WebSocket(raw.url))
    await eventually('closing', () => socket.readyState === 2)
    for (const peer of raw.sockets) peer.end()
    t.strictSame(await journal.until('3 close'), ['1 open', '1 text a', '1 text bc', '3 close 1000, clean'])
  }
})

t.test('on* attributes', async t => {
  const { port } = await running(t, { open: socket => (socket.send('a'), socket.close(1000)) })
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  const journal = new Journal()
  for (const type of ['open', 'message', 'error', 'close'] as const) {
    t.equal(socket[`on${type}`], null)
    const handler = function (this: WebSocket, event: Event): void {
      journal.add(`${event.type} ${this === socket}`)
    }
    socket[`on${type}`] = handler
    t.equal(socket[`on${type}`], handler)
  }
  t.strictSame(await journal.until('close'), ['open true', 'message true', 'close true'])
  const failing = new WebSocket('ws://127.0.0.1:1')
  failing.onerror = () => journal.add('error')
  failing.onopen = () => journal.add('never')
  failing.onopen = null
  await journal.until('error')
})

t.test('what a listener throws is reported as any EventTarget of Node does, and the rest goes on', async t => {
  const { port } = await running(t, { open: socket => (socket.send('a'), socket.send('b')) })
  const reported = new Journal()
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', error => reported.add(error.message))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
  })
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  socket.addEventListener('message', ({ data }) => {
    throw new Error(`oops ${data}`)
  })
  const { journal } = watch(t, socket)
  await journal.until('1 text b')
  t.strictSame(await reported.reach(2), ['oops a', 'oops b'])
  t.equal(socket.readyState, 1)
})

t.test('a listener that closes is followed by no further message', async t => {
  const raw = await RawServer.open(t, early(frame('81', 'a') + frame('81', 'b')))
  const socket = new WebSocket(raw.url)
  socket.onmessage = () => socket.close()
  const { journal } = watch(t, socket)
  await journal.until('2 text a')
  for (const peer of raw.sockets) peer.end(bytes(closeFrame(1000)))
  t.strictSame(await journal.until('3 close'), ['1 open', '2 text a', '3 close 1000, clean'])
})

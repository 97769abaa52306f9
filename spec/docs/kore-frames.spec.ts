/** docs/kore.md, row by row: frames from the client, and frames to it. */
import type { Test } from 'tap'
import {
  CONN_WS_CLOSE_SENT,
  config,
  connections,
  kore_connection_disconnect,
  kore_websocket_send,
  WEBSOCKET_OP_BINARY,
  WEBSOCKET_OP_CLOSE,
  WEBSOCKET_OP_PING,
  WEBSOCKET_OP_TEXT,
} from '../../lib/kore.ts'
import { Heartbeat } from '../../lib/transport/heartbeat.ts'
import { bytes, closeFrame, frame, masked } from '../helpers/frames.ts'
import { turn } from '../helpers/journal.ts'
import { clientsOf, running } from '../helpers/running.ts'
import { Served } from '../kore/served.ts'
import { amountIn } from './page.ts'
import { codeOf, heardAs, said, sending, tryRows } from './kore-rows.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a'] as const
const CLOSE = masked(closeFrame(1000))
const NO_KEY = '00000000'

/** The close frame that a client gets for each of these; all have the code of the row, and a reason. */
async function fails(t: Test, code: number, ...inputs: readonly string[]): Promise<void> {
  for (const input of inputs) {
    const { got, events } = await sending(t, input)
    t.equal(codeOf(got), code, input.slice(0, 40))
    t.ok(got.length > closeFrame(code).length, 'with a reason')
    t.strictSame(events, ['connect', 'disconnect'])
  }
}

tryRows('### Frames from the client', {
  async 'TEXT and BINARY with FIN: onmessage once each, in order, however they are cut into segments'(t) {
    const served = await Served.start(t)
    const client = await served.client()
    const frames = said('one') + masked(frame(BINARY, 'two')) + said('three')
    for (const byte of bytes(frames)) {
      client.send(byte.toString(16).padStart(2, '0'))
      await turn()
    }
    t.strictSame(await served.happened(heardAs('three')), ['connect', heardAs('one'), heardAs('two').replace('text', 'binary'), heardAs('three')])
  },
  async 'an empty message is delivered with length 0'(t) {
    t.strictSame((await sending(t, said(''), CLOSE)).events, ['connect', 'text  0', 'disconnect'])
  },
  async 'a text with NUL bytes is delivered'(t) {
    t.strictSame((await sending(t, said('\0a\0'), CLOSE)).events, ['connect', heardAs('\0a\0'), 'disconnect'])
  },
  async 'a ping is answered with its payload, no callback'(t) {
    const { got, events } = await sending(t, masked(frame(PING, 'payload')), CLOSE)
    t.equal(got, frame(PONG, 'payload') + closeFrame(1000))
    t.strictSame(events, ['connect', 'disconnect'])
  },
  async 'a pong is ignored, no callback'(t) {
    const { got, events } = await sending(t, masked(frame(PONG, 'payload')), CLOSE)
    t.strictSame([got, events], [closeFrame(1000), ['connect', 'disconnect']])
  },
  async 'invalid UTF-8 in TEXT is delivered'(t, [code]) {
    await fails(t, code, masked(frame(TEXT, Buffer.from([0xff]))))
  },
  async 'a first fragment is delivered as if it were a whole message'(t) {
    const { events } = await sending(t, masked(frame('01', 'in ')), masked(frame('80', 'two')), CLOSE)
    t.strictSame(events, ['connect', heardAs('in two'), 'disconnect'])
  },
  async 'a continuation ends the connection'(t, [code]) {
    await fails(t, code, masked(frame('80', 'a')), masked(frame('00', 'a')))
    const { events } = await sending(t, masked(frame('01', '1')), masked(frame('00', '2')), masked(frame('80', '3')), CLOSE)
    t.strictSame(events, ['connect', heardAs('123'), 'disconnect'])
  },
  async 'a new message in the middle of fragments: both are delivered'(t, [code]) {
    await fails(t, code, masked(frame('01', 'a')) + said('b'))
  },
  async 'unmasked frames, reserved bits, reserved opcodes: `88 00`'(t, [code]) {
    await fails(t, code, frame(TEXT, 'a'), masked(frame('c1', 'a')), masked(frame('91', 'a')), masked(frame('83', 'a')), masked(frame('8b')))
  },
  async 'control frames that are fragmented or over 125 bytes: `88 00`'(t, [code]) {
    await fails(t, code, masked(frame('09', 'a')), masked(frame(PING, 'x'.repeat(126))))
  },
  async 'a frame that is too large: `88 00`'(t, [code]) {
    await fails(t, code, masked(frame(BINARY, Buffer.alloc(config.websocket_maxframe + 1))))
  },
  async 'that is decided 134 or 141 bytes into the frame; a header alone waits for the idle timeout'(t) {
    await fails(t, 1009, `82fe4001${NO_KEY}`)
  },
  async 'the top bit of a 64-bit length: as too large'(t, [code]) {
    await fails(t, code, `82ff8000000000000001${NO_KEY}`)
  },
  async 'a 16-bit length below 126 stalls, then closes; a 64-bit one from 127 on is accepted'(t, [code]) {
    await fails(t, code, `82fe007d${NO_KEY}`, `82ff0000000000000080${NO_KEY}`)
  },
  async 'a masking key of zeros is accepted'(t) {
    t.strictSame((await sending(t, masked(frame(TEXT, 'a'), NO_KEY), CLOSE)).events, ['connect', heardAs('a'), 'disconnect'])
  },
  async 'any close frame is answered with `88 00`'(t) {
    for (const close of ['8800', closeFrame(1001), closeFrame(4000, 'why')]) t.equal((await sending(t, masked(close))).got, close)
  },
  async 'a close frame with one byte, a code that may not be sent, a reason that is no UTF-8: `88 00`'(t, [broken, invalid]) {
    await fails(t, broken, masked(frame('88', 'a')), masked(closeFrame(1005)), masked(closeFrame(5000)))
    await fails(t, invalid, masked(frame('88', Buffer.from([0x03, 0xe8, 0xff]))))
  },
  async 'what comes behind a close frame is not read'(t) {
    const { got, events } = await sending(t, CLOSE + said('late') + masked(frame(PING, 'late')))
    t.strictSame([got, events], [closeFrame(1000), ['connect', 'disconnect']])
  },
  async 'input left unread makes the kernel send RST, and the client may lose the close frame'(t) {
    const { got } = await sending(t, masked(frame('83', 'a')) + said('x'.repeat(50_000)).repeat(4))
    t.equal(codeOf(got), 1002)
    t.notMatch(got, 'reset')
  },
})

tryRows('### Frames to the client', {
  async 'one frame, FIN set, unmasked, the shortest length form, never fragmented'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    for (const size of [0, 125, 126, 65_535, 65_536, 200_000]) {
      const data = Buffer.alloc(size, 7)
      kore_websocket_send(c, WEBSOCKET_OP_BINARY, data)
      t.ok((await client.readAs(frame(BINARY, data))) === frame(BINARY, data), `${size} bytes`)
    }
  },
  async 'bytes that are not UTF-8 are sent as TEXT'(t) {
    const { c } = await (await Served.start(t)).pair()
    t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_TEXT, Buffer.from([0xff])), { name: 'MisuseError' })
  },
  async 'control frames over 125 bytes, and close frames with any payload, are sent'(t) {
    const { c } = await (await Served.start(t)).pair()
    t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_PING, 'x'.repeat(126)), { name: 'MisuseError' })
    for (const payload of ['03', '03ed', '03e8ff']) {
      t.throws(() => kore_websocket_send(c, WEBSOCKET_OP_CLOSE, bytes(payload)), { name: 'MisuseError' }, payload)
    }
  },
  async 'no limit for what is sent'(t) {
    const { client, c } = await (await Served.start(t)).pair()
    const size = 500_000
    kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(size))
    t.equal((await client.read(10 + size)).length, 2 * (10 + size))
  },
  async 'never pings by itself'(t) {
    const added = t.capture(Heartbeat.prototype, 'add')
    await (await Served.start(t)).pair()
    t.equal(added().length, 0)
    await (await running(t)).client()
    t.equal(added().length, 1, 'a server of the other kind has a heartbeat')
    added.restore()
  },
  async 'a ping by hand: its pong is swallowed'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_websocket_send(c, WEBSOCKET_OP_PING, 'a')
    t.equal(await client.readAs(frame(PING, 'a')), frame(PING, 'a'))
    client.send(masked(frame(PONG, 'a')), said('b'))
    t.strictSame(await served.happened(heardAs('b')), ['connect', heardAs('b')])
  },
  async 'a CLOSE by hand is a frame like others: the connection goes on, and the client\'s answer is answered with a second close'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_websocket_send(c, WEBSOCKET_OP_CLOSE, bytes('0fa0'))
    t.equal(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'late'), false)
    client.send(masked(closeFrame(4000)))
    t.equal(await client.rest(), closeFrame(4000))
  },
  async 'CLOSE by hand, `flags \\|= CONN_WS_CLOSE_SENT`, disconnect: exactly that close frame'(t) {
    for (const withFlag of [true, false]) {
      const served = await Served.start(t)
      const { client, c } = await served.pair()
      kore_websocket_send(c, WEBSOCKET_OP_CLOSE, bytes('0fa0'))
      if (withFlag) c.flags |= CONN_WS_CLOSE_SENT
      kore_connection_disconnect(c)
      client.send(masked(closeFrame(4000)))
      t.equal(await client.rest(), closeFrame(4000))
    }
  },
  async '`kore_connection_disconnect`: `ondisconnect`, `88 00`, and the socket is closed at once'(t, _, ours) {
    t.equal(amountIn(ours), config.limits.closingTime)
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_connection_disconnect(c)
    t.strictSame([await client.readAs('8800'), served.events], ['8800', ['connect', 'disconnect']])
    await turn()
    t.equal(client.state, 'open')
    client.send(CLOSE)
    t.equal(await client.rest(), '')
  },
  async 'the second disconnect has no effect'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_connection_disconnect(c)
    kore_connection_disconnect(c)
    client.send(CLOSE)
    t.strictSame([await client.rest(), served.events], ['8800', ['connect', 'disconnect']])
  },
  async 'messages behind a disconnect in the same segment are not delivered'(t) {
    const served = await Served.start(t)
    served.received = c => kore_connection_disconnect(c)
    const { client } = await served.pair()
    client.send(said('a') + said('b'))
    await served.happened('disconnect')
    client.send(said('c'), CLOSE)
    await client.rest()
    t.strictSame(served.events, ['connect', heardAs('a'), 'disconnect'])
  },
  async 'send, then disconnect: what the socket does not take at once is thrown away'(t, _, ours) {
    t.equal(amountIn(ours), config.limits.closingTime)
    const served = await Served.start(t)
    const client = await clientsOf(t, served.port).client()
    const [c] = [...connections].slice(-1)
    client.socket.pause()
    kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(8_000_000))
    kore_connection_disconnect(c)
    await turn()
    t.ok((c.websocket?.bufferedAmount ?? 0) > 0, 'the socket does not take it at once')
    client.socket.resume()
    t.strictSame(await client.lines(2), ['binary of 8000000 bytes', 'close'])
    client.sendRaw(CLOSE)
  },
  async 'a client that does not read fills memory without limit'(t, _, ours) {
    t.equal(amountIn(ours), config.limits.queuedBytes)
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    client.socket.pause()
    let sent = 0
    for (; sent < 100 && !served.events.includes('disconnect'); sent++) {
      kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(1024 * 1024))
      await turn()
    }
    t.ok(sent >= 16 && sent < 100, `${sent} MiB`)
    t.match(c.websocket?.closeInfo, { code: 1006, reason: 'slow-consumer' })
    client.reset()
  },
  async 'no backpressure'(t) {
    const { client, c } = await (await Served.start(t)).pair()
    client.socket.pause()
    let sent = 0
    while (sent < 100 && kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(50_000))) sent++
    t.ok(sent < 100, `false behind ${sent} messages`)
    client.reset()
  },
  async 'TCP_NODELAY is on'(t) {
    const served = await Served.start(t)
    const set: unknown[] = []
    served.server.prependListener('upgrade', ({ socket }) => {
      const { setNoDelay } = socket
      socket.setNoDelay = (...given) => {
        set.push(...given)
        return setNoDelay.apply(socket, given)
      }
    })
    await served.client()
    t.strictSame(set, [true])
  },
  async 'writes in pieces of 8192 bytes at most'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    const [socket] = served.sockets
    const written = t.capture(socket, 'write', socket.write)
    let all = ''
    for (let i = 0; i < 20; i++) {
      kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'x'.repeat(500))
      all += frame(TEXT, 'x'.repeat(500))
    }
    t.ok((await client.readAs(all)) === all)
    t.equal(written().length, 1)
  },
})

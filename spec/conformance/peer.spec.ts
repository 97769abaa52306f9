import t, { type Test } from 'tap'
import { once } from 'node:events'
import { closePayload, Peer, type CloseRecord } from '../../lib/conformance/peer.ts'
import { WireLog } from '../../lib/conformance/wire-log.ts'
import { bytes, closeFrame, frame, hex } from '../helpers/frames.ts'
import { eventually, within } from '../helpers/journal.ts'
import { socketPair } from '../helpers/transports.ts'
import { WireClient } from '../helpers/wire-client.ts'

interface Joined {
  readonly peer: Peer
  readonly log: WireLog
  /** What the tester hears. */
  readonly heard: string[]
  /** The other side, which writes down what it gets. */
  readonly other: WireClient
  over(): Promise<CloseRecord>
}

/** A tester as a client (the other side is a server), or as a server. */
async function join(t: Test, isServer = false, rest = ''): Promise<Joined> {
  const [server, client] = await socketPair(t)
  const log = new WireLog()
  const peer = new Peer(isServer ? server : client, { isServer, compressed: false, log })
  const heard: string[] = []
  peer.start(
    {
      message: (opcode, payload) => void heard.push(`message ${opcode} ${String(payload)}`),
      pong: payload => void heard.push(`pong ${String(payload)}`),
    },
    bytes(rest)
  )
  const over = async (): Promise<CloseRecord> => {
    await within(peer.over, 'the end of the connection')
    return peer.record
  }
  return { peer, log, heard, other: new WireClient(isServer ? client : server), over }
}

const UNTOUCHED = {
  closedByMe: false,
  failedByMe: false,
  droppedByMe: false,
  wasClean: false,
  closeTimedOut: false,
  dropTimedOut: false,
}

t.test('messages and pongs are heard, pings are answered, also what came with the handshake', async t => {
  const { heard, other, log } = await join(t, false, frame('81', 'early'))
  other.sendRaw(frame('82', 'b') + frame('8a', 'c') + frame('89', 'd'))
  await other.lines(1)
  t.same(heard, ['message 1 early', 'message 2 b', 'pong c'])
  t.match(other.journal.lines, ['a masked frame'])
  t.match(
    log
      .lines()
      .map(({ line }) => line)
      .slice(-2),
    ['ping, fin, 1 byte: "d"', 'pong, fin, 1 byte: "d"']
  )
})

t.test('the tester closes, the server answers and drops TCP: clean', async t => {
  const { peer, other, over } = await join(t)
  peer.close(closePayload(1000, 'bye'))
  peer.close(closePayload(1001))
  await other.received(1)
  other.sendRaw(closeFrame(1000, 'ok'))
  other.socket.end()
  t.match(await over(), {
    ...UNTOUCHED,
    closedByMe: true,
    wasClean: true,
    reason: undefined,
    localCode: 1000,
    remoteCode: 1000,
    remoteReason: 'ok',
  })
  t.equal(other.frames.length, 1, 'one close frame')
  t.match(other.frames[0].payload.length, 2 + 3)
})

t.test('the server closes: the tester answers with the same code', async t => {
  const { other, over } = await join(t, false)
  other.sendRaw(closeFrame(1002, 'why'))
  await other.received(1)
  other.socket.end()
  t.match(await over(), { ...UNTOUCHED, wasClean: true, localCode: 1002, remoteCode: 1002, remoteReason: 'why' })
})

t.test('as a server the tester answers, and drops TCP itself', async t => {
  const { other, over } = await join(t, true)
  other.send('8800')
  t.match(await over(), {
    ...UNTOUCHED,
    wasClean: true,
    droppedByMe: true,
    localCode: undefined,
    remoteCode: undefined,
  })
  t.same(await other.lines(2), ['close', 'end'])
})

t.test('as a server, what waits for its turn goes out before the end', async t => {
  const { peer, other, over } = await join(t, true)
  peer.sendFrame({ opcode: 1, fin: true, rsv: 0 }, Buffer.from('slowly'), 1)
  other.send('8800')
  await over()
  t.same(await other.lines(3), ['text slowly', 'close', 'end'])
})

t.test('no answer to a close frame: dropped after a second', async t => {
  const { peer, over } = await join(t)
  const start = performance.now()
  peer.close(closePayload(1000))
  t.match(await over(), {
    ...UNTOUCHED,
    closedByMe: true,
    closeTimedOut: true,
    droppedByMe: true,
    reason: /did not answer/,
  })
  t.ok(performance.now() - start > 950)
})

t.test('a server that does not drop TCP: dropped after a second, and not clean', async t => {
  const { peer, other, over, log } = await join(t)
  peer.close(closePayload(1000))
  await other.received(1)
  other.sendRaw(closeFrame(1000))
  t.match(await over(), {
    ...UNTOUCHED,
    closedByMe: true,
    dropTimedOut: true,
    droppedByMe: true,
    wasClean: false,
    reason: /did not drop TCP/,
    remoteCode: 1000,
  })
  t.match(log.lines().pop(), { line: 'TCP dropped by the tester' })
})

t.test('TCP ends without a word, in either way', async t => {
  for (const end of [(one: WireClient) => one.socket.end(), (one: WireClient) => one.socket.destroy()]) {
    const { other, over, log } = await join(t)
    end(other)
    t.match(await over(), { ...UNTOUCHED, reason: /without a closing handshake/, remoteCode: undefined })
    t.match(log.lines().pop(), { line: 'TCP dropped by the peer' })
  }
})

t.test('a socket that is gone before it starts', async t => {
  const [server, client] = await socketPair(t)
  client.destroy()
  server.destroy()
  await once(client, 'close')
  const peer = new Peer(client, { isServer: false, compressed: false, log: new WireLog() })
  peer.start({ message() {}, pong() {} }, Buffer.alloc(0))
  await within(peer.over, 'the end')
  t.equal(peer.state, 'closed')
})

t.test('a violation: failed with its code, and nothing that comes after it counts', async t => {
  const { peer, heard, other, over } = await join(t, true)
  other.send(frame('81', 'a'), frame('83'), frame('81', 'b'), frame('8a', 'c'))
  t.same(await other.lines(1), ['close 1002'])
  t.same(heard, ['message 1 a'])
  t.equal(peer.state, 'closing')
  other.send(closeFrame(1002))
  t.match(await over(), {
    ...UNTOUCHED,
    closedByMe: true,
    failedByMe: true,
    wasClean: true,
    droppedByMe: true,
    reason: /reserved opcode 3/,
    remoteCode: 1002,
  })
})

t.test('a close frame that is none: its code is known, but it is no answer', async t => {
  const { peer, other, over } = await join(t)
  peer.close(closePayload(1000))
  await other.received(1)
  other.sendRaw(closeFrame(999))
  other.socket.end()
  t.match(await over(), {
    ...UNTOUCHED,
    closedByMe: true,
    failedByMe: true,
    wasClean: false,
    reason: /close frame with code 999/,
    remoteCode: 999,
  })
})

t.test('messages behind a close frame are heard; a second close frame is not', async t => {
  const { heard, other, over } = await join(t, false)
  other.sendRaw(closeFrame(1000) + frame('81', 'late') + frame('89') + closeFrame(1001))
  await eventually('the message', () => heard.length > 0)
  await other.received(1)
  other.socket.end()
  t.match(await over(), { wasClean: true, remoteCode: 1000 })
  t.same(heard, ['message 1 late'])
  t.equal(other.frames.length, 1, 'the ping is not answered')
})

t.test('failing after the end, or while closing', async t => {
  const { peer, other, over } = await join(t, true)
  peer.close(closePayload(1000))
  peer.fail(1001, 'Too late.')
  t.equal(peer.record.failedByMe, true)
  other.send(closeFrame(1000))
  const record = { ...(await over()) }
  peer.fail(1002, 'Later still.')
  t.same(peer.record, record)
  t.match(record, { localCode: 1000, closedByMe: true })
})

t.test('frames in pieces, masked under one key', async t => {
  const { peer, other } = await join(t)
  peer.sendHeader({ opcode: 1, fin: true, rsv: 0 }, 12)
  for (const piece of ['abcde', '', 'f', 'ghijkl']) peer.sendData(Buffer.from(piece))
  const [{ payload }] = await other.received(1)
  t.equal(String(payload), 'abcdefghijkl')
})

t.test('the same as a server: nothing is masked', async t => {
  const { peer, other } = await join(t, true)
  peer.sendHeader({ opcode: 1, fin: true, rsv: 0 }, 4)
  peer.sendData(Buffer.from('ab'))
  peer.sendData(Buffer.from('cd'))
  t.same(await other.lines(1), ['text abcd'])
})

t.test('messages in fragments, and their lines in the log', async t => {
  const { peer, other, log } = await join(t, true)
  peer.sendMessage(2, 0, bytes('01020304'), 2)
  t.same(
    (await other.received(3)).map(({ first, payload }) => first.toString(16) + hex(payload)),
    ['20102', '00304', '80']
  )
  t.same(
    log.lines().map(({ line }) => line),
    ['binary, more to come, 2 bytes: 01 02', 'continuation, more to come, 2 bytes: 03 04', 'continuation, fin, empty']
  )
})

t.test('a timer is called, but not after the end', async t => {
  const { peer, other, over } = await join(t)
  let called = 0
  await new Promise<void>(resolve => void peer.after(0.01, resolve))
  peer.after(0.05, () => called++)
  other.socket.end()
  await over()
  await new Promise(resolve => setTimeout(resolve, 80))
  t.equal(called, 0)
})

t.test('what time the tester takes to send is not the peer\'s', async t => {
  const [server, client] = await socketPair(t)
  client.resume()
  const peer = new Peer(server, { isServer: true, compressed: false, log: new WireLog() })
  peer.start({ message() {}, pong() {} }, Buffer.alloc(0))
  peer.sendFrame({ opcode: 1, fin: true, rsv: 0 }, Buffer.alloc(5000, 'a'), 1)
  await new Promise<void>(resolve => void peer.after(0.001, resolve))
  t.equal(server.bytesWritten, 4 + 5000)
  peer.abandon()
  await within(peer.over, 'the end')
})

t.test('what a tester that stands still could not hear is no silence of the peer', async t => {
  const { peer, heard, other } = await join(t)
  let calledWith: string[] | undefined
  const called = new Promise<void>(resolve => {
    peer.after(0.2, () => {
      calledWith = [...heard]
      resolve()
    })
  })
  other.sendRaw(frame('81', 'in time'))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
  await called
  t.same(calledWith, ['message 1 in time'])
})

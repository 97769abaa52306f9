/** Whose the memory is that onmessage gets: the program's own or, with websocket_lend, the one that was read into. */
import t from 'tap'
import {
  config,
  kore_websocket_broadcast,
  kore_websocket_handshake,
  kore_websocket_send,
  WEBSOCKET_BROADCAST_LOCAL,
  WEBSOCKET_OP_TEXT,
  type OnMessage,
} from '../../lib/kore.ts'
import { arenaState } from '../../lib/node-internals/receive-arena.ts'
import { frame, hex, masked } from '../helpers/frames.ts'
import { eventually } from '../helpers/journal.ts'
import { Served } from './served.ts'

/** Small ones are copied side by side, larger ones into memory of their own, the largest come in several reads. */
const SIZES = [1, 64, 65, 256, 257, 600, 5000, 16_384]

function binary(size: number, value: number): string {
  return masked(frame('82', Buffer.alloc(size, value)))
}

/** A promise that the test resolves. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open: () => open() }
}

t.teardown(() => {
  config.websocket_lend = false
})

t.test('an async onmessage has the bytes of its own message after an await, whatever other clients sent meanwhile', async t => {
  for (const size of SIZES) {
    const { opened, open } = gate()
    const kept: Buffer[] = []
    const later: Buffer[] = []
    const onmessage: OnMessage = async (_c, _op, data) => {
      kept.push(data)
      await opened
      later.push(Buffer.from(data))
    }
    const served = await Served.start(t, request => kore_websocket_handshake(request, null, onmessage, null))
    const clients = [await served.client(), await served.client()]
    for (const value of [1, 2, 3, 4]) {
      clients[value % 2].send(binary(size, value))
      await eventually(`message ${value}`, () => kept.length === value)
    }
    open()
    await eventually('all to go on', () => later.length === 4)
    for (const [at, data] of later.entries()) t.ok(data.equals(Buffer.alloc(size, at + 1)), `message ${at + 1} of ${size} bytes`)
    kept[0].fill(9)
    t.ok(kept[1].equals(Buffer.alloc(size, 2)), `${size} bytes: changing one changes no other`)
  }
})

t.test('messages of one read are each a program\'s own', async t => {
  const served = await Served.start(t)
  const kept: Buffer[] = []
  served.received = (_c, _op, data) => void kept.push(data)
  const client = await served.client()
  client.send(binary(3, 1), binary(300, 2), binary(3, 3), binary(300, 4))
  await served.happened(5)
  client.send(binary(700, 5))
  await served.happened(6)
  t.strictSame(kept.map(data => [...new Set(data)]), [[1], [2], [3], [4], [5]])
  for (const data of kept) data.fill(0)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
})

t.test('websocket_lend: the memory that was read into, which holds the next message of another client', async t => {
  const served = await Served.start(t)
  config.websocket_lend = true
  const kept: Buffer[] = []
  served.received = async (_c, _op, data) => {
    kept.push(data)
    await Promise.resolve()
  }
  const [one, two] = [await served.client(), await served.client()]
  one.send(binary(300, 1))
  await served.happened(3)
  two.send(binary(300, 2))
  await served.happened(4)
  const seen = [1, 2].map(value => `binary ${hex(Buffer.alloc(300, value))} 300`)
  t.strictSame(served.events.slice(2), seen, 'until its first await a callback sees its own message')
  if (arenaState() !== 'works') return
  t.equal(kept[0].buffer, kept[1].buffer, 'one memory for all connections')
  t.ok(kept[0].equals(kept[1]), 'what is kept is what came last')

  config.websocket_lend = false
  one.send(binary(300, 3))
  await served.happened(5)
  two.send(binary(300, 4))
  await served.happened(6)
  t.strictSame(kept.slice(2).map(data => [...new Set(data)]), [[3], [4]], 'from the next message on it is as it is set')
})

t.test('websocket_lend: what is lent may be sent, broadcast and changed until onmessage returns', async t => {
  config.websocket_lend = true
  const onmessage: OnMessage = (c, op, data, length) => {
    kore_websocket_send(c, op, data, length)
    kore_websocket_broadcast(c, op, data, length, WEBSOCKET_BROADCAST_LOCAL)
    data.fill(0)
  }
  const served = await Served.start(t, request => kore_websocket_handshake(request, null, onmessage, null))
  const [one, { client: two, c: second }] = [await served.client(), await served.pair()]
  const sizes = [1, 125, 126, 4000, 16_384]
  one.send(...sizes.map(size => binary(size, size)))
  const expected = sizes.map(size => frame('82', Buffer.alloc(size, size))).join('')
  t.ok((await one.readAs(expected)) === expected, 'the echo, and what lies behind it in the same read, is whole')
  t.ok((await two.readAs(expected)) === expected, 'and so is the broadcast')
  kore_websocket_send(second, WEBSOCKET_OP_TEXT, 'end')
  t.equal(await two.readAs(frame('81', 'end')), frame('81', 'end'), 'nothing else came')
  config.websocket_lend = false
})

t.test('websocket_lend is true or false, false by default', async t => {
  t.equal(config.websocket_lend, false)
  for (const value of [undefined, null, 0, 1, 'true', '', 5n, {}, [], Symbol('yes'), () => true]) {
    t.throws(
      () => {
        config.websocket_lend = value as boolean
      },
      { name: 'MisuseError', code: 'invalid-option', message: /^websocket_lend must be true or false, and not / }
    )
    t.equal(config.websocket_lend, false, 'and stays as it is')
  }
  config.websocket_lend = true
  t.equal(config.websocket_lend, true)
  config.websocket_lend = false
})

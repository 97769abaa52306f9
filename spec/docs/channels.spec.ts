/** The table of diagnostics channels in docs/guide/operate.md: each channel, what its messages have, and when they come. */
import t, { type Test } from 'tap'
import { connect } from '../../lib/client.ts'
import type { ChannelMessages } from '../../lib/diagnostics.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import { failureOf, open } from '../helpers/client.ts'
import { closeFrame, frame } from '../helpers/frames.ts'
import { eventually, turn } from '../helpers/journal.ts'
import { running, type Running } from '../helpers/running.ts'
import { subscribed } from '../helpers/subscribed.ts'
import { codesIn, pageOf, tableOf } from './page.ts'

type Name = keyof ChannelMessages
type Trial = { readonly options?: ServerOptions<unknown>; cause(t: Test, server: Running): Promise<unknown> }

const PING = '89'

/** What makes a server publish on each of the channels: the types have no other. */
const TRIALS: Readonly<Record<Name, Trial>> = {
  'kore-ws.connection.open': { cause: (_, { client }) => client() },
  'kore-ws.connection.close': {
    async cause(_, { client, journal }) {
      const peer = await client()
      peer.send(closeFrame(1000, 'bye'))
      await journal.until('close 1000 bye')
    },
  },
  'kore-ws.handshake.refused': { options: { path: '/here' }, cause: async (_, { dial }) => (await dial()).handshake() },
  'kore-ws.limit': {
    options: { limits: { controlFrames: 0 } },
    async cause(_, { client, journal }) {
      const peer = await client()
      peer.send(frame(PING))
      await journal.until('close 1008')
    },
  },
  'kore-ws.message.dropped': {
    options: {
      limits: { queuedBytes: 100_000 },
      slowReceivers: { send: 'drop-newest' },
      async open(socket) {
        while (socket.droppedMessages === 0) {
          socket.send(Buffer.alloc(400_000))
          await turn()
        }
      },
    },
    async cause(_, { client, server }) {
      const peer = await client()
      peer.socket.pause()
      await eventually('a message to be skipped', () => Object.keys(server.metrics().messages.dropped).length > 0)
    },
  },
  'kore-ws.error': {
    options: {
      open() {
        throw new Error('oops')
      },
    },
    async cause(_, { client, journal }) {
      await client()
      await journal.until('error: oops')
    },
  },
}

const { rows } = tableOf(pageOf('guide/operate.md'), 'channel', 'message', 'when')

/** What a cell says that a message has; what stands in brackets is about one of its parts. */
function partsIn(cell: string): string[] {
  return codesIn(cell.replace(/\([^)]*\)/g, ''))
}

t.test('the table has each channel that there is, and no others', async t => {
  t.strictSame(rows.map(([name = '']) => codesIn(name).join()).sort(), Object.keys(TRIALS).sort())
})

for (const [cell = '', parts = ''] of rows) {
  const [name = ''] = codesIn(cell)
  t.test(`${name}: what its messages have`, async t => {
    const messages = subscribed(t, name as Name)
    const { options, cause } = TRIALS[name as Name]
    const server = await running(t, options)
    await cause(t, server)
    const [message] = messages
    t.strictSame(Object.keys(message), partsIn(parts))
    if ('role' in message) t.equal(message.role, 'server')
  })
}

t.test('connection is null in a handshake, where the table says so', async t => {
  const maybeNull = rows.filter(([, parts = '']) => parts.includes('`connection` (null in a handshake)')).map(([name = '']) => codesIn(name).join())
  t.strictSame(maybeNull, ['kore-ws.limit', 'kore-ws.error'])
  const limits = subscribed(t, 'kore-ws.limit')
  const errors = subscribed(t, 'kore-ws.error')
  const { dial } = await running(t, {
    limits: { connections: 1 },
    accept() {
      throw new Error('oops')
    },
  })
  t.equal((await (await dial()).handshake()).status, 500)
  t.strictSame(errors.map(({ connection }) => connection), [null])
  const { dial: dialFull } = await running(t, { limits: { connections: 0 } })
  t.equal((await (await dialFull()).handshake()).status, 503)
  t.strictSame(limits.map(({ connection }) => connection), [null])
})

t.test('open and close come in front of their callbacks, and connection is what callbacks get', async t => {
  const order: unknown[] = []
  const opened = subscribed(t, 'kore-ws.connection.open')
  const closed = subscribed(t, 'kore-ws.connection.close')
  const { client, journal } = await running(t, {
    open: socket => void order.push(opened[0]?.connection === socket),
    close: socket => void order.push(closed[0]?.connection === socket),
  })
  const peer = await client()
  peer.send(closeFrame(1000))
  await journal.until('close')
  t.strictSame(order, [true, true])
})

t.test('role is client for connections of connect, whose refusals have the code of the error as their reason', async t => {
  const opened = subscribed(t, 'kore-ws.connection.open')
  const refused = subscribed(t, 'kore-ws.handshake.refused')
  const { port } = await running(t, { path: '/' })
  await open(t, `ws://127.0.0.1:${port}`)
  t.strictSame(opened.map(({ role }) => role).sort(), ['client', 'server'])
  const error = await failureOf(connect(`ws://127.0.0.1:${port}/elsewhere`))
  t.strictSame(refused.map(({ role, status, reason }) => [role, status, reason]), [
    ['server', 404, 'path'],
    ['client', 404, error.code],
  ])
})

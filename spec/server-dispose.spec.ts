/** What `await using` calls. Not all Nodes that run this have the syntax, so it is called by its name. */
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import { WebSocketServer } from '../lib/server.ts'
import { coarseNow, RESOLUTION } from '../lib/transport/deadlines.ts'
import { closeFrame, frame } from './helpers/frames.ts'
import { eventually, turn, within } from './helpers/journal.ts'
import { running } from './helpers/running.ts'
import { SERVER_DOORS, visitor } from './helpers/server-doors.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** Whether the promise has settled, now that all that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const settle = (): void => void (settled = true)
  promise.then(settle, settle)
  for (let i = 0; i < 5; i++) await turn()
  return settled
}

async function agree(client: WireClient, code: number): Promise<void> {
  await client.journal.until(`close ${code}`)
  client.send(closeFrame(code))
  await client.journal.until('end')
  client.socket.end()
}

for (const door of SERVER_DOORS) {
  t.test(`${door.name}: a server that is disposed of is closed with 1001, and it has resolved when all are gone`, async t => {
    const server = new WebSocketServer({ message() {} })
    const dial = await door.open(t, server)
    const clients = [await visitor(t, dial), await visitor(t, dial)]
    const disposed = server[Symbol.asyncDispose]()
    await agree(clients[0], 1001)
    t.equal(await isSettled(disposed), false, 'one is left')
    await agree(clients[1], 1001)
    t.equal(await within(disposed, 'the end of the server'), undefined)
    t.equal(server.connections.size, 0)
  })
}

t.test('a server that is disposed of listens no longer', async t => {
  const { server } = await running(t)
  await within(server[Symbol.asyncDispose](), 'the end of the server')
  t.equal(server.address, null)
  await t.rejects(server.listen({ port: 0 }), { code: 'invalid-state' })
})

t.test('one that has begun nothing, that is closed, or is being closed, can be disposed of as well', async t => {
  const idle = new WebSocketServer()
  await within(idle[Symbol.asyncDispose](), 'the end of the server')
  await within(idle[Symbol.asyncDispose](), 'the end of a server that has ended')
  const { server, client } = await running(t)
  const one = await client()
  const closed = server.close({ code: 1012 })
  const disposed = server[Symbol.asyncDispose]()
  t.equal(await isSettled(disposed), false)
  await agree(one, 1012)
  await within(disposed, 'the end of the server')
  t.strictSame(await closed, { closed: 1, dropped: 0, refused: 0 })
})

t.test('no time is short: messages that come before the answer are still delivered', async t => {
  const { server, client, journal } = await running(t)
  const one = await client()
  const disposed = server[Symbol.asyncDispose]()
  await one.journal.until('close')
  const before = coarseNow()
  await eventually('some turns of the wheel', () => coarseNow() >= before + 3 * RESOLUTION)
  one.send(frame('81', 'last words'), closeFrame(1001))
  one.socket.end()
  await within(disposed, 'the end of the server')
  t.strictSame(journal.lines, ['open', 'text last words', 'close 1001'])
})

t.test('a connection that is disposed of is closed with 1000, and it has resolved when the answer is there', async t => {
  const { server, client, journal } = await running(t)
  const one = await client()
  const [socket] = server.connections
  socket.send('last words')
  const disposed = socket[Symbol.asyncDispose]()
  await one.journal.until('close')
  t.strictSame(one.journal.lines, ['text last words', 'close 1000'])
  t.equal(await isSettled(disposed), false)
  one.send(closeFrame(1000))
  t.equal(await within(disposed, 'the end of the connection'), undefined)
  t.strictSame(socket.closeInfo, { code: 1000, reason: '', clean: true })
  t.strictSame(journal.lines, ['open', 'close 1000'])
})

t.test('a client’s connection as well', async t => {
  const { port, journal } = await running(t)
  const socket = await connect(`ws://127.0.0.1:${port}`)
  await within(socket[Symbol.asyncDispose](), 'the end of the connection')
  t.strictSame(socket.closeInfo, { code: 1000, reason: '', clean: true })
  await journal.until('close 1000')
})

/** What ends a connection otherwise, and how it has ended then. */
const ENDS: readonly [how: string, end: (t: Test, client: WireClient) => void, code: number, clean: boolean][] = [
  ['is answered with another code', (_, client) => void client.send(closeFrame(4000)), 4000, true],
  ['fails', (_, client) => void client.sendRaw('8300'), 1002, false],
  ['is lost', (_, client) => void client.socket.destroy(), 1006, false],
]

for (const [how, end, code, clean] of ENDS) {
  t.test(`one that ${how} resolves all the same`, async t => {
    const { server, client } = await running(t)
    const one = await client()
    const [socket] = server.connections
    const disposed = socket[Symbol.asyncDispose]()
    await one.journal.until('close 1000')
    end(t, one)
    t.equal(await within(disposed, 'the end of the connection'), undefined)
    t.match(socket.closeInfo, { code, clean })
    await within(socket[Symbol.asyncDispose](), 'the end of what has ended')
    t.match(socket.closeInfo, { code, clean })
  })
}

t.test('one whose peer never answers ends with limits.closingTime, and resolves then', async t => {
  const { server, client } = await running(t, { limits: { closingTime: 200 } })
  await client()
  const [socket] = server.connections
  const began = performance.now()
  await within(socket[Symbol.asyncDispose](), 'the end of the connection')
  t.ok(performance.now() - began >= 200)
  t.strictSame(socket.closeInfo, { code: 1006, reason: 'close-timeout', clean: false })
})

t.test('one whose closing has begun keeps its code', async t => {
  const { server, client } = await running(t)
  const one = await client()
  const [socket] = server.connections
  socket.close(4001, 'mine')
  const disposed = socket[Symbol.asyncDispose]()
  await one.journal.until('close 4001 mine')
  one.send(closeFrame(4001, 'mine'))
  await within(disposed, 'the end of the connection')
  await one.journal.until('end')
  t.strictSame(one.journal.lines, ['close 4001 mine', 'end'])
})

t.test('inside a callback: the loop ends, and it resolves', async t => {
  const { client, journal } = await running(t, {
    async message(socket) {
      await socket[Symbol.asyncDispose]()
      journal.add(`disposed ${socket.readyState}`)
    },
  })
  const one = await client()
  one.send(frame('81', 'enough'))
  await one.journal.until('close 1000')
  one.send(closeFrame(1000))
  await journal.until('disposed')
  t.strictSame(journal.lines, ['open', 'text enough', 'close 1000', 'disposed closed'])
})

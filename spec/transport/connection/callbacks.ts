import t from 'tap'
import { connected, type Connected, type Handlers } from '../../helpers/connected.ts'
import { closeFrame, frame } from '../../helpers/frames.ts'
import { turn, within } from '../../helpers/journal.ts'
import { nextWarning } from '../../helpers/warnings.ts'

type Name = 'open' | 'message' | 'drain' | 'close'

/** The ways to fail, each with what is reported. */
const FAILURES: readonly [how: string, fail: () => unknown][] = [
  ['throws', () => {
    throw new Error('oops')
  }],
  ['rejects', async () => {
    await Promise.resolve()
    throw new Error('oops')
  }],
  ['returns a thenable that rejects', () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error('oops')) })],
]

/** Makes each callback be called, once the connection is open. */
const CALLS: Readonly<Record<Name, (peer: Connected) => void>> = {
  open: () => {},
  message: ({ feed }) => feed(frame('81', 'a')),
  drain: ({ connection, transport }) => {
    transport.stall()
    connection.send(Buffer.alloc(100_000))
    setImmediate(() => transport.goOn())
  },
  close: ({ feed }) => feed(closeFrame(1000)),
}

for (const [how, fail] of FAILURES) {
  for (const name of ['open', 'message', 'drain'] as const) {
    t.test(`${name} that ${how}: 1011 for this connection, told once to who is in charge`, async t => {
      const handlers: Handlers = { [name]: fail }
      const peer = connected(t, handlers, { greeting: 'G' })
      const other = connected(t)
      CALLS[name](peer)
      const lines = await peer.journal.until('close')
      const before = { open: ['open'], message: ['open', 'text a'], drain: ['open', 'drain'] }
      t.strictSame(lines, [...before[name], 'failed oops', 'close 1011'])
      t.equal(peer.connection.readyState, 'closed')
      await turn()
      t.ok(peer.transport.written().endsWith(closeFrame(1011)), 'a close frame without details')
      t.equal(peer.transport.finished, true)
      other.feed(frame('81', 'fine'))
      t.strictSame(await other.journal.reach(2), ['open', 'text fine'])
    })
  }

  t.test(`close that ${how}: a process warning, and nothing else changes`, async t => {
    const peer = connected(t, { close: fail })
    const warned = nextWarning()
    CALLS.close(peer)
    t.match((await within(warned, 'a warning')).cause, { message: 'oops' })
    t.strictSame(peer.journal.lines, ['open', 'close 1000'])
    await turn()
    t.equal(peer.transport.written(), closeFrame(1000))
    t.strictSame(peer.connection.closeInfo, { code: 1000, reason: '', clean: true })
    peer.transport.push(null)
    await peer.journal.until('gone')
    t.strictSame(peer.journal.lines, ['open', 'close 1000', 'gone'])
  })
}

t.test('of the messages of one chunk, none is delivered after the one whose callback threw', async t => {
  const { journal, transport, feed } = connected(t, {
    message(socket, data) {
      socket.send(`${data}`)
      if (data === 'b') throw new Error('oops')
    },
  })
  feed(...['a', 'b', 'c'].map(each => frame('81', each)))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'failed oops', 'close 1011'])
  t.equal(transport.written(), frame('81', 'a') + frame('81', 'b') + closeFrame(1011))
})

t.test('rawMessage that throws counts as message does', async t => {
  const { journal, feed } = connected(t, {
    rawMessage() {
      throw new Error('oops')
    },
  })
  feed(frame('81', 'a'))
  t.strictSame(await journal.until('close'), ['open', 'failed oops', 'close 1011'])
})

t.test('what open sent before it threw still leaves, in front of the close frame', async t => {
  const { transport } = connected(
    t,
    {
      open(socket) {
        socket.send('hi')
        throw new Error('oops')
      },
    },
    { greeting: 'G' }
  )
  await turn()
  t.equal(transport.written(), '47' + frame('81', 'hi') + closeFrame(1011))
})

t.test('of two callbacks that reject the first ends the connection; the other is a process warning: close is the last callback', async t => {
  const { journal, feed } = connected(t, {
    message: async (_, data) => {
      await turn()
      throw new Error(`${data}`)
    },
  })
  const warned = nextWarning()
  feed(frame('81', 'a'), frame('81', 'b'))
  t.match((await within(warned, 'a warning')).cause, { message: 'b' })
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'failed a', 'close 1011'])
})

t.test('a callback that rejects when the connection is over becomes a process warning', async t => {
  const { connection, journal, feed } = connected(t, {
    message: async () => {
      await turn()
      await turn()
      throw new Error('late')
    },
  })
  feed(frame('81', 'a'))
  await journal.until('text a')
  const warned = nextWarning()
  connection.terminate()
  t.match((await within(warned, 'a warning')).cause, { message: 'late' })
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'close 1006 terminated', 'gone'])
})

t.test('a callback that waited for drained() when its connection ended has not failed', async t => {
  const { connection, transport, journal, feed } = connected(t, {
    async message(socket) {
      socket.send(Buffer.alloc(100_000))
      await socket.drained()
    },
  })
  transport.stall()
  feed(frame('81', 'a'))
  await journal.until('text a')
  await turn()
  connection.terminate()
  await journal.until('gone')
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'close 1006 terminated', 'gone'])
})

t.test('what callbacks return otherwise does not matter', async t => {
  for (const value of [0, 'x', null, {}, [], Promise.resolve(1), { then: 5 }, false]) {
    const { connection, feed } = connected(t, { open: () => value, message: () => value })
    feed(frame('81', 'a'))
    await turn()
    await turn()
    t.equal(connection.readyState, 'open', JSON.stringify(value))
  }
})

t.test('something thrown that is no Error is told as it is', async t => {
  const { journal, feed } = connected(t, {
    message() {
      throw 'text'
    },
  })
  feed(frame('81', 'a'))
  t.strictSame(await journal.until('close'), ['open', 'text a', 'failed text', 'close 1011'])
})

t.test('the callbacks are called on the handlers, with the connection', async t => {
  const seen: unknown[] = []
  const { connection } = connected(t, { open: socket => seen.push(socket) })
  t.equal(seen[0], connection)
})

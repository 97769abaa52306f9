import t from 'tap'
import { connected, startConnection } from '../../helpers/connected.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn } from '../../helpers/journal.ts'
import { socketPair } from '../../helpers/transports.ts'

const TEXT = '81'
const texts = (...all: string[]): string[] => all.map(each => frame(TEXT, each))

t.test('paused inside a callback, the rest of the chunk waits; resumed, it comes in order', async t => {
  const { connection, transport, journal, feed } = connected(t, {
    message: (socket, data) => data === 'b' && socket.pause(),
  })
  feed(...texts('a', 'b', 'c'))
  feed(...texts('d'))
  await turn()
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text b'])
  t.equal(transport.isPaused(), true, 'the peer is slowed down')
  connection.resume()
  t.strictSame(journal.lines, ['open', 'text a', 'text b'], 'not inside resume')
  t.strictSame(await journal.reach(5), ['open', 'text a', 'text b', 'text c', 'text d'])
  t.equal(transport.isPaused(), false)
})

t.test('paused and resumed inside a callback, nothing happened', async t => {
  const { journal, transport, feed } = connected(t, {
    message(socket) {
      socket.pause()
      socket.resume()
    },
  })
  feed(...texts('a', 'b', 'c'))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text b', 'text c'])
  t.equal(transport.isPaused(), false)
})

t.test('paused at each message, resumed each time', async t => {
  const all = Array.from({ length: 50 }, (_, i) => `${i}`)
  const { journal, feed } = connected(t, {
    message(socket) {
      socket.pause()
      setImmediate(() => socket.resume())
    },
  })
  feed(...texts(...all))
  t.strictSame(await journal.reach(51), ['open', ...all.map(each => `text ${each}`)])
})

t.test('paused in open, not even what came ahead is handed over', async t => {
  const { connection, transport, journal, feed } = connected(
    t,
    { open: socket => socket.pause() },
    { early: masked(frame(TEXT, 'early')) }
  )
  await turn()
  t.equal(transport.isPaused(), true, 'before anything more has come')
  feed(...texts('later'))
  await turn()
  await turn()
  t.strictSame(journal.lines, ['open'])
  t.equal(transport.isPaused(), true)
  connection.resume()
  t.strictSame(await journal.reach(3), ['open', 'text early', 'text later'])
})

t.test('paused from outside, and in the middle of a fragmented message', async t => {
  const { connection, journal, feed } = connected(t)
  feed(frame('01', 'a'))
  await turn()
  connection.pause()
  feed(frame('00', 'b'), frame('80', 'c'))
  await turn()
  t.strictSame(journal.lines, ['open'])
  connection.resume()
  connection.resume()
  t.strictSame(await journal.reach(2), ['open', 'text abc'])
})

t.test('resume takes back any number of pauses, and pause takes back a resume that has not begun', async t => {
  const { connection, journal, feed } = connected(t)
  await turn()
  connection.resume()
  connection.pause()
  connection.pause()
  feed(...texts('a'))
  await turn()
  connection.resume()
  connection.pause()
  await turn()
  t.strictSame(journal.lines, ['open'])
  connection.resume()
  t.strictSame(await journal.reach(2), ['open', 'text a'])
})

t.test('answers to what waited leave in one write', async t => {
  const { connection, transport, feed } = connected(t, {
    message(socket, data) {
      socket.send(data)
      if (data === 'a') socket.pause()
    },
  })
  feed(...texts('a', 'b', 'c', 'd'))
  await turn()
  transport.written()
  const before = transport.writes.length
  connection.resume()
  await turn()
  t.equal(transport.written(), texts('b', 'c', 'd').join(''))
  t.equal(transport.writes.length, before + 1)
})

t.test('a paused connection can send', async t => {
  const { connection, transport } = connected(t)
  connection.pause()
  connection.send('a')
  await turn()
  t.equal(transport.written(), frame(TEXT, 'a'))
})

t.test('a closing handshake that waited ends the connection after the messages in front of it', async t => {
  const { connection, journal, feed } = connected(t, { message: (socket, data) => data === 'a' && socket.pause() })
  feed(...texts('a', 'b'), closeFrame(1000, 'bye'))
  await turn()
  t.equal(connection.readyState, 'open')
  connection.resume()
  t.strictSame(await journal.reach(4), ['open', 'text a', 'text b', 'close 1000 bye'])
})

t.test('resume after the end is without effect', async t => {
  const { connection, journal, feed } = connected(t, { message: (socket, data) => data === 'a' && socket.pause() })
  feed(...texts('a', 'b'))
  await turn()
  connection.terminate()
  connection.resume()
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'text a', 'close 1006 terminated', 'gone'])
})

t.test('paused in open, nothing is read', async t => {
  const { connection, transport, feed, journal } = connected(t, { open: socket => socket.pause() })
  await turn()
  t.equal(transport.isPaused(), true)
  feed(...texts('a'))
  await turn()
  t.ok(transport.readableLength > 0)
  connection.resume()
  t.strictSame(await journal.reach(2), ['open', 'text a'])
})

t.test('a paused connection that fails reads on, so that its end is noticed', async t => {
  const { connection, transport, journal, feed } = connected(t, { open: socket => socket.pause() })
  await turn()
  connection.fail(1008, '')
  feed(...texts('a'))
  transport.push(null)
  await journal.until('gone')
  t.strictSame(journal.lines, ['open', 'close 1008', 'gone'])
})

t.test('over a socket: the peer is slowed down while its reader is paused, and nothing is lost', async t => {
  const [server, client] = await socketPair(t)
  const { connection, journal } = startConnection(t, server, { open: socket => socket.pause() })
  const one = bytes(masked(frame('82', Buffer.alloc(60_000, 1))))
  const COUNT = 300
  for (let i = 0; i < COUNT; i++) client.write(one)
  await eventually('a peer that has to wait', () => client.writableLength > 1_000_000 && client.writableNeedDrain)
  for (let i = 0; i < 50; i++) await turn()
  // What the system takes meanwhile, it takes whenever it likes.
  t.ok(server.bytesRead < 200_000, 'nothing more is taken')
  t.ok(server.readableLength < 200_000, 'and not much is read ahead')
  connection.resume()
  await journal.reach(COUNT + 1)
  t.equal(journal.lines.filter(line => line === 'binary of 60000').length, COUNT)
})

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { arenaState, isArena, readIntoArena, type ArenaListener } from '../../lib/transport/receive-arena.ts'
import { turn } from '../helpers/journal.ts'

const PORTABLE = process.env.KORE_WS_PORTABLE === '1'

/** Two ends of a TCP connection. */
async function pair(t: Test): Promise<[near: Socket, far: Socket]> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [near] = (await once(server, 'connection')) as [Socket]
  server.close()
  t.teardown(() => {
    near.destroy()
    far.destroy()
  })
  return [near, far]
}

/** Asks until the answer is no longer 'later'. */
async function settled(socket: Socket, listener: ArenaListener): Promise<string> {
  for (;;) {
    const answer = readIntoArena(socket, listener)
    if (answer !== 'later') return answer
    await turn()
  }
}

if (PORTABLE) t.test('KORE_WS_PORTABLE=1 keeps it off', keptOff)
else t.test('reading into the arena', arena)

async function keptOff(t: Test): Promise<void> {
  const [near] = await pair(t)
  t.equal(readIntoArena(near, () => true), 'no')
  t.equal(arenaState(), 'fails')
}

async function arena(t: Test): Promise<void> {
  t.test('is proved at first use, and meanwhile put off', async t => {
    const [near] = await pair(t)
    t.equal(arenaState(), 'untried')
    t.equal(readIntoArena(near, () => true), 'later')
    t.equal(arenaState(), 'trying')
    t.equal(readIntoArena(near, () => true), 'later')
    t.equal(await settled(near, () => true), 'yes')
    t.equal(arenaState(), 'works', 'on every release of Node that is supported')
  })

  t.test('the bytes of all sockets come in the same memory, and no data event', async t => {
    const seen: Buffer[] = []
    for (const text of ['first', 'second']) {
      const [near, far] = await pair(t)
      near.on('data', () => t.fail('a data event'))
      const read = new Promise<string>(resolve => {
        const listener: ArenaListener = (length, arena) => {
          seen.push(arena)
          resolve(arena.toString('latin1', 0, length))
          return true
        }
        readIntoArena(near, listener)
      })
      near.resume()
      far.write(text)
      t.equal(await read, text)
    }
    t.equal(seen[0], seen[1])
    t.ok(isArena(seen[0]))
    t.notOk(isArena(Buffer.alloc(1)))
  })

  t.test('pause and resume, and the end of the peer, are as ever', async t => {
    const [near, far] = await pair(t)
    let received = ''
    let onRead = (): void => {}
    readIntoArena(near, function (length, arena) {
      received += arena.toString('latin1', 0, length)
      this.pause()
      onRead()
      return true
    })
    near.resume()
    const first = new Promise<void>(resolve => (onRead = resolve))
    far.write('a')
    await first
    await new Promise<void>(resolve => far.write('b', () => resolve()))
    await turn()
    t.equal(received, 'a', 'nothing is read while paused')
    const second = new Promise<void>(resolve => (onRead = resolve))
    near.resume()
    await second
    t.equal(received, 'ab')
    const end = once(near, 'end')
    near.resume()
    far.end()
    await end
  })

  t.test('what is read already comes by data events first', async t => {
    const [near, far] = await pair(t)
    const readable = once(near, 'readable')
    far.write('early')
    await readable
    t.equal(readIntoArena(near, () => true), 'later')
    t.equal(String(near.read()), 'early')
    near.removeAllListeners('readable')
    t.equal(readIntoArena(near, () => true), 'yes')
  })

  t.test('streams that are no plain sockets keep their data events', async t => {
    t.equal(readIntoArena(new PassThrough(), () => true), 'no')
    const [near] = await pair(t)
    t.equal(readIntoArena(Object.assign(near, { encrypted: true }), () => true), 'no', 'as TLS sockets are')
  })

  t.test('a socket without a handle keeps its data events', async t => {
    const [near] = await pair(t)
    near.destroy()
    t.equal(readIntoArena(near, () => true), 'no')
  })
}

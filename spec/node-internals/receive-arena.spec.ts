import * as crypto from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import * as receiveArena from '../../lib/node-internals/receive-arena.ts'
import { arenaState, isArena, isRead, readIntoArena, type ArenaListener } from '../../lib/node-internals/receive-arena.ts'
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

if (PORTABLE) t.test('KORE_WS_PORTABLE=1 keeps it off', keptOff)
else t.test('reading into the arena', arena)

async function keptOff(t: Test): Promise<void> {
  const [near] = await pair(t)
  t.equal(readIntoArena(near, () => true), 'no')
  t.equal(arenaState(), 'fails')
}

async function arena(t: Test): Promise<void> {
  t.test('the first read shows that it works, on every release of Node that is listed', async t => {
    const [near, far] = await pair(t)
    t.equal(arenaState(), 'untried')
    const read = new Promise<boolean>(resolve => {
      const listener: ArenaListener = (length, arena) => {
        resolve(isRead(arena, length))
        return true
      }
      t.equal(readIntoArena(near, listener), 'yes')
    })
    t.equal(arenaState(), 'untried')
    near.resume()
    far.write('a')
    t.equal(await read, true)
    t.equal(arenaState(), 'works')
  })

  t.test('a first read that filled other memory, or none, shows that it does not', async t => {
    for (const wrong of ['elsewhere', 'too long', 'nothing'] as const) {
      const arena = (await t.mockImport('../../lib/node-internals/receive-arena.ts', {})) as typeof receiveArena
      const [near, far] = await pair(t)
      near.on('data', () => t.fail('a data event'))
      const read = new Promise<Buffer>(resolve => {
        arena.readIntoArena(near, (_, bytes) => {
          resolve(bytes)
          return true
        })
      })
      near.resume()
      far.write('a')
      const bytes = await read
      const [given, length] = wrong === 'elsewhere' ? [Buffer.alloc(10), 1] : [bytes, wrong === 'too long' ? 2 ** 20 : wrong === 'nothing' ? 0 : 1]
      t.equal(arena.isRead(given, length), false, wrong)
      t.equal(arena.arenaState(), 'fails')
      t.equal(arena.readIntoArena(near, () => true), 'no', 'nobody else is read so')
    }
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

  t.test('a read that has changed nothing in the arena shows that it does not work', async t => {
    const arena = (await t.mockImport('../../lib/node-internals/receive-arena.ts', {})) as typeof receiveArena
    const [near] = await pair(t)
    let memory: Buffer | undefined
    const handle: unknown = Reflect.get(near, '_handle')
    Reflect.set(handle as object, 'useUserBuffer', (bytes: Buffer) => void (memory = bytes))
    t.equal(arena.readIntoArena(near, () => true), 'yes')
    if (memory === undefined) throw new Error('the handle was not asked')
    t.equal(arena.isRead(memory, 5), false)
    t.equal(arena.arenaState(), 'fails')
  })

  t.test('a first read of one byte is never taken for none, where a frame may begin with that byte', async t => {
    const random = { ...crypto, randomBytes: (size: number): Buffer => Buffer.alloc(size, 0x81) }
    const mocks = { 'node:crypto': random }
    const arena = (await t.mockImport('../../lib/node-internals/receive-arena.ts', mocks)) as typeof receiveArena
    const [near, far] = await pair(t)
    const read = new Promise<boolean>(resolve => {
      arena.readIntoArena(near, (length, bytes) => {
        resolve(arena.isRead(bytes, length))
        return true
      })
    })
    near.resume()
    far.write(Buffer.from([0x81]))
    t.equal(await read, true)
    t.equal(arena.arenaState(), 'works')
  })

  t.test('a socket without a handle keeps its data events', async t => {
    const [near] = await pair(t)
    near.destroy()
    t.equal(readIntoArena(near, () => true), 'no')
  })
}

/**
 * One receive buffer for all connections, where Node lets us: no allocation for a read, and SIMD unmasking in place.
 *
 * Not documented, but unchanged from Node 20 to 26: the `onread` option of net.connect works through two own properties
 * of a socket (symbols described `kBuffer` and `kBufferCb`) and its handle's `useUserBuffer`. Setting them does the same
 * for a socket that a server has accepted. Whether they are there is looked up at load, whether they work is tried once
 * on a real socket; until then, and where they don't, connections read through `data` events, which needs none of this.
 * The variable KORE_WS_PORTABLE=1 keeps it off.
 */
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { useSimd } from '../protocol/mask.ts'
import { createSimdMemory } from '../protocol/simd-xor.ts'
import { isSystemSocket } from './system-socket.ts'

/** Called with the socket as `this` and how many bytes of the arena were filled; they are good until it returns. */
export type ArenaListener = (this: Socket, length: number, arena: Buffer) => boolean

interface Internals {
  readonly kBuffer: symbol
  readonly kBufferCb: symbol
}

/** A socket's handle: what `useUserBuffer` is called on. */
interface Handle {
  useUserBuffer?(buffer: Buffer): void
}

/**
 * Reads of up to this many bytes. libuv's own 64 KiB would cut the last of four messages of 16 KiB, by the headers: with
 * twice that there are 9 % more such messages a second, and 20 % more of 1 MiB; with four times no more (Node 20).
 */
const ARENA_SIZE = 128 * 1024

const internals = process.env.KORE_WS_PORTABLE === '1' ? undefined : findInternals()
let arena: Buffer | undefined
let state: ReturnType<typeof arenaState> = internals === undefined ? 'fails' : 'untried'

/**
 * Makes `transport` read into the arena.
 *
 * @returns 'yes'; or, with nothing changed, so that its `data` events are as ever: 'no', or 'later' while it is being
 *   proved that it works
 */
export function readIntoArena(transport: Duplex, listener: ArenaListener): 'yes' | 'no' | 'later' {
  if (state === 'untried') prove()
  if (state === 'fails' || !isSystemSocket(transport)) return 'no'
  if (state === 'trying' || transport.readableLength > 0) return 'later'
  return attach(transport, listener) ? 'yes' : 'no'
}

/** How far the proof is: nobody asked yet, under way, or how it came out. */
export function arenaState(): 'untried' | 'trying' | 'works' | 'fails' {
  return state
}

/** Whether `bytes` is the arena, whose content the next read of any connection replaces. */
export function isArena(bytes: Buffer): boolean {
  return bytes === arena
}

function attach(socket: Socket, listener: ArenaListener): boolean {
  const handle: Handle | null | undefined = Reflect.get(socket, '_handle')
  if (internals === undefined || arena === undefined || typeof handle?.useUserBuffer !== 'function') return false
  handle.useUserBuffer(arena)
  Reflect.set(socket, internals.kBuffer, arena)
  Reflect.set(socket, internals.kBufferCb, listener)
  return true
}

function findInternals(): Internals | undefined {
  const symbols = Object.getOwnPropertySymbols(new Socket())
  const kBuffer = symbols.find(symbol => symbol.description === 'kBuffer')
  const kBufferCb = symbols.find(symbol => symbol.description === 'kBufferCb')
  return kBuffer === undefined || kBufferCb === undefined ? undefined : { kBuffer, kBufferCb }
}

function createArena(): Buffer {
  try {
    const { buffer, xor } = createSimdMemory(ARENA_SIZE)
    useSimd(buffer, xor)
    return Buffer.from(buffer)
  } catch {
    // No WebAssembly (--jitless), no SIMD, or no address space for it: plain memory, plain kernel.
    return Buffer.allocUnsafeSlow(ARENA_SIZE)
  }
}

/** One string of bytes through a real socket: it must come whole, in the arena, by way of the listener. */
function prove(): void {
  state = 'trying'
  arena = createArena()
  const proof = Buffer.from('kore-ws')
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', fail)
    const listener: ArenaListener = (length, bytes) => {
      conclude(bytes === arena && length === proof.length && proof.equals(bytes.subarray(0, length)))
      return true
    }
    if (attach(socket, listener)) socket.on('data', fail).resume()
    else fail()
  })
  const conclude = (works: boolean): void => {
    state = works ? 'works' : 'fails'
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  const fail = (): void => conclude(false)
  server.on('error', fail)
  // Exclusive: in a cluster's worker this port is no business of the primary's.
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
    const { port } = server.address() as AddressInfo
    const client = connect(port, '127.0.0.1', () => client.write(proof))
    sockets.push(client.on('error', fail))
  })
}

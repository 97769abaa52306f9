/**
 * One receive buffer for all connections, where Node lets us: no allocation for a read, and SIMD unmasking in place.
 *
 * Not documented, but unchanged from Node 20 to 26: the `onread` option of net.connect works through two own properties
 * of a socket (symbols described `kBuffer` and `kBufferCb`) and its handle's `useUserBuffer`. Setting them does the same
 * for a socket that a server has accepted. Whether they are there is looked up at load, and at each socket. Whether they
 * work shows with the first read: until then the arena holds a string of bytes that a read has to replace.
 */
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { useSimd } from '../protocol/mask.ts'
import { createSimdMemory } from '../protocol/simd-xor.ts'
import { usesInternals } from './switch.ts'

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
 * twice that there are more such messages a second, and with four times no more.
 */
const ARENA_SIZE = 128 * 1024

const internals = usesInternals ? findInternals() : undefined
let arena: Buffer | undefined
let state: ReturnType<typeof arenaState> = internals === undefined ? 'fails' : 'untried'

/**
 * Makes a socket of the system read into the arena.
 *
 * @returns 'yes'; or, with nothing changed, so that its `data` events are as ever: 'no', or 'later' while there is
 *   something in the stream itself to be read first
 */
export function readIntoArena(socket: Socket, listener: ArenaListener): 'yes' | 'no' | 'later' {
  if (state === 'fails') return 'no'
  if (socket.readableLength > 0) return 'later'
  arena ??= createArena()
  return attach(socket, listener) ? 'yes' : 'no'
}

/** Whether it works: nothing has been read yet, or what the first read has shown. */
export function arenaState(): 'untried' | 'works' | 'fails' {
  return state
}

/**
 * A read into the arena is over. Costs nothing once the first has shown that it works.
 *
 * @returns false where these are not the bytes that came: nothing can be read on this connection, nor this way by others
 */
export function isRead(bytes: Buffer, length: number): boolean {
  if (state === 'works') return true
  const isFilled = bytes === arena && length > 0 && length <= ARENA_SIZE && !untouched.equals(bytes.subarray(0, untouched.length))
  state = isFilled ? 'works' : 'fails'
  return isFilled
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

/**
 * What the arena begins with before the first read. A first read may be a single byte. So the first of these has a reserved
 * opcode: no frame begins with it (RFC 6455, section 5.2).
 */
const untouched = randomBytes(16)
untouched[0] |= 3

function createArena(): Buffer {
  const memory = allocateArena()
  untouched.copy(memory)
  return memory
}

function allocateArena(): Buffer {
  try {
    const { buffer, xor } = createSimdMemory(ARENA_SIZE)
    useSimd(buffer, xor)
    return Buffer.from(buffer)
  } catch {
    // No WebAssembly (--jitless), no SIMD, or no address space for it: plain memory, plain kernel.
    return Buffer.allocUnsafeSlow(ARENA_SIZE)
  }
}

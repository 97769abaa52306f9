/**
 * Streaming zlib without waiting: what Node's own synchronous functions do inside, with a context that stays.
 *
 * Not documented, but unchanged from Node 20 to 26: a zlib stream has a `_handle` with `writeSync(flush, in,
 * inOffset, inLength, out, outOffset, outLength)` and a Uint32Array `_writeState`, in which it leaves [what is free in
 * out, what is unread of in]. It calls `onerror` of the handle where something is wrong. `openSync` gives undefined
 * where they are not there; `isCalledAsExpected` asks Node itself, since a call with other arguments would end the
 * process.
 */
import type * as nodeZlib from 'node:zlib'

/** What is used of node:zlib; a test passes something else. */
export type Zlib = Pick<
  typeof nodeZlib,
  'constants' | 'createDeflateRaw' | 'createInflateRaw' | 'deflateRawSync' | 'inflateRawSync'
>
type ZlibStream = nodeZlib.DeflateRaw | nodeZlib.InflateRaw
type WriteSync = (
  flush: number,
  input: Uint8Array,
  inputAt: number,
  inputLength: number,
  output: Uint8Array,
  outputAt: number,
  outputLength: number
) => void

interface Handle {
  writeSync: WriteSync
  onerror: (message: string) => void
}

/** One context of zlib. */
export class SyncStream {
  /** zlib's message, where the last `write` failed: nothing but `reset` and `close` helps then. */
  failure: string | undefined
  readonly #stream: ZlibStream
  readonly #handle: Handle
  readonly #state: Uint32Array

  constructor(stream: ZlibStream, handle: Handle, state: Uint32Array) {
    this.#stream = stream
    this.#handle = handle
    this.#state = state
    handle.onerror = message => {
      this.failure = message
    }
  }

  /** How many bytes the last `write` left free of its output; 0: there may be more. */
  get freeOutput(): number {
    return this.#state[0] as number
  }

  /** How many bytes the last `write` left unread of its input. */
  get unreadInput(): number {
    return this.#state[1] as number
  }

  /** Reads what it can of input[inputAt, inputEnd) and writes what it can to the output from outputAt on. */
  write(flush: number, input: Uint8Array, inputAt: number, inputEnd: number, output: Buffer, outputAt: number): void {
    this.#handle.writeSync(flush, input, inputAt, inputEnd - inputAt, output, outputAt, output.length - outputAt)
  }

  /** The next `write` begins a stream, without context. */
  reset(): void {
    this.failure = undefined
    this.#stream.reset()
  }

  /** Gives up zlib's memory. */
  close(): void {
    this.#stream.close()
  }
}

/** A stream of node:zlib to be written to without waiting; undefined where its internals are not as expected. */
export function openSync(stream: ZlibStream): SyncStream | undefined {
  const handle: Partial<Handle> | null | undefined = Reflect.get(stream, '_handle')
  const state: unknown = Reflect.get(stream, '_writeState')
  const works = typeof handle?.writeSync === 'function' && typeof handle.onerror === 'function'
  if (!works || !(state instanceof Uint32Array) || state.length !== 2) return undefined
  return new SyncStream(stream, handle as Handle, state)
}

/** Listens to how a synchronous function of Node calls `writeSync`: with the arguments above, and no others? */
export function isCalledAsExpected(zlib: Zlib): boolean {
  const stream = zlib.createDeflateRaw()
  const handles: object = Object.getPrototypeOf(Reflect.get(stream, '_handle'))
  stream.close()
  const descriptor = Object.getOwnPropertyDescriptor(handles, 'writeSync')
  const writeSync: unknown = descriptor?.value
  if (descriptor === undefined || typeof writeSync !== 'function') return false
  const calls: unknown[][] = []
  const listen = function (this: unknown, ...args: unknown[]): unknown {
    calls.push(args)
    return Reflect.apply(writeSync, this, args)
  }
  const input = Buffer.from('kore-ws')
  const flush = zlib.constants.Z_SYNC_FLUSH
  Object.defineProperty(handles, 'writeSync', { ...descriptor, value: listen })
  try {
    zlib.deflateRawSync(input, { finishFlush: flush })
  } finally {
    Object.defineProperty(handles, 'writeSync', descriptor)
  }
  const [call = []] = calls
  return calls.length === 1 && isExpected(call, flush, input)
}

function isExpected(call: unknown[], flush: number, input: Buffer): boolean {
  const [first, from, at, length, to, ...last] = call
  if (!(from instanceof Uint8Array && to instanceof Uint8Array)) return false
  const whole = first === flush && at === 0 && length === input.length && input.equals(from)
  return whole && last.length === 2 && last[0] === 0 && last[1] === to.length
}

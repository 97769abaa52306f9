/** The fast engine: contexts of zlib that stay, called without waiting (see zlib-sync.ts; RFC 7692, section 7.2). */
import { AsyncResource } from 'node:async_hooks'
import { OWN_MEMORY_FROM } from '../protocol/message-codec.ts'
import { Violation, type ViolationName } from '../protocol/violation.ts'
import { MAX_MESSAGE_SIZE, type ContextSettings, type Deflater, type Engine } from './engine.ts'
import { enlarged, grownSize, trimmed } from './growing.ts'
import type { History } from './history.ts'
import { ENDING, FinalBlocks, mayHoldEnding, SECOND_ENDING, TAIL_SIZE, type TurnBudget } from './message-end.ts'
import { portableEngine } from './portable-engine.ts'
import { isCalledAsExpected, openSync, type SyncStream, type Zlib } from '../node-internals/zlib-sync.ts'

/** The smallest that zlib's streams take for the output buffer of their own, which is never used. */
const CHUNK_SIZE = 64

/** Of a message that is only looked at: so many bytes of it, until they have become so many. It takes some 0.1 ms at most. */
const LOOKED_AT = 1024
const LOOKED_UP_TO = 16 * 1024

/** The fast engine, proved on this release of Node; undefined where it does not work. */
export function createFastEngine(zlib: Zlib): Engine | undefined {
  try {
    if (!isCalledAsExpected(zlib)) return undefined
    const engine = new FastEngine(zlib)
    return isProved(engine) ? engine : undefined
  } catch {
    return undefined
  }
}

/** The streams stay for all connections: they don't keep the async context of the one that comes first. */
const shared = new AsyncResource('kore-ws zlib', { requireManualDestroy: true })

class FastEngine implements Engine {
  readonly #zlib: Zlib
  readonly #inflater: Inflater
  /** By settings, whether messages are apart. */
  readonly #tried = new Map<string, boolean>()
  /** Where all deflaters write to: not where the inflater does, since what it lends may be what is to be deflated. */
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(OWN_MEMORY_FROM)

  constructor(zlib: Zlib) {
    this.#zlib = zlib
    this.#inflater = new Inflater(shared.runInAsyncScope(() => open(zlib.createInflateRaw({ chunkSize: CHUNK_SIZE }))), zlib.constants)
  }

  createDeflater(given: ContextSettings, takeover: boolean): Deflater {
    return takeover || this.separates(given) ? this.#create(given, takeover) : portableEngine.createDeflater(given, false)
  }

  /**
   * Whether a full flush parts two messages with these settings: one context serves all connections, and no message may
   * refer back to another one's. Tried once for each level.
   */
  separates(given: ContextSettings): boolean {
    const key = `${given.level} ${given.windowBits} ${given.memLevel}`
    const known = this.#tried.get(key)
    if (known !== undefined) return known
    const deflater = this.#create(given, false)
    const messages = [0, 1].map(() => Buffer.from(deflater.deflate(SECRET)))
    deflater.close()
    const works = messages.every(message => {
      try {
        return this.inflate(message, 0, message.length, SECRET.length, undefined).equals(SECRET)
      } catch {
        return false
      }
    })
    this.#tried.set(key, works)
    return works
  }

  #create({ level, windowBits, memLevel }: ContextSettings, takeover: boolean): Deflater {
    const settings = { level, windowBits, memLevel, chunkSize: CHUNK_SIZE }
    const stream = shared.runInAsyncScope(() => open(this.#zlib.createDeflateRaw(settings)))
    const { Z_SYNC_FLUSH, Z_FULL_FLUSH } = this.#zlib.constants
    return new FastDeflater(stream, takeover ? Z_SYNC_FLUSH : Z_FULL_FLUSH, this.#scratch)
  }

  inflate(
    bytes: Buffer,
    start: number,
    end: number,
    limit: number,
    history: History | undefined,
    turn?: TurnBudget
  ): Buffer {
    return this.#inflater.inflate(bytes, start, end, limit, history, turn)
  }

  expectedSize(bytes: Buffer, history: History | undefined): number {
    return this.#inflater.expectedSize(bytes, history)
  }
}

function open(stream: Parameters<typeof openSync>[0]): SyncStream {
  const opened = openSync(stream)
  if (opened === undefined) throw new TypeError('the stream is not as expected')
  return opened
}

/** After a full flush zlib refers back to nothing before it; that is a call less than a reset for each message. */
class FastDeflater implements Deflater {
  readonly #stream: SyncStream
  readonly #flush: number
  readonly #scratch: Buffer

  constructor(stream: SyncStream, flush: number, scratch: Buffer) {
    this.#stream = stream
    this.#flush = flush
    this.#scratch = scratch
  }

  deflate(payload: Uint8Array): Buffer {
    let output = this.#scratch
    let at = 0
    let length = 0
    for (;;) {
      this.#stream.write(this.#flush, payload, at, payload.length, output, length)
      if (this.#stream.failure !== undefined) this.#fail(this.#stream.failure)
      at = payload.length - this.#stream.unreadInput
      length = output.length - this.#stream.freeOutput
      if (this.#stream.freeOutput > 0) return output.subarray(0, length - TAIL_SIZE)
      output = enlarged(output, 2 * length)
    }
  }

  close(): void {
    this.#stream.close()
  }

  #fail(message: string): never {
    this.#stream.reset()
    throw new Error(`zlib can not compress: ${message}`)
  }
}

/** Inflates messages, all of them with one context. */
class Inflater {
  readonly #stream: SyncStream
  readonly #syncFlush: number
  readonly #finish: number
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(OWN_MEMORY_FROM)
  /** For what is not looked at again: what the scratch memory holds may still be lent. */
  readonly #looked: Buffer = Buffer.allocUnsafeSlow(LOOKED_UP_TO)
  /** The message so far: `#output[0, #length)`. */
  #output: Buffer = this.#scratch
  #length = 0
  #limit = 0

  constructor(stream: SyncStream, flush: { readonly Z_SYNC_FLUSH: number; readonly Z_FINISH: number }) {
    this.#stream = stream
    this.#syncFlush = flush.Z_SYNC_FLUSH
    this.#finish = flush.Z_FINISH
  }

  /** As Engine.inflate. */
  inflate(
    bytes: Buffer,
    start: number,
    end: number,
    limit: number,
    history: History | undefined,
    turn: TurnBudget | undefined
  ): Buffer {
    this.#limit = Math.min(limit, MAX_MESSAGE_SIZE)
    try {
      this.#inflateUpTo(ENDING, bytes, start, end, history, turn)
      if (mayHoldEnding(this.#output, this.#length)) {
        this.#inflateUpTo(SECOND_ENDING, bytes, start, end, history, turn)
      }
      return this.#result()
    } finally {
      this.#output = this.#scratch
    }
  }

  /** As Engine.expectedSize. */
  expectedSize(bytes: Buffer, history: History | undefined): number {
    const size = Math.min(bytes.length, LOOKED_AT)
    this.#length = 0
    this.#begin(history)
    this.#stream.write(this.#syncFlush, bytes, 0, size, this.#looked, 0)
    const read = size - this.#stream.unreadInput
    const written = LOOKED_UP_TO - this.#stream.freeOutput
    return read === 0 || this.#stream.failure !== undefined ? 0 : (written / read) * bytes.length
  }

  #inflateUpTo(
    ending: Buffer,
    bytes: Buffer,
    start: number,
    end: number,
    history: History | undefined,
    turn: TurnBudget | undefined
  ): void {
    this.#length = 0
    this.#begin(history)
    const at = this.#feed(this.#syncFlush, bytes, start, start, end)
    const ended = at === end ? this.#feed(this.#finish, ending, 0, 0, ending.length) : 0
    if (ended < ending.length) {
      this.#goOn(ending, bytes, start, at, end, ended, history, new FinalBlocks(end - start, turn))
    }
  }

  /** A stream has ended where the message has not: at bytes[at], or at ending[ended] if all of them have been read. */
  #goOn(
    ending: Buffer,
    bytes: Buffer,
    start: number,
    at: number,
    end: number,
    ended: number,
    history: History | undefined,
    finals: FinalBlocks
  ): void {
    let from = 0
    while (ended < ending.length) {
      const window = finals.next(history, this.#output.subarray(from, this.#length))
      from = this.#length
      this.#begin(window)
      at = this.#feed(this.#syncFlush, bytes, start, at, end)
      if (at === end) ended = this.#feed(this.#finish, ending, 0, ended, ending.length)
    }
  }

  /** Begins a stream that goes on behind `history`. */
  #begin(history: History | undefined): void {
    this.#stream.reset()
    if (history === undefined || history.length === 0) return
    // Where it goes does not matter, as long as no part of the message is there.
    const elsewhere = this.#length === 0 ? this.#scratch : Buffer.allocUnsafe(history.length)
    const { block } = history
    this.#stream.write(this.#syncFlush, block, 0, block.length, elsewhere, 0)
  }

  /** Inflates bytes[at, end) up to where a stream ends, and returns where that was. `start`: where the bytes began. */
  #feed(flush: number, bytes: Buffer, start: number, at: number, end: number): number {
    for (;;) {
      this.#stream.write(flush, bytes, at, end, this.#output, this.#length)
      if (this.#stream.failure !== undefined) throw new Violation('invalid-deflate')
      at = end - this.#stream.unreadInput
      this.#length = this.#output.length - this.#stream.freeOutput
      if (this.#length > this.#limit) throw new Violation('message-too-big')
      if (this.#stream.freeOutput > 0) return at
      // Never more than the limit, which the next byte would pass.
      const size = Math.min(grownSize(this.#length, at - start, end - start), this.#limit + 1)
      this.#output = enlarged(this.#output, size)
    }
  }

  #result(): Buffer {
    return this.#output === this.#scratch ? this.#scratch.subarray(0, this.#length) : trimmed(this.#output, this.#length)
  }
}

/** What two messages have in common, long enough to be referred back to. */
const SECRET = Buffer.from('kore-ws: what one connection says is not for another one. '.repeat(4))

/** More than the scratch memory holds. */
const PROOF = Buffer.alloc(OWN_MEMORY_FROM + 1000, 'kore-ws')

/** One round trip of everything that is needed: context or none, output in pieces, its cap, corrupt input. */
function isProved(engine: FastEngine): boolean {
  const settings = { level: 1, windowBits: 15, memLevel: 8 }
  if (!engine.separates(settings)) return false
  const [alone, takeover] = [engine.createDeflater(settings, false), engine.createDeflater(settings, true)]
  const [first, second] = [Buffer.from(alone.deflate(PROOF)), Buffer.from(alone.deflate(PROOF))]
  const [, third] = [takeover.deflate(PROOF), Buffer.from(takeover.deflate(PROOF))]
  alone.close()
  takeover.close()
  const inflate = (bytes: Buffer, limit: number): Buffer => engine.inflate(bytes, 0, bytes.length, limit, undefined)
  return (
    first.equals(second) &&
    third.length < first.length &&
    throwsViolation('message-too-big', () => inflate(first, PROOF.length - 1)) &&
    throwsViolation('invalid-deflate', () => inflate(third, PROOF.length)) &&
    inflate(second, PROOF.length).equals(PROOF)
  )
}

function throwsViolation(code: ViolationName, work: () => unknown): boolean {
  try {
    work()
    return false
  } catch (error) {
    return error instanceof Violation && error.code === code
  }
}

/** Compression with context takeover (RFC 7692, section 7.1.1): messages refer back to those before them. */
import type { Compressor, Decompressor } from '../protocol/message-codec.ts'
import { Violation } from '../protocol/violation.ts'
import { inflateAtOnce } from './at-once.ts'
import { deflatedAtOnce, INFLATED_AT_ONCE, type ContextSettings, type Deflater, type Engine } from './engine.ts'
import { History } from './history.ts'
import { deflateLater, inflateLater } from './later.ts'
import { emptyMessage } from './message-end.ts'

/** For one connection; it has a context from its first message on. */
export class DedicatedCompressor implements Compressor {
  readonly contextTakeover = true
  readonly atOnceUpTo: number
  readonly #settings: ContextSettings
  readonly #engine: Engine
  #deflater: Deflater | undefined
  #closed = false

  constructor(settings: ContextSettings, engine: Engine) {
    this.atOnceUpTo = deflatedAtOnce(settings.level)
    this.#settings = settings
    this.#engine = engine
  }

  get memory(): number {
    return this.#deflater === undefined ? 0 : contextSize(this.#settings)
  }

  compress(payload: Uint8Array): Buffer {
    if (payload.length === 0) return emptyMessage()
    this.#deflater ??= this.#engine.createDeflater(this.#settings, true)
    return this.#deflater.deflate(payload)
  }

  /**
   * A large message has enough to refer back to in itself: it is compressed without the context, which can't know of it
   * and so is given up. No context is ever at work on another thread.
   */
  compressLater(payload: Uint8Array, done: (compressed: Buffer | undefined) => void): () => void {
    return deflateLater(payload, this.#settings, compressed => {
      this.release()
      done(this.#closed ? undefined : compressed)
    })
  }

  /** A message may refer back, it need not: the next one begins a context. */
  release(): void {
    this.#deflater?.close()
    this.#deflater = undefined
  }

  close(): void {
    this.#closed = true
    this.release()
  }
}

/** What Node and zlib take for a compressor besides its tables, in bytes, rounded up. */
const CONTEXT_COST = 88 * 1024

/** Bytes of memory of a compressor: its tables are as zlib's manual says, in deflateInit2 and zconf.h. */
function contextSize({ windowBits, memLevel }: ContextSettings): number {
  return 2 ** (windowBits + 2) + 2 ** (memLevel + 9) + CONTEXT_COST
}

/** For one connection; all it has is what the next message may refer back to. */
export class DedicatedDecompressor implements Decompressor {
  readonly atOnceUpTo = INFLATED_AT_ONCE
  readonly #engine: Engine
  readonly #history: History

  /** @param windowBits 8 to 15: the messages refer back at most 2^windowBits bytes */
  constructor(windowBits: number, engine: Engine) {
    this.#engine = engine
    this.#history = new History(2 ** windowBits)
  }

  get memory(): number {
    return this.#history.capacity
  }

  decompress(bytes: Buffer, start: number, end: number, limit: number): Buffer | undefined {
    const message = inflateAtOnce(this.#engine, bytes, start, end, limit, this.#history)
    if (message !== undefined) this.#history.append(message, 0, message.length)
    return message
  }

  decompressLater(
    bytes: Buffer,
    limit: number,
    done: (result: Buffer | Violation) => void,
    grown: (bytes: number) => void
  ): () => void {
    const conclude = (result: Buffer | Violation): void => {
      if (!(result instanceof Violation)) this.#history.append(result, 0, result.length)
      done(result)
    }
    return inflateLater(this.#engine, bytes, limit, this.#history, conclude, grown)
  }

  release(): void {
    this.#history.trim()
  }

  close(): void {
    this.#history.clear()
  }
}

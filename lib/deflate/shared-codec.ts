/** Compression without context takeover (RFC 7692, section 7.1.1): one for all connections, with no memory for any. */
import type { Compressor, Decompressor } from '../protocol/message-codec.ts'
import type { Violation } from '../protocol/violation.ts'
import { inflateAtOnce } from './at-once.ts'
import { deflatedAtOnce, INFLATED_AT_ONCE, type ContextSettings, type Deflater, type Engine } from './engine.ts'
import { deflateLater, inflateLater } from './later.ts'
import { emptyMessage } from './message-end.ts'

/** For all connections that send with these settings. */
export class SharedCompressor implements Compressor {
  readonly contextTakeover = false
  readonly atOnceUpTo: number
  readonly #settings: ContextSettings
  readonly #engine: Engine
  #deflater: Deflater | undefined

  constructor(settings: ContextSettings, engine: Engine) {
    this.atOnceUpTo = deflatedAtOnce(settings.level)
    this.#settings = settings
    this.#engine = engine
  }

  compress(payload: Uint8Array): Buffer {
    if (payload.length === 0) return emptyMessage()
    this.#deflater ??= this.#engine.createDeflater(this.#settings, false)
    return this.#deflater.deflate(payload)
  }

  compressLater(payload: Uint8Array, done: (compressed: Buffer | undefined) => void): () => void {
    return deflateLater(payload, this.#settings, done)
  }

  /** A connection has nothing to give up. */
  release(): void {}

  close(): void {}
}

/** For all connections: a decompressor with the largest window understands smaller ones. */
export class SharedDecompressor implements Decompressor {
  readonly atOnceUpTo = INFLATED_AT_ONCE
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  decompress(bytes: Buffer, start: number, end: number, limit: number): Buffer | undefined {
    return inflateAtOnce(this.#engine, bytes, start, end, limit, undefined)
  }

  decompressLater(
    bytes: Buffer,
    limit: number,
    done: (result: Buffer | Violation) => void,
    grown: (bytes: number) => void
  ): () => void {
    return inflateLater(this.#engine, bytes, limit, undefined, done, grown)
  }

  release(): void {}

  close(): void {}
}

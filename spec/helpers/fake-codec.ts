/** A codec whose later work is completed by hand, so that every order of events can be made; no DEFLATE in it. */
import type { Compression, Compressor, Decompressor } from '../../lib/protocol/message-codec.ts'
import { Violation } from '../../lib/protocol/violation.ts'

/** "Compressed" is half of it: the first byte of each two, which is enough for messages of pairs. */
export function halved(data: Uint8Array): Buffer {
  return Buffer.from(data.filter((_, i) => i % 2 === 0))
}

/** The inverse: each byte twice. */
export function doubled(data: Uint8Array): Buffer {
  return Buffer.from(Array.from(data).flatMap(byte => [byte, byte]))
}

/** What both directions lend: overwritten with each call, and by `spoil`. */
class Lent {
  #memory = Buffer.alloc(0)

  give(data: Uint8Array): Buffer {
    this.spoil()
    this.#memory = Buffer.from(data)
    return this.#memory
  }

  spoil(): void {
    this.#memory.fill(0xee)
  }
}

interface CompressorJob {
  readonly payload: Uint8Array
  readonly was: Buffer
  done(compressed: Buffer | undefined): void
  cancelled: boolean
}

interface DecompressorJob {
  readonly bytes: Buffer
  readonly limit: number
  done(result: Buffer | Violation): void
  grown(bytes: number): void
  cancelled: boolean
}

export class FakeCompressor implements Compressor {
  contextTakeover = false
  atOnceUpTo = 8
  closed = 0
  released = 0
  /** What it was given for later, as it was then; a payload that somebody has changed makes `finish` throw. */
  readonly later: CompressorJob[] = []
  /** What becomes of a payload. */
  make: (payload: Uint8Array) => Buffer = halved
  readonly #lent: Lent

  constructor(lent: Lent) {
    this.#lent = lent
  }

  compress(payload: Uint8Array): Buffer {
    if (payload.length > this.atOnceUpTo) throw new Error('too large to be done at once')
    return this.#lent.give(this.make(payload))
  }

  compressLater(payload: Uint8Array, done: (compressed: Buffer | undefined) => void): () => void {
    if (this.later.length > 0) throw new Error('one call at a time')
    const job = { payload, was: Buffer.from(payload), done, cancelled: false }
    this.later.push(job)
    return () => {
      job.cancelled = true
    }
  }

  /** Completes the oldest: with what `make` makes of it unless something else is given. */
  finish(...result: [compressed: Buffer | undefined] | []): void {
    const job = this.later.shift()
    if (job === undefined) throw new Error('nothing is being compressed')
    if (!job.was.equals(job.payload)) throw new Error('the payload was changed meanwhile')
    if (!job.cancelled) job.done(result.length === 0 ? this.make(job.payload) : result[0])
  }

  release(): void {
    this.released++
  }

  close(): void {
    this.closed++
  }
}

export class FakeDecompressor implements Decompressor {
  atOnceUpTo = 8
  /** Messages that become larger are not done at once. */
  becomesAtOnce = Infinity
  closed = 0
  released = 0
  readonly later: DecompressorJob[] = []
  readonly #lent: Lent

  constructor(lent: Lent) {
    this.#lent = lent
  }

  decompress(bytes: Buffer, start: number, end: number, limit: number): Buffer | undefined {
    if (this.later.length > 0) throw new Error('not while another is being decompressed')
    if (end - start > this.atOnceUpTo) throw new Error('too large to be done at once')
    const message = doubled(bytes.subarray(start, end))
    if (message.length > this.becomesAtOnce) return undefined
    if (message.length > limit) throw new Violation('message-too-big')
    return this.#lent.give(message)
  }

  decompressLater(
    bytes: Buffer,
    limit: number,
    done: (result: Buffer | Violation) => void,
    grown: (bytes: number) => void
  ): () => void {
    if (this.later.length > 0) throw new Error('one call at a time')
    const job = { bytes: Buffer.from(bytes), limit, done, grown, cancelled: false }
    this.later.push(job)
    return () => {
      job.cancelled = true
    }
  }

  /** The oldest takes so many bytes of memory from now on. */
  grow(bytes: number): void {
    const job = this.later[0]
    if (job === undefined) throw new Error('nothing is being decompressed')
    if (!job.cancelled) job.grown(bytes)
  }

  /** Completes the oldest: with its bytes doubled unless something else is given. */
  finish(result?: Buffer | Violation): void {
    const job = this.later.shift()
    if (job === undefined) throw new Error('nothing is being decompressed')
    if (!job.cancelled) job.done(result ?? doubled(job.bytes))
  }

  release(): void {
    this.released++
  }

  close(): void {
    this.closed++
  }
}

export class FakeCompression implements Compression {
  threshold = 4
  readonly compressor: FakeCompressor
  readonly decompressor: FakeDecompressor
  readonly #lent = new Lent()

  constructor() {
    this.compressor = new FakeCompressor(this.#lent)
    this.decompressor = new FakeDecompressor(this.#lent)
  }

  /** What was lent is used again. */
  spoil(): void {
    this.#lent.spoil()
  }
}

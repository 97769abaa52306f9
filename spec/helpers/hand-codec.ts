/** Codecs whose work elsewhere is done when the test says so, and whose calls are written down. */
import type { Compression, Compressor, Decompressor } from '../../lib/protocol/message-codec.ts'
import type { Violation } from '../../lib/protocol/violation.ts'
import { deflated, inflated } from './deflated.ts'

export class HandCompressor implements Compressor {
  readonly contextTakeover: boolean
  readonly atOnceUpTo: number
  /** `at once 5`, `later 5`, `release`, `close`. */
  readonly calls: string[] = []
  readonly #jobs: (() => void)[] = []

  constructor({ contextTakeover = false, atOnceUpTo = 1000 } = {}) {
    this.contextTakeover = contextTakeover
    this.atOnceUpTo = atOnceUpTo
  }

  compress(payload: Uint8Array): Buffer {
    this.calls.push(`at once ${payload.length}`)
    return deflated(payload)
  }

  compressLater(payload: Uint8Array, done: (compressed: Buffer | undefined) => void): () => void {
    this.calls.push(`later ${payload.length}`)
    let job = (): void => done(deflated(payload))
    this.#jobs.push(() => job())
    return () => {
      this.calls.push(`cancel ${payload.length}`)
      job = () => {}
    }
  }

  /** Finishes the oldest message that is being compressed. */
  finish(): void {
    this.#jobs.shift()?.()
  }

  release(): void {
    this.calls.push('release')
  }

  close(): void {
    this.calls.push('close')
  }
}

export class HandDecompressor implements Decompressor {
  readonly atOnceUpTo: number
  readonly calls: string[] = []
  readonly #jobs: ((result: Violation | undefined) => void)[] = []

  constructor({ atOnceUpTo = 50 } = {}) {
    this.atOnceUpTo = atOnceUpTo
  }

  decompress(bytes: Buffer, start: number, end: number): Buffer {
    this.calls.push(`at once ${end - start}`)
    return inflated(bytes.subarray(start, end))
  }

  decompressLater(bytes: Buffer, _: number, done: (result: Buffer | Violation) => void): () => void {
    const { length } = bytes
    this.calls.push(`later ${length}`)
    const message = inflated(bytes)
    let job = (violation: Violation | undefined): void => done(violation ?? message)
    this.#jobs.push(violation => job(violation))
    return () => {
      this.calls.push(`cancel ${length}`)
      job = () => {}
    }
  }

  /** Finishes the oldest message that is being decompressed, or lets it fail. */
  finish(violation?: Violation): void {
    this.#jobs.shift()?.(violation)
  }

  release(): void {
    this.calls.push('release')
  }

  close(): void {
    this.calls.push('close')
  }
}

export interface HandCompression extends Compression {
  readonly compressor: HandCompressor
  readonly decompressor: HandDecompressor
}

/** From `threshold` bytes on messages are compressed: at once up to 1000 bytes, inflated at once up to 50. */
export function handCompression(threshold = 0, options: { contextTakeover?: boolean; contexts?: boolean } = {}): HandCompression {
  return {
    compressor: new HandCompressor(options),
    decompressor: new HandDecompressor(),
    threshold,
    contexts: options.contexts,
  }
}

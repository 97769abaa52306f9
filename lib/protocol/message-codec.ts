/** What an Endpoint compresses and decompresses whole messages with (RFC 7692, sections 6 and 7.2): interfaces. */
import type { Violation } from './violation.ts'

/** A result of at least this many bytes, 64 KiB, is memory of its own and the caller's; a smaller one is lent. */
export const OWN_MEMORY_FROM = 64 * 1024

/** One direction of a connection: compresses the messages that are sent, in the order in which they are sent. */
export interface Compressor {
  /** Bytes of memory that are this connection's own between messages. Default: 0. */
  readonly memory?: number
  /**
   * Whether messages refer back to earlier ones: then all that was compressed has to be sent so. Without it the caller
   * is free to send a message as it was instead.
   */
  readonly contextTakeover: boolean
  /**
   * Messages of at most this many bytes are done at once by `compress`, which blocks for no more than some 2 ms then;
   * larger ones go through `compressLater`. 0: nothing at once.
   */
  readonly atOnceUpTo: number
  /**
   * The message compressed, without the trailing 00 00 ff ff (section 7.2.1); never empty. The memory is lent, good
   * until the next call of any codec, unless it is `OWN_MEMORY_FROM` bytes or more. `payload` may be what a
   * Decompressor has just lent.
   *
   * @throws Error where zlib gets no memory
   */
  compress(payload: Uint8Array): Buffer
  /**
   * Compresses off the main thread. One call at a time for each connection, and its result goes out before that of any
   * later call.
   *
   * @param payload left alone by everybody until `done` is called
   * @param done called once, never from inside this call, with memory that is the caller's own; with undefined where it
   *   could not be done: closed meanwhile, or no memory
   * @returns takes the call back: what has not begun is not done any more, and `done` is not called
   */
  compressLater(payload: Uint8Array, done: (compressed: Buffer | undefined) => void): () => void
  /** The connection is idle: what can be given up is; the next message begins without context. */
  release(): void
  /** Gives all up. Nothing is called after it but the `done` that is still owed. */
  close(): void
}

/** The other direction: decompresses the messages that are received, in the order in which they are received. */
export interface Decompressor {
  /** Bytes of memory that are this connection's own between messages. Default: 0. */
  readonly memory?: number
  /** As a Compressor's, in compressed bytes: up to it `decompress` is tried, above it `decompressLater` does it. */
  readonly atOnceUpTo: number
  /**
   * `bytes[start, end)`, a whole message as it came, without the trailing 00 00 ff ff, decompressed. The memory is
   * lent, good until the next call of any codec, unless it is `OWN_MEMORY_FROM` bytes or more.
   *
   * @param limit the most bytes that the message may have; no more than 64 KiB above it are ever inflated
   * @returns undefined for a message that turned out too large to be done at once: nothing has become of it, and
   *   `decompressLater` is to do it
   * @throws Violation `message-too-big` past the limit; `invalid-deflate` for what is not DEFLATE, ends too early, goes
   *   on behind its end, or has more blocks with BFINAL set than its size allows. The next message is decompressed all
   *   the same.
   */
  decompress(bytes: Buffer, start: number, end: number, limit: number): Buffer | undefined
  /**
   * Decompresses all of `bytes` off the main thread. They are copied, so their memory may be used again at once. One
   * call at a time for each connection, and none of `decompress` meanwhile.
   *
   * @param limit as for `decompress`
   * @param done called once, never from inside this call, with memory that is the caller's own or with the Violation
   *   that `decompress` would throw; `too-much-retained` where there is no memory
   * @param grown called with all the memory that the message takes, in bytes, each time it has changed by 64 KiB or
   *   more: the copy of `bytes`, and what has been made of it. At first it is the length of `bytes`. Never called from
   *   inside this call, nor after `done`; it may take the call back.
   * @returns takes the call back: no more of it is done, nothing of it is kept but what zlib reads just now, and neither
   *   `done` nor `grown` is called
   */
  decompressLater(
    bytes: Buffer,
    limit: number,
    done: (result: Buffer | Violation) => void,
    grown: (bytes: number) => void
  ): () => void
  /** The connection is idle: what can be given up is; the peer's messages are understood as before. */
  release(): void
  /** Gives all up. Nothing is called after it but the `done` that is still owed. */
  close(): void
}

/** Bytes of the payloads that went compressed, both ways: what they are, and what they were on the wire. */
export interface CompressionTally {
  sentPlain: number
  sentCompressed: number
  receivedPlain: number
  receivedCompressed: number
}

/** Both directions of one connection, and when it is worth it. */
export interface Compression {
  /** Undefined where messages are not compressed, though the peer's may be. */
  readonly compressor: Compressor | undefined
  readonly decompressor: Decompressor
  /** Messages of fewer bytes are sent as they are. */
  readonly threshold: number
  /** Whether one of the two has memory of its own for this connection, which `release` would give up. */
  readonly contexts?: boolean | undefined
  /** Where the Endpoint counts. Default: nowhere. */
  readonly tally?: CompressionTally | undefined
}

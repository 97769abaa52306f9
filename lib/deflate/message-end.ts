/** Where a compressed message ends, and where a DEFLATE stream ends inside of one (RFC 7692, 7.2.1 to 7.2.3). */
import { Violation } from '../protocol/violation.ts'
import { History } from './history.ts'
import { MAX_WINDOW_BITS } from './settings.ts'

/** What a sender removes from the end of each message, 00 00 ff ff: the length of an empty stored block. */
export const TAIL_SIZE = 4

/**
 * What is inflated behind each message: what its sender removed, and an empty block with BFINAL set. zlib comes to the
 * end of a stream with the last of these bytes only if the message was whole, and says no word of it otherwise.
 */
export const ENDING = Buffer.from('0000ffff010000ffff', 'hex')

/** An empty message, compressed: an empty stored block without its tail (section 7.2.3.6). */
export function emptyMessage(): Buffer {
  return Buffer.alloc(1)
}

/** Final blocks that any message may have. */
const FINAL_BLOCKS = 16
/** Bytes of a message that let it have one more. */
const BYTES_PER_FINAL_BLOCK = 1024

/**
 * Goes on behind blocks with BFINAL set inside a message. They end a stream for zlib, but not the message: the next
 * block follows on the next whole byte (section 7.2.1), and may refer back as ever.
 *
 * One costs as much as some KiB of data, so there may be 16 and one more for each KiB of the message.
 */
export class FinalBlocks {
  #left: number
  #window: History | undefined

  /** @param size of the message, compressed, in bytes */
  constructor(size: number) {
    this.#left = FINAL_BLOCKS + Math.floor(size / BYTES_PER_FINAL_BLOCK)
  }

  /**
   * A stream has ended.
   *
   * @param history what came before this message
   * @param outputs what this message has been inflated to since the last call
   * @returns what the next block may refer back to
   * @throws Violation `invalid-deflate` for one too many
   */
  next(history: History | undefined, outputs: readonly Uint8Array[]): History {
    this.#left--
    if (this.#left < 0) throw new Violation('invalid-deflate')
    if (this.#window === undefined) {
      this.#window = new History(2 ** MAX_WINDOW_BITS)
      if (history !== undefined) this.#window.append(history.bytes, 0, history.length)
    }
    for (const output of outputs) this.#window.append(output, 0, output.length)
    return this.#window
  }
}

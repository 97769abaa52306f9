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

/** The same with a final block of another length: where `mayHoldEnding` says so, a message is inflated again with it. */
export const SECOND_ENDING = Buffer.from('0000ffff0300', 'hex')

/**
 * Whether the output, `bytes[0, length)`, may end with `ENDING` itself. A stored block with BFINAL set that is cut, and
 * lacks just as many bytes, takes them for its data, and the stream ends with them all the same.
 */
export function mayHoldEnding(bytes: Buffer, length = bytes.length): boolean {
  // Most outputs differ in their last byte: no view is made of those.
  if (length < ENDING.length || bytes[length - 1] !== 0xff) return false
  return ENDING.equals(bytes.subarray(length - ENDING.length, length))
}

/** An empty message, compressed: an empty stored block without its tail (section 7.2.3.6). */
export function emptyMessage(): Buffer {
  return Buffer.alloc(1)
}

/** Bytes of window that any message may have given to zlib again: four windows, of the largest. */
const WINDOW_BYTES = 128 * 1024
/** Bytes of window more for each byte of the message, compressed: one window for each KiB. */
const WINDOW_BYTES_PER_BYTE = 32
/** What one final block counts at least: about as long takes a stream that begins without a window. */
const LEAST_WINDOW_BYTES = 8 * 1024

/** What may be done in a turn of the event loop beyond what ordinary messages need, in bytes of output or window. */
export interface TurnBudget {
  /** Takes so many bytes; false, and nothing is taken, where there are fewer. */
  take(bytes: number): boolean
}

/** The message takes more than the budget of this turn: it has to be begun anew elsewhere. */
export class TurnIsOver extends Error {
  override readonly name = 'TurnIsOver'
}

/**
 * Goes on behind blocks with BFINAL set inside a message. They end a stream for zlib, but not the message: the next
 * block follows on the next whole byte (section 7.2.1), and may refer back as ever. So zlib has to be given its window
 * again, which takes some thousand times as long as to read the final block. A message is allowed
 * more of that the larger it is: 16 final blocks with little before them, and for each KiB one with a whole window.
 */
export class FinalBlocks {
  /** Bytes of window that may yet be given to zlib. */
  #left: number
  readonly #turn: TurnBudget | undefined
  #window: History | undefined

  /**
   * @param size of the message, compressed, in bytes
   * @param turn takes the bytes of window as well; by default the message's own allowance is all that counts
   */
  constructor(size: number, turn?: TurnBudget) {
    this.#turn = turn
    this.#left = WINDOW_BYTES + WINDOW_BYTES_PER_BYTE * size
  }

  /**
   * A stream has ended.
   *
   * @param history what came before this message
   * @param output what this message has been inflated to since the last call
   * @returns what the next block may refer back to
   * @throws Violation `invalid-deflate` for one too many; TurnIsOver
   */
  next(history: History | undefined, output: Uint8Array): History {
    if (this.#window === undefined) {
      this.#window = new History(2 ** MAX_WINDOW_BITS)
      if (history !== undefined) this.#window.append(history.bytes, 0, history.length)
    }
    this.#window.append(output, 0, output.length)
    const taken = Math.max(this.#window.length, LEAST_WINDOW_BYTES)
    this.#left -= taken
    if (this.#left < 0) throw new Violation('invalid-deflate')
    if (this.#turn?.take(taken) === false) throw new TurnIsOver()
    return this.#window
  }
}

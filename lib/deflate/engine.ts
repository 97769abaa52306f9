/** What codecs need of zlib: an interface, so that they are the same whichever way of calling it there is. */
import { constants } from 'node:buffer'
import type { History } from './history.ts'
import type { TurnBudget } from './message-end.ts'

/** The most bytes a message can have: zlib counts them in 32 bits, and there is to be room for the one too many. */
export const MAX_MESSAGE_SIZE = Math.min(constants.MAX_LENGTH, 2 ** 32 - 1) - 1

/**
 * The most bytes that are compressed at once, by level from 1 on: the worst input blocks for 1 to 2 ms with it (random
 * bytes at level 1, texts of two letters from level 3 on). Ordinary text takes a fifth of that.
 */
const DEFLATED_AT_ONCE = [64, 64, 32, 32, 16, 16, 4, 4, 4].map(size => size * 1024)

/** The most bytes that are compressed at once. */
export function deflatedAtOnce(level: number): number {
  return DEFLATED_AT_ONCE[level - 1] ?? 0
}

/** The most bytes that are inflated at once, if what they become is little enough as well (see at-once.ts). */
export const INFLATED_AT_ONCE = 8 * 1024

/** zlib's parameters of a compressor. */
export interface ContextSettings {
  /** 1 to 9. */
  readonly level: number
  /** 9 to 15. */
  readonly windowBits: number
  /** 1 to 9. */
  readonly memLevel: number
}

export interface Deflater {
  /**
   * A message of at least one byte compressed, without its trailing 00 00 ff ff. Lent as Compressor.compress says.
   *
   * @throws Error where zlib gets no memory
   */
  deflate(payload: Uint8Array): Buffer
  /** Gives up its memory; it is not used any more. */
  close(): void
}

export interface Engine {
  /** @param takeover whether a message may refer back to those before it */
  createDeflater(settings: ContextSettings, takeover: boolean): Deflater
  /**
   * `bytes[start, end)`, a message without its trailing 00 00 ff ff, inflated. Lent as Decompressor.decompress says.
   *
   * @param limit the most bytes that it may inflate to
   * @param history what it may refer back to
   * @param turn what final blocks inside of it may take; default: as much as the message allows
   * @throws Violation `message-too-big`, `invalid-deflate`; TurnIsOver
   */
  inflate(
    bytes: Buffer,
    start: number,
    end: number,
    limit: number,
    history: History | undefined,
    turn?: TurnBudget
  ): Buffer
  /**
   * How many bytes a message may inflate to, by what becomes of its beginning; 0 where that does not tell. A bomb that
   * any compressor has made shows; one that begins like another message does not.
   *
   * @param bytes all of the message, without its trailing 00 00 ff ff
   * @param history what it may refer back to
   */
  expectedSize(bytes: Buffer, history: History | undefined): number
}

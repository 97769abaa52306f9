/** What is inflated on the main thread: messages that turn out to be small, and few bombs in a turn of the event loop. */
import { Violation } from '../protocol/violation.ts'
import type { Engine } from './engine.ts'
import type { History } from './history.ts'
import { TurnIsOver, type TurnBudget } from './message-end.ts'

/** The most bytes that a message is inflated to at once, 256 KiB. */
export const INFLATED_TO_AT_ONCE = 256 * 1024
/** How many times its size a message may become without counting as a bomb; JSON becomes three to ten times as large. */
const USUAL_RATIO = 16
/**
 * Bytes that all messages together may take beyond that in a turn of the event loop. Output counts, and so does window
 * that zlib is given again behind a final block.
 */
const EXCESS = 1024 * 1024

/** It is whole again in the next turn after something was taken. */
class Turn implements TurnBudget {
  #left = EXCESS

  get left(): number {
    return this.#left
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    if (this.#left === EXCESS) setImmediate(() => (this.#left = EXCESS))
    this.#left -= bytes
    return true
  }
}

const turn = new Turn()

/**
 * Inflates `bytes[start, end)`, a message without its trailing 00 00 ff ff, unless that would hold up the event loop.
 *
 * @param limit the most bytes that it may inflate to
 * @param history what it may refer back to
 * @returns as Engine.inflate does; undefined where it has to be begun anew elsewhere
 * @throws Violation `message-too-big`, `invalid-deflate`
 */
export function inflateAtOnce(
  engine: Engine,
  bytes: Buffer,
  start: number,
  end: number,
  limit: number,
  history: History | undefined
): Buffer | undefined {
  const usual = USUAL_RATIO * (end - start)
  const most = Math.min(limit, usual + turn.left, INFLATED_TO_AT_ONCE)
  try {
    const message = engine.inflate(bytes, start, end, most, history, turn)
    takeExcess(message.length - usual)
    return message
  } catch (error) {
    if (error instanceof TurnIsOver) return undefined
    if (!(error instanceof Violation) || error.code !== 'message-too-big') throw error
    takeExcess(most - usual)
    if (most === limit) throw error
    return undefined
  }
}

/** Final blocks may have left less than there was when the message began. */
function takeExcess(excess: number): void {
  if (excess > 0) turn.take(Math.min(excess, turn.left))
}

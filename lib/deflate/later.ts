/** Compression of large messages off the main thread (RFC 7692, section 7.2), with Node's documented functions only. */
import { constants, deflateRaw } from 'node:zlib'
import type { Violation } from '../protocol/violation.ts'
import { MAX_MESSAGE_SIZE, type ContextSettings, type Engine } from './engine.ts'
import type { History } from './history.ts'
import { CHUNK_SIZE, Inflation } from './inflation.ts'
import { firstLevelFor, levelFor, LevelQueue } from './level-queue.ts'
import { TAIL_SIZE } from './message-end.ts'

/** How much longer a byte takes to be deflated than to be inflated to. */
const DEFLATING_COST = 8

/** Of all connections of this thread. */
const queue = new LevelQueue()

/**
 * Compresses a message that refers back to nothing.
 *
 * @param payload left alone until `done` is called
 * @param done called once, later, with the message without its trailing 00 00 ff ff; undefined where zlib could not
 * @returns takes the call back: `done` is not called any more
 */
export function deflateLater(
  payload: Uint8Array,
  { level, windowBits, memLevel }: ContextSettings,
  done: (compressed: Buffer | undefined) => void
): () => void {
  const options = { level, windowBits, memLevel, chunkSize: CHUNK_SIZE, finishFlush: constants.Z_SYNC_FLUSH }
  let stopped = false
  const job = {
    start(_level: number, ended: () => void): void {
      const conclude = (compressed: Buffer | undefined): void => {
        ended()
        if (!stopped) done(compressed)
      }
      deflateRaw(payload, options, (error, compressed) =>
        conclude(error === null ? compressed.subarray(0, compressed.length - TAIL_SIZE) : undefined)
      )
    },
    /** There is no memory for a context. */
    failed(): void {
      if (!stopped) done(undefined)
    },
    /** zlib can not be interrupted, so its thread, and the place in the queue, is free when it is done. */
    stop(): void {
      stopped = true
    },
  }
  return queue.add(job, levelFor(DEFLATING_COST * payload.length))
}

/**
 * Inflates all of `bytes`, a message without its trailing 00 00 ff ff; they are copied first.
 *
 * @param engine looks at what they may become: the thread pool could inflate them all the same, but later
 * @param limit the most bytes it may inflate to
 * @param history what it may refer back to; left as it is until `done` is called
 * @param done called once, later, with the message or with the Violation `message-too-big`, `invalid-deflate`, or
 *   `too-much-retained` where there is no memory
 * @param grown called whenever the memory that is taken has changed by 64 KiB or more, with all of it, in bytes
 * @returns takes the call back: what has been made is given up, and neither of the two is called any more
 */
export function inflateLater(
  engine: Engine,
  bytes: Buffer,
  limit: number,
  history: History | undefined,
  done: (result: Buffer | Violation) => void,
  grown: (bytes: number) => void
): () => void {
  const most = Math.min(limit, MAX_MESSAGE_SIZE)
  const level = firstLevelFor(Math.min(most, engine.expectedSize(bytes, history)))
  return queue.add(new Inflation(bytes, most, history, done, grown), level)
}

/** One message that is inflated off the main thread (RFC 7692, section 7.2.2). */
import { constants, createInflateRaw, type InflateRaw } from 'node:zlib'
import { Violation } from '../protocol/violation.ts'
import { GrowingOutput } from './growing.ts'
import type { History } from './history.ts'
import { allowanceOf, levelFor, type Job } from './level-queue.ts'
import { ENDING, FinalBlocks, mayHoldEnding, SECOND_ENDING } from './message-end.ts'

/** The pieces that output comes in, in bytes; one trip to the thread pool each. */
export const CHUNK_SIZE = 64 * 1024
/** The least change of memory that is told, in bytes. */
const TOLD_FROM = 64 * 1024

/** From one start of the job to its end. */
interface Attempt {
  readonly level: number
  readonly ended: (next?: number) => void
  readonly finals: FinalBlocks
  /** Where in the input the stream at hand began. */
  at: number
  /** Where in the output. */
  from: number
}

/**
 * A job that begins anew where its message turns out larger than its level allows. So a message that waits for its turn
 * holds nothing but its input. The output so far tells which level the message needs.
 */
export class Inflation implements Job {
  #input: Buffer
  readonly #limit: number
  readonly #history: History | undefined
  readonly #done: (result: Buffer | Violation) => void
  readonly #grown: (bytes: number) => void
  #output = new GrowingOutput(0)
  /** The memory last told, in bytes. */
  #told: number
  #stopped = false
  /** Whether ENDING has been taken for data, or may have been: this is the second time, with another. */
  #again = false

  /** The parameters are those of `inflateLater`. */
  constructor(
    bytes: Buffer,
    limit: number,
    history: History | undefined,
    done: (result: Buffer | Violation) => void,
    grown: (bytes: number) => void
  ) {
    this.#input = Buffer.concat([bytes, ENDING])
    this.#limit = limit
    this.#history = history
    this.#done = done
    this.#grown = grown
    this.#told = bytes.length
  }

  start(level: number, ended: (next?: number) => void): void {
    this.#output = new GrowingOutput(Math.min(this.#limit, allowanceOf(level)))
    this.#begin({ level, ended, finals: new FinalBlocks(this.#size), at: 0, from: 0 }, this.#history)
  }

  /** There is no memory to inflate to. */
  failed(error: unknown): void {
    if (!this.#stopped) this.#done(violationOf(error))
  }

  /** The next event of the stream ends it: zlib can not be interrupted, and reads the input until then. */
  stop(): void {
    this.#stopped = true
    this.#output.clear()
  }

  /** Begins a stream that goes on behind `history`. */
  #begin(attempt: Attempt, history: History | undefined): void {
    const dictionary = history === undefined || history.length === 0 ? undefined : history.bytes
    try {
      const stream = createInflateRaw({ chunkSize: CHUNK_SIZE, finishFlush: constants.Z_FINISH, dictionary })
      stream.on('data', (piece: Buffer) => this.#onData(attempt, stream, piece))
      stream.on('end', () => this.#onEnd(attempt, stream))
      stream.on('error', error => this.#conclude(attempt, stream, violationOf(error)))
      stream.end(this.#input.subarray(attempt.at))
    } catch (error) {
      setImmediate(() => this.#conclude(attempt, undefined, violationOf(error)))
    }
  }

  #onData(attempt: Attempt, stream: InflateRaw, piece: Buffer): void {
    const length = this.#output.length + piece.length
    if (this.#stopped) this.#end(attempt, stream)
    else if (length > this.#limit) this.#conclude(attempt, stream, new Violation('message-too-big'))
    else if (length > allowanceOf(attempt.level)) this.#giveUp(attempt, stream, length)
    else if (this.#levelBy(attempt, stream, length) > attempt.level + 1) this.#giveUp(attempt, stream, length)
    else this.#take(attempt, stream, piece)
  }

  #take(attempt: Attempt, stream: InflateRaw, piece: Buffer): void {
    try {
      this.#output.append(piece, attempt.at + stream.bytesWritten, this.#input.length)
    } catch (error) {
      this.#conclude(attempt, stream, violationOf(error))
      return
    }
    this.#tell()
  }

  #giveUp(attempt: Attempt, stream: InflateRaw, length: number): void {
    this.#output.clear()
    this.#end(attempt, stream, Math.max(this.#levelBy(attempt, stream, length), attempt.level + 1))
    this.#tell()
  }

  /** The level that the message needs, as far as what has been made of it tells: a bomb shows with its first piece. */
  #levelBy(attempt: Attempt, stream: InflateRaw, length: number): number {
    const expected = (length / (attempt.at + stream.bytesWritten)) * this.#input.length
    return levelFor(Math.min(expected, this.#limit))
  }

  /** A stream has ended: with the message, or inside of it. */
  #onEnd(attempt: Attempt, stream: InflateRaw): void {
    attempt.at += stream.bytesWritten
    if (this.#stopped) this.#end(attempt, stream)
    else if (attempt.at < this.#input.length) this.#goOn(attempt, stream)
    else if (!this.#again && mayHoldEnding(this.#output.from(attempt.from))) this.#inflateAgain(attempt)
    else this.#conclude(attempt, stream, this.#result())
  }

  #goOn(attempt: Attempt, stream: InflateRaw): void {
    let window: History
    try {
      window = attempt.finals.next(this.#history, this.#output.from(attempt.from))
    } catch (error) {
      this.#conclude(attempt, stream, violationOf(error))
      return
    }
    attempt.from = this.#output.length
    this.#begin(attempt, window)
  }

  #inflateAgain(attempt: Attempt): void {
    this.#input = Buffer.concat([this.#input.subarray(0, this.#size), SECOND_ENDING])
    this.#again = true
    this.#output.clear()
    this.#begin({ ...attempt, finals: new FinalBlocks(this.#size), at: 0, from: 0 }, this.#history)
  }

  /** Bytes of the message. */
  get #size(): number {
    return this.#input.length - (this.#again ? SECOND_ENDING : ENDING).length
  }

  #result(): Buffer | Violation {
    try {
      return this.#output.take()
    } catch (error) {
      return violationOf(error)
    }
  }

  #tell(): void {
    const taken = this.#input.length + this.#output.capacity
    if (Math.abs(taken - this.#told) < TOLD_FROM) return
    this.#told = taken
    this.#grown(taken)
  }

  #conclude(attempt: Attempt, stream: InflateRaw | undefined, result: Buffer | Violation): void {
    this.#output.clear()
    this.#end(attempt, stream)
    if (!this.#stopped) this.#done(result)
  }

  /** Makes room for another job before anything is told. */
  #end(attempt: Attempt, stream: InflateRaw | undefined, next?: number): void {
    stream?.destroy()
    attempt.ended(next)
  }
}

/** All but a Violation and zlib's two errors for wrong data is a want of memory. */
function violationOf(error: unknown): Violation {
  if (error instanceof Violation) return error
  const code: unknown = Reflect.get(error as Error, 'code')
  return new Violation(code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR' ? 'invalid-deflate' : 'too-much-retained')
}

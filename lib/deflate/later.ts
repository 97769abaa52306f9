/** Compression of large messages off the main thread (RFC 7692, section 7.2), with Node's documented functions only. */
import { constants, createInflateRaw, deflateRaw, type InflateRaw } from 'node:zlib'
import { Violation } from '../protocol/violation.ts'
import { MAX_MESSAGE_SIZE, type ContextSettings } from './engine.ts'
import type { History } from './history.ts'
import { ENDING, FinalBlocks, TAIL_SIZE } from './message-end.ts'

/** The pieces that output comes in, in bytes; one trip to the thread pool each. */
const CHUNK_SIZE = 64 * 1024
/**
 * Messages at work at a time. Node has four threads for all of them; more would not be done any sooner, and hold a
 * context each, of up to 300 KiB.
 */
const MAX_RUNNING = 4

/** What is to be done: tells when it is, and may be told to stop before. */
interface Job {
  start(finished: () => void): void
  /** Once it has been started. */
  stop(): void
}

const waiting = new Set<Job>()
let running = 0

/** @returns takes the job back: it is not started any more, or stopped */
function schedule(job: Job): () => void {
  waiting.add(job)
  startNext()
  return () => {
    if (!waiting.delete(job)) job.stop()
  }
}

function startNext(): void {
  if (running >= MAX_RUNNING) return
  const [job] = waiting
  if (job === undefined) return
  waiting.delete(job)
  running++
  job.start(() => {
    running--
    startNext()
  })
}

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
  return schedule({
    start: finished =>
      deflateRaw(payload, options, (error, compressed) => {
        finished()
        if (!stopped) done(error === null ? compressed.subarray(0, compressed.length - TAIL_SIZE) : undefined)
      }),
    stop: () => {
      stopped = true
    },
  })
}

/**
 * Inflates all of `bytes`, a message without its trailing 00 00 ff ff; they are copied first.
 *
 * @param limit the most bytes it may inflate to
 * @param history what it may refer back to; left as it is until `done` is called
 * @param done called once, later, with the message or with the Violation `message-too-big` or `invalid-deflate`
 * @returns takes the call back: what has been made is given up, and `done` is not called any more
 */
export function inflateLater(
  bytes: Buffer,
  limit: number,
  history: History | undefined,
  done: (result: Buffer | Violation) => void
): () => void {
  const input = Buffer.concat([bytes, ENDING])
  let inflation: Inflation | undefined
  return schedule({
    start: finished => {
      inflation = new Inflation(input, Math.min(limit, MAX_MESSAGE_SIZE), history, result => {
        finished()
        if (result !== undefined) done(result)
      })
      inflation.start(history)
    },
    stop: () => inflation?.stop(),
  })
}

/** One message on its way. */
class Inflation {
  readonly #input: Buffer
  readonly #limit: number
  readonly #history: History | undefined
  /** Undefined: stopped. */
  readonly #done: (result: Buffer | Violation | undefined) => void
  readonly #finals: FinalBlocks
  readonly #outputs: Buffer[] = []
  /** What the outputs have together. */
  #length = 0
  /** How many of the outputs come from streams that have ended. */
  #ended = 0
  /** Where in the input the stream began. */
  #at = 0
  #stream: InflateRaw | undefined
  #over = false

  constructor(
    input: Buffer,
    limit: number,
    history: History | undefined,
    done: (result: Buffer | Violation | undefined) => void
  ) {
    this.#input = input
    this.#limit = limit
    this.#history = history
    this.#done = done
    this.#finals = new FinalBlocks(input.length)
  }

  /** Begins a stream that goes on behind `history`. After `destroy` it tells nothing more. */
  start(history: History | undefined): void {
    const dictionary = history === undefined || history.length === 0 ? undefined : history.bytes
    const stream = createInflateRaw({ chunkSize: CHUNK_SIZE, finishFlush: constants.Z_FINISH, dictionary })
    stream.on('data', (chunk: Buffer) => this.#onData(stream, chunk))
    this.#stream = stream
    stream.on('error', () => this.#conclude(new Violation('invalid-deflate')))
    stream.on('end', () => this.#onEnd(stream))
    stream.end(this.#input.subarray(this.#at))
  }

  stop(): void {
    this.#stream?.destroy()
    this.#conclude(undefined)
  }

  #conclude(result: Buffer | Violation | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#done(result)
  }

  #onData(stream: InflateRaw, chunk: Buffer): void {
    // A small piece, of which a message full of final blocks has many, should not pin the memory of a large one.
    this.#outputs.push(chunk.length < CHUNK_SIZE / 2 ? Buffer.from(chunk) : chunk)
    this.#length += chunk.length
    if (this.#length <= this.#limit) return
    stream.destroy()
    this.#conclude(new Violation('message-too-big'))
  }

  /** A stream has ended: with the message, or inside of it. */
  #onEnd(stream: InflateRaw): void {
    this.#at += stream.bytesWritten
    if (this.#at === this.#input.length) this.#conclude(Buffer.concat(this.#outputs, this.#length))
    else this.#goOn()
  }

  #goOn(): void {
    try {
      const window = this.#finals.next(this.#history, this.#outputs.slice(this.#ended))
      this.#ended = this.#outputs.length
      this.start(window)
    } catch (error) {
      this.#conclude(error as Violation)
    }
  }
}

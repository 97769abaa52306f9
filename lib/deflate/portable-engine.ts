/** The portable engine: Node's documented synchronous functions only, with a context made for each message. */
import { constants, deflateRawSync, inflateRawSync, type InflateRaw } from 'node:zlib'
import { Violation } from '../protocol/violation.ts'
import { MAX_MESSAGE_SIZE, type ContextSettings, type Deflater, type Engine } from './engine.ts'
import { History } from './history.ts'
import { ENDING, FinalBlocks, mayHoldEnding, SECOND_ENDING, TAIL_SIZE, type TurnBudget } from './message-end.ts'

/** The smallest and the largest piece that output comes in, in bytes. */
const MIN_CHUNK_SIZE = 1024
const MAX_CHUNK_SIZE = 64 * 1024
/** How much larger than itself a message is expected to become when it is inflated. */
const RATIO = 4
/** How many bytes of a message are looked at to tell how large it will be: they become 64 KiB, or little more, at most. */
const LOOKED_AT = 64

export const portableEngine: Engine = {
  createDeflater: (settings, takeover) => new PortableDeflater(settings, takeover),
  inflate,
  expectedSize,
}

/** What `inflateRawSync` returns with `info`, which its types do not know. */
interface Informed {
  readonly buffer: Buffer
  readonly engine: InflateRaw
}

/** What a message may refer back to is given to its context as the dictionary. */
class PortableDeflater implements Deflater {
  readonly #settings: ContextSettings
  readonly #history: History | undefined

  constructor({ level, windowBits, memLevel }: ContextSettings, takeover: boolean) {
    this.#settings = { level, windowBits, memLevel }
    this.#history = takeover ? new History(2 ** windowBits) : undefined
  }

  deflate(payload: Uint8Array): Buffer {
    const compressed = deflateRawSync(payload, {
      ...this.#settings,
      finishFlush: constants.Z_SYNC_FLUSH,
      dictionary: dictionaryOf(this.#history),
      chunkSize: chunkSizeFor(payload.length),
    })
    this.#history?.append(payload, 0, payload.length)
    return compressed.subarray(0, compressed.length - TAIL_SIZE)
  }

  /** All it has goes with it. */
  close(): void {}
}

function inflate(
  bytes: Buffer,
  start: number,
  end: number,
  limit: number,
  history: History | undefined,
  turn?: TurnBudget
): Buffer {
  const input = Buffer.concat([bytes.subarray(start, end), ENDING])
  const finals = new FinalBlocks(end - start, turn)
  const outputs: Buffer[] = []
  let window = history
  let at = 0
  let left = limit
  for (;;) {
    const rest = input.subarray(at)
    const { output, consumed } = inflateStream(rest, left, window)
    outputs.push(output)
    at += consumed
    left -= output.length
    if (at === input.length) {
      if (mayHoldEnding(output)) inflateStream(withSecondEnding(rest), limit, window)
      return outputs.length === 1 ? output : Buffer.concat(outputs)
    }
    window = finals.next(history, output)
  }
}

function withSecondEnding(input: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, -ENDING.length), SECOND_ENDING])
}

/** Inflates up to where the stream ends, and tells how much of the input that was. */
function inflateStream(
  input: Buffer,
  limit: number,
  history: History | undefined
): { readonly output: Buffer; readonly consumed: number } {
  const { buffer, engine } = catchViolation(() =>
    inflateRawSync(input, {
      info: true,
      finishFlush: constants.Z_FINISH,
      // What must be 1 at least; the one byte too many is found below.
      maxOutputLength: Math.min(Math.max(limit, 1), MAX_MESSAGE_SIZE),
      dictionary: dictionaryOf(history),
      chunkSize: chunkSizeFor(RATIO * input.length),
    })
  ) as unknown as Informed
  if (buffer.length > limit) throw new Violation('message-too-big')
  return { output: buffer, consumed: engine.bytesWritten }
}

function expectedSize(bytes: Buffer, history: History | undefined): number {
  const beginning = bytes.subarray(0, LOOKED_AT)
  if (beginning.length === 0) return 0
  try {
    const { buffer, engine } = inflateRawSync(beginning, {
      info: true,
      finishFlush: constants.Z_SYNC_FLUSH,
      dictionary: dictionaryOf(history),
      chunkSize: MAX_CHUNK_SIZE,
    }) as unknown as Informed
    return (buffer.length / engine.bytesWritten) * bytes.length
  } catch {
    return 0
  }
}

function catchViolation<Result>(inflate: () => Result): Result {
  try {
    return inflate()
  } catch (error) {
    const tooBig = error instanceof RangeError && Reflect.get(error, 'code') === 'ERR_BUFFER_TOO_LARGE'
    throw new Violation(tooBig ? 'message-too-big' : 'invalid-deflate')
  }
}

function dictionaryOf(history: History | undefined): Buffer | undefined {
  return history === undefined || history.length === 0 ? undefined : history.bytes
}

function chunkSizeFor(expected: number): number {
  return Math.min(Math.max(expected, MIN_CHUNK_SIZE), MAX_CHUNK_SIZE)
}

/** What a worker publishes in one tick, as one message between processes: each of those costs more than its bytes. */

/** A batch leaves early when it has so many bytes: joining more saves nothing that could be measured. */
export const BATCH_SIZE = 64 * 1024
/** In front of each message stand the place of its channel's name among all, in two bytes, and its length, in four. */
const HEADER = 6

export interface Packed {
  /** Names of channels, each once. */
  readonly channels: readonly string[]
  readonly bytes: Buffer
  /** How many messages. */
  readonly count: number
}

export class Batch {
  /** Of this batch alone: it is handed over with it. */
  #memory: Buffer | undefined
  #used = 0
  #count = 0
  readonly #channels = new Map<string, number>()

  /** Bytes, headers included. */
  get size(): number {
    return this.#used
  }

  /** Takes a copy. @returns false where it has to go into the next batch; an empty one takes everything */
  add(channel: string, bytes: Uint8Array): boolean {
    const size = HEADER + bytes.length
    if (this.#used > 0 && this.#used + size > BATCH_SIZE) return false
    const memory = this.#memoryFor(size)
    const place = this.#channels.get(channel) ?? this.#channels.size
    this.#channels.set(channel, place)
    memory.writeUInt16BE(place, this.#used)
    memory.writeUInt32BE(bytes.length, this.#used + 2)
    memory.set(bytes, this.#used + HEADER)
    this.#used += size
    this.#count++
    return true
  }

  /** All of it, in memory of its own; the batch is empty then. */
  take(): Packed {
    const memory = this.#memory ?? EMPTY
    const bytes = memory.subarray(0, this.#used)
    const packed = { channels: [...this.#channels.keys()], bytes, count: this.#count }
    this.#memory = undefined
    this.#used = 0
    this.#count = 0
    this.#channels.clear()
    return packed
  }

  #memoryFor(size: number): Buffer {
    this.#memory ??= Buffer.allocUnsafeSlow(Math.max(size, BATCH_SIZE))
    return this.#memory
  }
}

const EMPTY = Buffer.alloc(0)

/**
 * Calls `listener` with each message, in order, as a part of `bytes`.
 *
 * @returns whether that was all of them: what is no batch ends it
 */
export function unpack(
  channels: readonly string[],
  bytes: Buffer,
  listener: (channel: string, bytes: Buffer) => void
): boolean {
  let at = 0
  while (at < bytes.length) {
    const start = at + HEADER
    if (start > bytes.length) return false
    const channel = channels[bytes.readUInt16BE(at)]
    const end = start + bytes.readUInt32BE(at + 2)
    if (channel === undefined || end > bytes.length) return false
    at = end
    listener(channel, bytes.subarray(start, at))
  }
  return true
}

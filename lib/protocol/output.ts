/** Where frames are written to: memory to fill, and payloads taken by reference. */

export interface Output {
  /** The memory that `reserve` speaks of; may be another after each call of it. */
  readonly memory: Buffer
  /** Whether earlier output still waits for the network, so that answers which can wait should. */
  readonly blocked: boolean
  /** Makes room for `size` bytes in `memory` and returns where they begin. */
  reserve(size: number): number
  /** The first `size` bytes since the last `reserve` are filled and go out. */
  commit(size: number): void
  /** `bytes` go out as they are, without being copied: their owner leaves them alone until then. */
  append(bytes: Buffer): void
}

/** What an Endpoint writes to. */
export interface EndpointOutput extends Output {
  /** Bytes of messages that have been accepted and will be written later; the Endpoint keeps count here. */
  promised: number
  /** So many messages more, or fewer, wait to be written later: each takes memory besides its bytes. */
  countWaiting(change: number): void
}

/** An Output that keeps all in memory, for use without a socket. */
export class BufferedOutput implements EndpointOutput {
  memory = Buffer.alloc(0)
  blocked = false
  promised = 0
  /** How many messages wait to be written later. */
  waiting = 0
  #from = 0
  #chunks: Buffer[] = []

  reserve(size: number): number {
    if (this.memory.length - this.#from < size) {
      this.memory = Buffer.allocUnsafe(Math.max(size, 1024))
      this.#from = 0
    }
    return this.#from
  }

  commit(size: number): void {
    this.#chunks.push(this.memory.subarray(this.#from, this.#from + size))
    this.#from += size
  }

  append(bytes: Buffer): void {
    this.#chunks.push(bytes)
  }

  countWaiting(change: number): void {
    this.waiting += change
  }

  /** All output since the last call, as one Buffer. */
  take(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = []
    return all
  }
}

/** What has to wait until a message is out that is compressed elsewhere or sent in parts (RFC 6455, section 5.4). */
import type { EndpointOutput } from './output.ts'

/**
 * In the order in which it was accepted: the frames of one message are not interleaved with another's. Control frames
 * need not wait.
 */
export class SendQueue {
  /** The message that the others wait for, where it is compressed elsewhere. */
  underWay: { cancel(): void } | undefined
  readonly #output: EndpointOutput
  readonly #jobs: { readonly size: number; readonly run: () => void }[] = []
  /** The jobs before it are done: they are removed together, for one by one is slow where there are many. */
  #next = 0
  #held = true
  #releasing = false

  /** Held to begin with. */
  constructor(output: EndpointOutput) {
    this.#output = output
  }

  /** Whether a message is on its way, or waits, that nothing may overtake. */
  get held(): boolean {
    return this.#held || this.#releasing
  }

  /** @param size bytes that are promised to the output meanwhile */
  add(size: number, run: () => void): void {
    this.#output.promised += size
    this.#output.countWaiting(1)
    this.#jobs.push({ size, run })
  }

  /** From inside a job: the jobs behind it wait until `release`. */
  hold(): void {
    this.#held = true
  }

  /** The message is out: what waits goes, until a job holds the queue again. */
  release(): void {
    this.#held = false
    // From inside a job: the loop that it was called from goes on.
    if (this.#releasing) return
    this.#releasing = true
    try {
      while (!this.#held && this.#next < this.#jobs.length) {
        const { size, run } = this.#jobs[this.#next++]
        this.#output.promised -= size
        this.#output.countWaiting(-1)
        run()
      }
    } finally {
      this.#jobs.splice(0, this.#next)
      this.#next = 0
      this.#releasing = false
    }
  }

  /** Nothing of it will be sent. */
  drop(): void {
    this.underWay?.cancel()
    this.underWay = undefined
    const waiting = this.#jobs.slice(this.#next)
    for (const { size } of waiting) this.#output.promised -= size
    if (waiting.length > 0) this.#output.countWaiting(-waiting.length)
    this.#jobs.length = 0
  }
}

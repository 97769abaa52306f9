/** What is counted of few connections, and so made only for those. */

/** Milliseconds in which so many control frames may come as the limit says. */
const WINDOW = 1000

export class ConnectionCounts {
  /** Messages that a policy for slow receivers has skipped. */
  dropped = 0
  /** What was queued at the last turn of the heartbeat: where it shrinks, the peer is there. */
  queuedBefore = 0
  /** Turns of the heartbeat at which reading was held back, since the peer was silent. */
  heldTurns = 0
  /** Milliseconds that the last ping of the heartbeat took; undefined before the first answer. */
  roundTripTime: number | undefined
  #controlFrames = 0
  #since = 0

  /**
   * Counts a ping or pong. A second begins with its first, and the clock is asked again only when `limit` of them have come.
   *
   * @returns whether the limit is kept
   */
  countControlFrame(limit: number): boolean {
    if (this.#controlFrames++ === 0) this.#since = performance.now()
    if (this.#controlFrames <= limit) return true
    const now = performance.now()
    if (now - this.#since < WINDOW) return false
    this.#since = now
    this.#controlFrames = 1
    return limit >= 1
  }
}

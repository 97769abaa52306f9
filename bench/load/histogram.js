/** Times in buckets of about 1 %, from 0.1 microseconds to minutes: recording one costs no memory. */

const STEPS_A_MILLISECOND = 10_000
/** Each power of two is cut into so many buckets. */
const PARTS_BITS = 7
const PARTS = 1 << PARTS_BITS

export class Histogram {
  #counts = new Uint32Array(32 * PARTS)
  #total = 0

  /** @param {number} milliseconds */
  record(milliseconds) {
    const steps = (milliseconds * STEPS_A_MILLISECOND) | 0
    const shift = Math.max(0, 31 - PARTS_BITS - Math.clz32(steps))
    this.#counts[shift * PARTS + (steps >>> shift)]++
    this.#total++
  }

  reset() {
    this.#counts.fill(0)
    this.#total = 0
  }

  /** The time, in microseconds, that a share of all did not pass. @param {number} share */
  quantile(share) {
    let left = Math.ceil(this.#total * share)
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i]
      if (left <= 0 && this.#counts[i] > 0) return (startOf(i) * 1000) / STEPS_A_MILLISECOND
    }
    return 0
  }
}

/** The least time, in steps, that falls into a bucket. */
function startOf(index) {
  if (index < 2 * PARTS) return index
  const shift = (index >>> PARTS_BITS) - 1
  return (index - shift * PARTS) * 2 ** shift
}

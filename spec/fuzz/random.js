/** Random numbers of which the same seed gives the same (mulberry32). */

export class Random {
  #state

  /** @param {number} seed a whole number; each stream of a run mixes its own from the run's and its index */
  constructor(seed, index = 0) {
    this.#state = (seed ^ Math.imul(index + 1, 0x9e3779b1)) | 0
    for (let i = 0; i < 3; i++) this.below(2)
  }

  /** A whole number from 0 to below `limit`. */
  below(limit) {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  /** True once in `n` times. */
  oneIn(n) {
    return this.below(n) === 0
  }

  pick(items) {
    return items[this.below(items.length)]
  }

  bytes(size) {
    const bytes = Buffer.alloc(size)
    for (let i = 0; i < size; i++) bytes[i] = this.below(256)
    return bytes
  }
}

/**
 * How many bytes a transport gets at a time; it gets more when it has taken them.
 *
 * One long write tells nothing until all of it is taken, and a slow peer that takes it steadily would look like one that is
 * gone. Short ones cost a turn of the event loop each. So portions grow for peers that take them at once, and shrink for
 * those that take long.
 */

/** Bytes. */
export const FIRST_PORTION = 512 * 1024
const LEAST = 64 * 1024
const MOST = 2 * 1024 * 1024
/** Milliseconds within which a portion is taken at once, and beyond which it has taken long. */
const AT_ONCE = 100
const LONG = 500

export class Portion {
  /** Bytes. */
  size = FIRST_PORTION
  /** When the one that waits was given, in milliseconds; 0: none waits. */
  #given = 0

  /** A part of what was given waits. */
  waits(): void {
    if (this.#given === 0) this.#given = performance.now()
  }

  /** Nothing waits any more. */
  taken(): void {
    if (this.#given === 0) return
    const time = performance.now() - this.#given
    this.#given = 0
    if (time < AT_ONCE) this.size = Math.min(2 * this.size, MOST)
    else if (time > LONG) this.size = Math.max(this.size / 2, LEAST)
  }
}

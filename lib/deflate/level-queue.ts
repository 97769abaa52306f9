/**
 * The order in which messages are worked on off the main thread: a multi-level feedback queue. A small message then waits
 * for small ones only, however many large ones, or small ones that inflate to much, have come before it.
 */

/** What a job on level 0 may produce, in bytes. */
const FIRST_ALLOWANCE = 128 * 1024
/** How many times as much each level allows as the one below, and so how many turns that one has for one of its own. */
const STEP = 8
/** With the last one's allowance, 4 GiB, any message is within one. */
const LEVELS = 6
/**
 * Jobs at work at a time. Node has four threads for all of them; more would not be done any sooner, and hold a context
 * each, of up to 300 KiB.
 */
const MAX_RUNNING = 4
/** How many of them are of a level above 0: the other threads are free again soon. */
const MAX_LARGE = 2

/** The most bytes that a job on `level` may produce. */
export function allowanceOf(level: number): number {
  return FIRST_ALLOWANCE * STEP ** level
}

/** The lowest level on which a job may produce so many bytes; the highest for more than 4 GiB. */
export function levelFor(bytes: number): number {
  let level = 0
  while (level < LEVELS - 1 && bytes > allowanceOf(level)) level++
  return level
}

/** What is to be done on another thread. */
export interface Job {
  /**
   * Begins, or begins anew on a higher level.
   *
   * @param ended to be called once, never from inside this call, when no thread is at work for it any more: with a
   *   higher level if it needs one and has given up all it had made
   */
  start(level: number, ended: (next?: number) => void): void
  /** It has been taken back: it ends as soon as it can. Without effect where it has ended already. */
  stop(): void
}

export class LevelQueue {
  /** By level, the first come first. */
  readonly #waiting = Array.from({ length: LEVELS }, () => new Set<Job>())
  /** How many turns each level has had since it last let a higher one pass. */
  readonly #turns = new Array<number>(LEVELS).fill(0)
  #running = 0
  #large = 0

  /**
   * Starts the job when its turn has come, perhaps at once.
   *
   * @returns takes the job back: it is not started any more, or stopped
   */
  add(job: Job, level: number): () => void {
    this.#waiting[level].add(job)
    this.#startNext()
    return () => {
      if (!this.#waiting.some(jobs => jobs.delete(job))) job.stop()
    }
  }

  #startNext(): void {
    if (this.#running === MAX_RUNNING) return
    const level = this.#choose()
    if (level === undefined) return
    const [job] = this.#waiting[level]
    this.#waiting[level].delete(job)
    this.#count(level, 1)
    job.start(level, next => {
      this.#count(level, -1)
      if (next !== undefined) this.#waiting[next].add(job)
      this.#startNext()
    })
  }

  #count(level: number, change: 1 | -1): void {
    this.#running += change
    if (level > 0) this.#large += change
  }

  /**
   * The lowest level with a job that waits. After `STEP` turns it lets a higher one pass, which so gets as much done as
   * the lower: nothing waits for ever.
   */
  #choose(): number | undefined {
    const levels = this.#large < MAX_LARGE ? LEVELS : 1
    let lowest: number | undefined
    for (let level = 0; level < levels; level++) {
      if (this.#waiting[level].size === 0) continue
      lowest ??= level
      const turns = this.#turns[level]
      this.#turns[level] = turns < STEP ? turns + 1 : 0
      if (turns < STEP) return level
    }
    return lowest
  }
}

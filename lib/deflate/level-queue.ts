/**
 * The order in which messages are worked on off the main thread: a multi-level feedback queue. A small message then waits
 * for small ones only, however many large ones, or small ones that inflate to much, have come before it.
 */

/** What a job on level 0 may produce, in bytes. */
const FIRST_ALLOWANCE = 128 * 1024
/** How many times as much each level allows as the one below. */
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

/**
 * The level to begin on with a job that may produce so many bytes: the lowest unless that would be too low by more than
 * one. A guess that is somewhat too high makes none wait.
 */
export function firstLevelFor(bytes: number): number {
  const level = levelFor(bytes)
  return level > 1 ? level : 0
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
  /** `start` has thrown: it has ended, and is not begun again. Called later, and must not throw. */
  failed(error: unknown): void
  /** It has been taken back: it ends as soon as it can. Without effect where it has ended already. */
  stop(): void
}

export class LevelQueue {
  /** By level, the first come first. */
  readonly #waiting = Array.from({ length: LEVELS }, () => new Set<Job>())
  /** What the jobs of each level may have produced, in bytes. */
  readonly #done = new Array<number>(LEVELS).fill(0)
  /** The most of it that any level has had: one that has had nothing to do makes up for none of that. */
  #most = 0
  #running = 0
  #large = 0

  /**
   * Starts the job when its turn has come, perhaps at once.
   *
   * @returns takes the job back: it is not started any more, or stopped
   */
  add(job: Job, level: number): () => void {
    this.#wait(job, level)
    this.#startNext()
    return () => {
      if (!this.#waiting.some(jobs => jobs.delete(job))) job.stop()
    }
  }

  #wait(job: Job, level: number): void {
    const jobs = this.#waiting[level]
    if (jobs.size === 0) this.#done[level] = Math.max(this.#done[level], this.#most)
    jobs.add(job)
  }

  #startNext(): void {
    if (this.#running === MAX_RUNNING) return
    const level = this.#choose()
    if (level === undefined) return
    const [job] = this.#waiting[level]
    this.#waiting[level].delete(job)
    this.#count(level, 1)
    const ended = (next?: number): void => {
      this.#count(level, -1)
      if (next !== undefined) this.#wait(job, next)
      this.#startNext()
    }
    try {
      job.start(level, ended)
    } catch (error) {
      // Whoever has added it does not expect to be called before that has returned.
      setImmediate(() => {
        ended()
        job.failed(error)
      })
    }
  }

  #count(level: number, change: 1 | -1): void {
    this.#running += change
    if (level > 0) this.#large += change
  }

  /**
   * Adds the allowance of the next job to what a level has had, and chooses the level with the smallest sum. The lower of
   * two equal ones comes first. So each level gets as much done as any other.
   */
  #choose(): number | undefined {
    const levels = this.#large < MAX_LARGE ? LEVELS : 1
    let chosen: number | undefined
    let least = Infinity
    for (let level = 0; level < levels; level++) {
      const done = this.#done[level] + allowanceOf(level)
      if (this.#waiting[level].size === 0 || done >= least) continue
      chosen = level
      least = done
    }
    if (chosen === undefined) return undefined
    this.#done[chosen] = least
    this.#most = Math.max(this.#most, least)
    return chosen
  }
}

/** How far a run is. */
import { groupOf, TITLES } from './cases/index.ts'
import type { CaseResult } from './result.ts'

export interface Progress {
  readonly done: number
  readonly total: number
  readonly failed: number
  /** The case that is done just now. */
  readonly result: CaseResult
  /** The title of its group. */
  readonly title: string
  /** Milliseconds since the run began. */
  readonly elapsed: number
}

/** Tells where a run is that began at `started` (`performance.now()`). */
export function progressOf(result: CaseResult, done: number, total: number, failed: number, started: number): Progress {
  return { done, total, failed, result, title: TITLES[groupOf(result.id)], elapsed: performance.now() - started }
}

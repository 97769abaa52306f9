/**
 * Time that a test lets pass: the clock of the deadlines stands still meanwhile. However slow the machine is, nothing comes
 * too early or too late.
 */
import type { Test } from 'tap'
import { coarseNow, Deadline } from '../../lib/transport/deadlines.ts'
import { turn } from './journal.ts'

/** The clock never goes back, between tests neither: all deadlines are on one wheel. */
const { now: realNow } = performance
let ahead = 0
let stopped: number | undefined
performance.now = () => stopped ?? realNow.call(performance) + ahead

/**
 * Time that passes only when it is told to, until the end of the test. It goes by whole milliseconds: with a fraction,
 * `x + 100 - x` can fall short of 100, and the wheel would stand still for ever.
 */
export class Time {
  #now = Math.ceil(performance.now())

  constructor(t: Test) {
    stopped = this.#now
    // The wheel turns as long as anything may become due.
    const last = new Deadline({ onDeadline() {} })
    last.set(1e9)
    t.teardown(() => {
      last.clear()
      stopped = undefined
      ahead += this.#now - performance.now()
    })
  }

  /** Lets so many milliseconds pass, and what they make due happen. */
  async pass(milliseconds: number): Promise<void> {
    const before = coarseNow()
    this.#now += milliseconds
    stopped = this.#now
    // The wheel turns by a real timer; what it finds late it does in a turn of its own.
    while (coarseNow() === before) await new Promise(resolve => setTimeout(resolve, 5))
    for (let i = 0; i < 3; i++) await turn()
  }
}

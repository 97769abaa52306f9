/** What budgets of memory hold at most, for specs that prove a limit. */
import type { Test } from 'tap'
import { MemoryBudget } from '../../lib/transport/memory-budget.ts'

export interface BudgetWatch {
  /** The one that was told of something last. */
  budget: MemoryBudget | undefined
  /** Bytes that one of them held at most, whenever it had done with what it was told. */
  most: number
}

const { report, keep, onDeadline } = MemoryBudget.prototype

/**
 * Watches every budget until the test ends. What is told while a budget deals with something is no moment to measure:
 * holders that are asked tell then what they read ahead, and the room for it is made right after.
 */
export function watchBudgets(t: Test): BudgetWatch {
  const watch: BudgetWatch = { budget: undefined, most: 0 }
  let depth = 0
  function watched<Args extends unknown[]>(call: (this: MemoryBudget, ...args: Args) => void): PropertyDescriptor {
    return {
      value(this: MemoryBudget, ...args: Args) {
        watch.budget = this
        depth++
        try {
          call.apply(this, args)
        } finally {
          depth--
        }
        if (depth === 0) watch.most = Math.max(watch.most, this.bytes)
      },
    }
  }
  t.intercept(MemoryBudget.prototype, 'report', watched(report))
  t.intercept(MemoryBudget.prototype, 'keep', watched(keep))
  t.intercept(MemoryBudget.prototype, 'onDeadline', watched(onDeadline))
  return watch
}

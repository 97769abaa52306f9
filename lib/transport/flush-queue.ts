/** What was sent outside a read leaves at the end of the tick: one call for all connections (design: one write a read). */

import { callEach } from './each.ts'

export interface Flushable {
  flush(): void
}

let waiting: Flushable[] = []

/** Calls `flush` once the current callback, and the promise reactions behind it, are done. */
export function flushAtEndOfTick(item: Flushable): void {
  if (waiting.push(item) === 1) queueMicrotask(flushBehindReactions)
}

/** Node calls ticks in front of promise reactions; a tick that is added by a reaction comes when all have run. */
function flushBehindReactions(): void {
  process.nextTick(flushAll)
}

function flushAll(): void {
  const now = waiting
  waiting = []
  callEach(now, flush)
}

function flush(item: Flushable): void {
  item.flush()
}

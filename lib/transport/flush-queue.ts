/** What was sent outside a read leaves at the end of the tick: one call for all connections (design: one write a read). */

export interface Flushable {
  flush(): void
}

let waiting: Flushable[] = []

/** Calls `flush` once the current callback, and the promise reactions behind it, are done. */
export function flushAtEndOfTick(item: Flushable): void {
  if (waiting.push(item) === 1) process.nextTick(flushAll)
}

function flushAll(): void {
  const now = waiting
  waiting = []
  for (const item of now) item.flush()
}

/** Connections whose reads take long take turns: one is read in a turn of the event loop, however many there are. */

export interface Reader {
  /** Reads on. @returns whether it did: false for one that is gone, or held back by something else meanwhile */
  readOn(): boolean
}

const waiting: Reader[] = []

/** Calls `readOn` in a later turn of the event loop, behind those that wait already. */
export function readOnInTurn(reader: Reader): void {
  if (waiting.push(reader) === 1) setImmediate(next)
}

function next(): void {
  let reader = waiting.shift()
  while (reader !== undefined && !reader.readOn()) reader = waiting.shift()
  if (waiting.length > 0) setImmediate(next)
}

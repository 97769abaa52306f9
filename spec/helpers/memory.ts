/** What a piece of work leaves behind in memory. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** How many more bytes, on the heap and in ArrayBuffers, are held after `work`, while what it returns is kept. */
export function retainedBy(work: () => unknown): number {
  const before = held()
  const kept = [work()]
  const after = held()
  kept.pop()
  return after - before
}

/** How many bytes are held, on the heap and in ArrayBuffers. */
export function held(): number {
  // The first only starts the sweep that gives ArrayBuffers back.
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

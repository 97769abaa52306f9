/** What a piece of work leaves behind in memory. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { turn } from './journal.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/**
 * How many more bytes, on the heap and in ArrayBuffers, are held after `work`, while what it returns is kept: the median of
 * three times, for what was there before may go, and what others do may come, during one of them.
 */
export function retainedBy(work: () => unknown): number {
  const times = Array.from({ length: 3 }, () => {
    const before = held()
    const kept = [work()]
    const after = held()
    kept.pop()
    return after - before
  })
  return times.sort((a, b) => a - b)[1]
}

/**
 * How many bytes are held, on the heap and in ArrayBuffers. Each collection only starts the sweep that gives ArrayBuffers
 * back, on a thread that may be late where the machine is busy: it goes on until nothing more comes back.
 */
export function held(): number {
  let least = collected()
  for (let same = 0; same < 2; ) {
    const now = collected()
    same = now < least - NOISE ? 0 : same + 1
    least = Math.min(least, now)
  }
  return least
}

const NOISE = 1024

function collected(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/**
 * How many bytes one of many holds that `make` makes and the caller keeps. They are so many that a slab or two which
 * come or go meanwhile weigh little. The first few are not measured: the code that they run for the first time is not theirs.
 */
export async function heldByEach(make: () => Promise<unknown>): Promise<number> {
  const [FIRST, COUNT] = [20, 200]
  for (let i = 0; i < FIRST; i++) await make()
  await turn()
  const before = held()
  for (let i = 0; i < COUNT; i++) await make()
  await turn()
  return (held() - before) / COUNT
}

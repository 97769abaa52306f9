/** Random numbers that can be had again: the seed is printed, and given back with SEED=… in the environment. */
import type { Test } from 'tap'

/** Returns a function that returns an integer from 0 to below its argument (mulberry32). */
export function random(t: Test): (below: number) => number {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0
  t.comment(`SEED=${seed}`)
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

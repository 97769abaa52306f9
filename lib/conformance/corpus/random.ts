/** Random numbers that are the same on every machine (xorshift, 32 bits): what the corpora are grown from. */

/** Returns whole numbers from 0 to below its argument. */
export type Random = (below: number) => number

/** @param seed any whole number but 0 */
export function randomFrom(seed: number): Random {
  let state = seed | 0
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

export function pick<Value>(random: Random, values: readonly [Value, ...Value[]]): Value {
  return values[random(values.length)]
}

/** Random texts for the property tests of headers; the seed is that of helpers/random.ts. */
import type { Test } from 'tap'
import { random } from '../helpers/random.ts'

export interface RandomTexts {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number
  /** One of the items. */
  pick<Item>(items: ArrayLike<Item>): Item
  /** Fewer than `limit` of the pieces, joined. */
  text(pieces: ArrayLike<string>, limit: number): string
}

export function randomTexts(t: Test): RandomTexts {
  const below = random(t)
  const pick = <Item>(items: ArrayLike<Item>): Item => items[below(items.length)] as Item
  const text = (pieces: ArrayLike<string>, limit: number): string =>
    Array.from({ length: below(limit) }, () => pick(pieces)).join('')
  return { below, pick, text }
}

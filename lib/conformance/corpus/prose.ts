/** German prose: what people write, with umlauts of two bytes. */
import { randomFrom } from './random.ts'
import { sentence } from './words.ts'

const SEED = 0x5eed01

/** Paragraphs of lines, a little more than `size` bytes. */
export function prose(size: number): string {
  const random = randomFrom(SEED)
  let text = ''
  let line = ''
  // Every character has at least one byte.
  while (text.length < size) {
    for (const word of sentence(random).split(' ')) {
      if (line.length + word.length > 72) {
        text += `${line.trimEnd()}\n`
        line = ''
      }
      line += `${word} `
    }
    if (random(9) === 0) {
      text += `${line.trimEnd()}\n\n`
      line = ''
    }
  }
  return text
}

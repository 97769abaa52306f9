import buffer from 'node:buffer'
import t from 'tap'
import { decodeLargeText, LARGE_TEXT } from '../../lib/transport/large-text.ts'
import { random } from '../helpers/random.ts'

/** What is decoded in one go, of a text and of a very large one. */
const [PIECE, HUGE] = [48 * 1024, 3.25 * 1024 * 1024]

t.test('text is what it was, wherever a piece ends inside of a character', async t => {
  for (const character of ['a', 'é', '€', '😀']) {
    for (let shift = 0; shift < 5; shift++) {
      for (const size of [PIECE, HUGE]) {
        const text = 'x'.repeat(size - 3 + shift) + character.repeat(PIECE) + 'y'
        const bytes = Buffer.from(text)
        t.equal(decodeLargeText(bytes, 0, bytes.length) === text, true, `${character} behind ${size} and ${shift}`)
      }
    }
  }
})

t.test('only the range counts, and an empty one is an empty text', async t => {
  const bytes = Buffer.from('aé€😀z')
  t.equal(decodeLargeText(bytes, 1, bytes.length - 1), 'é€😀')
  t.equal(decodeLargeText(bytes, 3, 3), '')
})

t.test('random text', async t => {
  const below = random(t)
  const alphabet = ['a', '\0', '\u007f', 'é', '\u07ff', '€', '\uffff', '\ufeff', '😀', '\u{10ffff}']
  for (let i = 0; i < 20; i++) {
    const text = Array.from({ length: 20_000 + below(60_000) }, () => alphabet[below(alphabet.length)]).join('')
    const bytes = Buffer.from(text)
    t.equal(decodeLargeText(bytes, 0, bytes.length) === text, true)
  }
})

t.test('without transcode, or with one that does not work, Buffer decodes', async t => {
  const bytes = Buffer.from('é'.repeat(LARGE_TEXT))
  for (const transcode of [undefined, () => Buffer.alloc(0), () => {
    throw new Error('not implemented')
  }]) {
    const other = { ...buffer, default: { ...buffer, transcode } }
    const mocked: typeof import('../../lib/transport/large-text.ts') = await t.mockImport('../../lib/transport/large-text.ts', { 'node:buffer': other })
    t.equal(mocked.decodeLargeText(bytes, 0, bytes.length) === bytes.toString(), true)
  }
})

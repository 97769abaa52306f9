import t from 'tap'
import { ownString } from '../../lib/protocol/own-string.ts'
import { retainedBy } from '../helpers/memory.ts'

t.test('every text stays as it is: also with surrogates that have no partner', async t => {
  for (const text of ['', 'a', 'room 1', 'ÿ', 'Ā', '日本語', '😀', 'half \ud83d', '\udc00 half', 'a\0b']) {
    t.equal(ownString(text), text)
  }
})

t.test('a piece that is kept does not hold on to what it was cut from', async t => {
  const COUNT = 50
  for (const character of ['x', 'ü', '語']) {
    const pieces = (own: (text: string) => string) => (): string[] =>
      Array.from({ length: COUNT }, (_, at) => {
        const long = Buffer.from(`${at} `.padEnd(20_000, character)).toString()
        return own(long.slice(0, 40))
      })
    const cut = retainedBy(pieces(text => text))
    const owned = retainedBy(pieces(ownString))
    t.ok(owned < cut / 5, `${owned} bytes for ${COUNT} pieces of ${character}, ${cut} without`)
  }
})

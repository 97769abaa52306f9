import t from 'tap'
import { encodeText } from '../../lib/protocol/text-scratch.ts'
import { hex } from '../helpers/frames.ts'

const UNITS = 16 * 1024

t.test('8.1: text as UTF-8, of every length of characters; lone surrogates become U+FFFD', async t => {
  for (const text of ['', 'a', 'é€😀', 'x'.repeat(UNITS), '€'.repeat(UNITS), '€'.repeat(UNITS + 1), '😀'.repeat(UNITS)]) {
    t.ok(encodeText(text).equals(Buffer.from(text)), `${text.slice(0, 4)}, ${text.length} units`)
  }
  t.equal(hex(encodeText('a\ud800b')), '61efbfbd62')
  t.equal(hex(encodeText('\udc00'.repeat(UNITS + 1)).slice(0, 12)), 'efbfbdefbfbdefbfbdefbfbd')
})

t.test('up to 16 Ki units share memory that fits the worst of them; longer ones have their own', async t => {
  const [one, two] = [encodeText('a'), encodeText('€'.repeat(UNITS))]
  t.equal(one.buffer, two.buffer)
  t.equal(one.buffer.byteLength, 3 * UNITS)
  t.equal(hex(one), 'e2', 'lent: the next call overwrites it')
  t.not(encodeText('a'.repeat(UNITS + 1)).buffer, one.buffer)
})

import t from 'tap'
import { randomMaskingKey } from '../../lib/protocol/masking-key.ts'

/** Enough to fill the pool of 2,048 keys three times. */
const KEYS = Array.from({ length: 5000 }, randomMaskingKey)

t.test('5.3: keys of 32 bits, every one of which is used', async t => {
  t.ok(KEYS.every(key => key === (key | 0)))
  t.equal(KEYS.reduce((all, key) => all | key, 0), -1, 'each bit is set in some key')
  t.equal(KEYS.reduce((all, key) => all & key, -1), 0, 'and clear in some other')
})

t.test('10.3: no key is handed out again, also when the pool is filled again', async t => {
  const repeated = KEYS.length - new Set(KEYS).size
  t.ok(repeated <= 3, `${repeated} of 5,000 repeated: by chance hardly one`)
})

t.test('10.3: a key says nothing about the next: they share no bytes', async t => {
  const overlapping = KEYS.filter((key, i) => i > 0 && key << 8 >>> 8 === KEYS[i - 1] >>> 8)
  t.ok(overlapping.length <= 3)
})

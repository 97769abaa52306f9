import { constants } from 'node:buffer'
import t from 'tap'
import { deflatedAtOnce, INFLATED_AT_ONCE, MAX_MESSAGE_SIZE } from '../../lib/deflate/engine.ts'

t.test('a message and one byte more can be counted in 32 bits and be in one Buffer', async t => {
  t.equal(MAX_MESSAGE_SIZE, Math.min(constants.MAX_LENGTH, 0xffffffff) - 1)
})

t.test('what is done at once: the less, the slower a level can be', async t => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(level => deflatedAtOnce(level) / 1024)
  t.strictSame(sizes, [64, 64, 32, 32, 16, 16, 4, 4, 4])
  t.equal(deflatedAtOnce(10), 0, 'no level')
  t.equal(INFLATED_AT_ONCE, 8192)
})

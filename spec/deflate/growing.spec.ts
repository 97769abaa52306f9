import t from 'tap'
import { enlarged, GrowingOutput, grownSize, trimmed } from '../../lib/deflate/growing.ts'
import { random } from '../helpers/random.ts'

t.test('how large: by what has been read, from two to eight times', async t => {
  t.equal(grownSize(1000, 100, 400), 4500, 'an eighth more than expected')
  t.equal(grownSize(1000, 100, 150), 2000)
  t.equal(grownSize(1000, 100, 100_000), 8000)
  t.equal(grownSize(1000, 0, 100), 8000, 'nothing has been read')
})

t.test('a copy with room behind it', async t => {
  const larger = enlarged(Buffer.from('Hello'), 12)
  t.equal(larger.length, 12)
  t.equal(larger.buffer.byteLength, 12)
  t.equal(String(larger.subarray(0, 5)), 'Hello')
})

t.test('little of much memory is copied', async t => {
  const memory = Buffer.alloc(1000, 'a')
  t.equal(trimmed(memory, 500).buffer, memory.buffer)
  t.equal(trimmed(memory, 500).length, 500)
  t.not(trimmed(memory, 499).buffer, memory.buffer)
  t.ok(trimmed(memory, 499).equals(memory.subarray(0, 499)))
})

t.test('pieces of any size become one message', async t => {
  const below = random(t)
  for (let round = 0; round < 50; round++) {
    const pieces = Array.from({ length: below(20) }, () => Buffer.from(Array.from({ length: 1 + below(3000) }, () => below(256))))
    const whole = Buffer.concat(pieces)
    const output = new GrowingOutput(whole.length)
    for (const [index, piece] of pieces.entries()) output.append(piece, 1 + index, 1 + below(2) * pieces.length + index)
    t.equal(output.length, whole.length)
    const from = below(whole.length + 1)
    t.ok(output.from(from).equals(whole.subarray(from)))
    t.ok(output.take().equals(whole), `${pieces.length} pieces`)
    t.equal(output.length, 0)
    t.equal(output.capacity, 0)
  }
})

t.test('a single piece is not copied, unless it pins much', async t => {
  const memory = Buffer.alloc(64 * 1024, 'a')
  const output = new GrowingOutput(Infinity)
  output.append(memory.subarray(0, 40_000), 1, 1)
  t.equal(output.capacity, 64 * 1024, 'with all that it holds')
  t.equal(output.take().buffer, memory.buffer)
  output.append(memory.subarray(0, 100), 1, 1)
  t.not(output.take().buffer, memory.buffer)
})

t.test('memory is what is expected, never more than the limit, and no more than needed when all has been read', async t => {
  const piece = Buffer.allocUnsafeSlow(1000)
  const append = (limit: number, read: number, size: number): number => {
    const output = new GrowingOutput(limit)
    output.append(piece, 1, size)
    output.append(piece, read, size)
    return output.capacity
  }
  t.equal(append(100_000, 10, 100), 16_000)
  t.equal(append(100_000, 10, 25), 5625)
  t.equal(append(3000, 10, 100), 3000)
  t.equal(append(100_000, 100, 100), 2000)
  t.equal(append(100_000, 99, 100), 4000)
})

t.test('clear forgets all', async t => {
  const output = new GrowingOutput(10)
  output.append(Buffer.from('Hello'), 1, 1)
  output.clear()
  t.equal(output.length, 0)
  t.equal(output.capacity, 0)
  t.equal(output.take().length, 0)
})

import t from 'tap'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { toMessage } from '../../lib/transport/message.ts'
import { bytes } from '../helpers/frames.ts'

const { text, binary } = Opcode

/** A chunk of `length` bytes with memory to itself. */
function chunkOf(length: number): Buffer {
  return Buffer.from(new Uint8Array(length).map((_, i) => i).buffer)
}

t.test('text becomes a string: as UTF-8, or as ASCII where that is known', async t => {
  const chunk = bytes('61 62 c3a9 e282ac f09f9880 63')
  t.equal(toMessage(text, chunk, 0, 2, true, true), 'ab')
  t.equal(toMessage(text, chunk, 1, chunk.length, false, true), 'bé€😀c')
  t.equal(toMessage(text, chunk, 1, 1, true, true), '')
  t.equal(toMessage(text, chunk, 12, 12, false, false), '')
  // Not asked to decode UTF-8, it doesn't: that is where the time goes.
  t.equal(toMessage(text, chunk, 2, 4, true, true), 'Ã©')
})

t.test('text does not hold on to its memory', async t => {
  const chunk = bytes('61 62')
  const message = toMessage(text, chunk, 0, 2, true, false)
  chunk.fill(0)
  t.equal(message, 'ab')
})

t.test('binary that is less than half of its memory is copied', async t => {
  const chunk = chunkOf(100)
  for (const [start, end] of [
    [0, 1],
    [10, 12],
    [50, 100],
    [7, 7],
  ]) {
    const message = toMessage(binary, chunk, start, end, false, true)
    t.ok(Buffer.isBuffer(message))
    t.strictSame(message, Buffer.from(chunk.subarray(start, end)), `${start} to ${end}`)
    t.not((message as Buffer).buffer, chunk.buffer, `${start} to ${end}`)
  }
})

t.test('binary that is more than half of its memory keeps it', async t => {
  const chunk = chunkOf(100)
  for (const [start, end] of [
    [0, 100],
    [4, 55],
    [49, 100],
  ]) {
    const message = toMessage(binary, chunk, start, end, false, true) as Buffer
    t.strictSame(message, Buffer.from(chunk.subarray(start, end)), `${start} to ${end}`)
    t.equal(message.buffer, chunk.buffer, `${start} to ${end}`)
  }
})

t.test('it is the whole memory that counts, not the part that the chunk shows of it', async t => {
  const chunk = chunkOf(100).subarray(0, 20)
  const message = toMessage(binary, chunk, 0, 20, false, true) as Buffer
  t.not(message.buffer, chunk.buffer)
  t.strictSame(message, Buffer.from(chunk))
})

t.test('binary in memory that the next read fills anew is copied, however much of it it is', async t => {
  const arena = chunkOf(100)
  const message = toMessage(binary, arena, 0, 100, false, false) as Buffer
  t.not(message.buffer, arena.buffer)
  t.strictSame(message, Buffer.from(chunkOf(100)))
})

import t from 'tap'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { memoryOf, toMessage, type Message } from '../../lib/transport/message.ts'
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

t.test('a binary message that is kept pins no more than a few times its size, whatever comes between', async t => {
  const arena = chunkOf(8192)
  const copy = (size: number): Buffer => toMessage(binary, arena, 3, 3 + size, false, false) as Buffer
  for (const size of [0, 1, 20, 64, 65, 200, 256, 257, 1000, 4000, 8191 - 3]) {
    const kept = copy(size)
    for (const other of [20, 100, 300, 4000, 100]) copy(other)
    t.strictSame(kept, Buffer.from(chunkOf(8192).subarray(3, 3 + size)), 'and is not written over')
    t.ok(kept.buffer.byteLength <= Math.max(1024, 2 * size), `${size} bytes in ${kept.buffer.byteLength}`)
    t.equal(kept.byteOffset % 8, 0, 'other views may be made of it')
  }
})

t.test('many small ones share their memory, and each is its own', async t => {
  const arena = chunkOf(100)
  const messages = Array.from({ length: 1000 }, (_, i) => {
    arena[0] = i
    return toMessage(binary, arena, 0, 100, false, false) as Buffer
  })
  t.ok(messages.every((message, i) => message[0] === (i & 0xff) && message.length === 100))
  t.ok(new Set(messages.map(({ buffer }) => buffer)).size <= 120)
})

t.test('the memory of a message: two bytes a character of text that is not ASCII', async t => {
  const cases: [message: Message, ascii: boolean, bytes: number][] = [
    ['', true, 0],
    ['abc', true, 3],
    ['abc', false, 6],
    ['€', false, 2],
    [Buffer.alloc(5), false, 5],
    [Buffer.alloc(5), true, 5],
  ]
  for (const [message, ascii, bytes] of cases) t.equal(memoryOf(message, ascii), bytes)
})

import t from 'tap'
import { allocateForMessage, copyOf, LARGE } from '../../lib/protocol/message-memory.ts'
import { retainedBy } from '../helpers/memory.ts'

// The first one, for malloc is taught once in the life of a process.
t.test('malloc is taught by the first large message, and once', async t => {
  const calls = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  const sizesFor = (size: number): number[] => {
    allocateForMessage(size)
    return calls().map(({ args: [length] }) => length)
  }
  t.same(sizesFor(LARGE - 1), [LARGE - 1])
  t.equal(LARGE, 8192)
  const [lesson, ...others] = sizesFor(LARGE)
  t.ok(lesson > 31 * 1024 * 1024 && lesson < 32 * 1024 * 1024, 'from 32 MiB on malloc learns nothing')
  t.same(others, [LARGE])
  t.same(sizesFor(1024 * 1024), [1024 * 1024])
})

t.test('memory of just the size that was asked for, of its own', async t => {
  for (const size of [0, 1, 256, 128 * 1024 - 1, 128 * 1024, 1024 * 1024]) {
    const memory = allocateForMessage(size)
    t.equal(memory.length, size)
    t.equal(memory.buffer.byteLength, size)
  }
})

t.test('what malloc is taught with is not kept', async t => {
  const retained = retainedBy(() => allocateForMessage(200_000))
  t.ok(retained > 150_000 && retained < 400_000, `${retained} bytes`)
})

t.test('a copy has memory of its own, and no more than that', async t => {
  for (const size of [0, 1, 100, 5000]) {
    const bytes = Buffer.alloc(size, 7)
    const copy = copyOf(bytes.subarray(0, size))
    t.ok(copy.equals(bytes))
    t.not(copy.buffer, bytes.buffer)
    t.equal(copy.buffer.byteLength, size)
  }
})

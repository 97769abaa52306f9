import t from 'tap'
import { allocateForMessage } from '../../lib/protocol/message-memory.ts'
import { retainedBy } from '../helpers/memory.ts'

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

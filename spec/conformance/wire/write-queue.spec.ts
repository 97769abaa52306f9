import t from 'tap'
import { WriteQueue } from '../../../lib/conformance/wire/write-queue.ts'
import { turn } from '../../helpers/journal.ts'
import { MemoryTransport } from '../../helpers/transports.ts'
import type { Socket } from 'node:net'

function start(): { queue: WriteQueue; written: () => string[] } {
  const transport = new MemoryTransport()
  // All that the queue needs of a socket is write.
  return {
    queue: new WriteQueue(transport as unknown as Socket),
    written: () => transport.writes.map(chunks => Buffer.concat(chunks).toString()),
  }
}

t.test('at once, unless asked otherwise', async t => {
  const { queue, written } = start()
  queue.write(Buffer.from('ab'))
  t.same(written(), ['ab'])
})

t.test('pieces, each in its own turn, and what follows behind them', async t => {
  const { queue, written } = start()
  queue.write(Buffer.from('abcde'), 2)
  queue.write(Buffer.from('fg'))
  t.same(written(), [])
  const seen: number[] = []
  while (written().length < 4) {
    await turn()
    seen.push(written().length)
  }
  t.same(written(), ['ab', 'cd', 'e', 'fg'])
  t.ok(
    seen.every((count, at) => at === 0 || count - seen[at - 1] <= 1),
    'one a turn'
  )
  queue.write(Buffer.from('h'))
  t.equal(written().length, 5, 'and at once again')
})

t.test('alone: whole, but in a turn of its own', async t => {
  const { queue, written } = start()
  queue.write(Buffer.from('abc'), 0, true)
  queue.write(Buffer.from('d'), 0, true)
  t.same(written(), [])
  while (written().length < 2) await turn()
  t.same(written(), ['abc', 'd'])
})

t.test('finish: what waits goes at once, and nothing after it', async t => {
  const { queue, written } = start()
  queue.write(Buffer.from('abc'), 1)
  while (written().length < 1) await turn()
  t.equal(queue.waiting, true)
  queue.finish()
  t.equal(queue.waiting, false)
  queue.finish()
  queue.write(Buffer.from('d'))
  await turn()
  await turn()
  t.equal(written().join(''), 'abc')
})

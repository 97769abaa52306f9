import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { flushAtEndOfTick } from '../../lib/transport/flush-queue.ts'
import { turn } from '../helpers/journal.ts'

function logging(log: string[], name: string, then: () => void = () => {}): { flush(): void } {
  return {
    flush() {
      log.push(name)
      then()
    },
  }
}

t.test('items are flushed in order, not at once, and each as often as it was added', async t => {
  const log: string[] = []
  const a = logging(log, 'a')
  flushAtEndOfTick(a)
  flushAtEndOfTick(logging(log, 'b'))
  flushAtEndOfTick(a)
  t.strictSame(log, [])
  await turn()
  t.strictSame(log, ['a', 'b', 'a'])
  await turn()
  t.equal(log.length, 3, 'once')
})

t.test('before anything else that happens: timers, immediates, I/O', async t => {
  const log: string[] = []
  const later = turn().then(() => log.push('later'))
  flushAtEndOfTick(logging(log, 'flushed'))
  await later
  t.strictSame(log, ['flushed', 'later'])
})

t.test('behind the promise reactions of the same tick', async t => {
  const log: string[] = []
  // In a callback of the event loop, as the data of a socket is.
  await new Promise<void>(resolve => {
    setImmediate(() => {
      flushAtEndOfTick(logging(log, 'flushed'))
      void Promise.resolve()
        .then(() => log.push('first reaction'))
        .then(() => log.push('second reaction'))
      resolve()
    })
  })
  await turn()
  t.strictSame(log, ['first reaction', 'second reaction', 'flushed'])
})

t.test('behind the rest of an async function that awaits what is there', async t => {
  const log: string[] = []
  const run = async (): Promise<void> => {
    await nextTurn()
    flushAtEndOfTick(logging(log, 'flushed'))
    await Promise.resolve()
    log.push('went on')
  }
  await run()
  await turn()
  t.strictSame(log, ['went on', 'flushed'])
})

t.test('what is added while flushing is flushed too, behind the others, before the tick ends', async t => {
  const log: string[] = []
  const second = logging(log, 'added')
  flushAtEndOfTick(logging(log, 'a', () => flushAtEndOfTick(second)))
  flushAtEndOfTick(logging(log, 'b'))
  const later = turn().then(() => log.push('later'))
  await later
  t.strictSame(log, ['a', 'b', 'added', 'later'])
})

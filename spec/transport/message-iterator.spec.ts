import t from 'tap'
import { MessageIterator } from '../../lib/transport/message-iterator.ts'
import { turn, within } from '../helpers/journal.ts'

interface Watched {
  readonly iterator: MessageIterator
  /** What it asked of its source since the last call. */
  calls(): string[]
}

function watched(): Watched {
  let calls: string[] = []
  const iterator = new MessageIterator({
    hold: () => void calls.push('hold'),
    release: () => void calls.push('release'),
    left: () => void calls.push('left'),
    detach: () => void calls.push('detach'),
    resized() {},
  })
  return {
    iterator,
    calls: () => {
      const all = calls
      calls = []
      return all
    },
  }
}

const DONE = { done: true, value: undefined }
const item = (value: string | Buffer): { done: boolean; value: string | Buffer } => ({ done: false, value })
const push = (iterator: MessageIterator, message: string | Buffer): void => iterator.push(message, message.length)
const next = (iterator: MessageIterator): Promise<unknown> => within(iterator.next(), 'the next message')

t.test('messages come in order, whether they were asked for before or after', async t => {
  const { iterator } = watched()
  push(iterator, 'a')
  push(iterator, '')
  t.strictSame(await next(iterator), item('a'))
  t.strictSame(await next(iterator), item(''), 'an empty message is one')
  const [third, fourth] = [next(iterator), next(iterator)]
  push(iterator, 'c')
  push(iterator, Buffer.from('d'))
  t.strictSame(await fourth, item(Buffer.from('d')))
  t.strictSame(await third, item('c'))
})

t.test('a message that was asked for does not wait, however large', async t => {
  const { iterator, calls } = watched()
  const asked = Array.from({ length: 20 }, () => next(iterator))
  for (let i = 0; i < 20; i++) push(iterator, 'x'.repeat(65_536))
  await Promise.all(asked)
  t.strictSame(calls(), [])
})

t.test('the source is held from 16 waiting messages on, and released when none is left', async t => {
  const { iterator, calls } = watched()
  for (let i = 0; i < 15; i++) push(iterator, `${i}`)
  t.strictSame(calls(), [])
  push(iterator, '15')
  t.strictSame(calls(), ['hold'])
  for (let i = 0; i < 15; i++) await next(iterator)
  t.strictSame(calls(), [])
  t.strictSame(await next(iterator), item('15'))
  t.strictSame(calls(), ['release'])
})

t.test('the source is held from 64 KiB of waiting messages on, together', async t => {
  for (const sizes of [[65_536], [32_768, 32_768], [1, 65_535]]) {
    const { iterator, calls } = watched()
    for (const size of sizes.slice(0, -1)) push(iterator, Buffer.alloc(size))
    t.strictSame(calls(), [])
    push(iterator, Buffer.alloc(sizes[sizes.length - 1]))
    t.strictSame(calls(), ['hold'], sizes.join())
    for (const _ of sizes) await next(iterator)
    t.strictSame(calls(), ['release'], sizes.join())
    push(iterator, Buffer.alloc(65_535))
    t.strictSame(calls(), [], 'what was taken does not count any more')
  }
})

t.test('after the end, those that wait are still handed over', async t => {
  const { iterator } = watched()
  push(iterator, 'a')
  iterator.end()
  t.strictSame(await next(iterator), item('a'))
  t.strictSame(await next(iterator), DONE)
  t.strictSame(await next(iterator), DONE, 'again')
})

t.test('the end reaches everybody who waits', async t => {
  const { iterator } = watched()
  const asked = [next(iterator), next(iterator)]
  iterator.end()
  t.strictSame(await Promise.all(asked), [DONE, DONE])
})

t.test('return drops what waits, ends the iterator and lets the source go', async t => {
  const { iterator, calls } = watched()
  for (let i = 0; i < 16; i++) push(iterator, `${i}`)
  t.strictSame(calls(), ['hold'])
  t.strictSame(await within(iterator.return(), 'return'), DONE)
  t.strictSame(calls(), ['detach'])
  t.strictSame(await next(iterator), DONE)
})

t.test('return ends it for those who wait', async t => {
  const { iterator } = watched()
  const asked = next(iterator)
  await iterator.return()
  t.strictSame(await asked, DONE)
})

t.test('for await takes messages one by one, and leaving the loop returns', async t => {
  const { iterator, calls } = watched()
  for (const message of ['a', 'b', 'c', 'd']) push(iterator, message)
  const seen: unknown[] = []
  for await (const message of iterator) {
    seen.push(message)
    if (message === 'b') await turn()
    if (message === 'c') break
  }
  t.strictSame(seen, ['a', 'b', 'c'])
  t.strictSame(calls(), ['detach'])
})

t.test('a lasting one: what waits when a loop is left stays for the next, and the source is not let go', async t => {
  const calls: string[] = []
  const source = { hold: () => void calls.push('hold'), release: () => void calls.push('release'), left: () => void calls.push('left'), detach: () => void calls.push('detach'), resized() {} }
  const iterator = new MessageIterator(source, true)
  for (const message of ['a', 'b', 'c']) push(iterator, message)
  const seen: unknown[] = []
  for await (const message of iterator) {
    seen.push(message)
    if (message === 'a') break
  }
  push(iterator, 'd')
  for await (const message of iterator) {
    seen.push(message)
    if (message === 'd') break
  }
  t.strictSame(seen, ['a', 'b', 'c', 'd'])
  t.strictSame(calls, ['left', 'release', 'left'], 'released of those that were taken')
  push(iterator, 'e')
  iterator.end()
  t.strictSame(await next(iterator), item('e'))
  t.strictSame(await next(iterator), DONE)
})

t.test('a lasting one: who waits when the loop is left is sent away, and takes no message from the next', async t => {
  const iterator = new MessageIterator({ hold() {}, release() {}, left() {}, detach() {}, resized() {} }, true)
  const asked = [next(iterator), next(iterator)]
  t.strictSame(await iterator.return(), DONE)
  t.strictSame(await Promise.all(asked), [DONE, DONE])
  push(iterator, 'a')
  t.strictSame(await next(iterator), item('a'))
})

t.test('a lasting one is handed over with what waits, unless somebody is in a loop', async t => {
  const source = { hold() {}, release() {}, left() {}, detach() {}, resized() {} }
  const fresh = new MessageIterator(source, true)
  for (const message of ['a', 'b']) push(fresh, message)
  t.strictSame(fresh.handOver(), [{ message: 'a', size: 1 }, { message: 'b', size: 1 }])
  t.equal(fresh.size, 0)
  t.strictSame(await next(fresh), DONE)
  const looping = new MessageIterator(source, true)
  for (const message of ['a', 'b']) push(looping, message)
  await next(looping)
  t.equal(looping.handOver(), undefined)
  await looping.return()
  t.strictSame(looping.handOver(), [{ message: 'b', size: 1 }], 'it was left')
  const over = new MessageIterator(source, true)
  over.end()
  await next(over)
  t.strictSame(over.handOver(), [], 'or the loop has come to its end')
  t.equal(new MessageIterator(source, true).claim().handOver(), undefined, 'nor one that somebody has claimed')
  t.equal(new MessageIterator(source).handOver(), undefined, 'nor one that a loop has for itself')
})

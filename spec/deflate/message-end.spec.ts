import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { History } from '../../lib/deflate/history.ts'
import { emptyMessage, ENDING, FinalBlocks, TAIL_SIZE } from '../../lib/deflate/message-end.ts'
import { bytes, hex } from '../helpers/frames.ts'

t.test('7.2.1: the tail of a message, and behind it the end of the stream', async t => {
  t.equal(hex(ENDING.subarray(0, TAIL_SIZE)), '0000ffff')
  const whole = (message: string): Buffer =>
    inflateRawSync(Buffer.concat([bytes(message), ENDING]), { finishFlush: constants.Z_FINISH })
  t.equal(String(whole('f248cdc9c90700')), 'Hello')
  t.throws(() => whole('f248cdc9c907'), 'a message that is not whole')
})

t.test('7.2.3.6: an empty message is one byte', async t => {
  t.equal(hex(emptyMessage()), '00')
  t.not(emptyMessage(), emptyMessage(), 'it may be masked in place')
})

t.test('what the block behind a final one may refer back to', async t => {
  const history = new History(512)
  history.append(Buffer.from('before '), 0, 7)
  const finals = new FinalBlocks(100)
  t.equal(String(finals.next(history, [Buffer.from('a'), Buffer.from('bc')]).bytes), 'before abc')
  t.equal(String(finals.next(history, []).bytes), 'before abc')
  t.equal(String(finals.next(history, [Buffer.from('d')]).bytes), 'before abcd')
  t.equal(String(history.bytes), 'before ', 'the message may yet fail')
  t.equal(String(new FinalBlocks(100).next(undefined, [Buffer.from('a')]).bytes), 'a')
  t.equal(String(new FinalBlocks(100).next(new History(512), [Buffer.from('a')]).bytes), 'a')
  t.equal(new FinalBlocks(100).next(history, [Buffer.alloc(40_000)]).length, 32768, '7.1.2: the largest window')
})

t.test('there may be 16 final blocks, and one more for each KiB', async t => {
  for (const [size, most] of [
    [0, 16],
    [1023, 16],
    [1024, 17],
    [10 * 1024 + 1, 26],
  ] as const) {
    const finals = new FinalBlocks(size)
    for (let count = 0; count < most; count++) finals.next(undefined, [])
    t.throws(() => finals.next(undefined, []), { name: 'Violation', code: 'invalid-deflate' }, `${size} bytes`)
  }
})

import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { History } from '../../lib/deflate/history.ts'
import { emptyMessage, ENDING, FinalBlocks, mayHoldEnding, SECOND_ENDING, TAIL_SIZE } from '../../lib/deflate/message-end.ts'
import { Violation } from '../../lib/protocol/violation.ts'
import { bytes, hex } from '../helpers/frames.ts'

t.test('7.2.1: the tail of a message, and behind it the end of the stream', async t => {
  t.equal(hex(ENDING.subarray(0, TAIL_SIZE)), '0000ffff')
  const whole = (message: string): Buffer =>
    inflateRawSync(Buffer.concat([bytes(message), ENDING]), { finishFlush: constants.Z_FINISH })
  t.equal(String(whole('f248cdc9c90700')), 'Hello')
  t.throws(() => whole('f248cdc9c907'), 'a message that is not whole')
})

t.test('another ending of another length, for outputs that end as the first one does', async t => {
  const inflated = (message: string, ending: Buffer): string =>
    hex(inflateRawSync(Buffer.concat([bytes(message), ending]), { finishFlush: constants.Z_FINISH }))
  const taken = inflated('010900f6ff', ENDING)
  t.equal(taken, hex(ENDING), 'a block that lacks just as many bytes')
  t.equal(mayHoldEnding(bytes(taken)), true)
  t.throws(() => inflated('010900f6ff', SECOND_ENDING), { code: 'Z_BUF_ERROR' })
  t.equal(inflated('f248cdc9c90700', SECOND_ENDING), hex(Buffer.from('Hello')))
  t.equal(mayHoldEnding(bytes(`61${taken}00`), 10), true, 'up to a length')
  for (const other of ['', taken.slice(2), `${taken}00`, `${taken.slice(0, -4)}00ff`, taken.slice(0, -2)]) {
    t.equal(mayHoldEnding(bytes(other)), false, other)
  }
})

t.test('7.2.3.6: an empty message is one byte', async t => {
  t.equal(hex(emptyMessage()), '00')
  t.not(emptyMessage(), emptyMessage(), 'it may be masked in place')
})

t.test('what the block behind a final one may refer back to', async t => {
  const history = new History(512)
  history.append(Buffer.from('before '), 0, 7)
  const finals = new FinalBlocks(100)
  t.equal(String(finals.next(history, Buffer.from('abc')).bytes), 'before abc')
  t.equal(String(finals.next(history, Buffer.alloc(0)).bytes), 'before abc')
  t.equal(String(finals.next(history, Buffer.from('d')).bytes), 'before abcd')
  t.equal(String(history.bytes), 'before ', 'the message may yet fail')
  t.equal(String(new FinalBlocks(100).next(undefined, Buffer.from('a')).bytes), 'a')
  t.equal(String(new FinalBlocks(100).next(new History(512), Buffer.from('a')).bytes), 'a')
  t.equal(new FinalBlocks(100).next(history, Buffer.alloc(40_000)).length, 32768, '7.1.2: the largest window')
})

const EMPTY = Buffer.alloc(0)

/** How many blocks of a message of `size` bytes may have BFINAL set, where each is preceded by `window` bytes. */
function most(size: number, window: number): number {
  const history = new History(32768)
  history.append(Buffer.alloc(window), 0, window)
  const finals = new FinalBlocks(size)
  let count = 0
  try {
    for (;;) {
      finals.next(history, EMPTY)
      count++
    }
  } catch (error) {
    if (!(error instanceof Violation) || error.code !== 'invalid-deflate') throw error
    return count
  }
}

t.test('how many final blocks there may be: by the bytes that may be referred back to', async t => {
  for (const [size, window, count] of [
    [33, 0, 16],
    [255, 8192, 16],
    [256, 8192, 17],
    [33, 10_000, 13],
    [33, 32768, 4],
    [1023, 32768, 4],
    [1024, 32768, 5],
    [10 * 1024, 32768, 14],
    [10 * 1024, 0, 56],
  ] as const) {
    t.equal(most(size, window), count, `${size} bytes, ${window} before each`)
  }
})

t.test('what comes out of the message counts as what was said before it', async t => {
  const finals = new FinalBlocks(33)
  for (let round = 0; round < 3; round++) finals.next(undefined, Buffer.alloc(32768))
  finals.next(undefined, EMPTY)
  t.throws(() => finals.next(undefined, EMPTY), { name: 'Violation', code: 'invalid-deflate' })
})

t.test('they take of the turn as well, where there is a budget for it', async t => {
  const taken: number[] = []
  const turn = { take: (bytes: number) => taken.push(bytes) <= 2 }
  const finals = new FinalBlocks(33, turn)
  finals.next(undefined, EMPTY)
  finals.next(undefined, Buffer.alloc(10_000))
  t.throws(() => finals.next(undefined, EMPTY), { name: 'TurnIsOver' })
  t.strictSame(taken, [8192, 10_000, 10_000])
  t.throws(() => new FinalBlocks(33, turn).next(undefined, Buffer.alloc(9000)), { name: 'TurnIsOver' })
})

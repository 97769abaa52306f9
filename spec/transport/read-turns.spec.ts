import t from 'tap'
import { beginReading, clock, endReading, isTimeUp, isTurnOver, isWorkBefore, waitForTurn, waitToWork } from '../../lib/transport/read-turns.ts'
import { turn } from '../helpers/journal.ts'
import { nextWarning } from '../helpers/warnings.ts'

/** Milliseconds that a turn has. */
const TURN = 8

let now = 0
clock.now = () => now

/** A read that takes so many milliseconds. */
function read(time: number, during = (): void => {}, bytes = 0): void {
  beginReading()
  work(time)
  during()
  endReading(bytes)
}

function work(time: number): void {
  now += time
}

/** Readers that write down their names, and take so many milliseconds for it. */
function readers(log: string[], names: string, time = 0): void {
  for (const name of names) {
    waitForTurn({
      takeTurn() {
        read(time)
        log.push(name)
      },
    })
  }
}

t.test('a turn is over once its reads have taken 8 ms together, and the next one begins anew', async t => {
  for (let i = 0; i < 2; i++) {
    t.equal(isTurnOver(), false)
    read(TURN / 2 + 0.1)
    read(TURN / 2 + 0.1)
    t.equal(isTurnOver(), true)
    await turn()
  }
  t.equal(isTurnOver(), false)
})

t.test('bytes count with the time that the kernel takes to copy them: 4 MiB are a millisecond', async t => {
  for (let i = 0; i < TURN; i++) read(0, undefined, 4 * 1024 * 1024)
  t.equal(isTurnOver(), false)
  read(0, undefined, 1)
  t.equal(isTurnOver(), true)
  await turn()
})

t.test('the line is served in order and never at once: at least one a turn, and more while there is time', async t => {
  const log: string[] = []
  readers(log, 'ab', TURN + 0.1)
  readers(log, 'cd')
  t.strictSame(log, [])
  for (const expected of ['a', 'ab', 'abcd', 'abcd']) {
    await turn()
    t.equal(log.join(''), expected)
  }
})

t.test('one that comes again waits for the others', async t => {
  const log: string[] = []
  const busy = {
    takeTurn() {
      read(TURN + 0.1)
      log.push('busy')
      if (log.length < 4) waitForTurn(busy)
    },
  }
  waitForTurn(busy)
  readers(log, 'xy', TURN + 0.1)
  for (let i = 0; i < 6; i++) await turn()
  t.equal(log.join(' '), 'busy x y busy')
})

t.test('what the line has taken is not charged to the reads behind it', async t => {
  const log: string[] = []
  readers(log, 'a', TURN + 0.1)
  await turn()
  t.equal(log.join(''), 'a')
  t.equal(isTurnOver(), false)
})

t.test('one that throws costs the others nothing but its turn', async t => {
  const log: string[] = []
  const thrown = nextWarning()
  waitForTurn({
    takeTurn() {
      throw new Error('as expected')
    },
  })
  readers(log, 'a')
  t.match(await thrown, { message: 'as expected' })
  for (let i = 0; i < 2; i++) await turn()
  t.equal(log.join(''), 'a')
})

t.test('inside a read the clock is looked at from time to time: by messages, and by their bytes', async t => {
  const ups = (count: number, bytes: number): number =>
    Array.from({ length: count }, () => isTimeUp(bytes)).filter(up => up).length
  read(0, () => t.equal(ups(1000, 0) + ups(10, 100_000), 0, 'there is time'))
  read(TURN + 0.1)
  read(0, () => t.equal(ups(3, 100_000), 0, 'each read has a little'))
  await turn()
  read(TURN + 0.1, () => {
    t.equal(ups(1, 1_000_000), 1, 'a large one is always looked at')
    t.ok(ups(1000, 0) > 5, 'and every so many small ones')
    t.ok(ups(1000, 0) < 100)
  })
  await turn()
})

/** Long work of so many parts, each of which takes all the time that it has. */
function worker(log: string[], name: string, parts: number): void {
  let left = parts
  const reader = {
    takeTurn() {
      if (left === parts && isWorkBefore(reader)) {
        waitToWork(reader, false)
        return
      }
      beginReading()
      let time = 0
      while (!isTimeUp(100_000)) {
        now++
        time++
      }
      endReading(0)
      log.push(`${name}${time}`)
      if (--left > 0) waitToWork(reader, true)
    },
  }
  waitToWork(reader, false)
}

t.test('long work is done one after the other, a part in each turn', async t => {
  const log: string[] = []
  worker(log, 'a', 2)
  worker(log, 'b', 3)
  worker(log, 'c', 1)
  for (let i = 0; i < 6; i++) await turn()
  t.strictSame(log, ['a9', 'a9', 'b9', 'b9', 'b9', 'c9'])
})

t.test('behind reads it has 4 ms of each turn', async t => {
  const log: string[] = []
  worker(log, 'a', 2)
  readers(log, 'xyz', TURN + 0.1)
  for (let i = 0; i < 3; i++) await turn()
  t.strictSame(log, ['x', 'a5', 'y', 'a5', 'z'])
})

t.test('work that throws costs the rest of it, and nothing else', async t => {
  const log: string[] = []
  const thrown = nextWarning()
  waitToWork({
    takeTurn() {
      throw new Error('as expected')
    },
  }, false)
  worker(log, 'a', 1)
  t.match(await thrown, { message: 'as expected' })
  for (let i = 0; i < 2; i++) await turn()
  t.strictSame(log, ['a9'])
  const other = { takeTurn() {} }
  t.equal(isWorkBefore(other), false)
})

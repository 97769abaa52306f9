import t from 'tap'
import { beginReading, endReading, isTimeUp, isTurnOver, waitForTurn } from '../../lib/transport/read-turns.ts'
import { turn } from '../helpers/journal.ts'

/** Milliseconds that a turn has. */
const TURN = 8

/** A read that takes so many milliseconds. */
function read(time: number, during = (): void => {}): void {
  beginReading()
  work(time)
  during()
  endReading()
}

function work(time: number): void {
  const end = performance.now() + time
  while (performance.now() < end);
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
  const thrown = new Promise(resolve => process.once('uncaughtException', resolve))
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

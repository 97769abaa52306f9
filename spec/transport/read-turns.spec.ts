import t from 'tap'
import { isTurnOver, readOnInTurn } from '../../lib/transport/read-turns.ts'
import { turn } from '../helpers/journal.ts'

/** Readers that write down their names; those that are gone do so too. */
function readers(log: string[], names: string, gone = ''): void {
  for (const name of names) {
    readOnInTurn({
      readOn() {
        log.push(name)
        return !gone.includes(name)
      },
    })
  }
}

t.test('one a turn, in the order in which they came, and none at once', async t => {
  const log: string[] = []
  readers(log, 'abc')
  t.strictSame(log, [])
  for (const expected of ['a', 'ab', 'abc', 'abc']) {
    await turn()
    t.equal(log.join(''), expected)
  }
})

t.test('whoever comes again waits for the others', async t => {
  const log: string[] = []
  const busy = {
    readOn() {
      log.push('busy')
      if (log.length < 4) readOnInTurn(busy)
      return true
    },
  }
  readOnInTurn(busy)
  readers(log, 'xy')
  for (let i = 0; i < 6; i++) await turn()
  t.equal(log.join(' '), 'busy x y busy')
})

t.test('those that are gone take no turn', async t => {
  const log: string[] = []
  readers(log, 'abcd', 'abd')
  await turn()
  t.equal(log.join(''), 'abc')
  await turn()
  t.equal(log.join(''), 'abcd')
  readers(log, 'e')
  await turn()
  t.equal(log.join(''), 'abcde', 'and the next ones are served as ever')
})

t.test('a turn has 4 ms for all reads together, and the next one as many', async t => {
  for (let i = 0; i < 2; i++) {
    t.strictSame([1, 2, 1, 0.1, 1].map(isTurnOver), [false, false, false, true, true])
    await turn()
  }
  t.equal(isTurnOver(5), true)
  await turn()
})

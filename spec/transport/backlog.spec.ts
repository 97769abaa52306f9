import t from 'tap'
import { Backlog } from '../../lib/transport/backlog.ts'
import { random } from '../helpers/random.ts'

const piece = (size: number, tag = 0): Buffer[] => [Buffer.alloc(size, tag)]

t.test('what waits is taken in order', async t => {
  const backlog = new Backlog()
  t.equal(backlog.shift(), undefined)
  for (let i = 1; i <= 3; i++) backlog.push(piece(i, i), i, i === 2)
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize], [3, 6, 2])
  t.strictSame([1, 2, 3].map(() => backlog.shift()?.pieces[0][0]), [1, 2, 3])
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize], [0, 0, 0])
  t.equal(backlog.shift(), undefined)
  t.equal(backlog.skip(), 0)
})

t.test('what is skipped is the oldest that may be; the rest stays in order', async t => {
  const backlog = new Backlog()
  // 1 and 4 may not be skipped.
  for (let i = 1; i <= 6; i++) backlog.push(piece(i, i), i, i !== 1 && i !== 4)
  t.strictSame([backlog.skip(), backlog.skip(), backlog.skip()], [2, 3, 5])
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize], [3, 11, 6])
  backlog.push(piece(7, 7), 7, false)
  t.equal(backlog.skip(), 6)
  t.equal(backlog.skip(), 0)
  backlog.push(piece(8, 8), 8, true)
  t.strictSame([1, 4, 7].map(() => backlog.shift()?.size), [1, 4, 7])
  t.equal(backlog.skip(), 8, 'one that came later')
  t.equal(backlog.count, 0)
  backlog.push(piece(9, 9), 9, true)
  t.equal(backlog.shift()?.size, 9)
  t.equal(backlog.skip(), 0, 'what was taken is not skipped')
})

t.test('random work: as a plain list would do it', async t => {
  const below = random(t)
  const backlog = new Backlog()
  const model: { size: number; droppable: boolean }[] = []
  for (let i = 0; i < 20_000; i++) {
    const what = below(4)
    if (what < 2) {
      const entry = { size: 1 + i, droppable: below(3) > 0 }
      model.push(entry)
      backlog.push([], entry.size, entry.droppable)
    } else if (what === 2) {
      if (backlog.shift()?.size !== model.shift()?.size) t.fail(`shift at ${i}`)
    } else {
      const at = model.findIndex(({ droppable }) => droppable)
      const size = at < 0 ? 0 : model.splice(at, 1)[0].size
      if (backlog.skip() !== size) t.fail(`skip at ${i}`)
    }
    const droppable = model.reduce((sum, entry) => sum + (entry.droppable ? entry.size : 0), 0)
    if (backlog.count !== model.length || backlog.droppableSize !== droppable) t.fail(`counts at ${i}`)
  }
  t.equal(backlog.size, model.reduce((sum, { size }) => sum + size, 0))
})

import t from 'tap'
import { Backlog } from '../../lib/transport/backlog.ts'
import { random } from '../helpers/random.ts'

const piece = (size: number, tag = 0): Buffer[] => [Buffer.alloc(size, tag)]

/** What is taken, as hex. */
const take = (backlog: Backlog, most: number): string => Buffer.concat(backlog.take(most)).toString('hex')

t.test('what waits is taken in order, as much as is asked for', async t => {
  const backlog = new Backlog()
  t.strictSame(backlog.take(10), [])
  for (let i = 1; i <= 3; i++) backlog.push(piece(i, i), i, i === 2)
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize], [3, 6, 2])
  t.equal(take(backlog, 1), '01')
  t.strictSame([backlog.count, backlog.size, backlog.taken], [2, 5, 0])
  t.equal(take(backlog, 3), '020203')
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize, backlog.taken], [1, 2, 0, 1], 'a part of the last')
  t.equal(take(backlog, 10), '0303')
  t.strictSame([backlog.count, backlog.size, backlog.taken], [0, 0, 0])
  t.equal(backlog.skip(), 0)
})

t.test('a part of a message of several pieces', async t => {
  const backlog = new Backlog()
  backlog.push([Buffer.from('abc'), Buffer.from('def'), Buffer.from('g')], 7, true)
  backlog.push(piece(1, 8), 1, true)
  t.equal(take(backlog, 2), Buffer.from('ab').toString('hex'))
  t.strictSame([backlog.size, backlog.droppableSize, backlog.taken], [6, 1, 2])
  t.equal(take(backlog, 3), Buffer.from('cde').toString('hex'))
  t.strictSame([backlog.size, backlog.taken], [3, 5])
  t.equal(backlog.skip(), 1, 'what has begun is not skipped, what is behind it may be')
  t.equal(take(backlog, 100), Buffer.from('fg').toString('hex'))
  t.strictSame([backlog.count, backlog.size, backlog.droppableSize, backlog.taken], [0, 0, 0, 0])
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
  t.strictSame([1, 4, 7].map(size => take(backlog, size).length / 2), [1, 4, 7])
  t.equal(backlog.skip(), 8, 'one that came later')
  t.equal(backlog.count, 0)
  backlog.push(piece(9, 9), 9, true)
  t.equal(take(backlog, 9).length / 2, 9)
  t.equal(backlog.skip(), 0, 'what was taken is not skipped')
})

t.test('pieces that would pin much more get memory of their own', async t => {
  const backlog = new Backlog()
  const slab = Buffer.alloc(1000, 'a')
  const whole = Buffer.alloc(10, 'b')
  backlog.push([slab.subarray(0, 10), whole], 20, false)
  backlog.ownPieces()
  const [first, second] = backlog.take(20)
  t.equal(first.buffer.byteLength, 10)
  t.equal(second, whole)
  t.equal(String(first), 'aaaaaaaaaa')
})

t.test('random work: as a plain list would do it', async t => {
  const below = random(t)
  const backlog = new Backlog()
  const model: { size: number; droppable: boolean }[] = []
  for (let i = 0; i < 20_000; i++) {
    const what = below(4)
    if (what < 2) {
      const entry = { size: 1 + below(20), droppable: below(3) > 0 }
      model.push(entry)
      backlog.push(piece(entry.size), entry.size, entry.droppable)
    } else if (what === 2) {
      let room = 1 + below(60)
      const expected = Math.min(room, model.reduce((sum, { size }) => sum + size, 0))
      while (model.length > 0 && room > 0) {
        if (model[0].size > room) {
          model[0] = { size: model[0].size - room, droppable: false }
          room = 0
        } else {
          room -= model.shift()?.size ?? 0
        }
      }
      if (take(backlog, expected).length / 2 !== expected) t.fail(`take at ${i}`)
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

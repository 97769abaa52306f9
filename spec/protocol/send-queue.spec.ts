import t from 'tap'
import { BufferedOutput } from '../../lib/protocol/output.ts'
import { SendQueue } from '../../lib/protocol/send-queue.ts'

interface Queued {
  readonly queue: SendQueue
  readonly output: BufferedOutput
  readonly done: string[]
  add(name: string, size?: number): void
}

function queued(): Queued {
  const output = new BufferedOutput()
  const queue = new SendQueue(output)
  const done: string[] = []
  return { queue, output, done, add: (name, size = 1) => queue.add(size, () => done.push(name)) }
}

t.test('held to begin with; release lets all go, in order, and it is not held any more', async t => {
  const { queue, done, add } = queued()
  t.equal(queue.held, true)
  for (const name of ['a', 'b', 'c']) add(name)
  t.strictSame(done, [])
  queue.release()
  t.strictSame(done, ['a', 'b', 'c'])
  t.equal(queue.held, false)
  queue.release()
  t.strictSame(done, ['a', 'b', 'c'], 'each once')
  queue.hold()
  t.equal(queue.held, true)
  queue.release()
  t.equal(queue.held, false, 'with nothing in it')
})

t.test('5.4: a job that holds it makes those behind wait for the next release', async t => {
  const { queue, output, done, add } = queued()
  add('a', 1)
  queue.add(2, () => {
    done.push('hold')
    queue.hold()
  })
  add('b', 4)
  add('c', 8)
  t.equal(output.promised, 15)
  queue.release()
  t.strictSame([done, queue.held, output.promised], [['a', 'hold'], true, 12])
  add('d', 16)
  t.equal(output.promised, 28)
  queue.release()
  t.strictSame([done, queue.held, output.promised], [['a', 'hold', 'b', 'c', 'd'], false, 0])
})

t.test('the bytes of a job are no longer promised when it runs', async t => {
  const { queue, output, add } = queued()
  const seen: number[] = []
  queue.add(10, () => seen.push(output.promised))
  queue.add(20, () => seen.push(output.promised))
  queue.release()
  t.strictSame(seen, [20, 0])
  add('a')
  t.equal(output.promised, 1)
})

t.test('drop: nothing runs, nothing is promised, whatever else was is left alone', async t => {
  const { queue, output, done, add } = queued()
  output.promised = 100
  add('a', 3)
  add('b', 4)
  t.equal(output.promised, 107)
  queue.drop()
  t.equal(output.promised, 100)
  queue.release()
  t.strictSame([done, output.promised], [[], 100])
})

t.test('a release from inside a job runs no job twice, and keeps the order', async t => {
  const { queue, output, done, add } = queued()
  add('a')
  queue.add(1, () => {
    queue.hold()
    done.push('b')
    queue.release()
    done.push('b released')
  })
  add('c')
  queue.release()
  t.strictSame([done, queue.held, output.promised], [['a', 'b', 'b released', 'c'], false, 0])
})

t.test('what is added from inside a job comes last: it is held as long as jobs run', async t => {
  const { queue, output, done, add } = queued()
  const held: boolean[] = []
  queue.add(1, () => {
    held.push(queue.held)
    add('c')
  })
  add('b')
  queue.release()
  t.strictSame([held, done, queue.held, output.promised], [[true], ['b', 'c'], false, 0])
})

t.test('how many wait is counted, until they run or are dropped', async t => {
  const { queue, output, add } = queued()
  const seen: number[] = []
  for (let i = 0; i < 2; i++) queue.add(0, () => seen.push(output.waiting))
  queue.add(0, () => queue.hold())
  for (const name of ['a', 'b', 'c']) add(name)
  t.equal(output.waiting, 6)
  queue.release()
  t.strictSame([seen, output.waiting], [[5, 4], 3])
  queue.drop()
  t.strictSame([output.waiting, output.promised], [0, 0])
  queue.drop()
  t.equal(output.waiting, 0)
})

t.test('drop takes back what is compressed elsewhere, once', async t => {
  const { queue } = queued()
  let cancelled = 0
  queue.underWay = { cancel: () => void cancelled++ }
  queue.drop()
  queue.drop()
  t.equal(cancelled, 1)
})

t.test('drop from inside a job: what ran before it is not counted again', async t => {
  const { queue, output, done, add } = queued()
  add('a', 3)
  queue.add(5, () => queue.drop())
  add('b', 7)
  queue.release()
  t.strictSame([done, output.promised, queue.held], [['a'], 0, false])
  queue.hold()
  add('c')
  queue.release()
  t.strictSame(done, ['a', 'c'])
})

t.test('a job that throws is done, and those behind it go with the next release', async t => {
  const { queue, output, done, add } = queued()
  const error = new Error('from a job')
  queue.add(1, () => {
    throw error
  })
  add('a', 2)
  t.throws(() => queue.release(), error)
  t.strictSame([done, output.promised], [[], 2])
  queue.release()
  t.strictSame([done, output.promised, queue.held], [['a'], 0, false])
})

t.test('300,000 jobs: where each costs more than the last, this does not end in time', async t => {
  const { queue, output, done, add } = queued()
  for (let i = 0; i < 300_000; i++) add('')
  queue.release()
  t.strictSame([done.length, output.promised], [300_000, 0])
})

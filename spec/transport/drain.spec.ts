import t from 'tap'
import { RESOLUTION } from '../../lib/transport/deadlines.ts'
import { Drain } from '../../lib/transport/drain.ts'

/** Writes down what it is asked, and ends when the test says so. */
class Fake {
  readonly log: string[] = []

  close(code: number): void {
    this.log.push(`close ${code}`)
  }

  closeWithin(time: number, code: number): void {
    this.log.push(`close ${code} within ${time}`)
  }

  terminate(reason: string): void {
    this.log.push(reason)
  }
}

t.test('whoever is there is closed, and counted by how it ends', async t => {
  const [good, lost, failed, over, stranger] = Array.from({ length: 5 }, () => new Fake())
  const drain = new Drain([good, lost, failed], [over]).start(60_000, 1012)
  for (const each of [good, lost, failed, over]) t.strictSame(each.log, ['close 1012 within 60000'])
  drain.refused()
  drain.refused()
  drain.failed(failed)
  drain.ended(good, 1012)
  drain.ended(lost, 1006)
  drain.ended(failed, 1002)
  drain.ended(stranger, 1000)
  let done = false
  void drain.done.then(() => (done = true))
  for (const each of [good, lost, failed, stranger]) drain.gone(each)
  await new Promise(resolve => setImmediate(resolve))
  t.equal(done, false, 'also those whose end has been told are waited for')
  drain.gone(over)
  drain.refused()
  t.strictSame(await drain.done, { closed: 1, dropped: 2, refused: 2 })
})

t.test('with nobody there it is done at once, and no deadline is left', async t => {
  t.strictSame(await new Drain<Fake>([], []).start(0, 1001).done, { closed: 0, dropped: 0, refused: 0 })
})

t.test('what is left at the end of the time is dropped', async t => {
  const [early, late] = [new Fake(), new Fake()]
  const drain = new Drain([early, late], []).start(RESOLUTION, 1001)
  drain.ended(early, 1001)
  drain.gone(early)
  // The wheel alone does not keep the process.
  const waiting = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(waiting))
  while (late.log.length < 2) await new Promise(resolve => setImmediate(resolve))
  t.strictSame([early.log.length, late.log[1]], [1, 'close-timeout'])
  drain.ended(late, 1006)
  drain.gone(late)
  t.strictSame(await drain.done, { closed: 1, dropped: 1, refused: 0 })
})

t.test('without a time each connection keeps to its own', async t => {
  const [one, over] = [new Fake(), new Fake()]
  const drain = new Drain([one], [over]).start(undefined, 1001)
  t.strictSame([one.log, over.log], [['close 1001'], ['close 1001']])
  await new Promise(resolve => setTimeout(resolve, 3 * RESOLUTION))
  t.equal(one.log.length, 1)
  drain.gone(one)
  drain.gone(over)
  await drain.done
})

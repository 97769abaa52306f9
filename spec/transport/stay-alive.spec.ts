import t from 'tap'
import { stayAlive } from '../../lib/transport/stay-alive.ts'

/** How many timers keep this process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

t.test('the process is kept until the work is done, and not a moment longer', async t => {
  const before = timers()
  let finish: (() => void) | undefined
  const staying = stayAlive(
    new Promise<void>(resolve => {
      finish = resolve
    })
  )
  t.equal(timers(), before + 1)
  finish?.()
  await staying
  t.equal(timers(), before)
  const failing = stayAlive(Promise.reject(new Error('oops')))
  t.equal(timers(), before + 1)
  await t.rejects(failing, { message: 'oops' })
  t.equal(timers(), before)
})

t.test('it gives what the work gives', async t => {
  t.equal(await stayAlive(Promise.resolve(5)), 5)
})

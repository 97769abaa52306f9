import t from 'tap'
import { whenAborted } from '../../lib/transport/abort-listeners.ts'
import { listenersOf } from '../helpers/signals.ts'

t.test('all who wait are told, once, in the order in which they came; the signal has one listener for them', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const told: number[] = []
  for (let i = 0; i < 3; i++) whenAborted(signal, () => void told.push(i))
  t.equal(listenersOf(signal), 1)
  t.strictSame(told, [])
  controller.abort()
  controller.abort()
  t.strictSame(told, [0, 1, 2])
  t.equal(listenersOf(signal), 0)
})

t.test('who has taken it back is not told; the last takes the listener along', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const told: string[] = []
  const forget = ['a', 'b', 'c'].map(name => whenAborted(signal, () => void told.push(name)))
  forget[1]()
  forget[1]()
  t.equal(listenersOf(signal), 1)
  forget[0]()
  forget[2]()
  t.equal(listenersOf(signal), 0)
  whenAborted(signal, () => void told.push('d'))
  t.equal(listenersOf(signal), 1, 'it is listened to anew')
  controller.abort()
  t.strictSame(told, ['d'])
  for (const each of forget) each()
})

t.test('the same function twice is two who wait', async t => {
  const controller = new AbortController()
  let told = 0
  const tell = (): void => void told++
  const forget = whenAborted(controller.signal, tell)
  whenAborted(controller.signal, tell)
  forget()
  controller.abort()
  t.equal(told, 1)
})

t.test('a signal that has aborted tells at once, and keeps nobody', async t => {
  const signal = AbortSignal.abort()
  let told = 0
  whenAborted(signal, () => void told++)()
  t.equal(told, 1)
  t.equal(listenersOf(signal), 0)
})

t.test('each signal has its own', async t => {
  const [one, other] = [new AbortController(), new AbortController()]
  const told: string[] = []
  whenAborted(one.signal, () => void told.push('one'))
  whenAborted(other.signal, () => void told.push('other'))
  other.abort()
  t.strictSame(told, ['other'])
  one.abort()
  t.strictSame(told, ['other', 'one'])
})

t.test('one who is told may take back another, who is not told then, and wait anew, who is told at once', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const told: string[] = []
  let forget = (): void => {}
  whenAborted(signal, () => {
    told.push('first')
    forget()
    whenAborted(signal, () => void told.push('anew'))
  })
  forget = whenAborted(signal, () => void told.push('taken back'))
  whenAborted(signal, () => void told.push('last'))
  controller.abort()
  t.strictSame(told, ['first', 'anew', 'last'])
  t.equal(listenersOf(signal), 0)
})

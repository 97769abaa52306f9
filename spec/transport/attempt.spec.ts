import t from 'tap'
import { HandshakeError } from '../../lib/handshake/handshake-error.ts'
import { Attempt } from '../../lib/transport/attempt.ts'
import { within } from '../helpers/journal.ts'
import { listenersOf } from '../helpers/signals.ts'

/** The endings that a step hears of. */
function watching(attempt: Attempt): { reason: unknown; late: boolean }[] {
  const endings: { reason: unknown; late: boolean }[] = []
  attempt.watch(ending => void endings.push(ending))
  return endings
}

t.test('an abort ends the step at hand, once, with its reason', async t => {
  const controller = new AbortController()
  const attempt = new Attempt(controller.signal, Infinity)
  const endings = watching(attempt)
  t.strictSame(endings, [])
  controller.abort('enough')
  t.strictSame(endings, [{ reason: 'enough', late: false }])
  attempt.end()
})

t.test('a step that begins after the abort is ended at once', async t => {
  const controller = new AbortController()
  controller.abort('early')
  const attempt = new Attempt(controller.signal, Infinity)
  t.strictSame(watching(attempt), [{ reason: 'early', late: false }])
  t.strictSame(watching(attempt), [{ reason: 'early', late: false }], 'and the next')
  attempt.end()
})

t.test('an abort between two steps ends the next', async t => {
  const controller = new AbortController()
  const attempt = new Attempt(controller.signal, Infinity)
  const first = watching(attempt)
  attempt.unwatch()
  controller.abort('between')
  t.strictSame(first, [])
  t.strictSame(watching(attempt), [{ reason: 'between', late: false }])
  attempt.end()
})

t.test('the time ends it with an error that says how long it was', async t => {
  const start = performance.now()
  const attempt = new Attempt(undefined, 120)
  const ending = await within(new Promise<{ reason: unknown; late: boolean }>(resolve => attempt.watch(resolve)), 'the deadline')
  t.ok(performance.now() - start > 110, 'not before its time')
  t.equal(ending.late, true)
  t.ok(ending.reason instanceof HandshakeError)
  t.match(ending.reason, { code: 'handshake-timeout', message: 'the handshake was not done within 120 ms' })
  attempt.end()
})

t.test('what comes first counts', async t => {
  const controller = new AbortController()
  const attempt = new Attempt(controller.signal, 100)
  let told = 0
  await within(new Promise<void>(resolve => attempt.watch(() => (told++, resolve()))), 'the deadline')
  controller.abort('later')
  t.equal(told, 1)
  t.match(watching(attempt), [{ late: true }])
  attempt.end()
})

t.test('after the end nothing is heard, and nothing is left on the signal', async t => {
  const controller = new AbortController()
  const attempt = new Attempt(controller.signal, 100)
  t.equal(listenersOf(controller.signal), 1)
  const endings = watching(attempt)
  attempt.end()
  t.equal(listenersOf(controller.signal), 0)
  controller.abort()
  await within(new Promise(resolve => new Attempt(undefined, 150).watch(resolve)), 'a later deadline')
  t.strictSame(endings, [])
})

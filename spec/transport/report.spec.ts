import t, { type Test } from 'tap'
import { Violation } from '../../lib/protocol/violation.ts'
import { reportError } from '../../lib/transport/report.ts'
import { turn } from '../helpers/journal.ts'

/** The process warnings from here on, but for what Node says of modules that the test runner uses. */
function warnings(t: Test): Error[] {
  const all: Error[] = []
  const onWarning = (warning: Error): void => {
    if (warning.name !== 'DeprecationWarning') all.push(warning)
  }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  return all
}

t.test('a callback is told everything, as it is, and nothing becomes a warning', async t => {
  const warned = warnings(t)
  const told: unknown[] = []
  const errors = [new Error('a'), 'text', undefined, new Violation('invalid-utf8')]
  for (const error of errors) reportError(error, each => told.push(each))
  await turn()
  t.strictSame(told.map((each, i) => each === errors[i]), [true, true, true, true])
  t.strictSame(warned, [])
})

t.test('without a callback errors become warnings, violations of a peer do not', async t => {
  const warned = warnings(t)
  const error = new Error('oops')
  reportError(error, undefined)
  reportError('text', undefined)
  reportError(new Violation('invalid-utf8'), undefined)
  await turn()
  t.equal(warned[0], error)
  t.equal(warned[1].message, '"text"')
  t.equal(warned.length, 2)
})

t.test('what the callback throws becomes a warning', async t => {
  const warned = warnings(t)
  const second = new Error('second')
  reportError(new Error('first'), () => {
    throw second
  })
  await turn()
  t.equal(warned.length, 1)
  t.equal(warned[0].message, 'the callback error failed: Error: second; it was told of Error: first')
  t.equal(warned[0].cause, second)
})

t.test('it never throws, whatever was thrown', async t => {
  const warned = warnings(t)
  const odd = [null, undefined, 5, Symbol('a'), {}, Object.create(null), () => {}]
  for (const error of odd) t.doesNotThrow(() => reportError(error, undefined))
  await turn()
  t.equal(warned.length, odd.length)
})

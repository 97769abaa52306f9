import t from 'tap'
import { describe, MisuseError, show } from '../../lib/protocol/misuse-error.ts'

t.test('an Error with a name, a stable code and a sentence', async t => {
  const error = new MisuseError('invalid-option', 'limit must be a safe integer or Infinity')
  t.ok(error instanceof Error)
  t.equal(error.name, 'MisuseError')
  t.equal(error.code, 'invalid-option')
  t.equal(error.message, 'limit must be a safe integer or Infinity')
  t.equal(String(error), 'MisuseError: limit must be a safe integer or Infinity')
})

t.test('a value is shown as it would be written', async t => {
  const rows: [value: unknown, shown: string][] = [
    ['1', '"1"'],
    [1.5, '1.5'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'undefined'],
    [10n, '10'],
    [Symbol('a'), 'Symbol(a)'],
    [{ a: [1] }, '{"a":[1]}'],
  ]
  for (const [value, shown] of rows) t.equal(show(value), shown)
  t.match(show(() => 1), '=> 1')
})

t.test('a number that is none is not shown as null', async t => {
  t.equal(show(NaN), 'NaN')
  t.equal(show(Infinity), 'Infinity')
  t.equal(show(-Infinity), '-Infinity')
})

t.test('a value that JSON has no words for is shown all the same', async t => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  t.doesNotThrow(() => show(cycle))
  t.doesNotThrow(() => show({ big: 1n }))
})

t.test('an object is described by its class', async t => {
  const rows: [value: unknown, described: string][] = [
    [{ a: 1 }, 'an object (Object)'],
    [[], 'an object (Array)'],
    [new Map(), 'an object (Map)'],
    [Object.create(null), 'an object (no class)'],
    [null, 'null'],
    [undefined, 'undefined'],
    ['a', '"a"'],
    [5, '5'],
  ]
  for (const [value, described] of rows) t.equal(describe(value), described)
})

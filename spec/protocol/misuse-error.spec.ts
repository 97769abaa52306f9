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
  t.equal(show(() => 1), 'a function')
})

t.test('a number that is none is not shown as null', async t => {
  t.equal(show(NaN), 'NaN')
  t.equal(show(Infinity), 'Infinity')
  t.equal(show(-Infinity), '-Infinity')
})

t.test('a value that JSON has no words for is shown all the same', async t => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  t.equal(show(cycle), '{"self":{"self":{"self":…}}}')
  t.equal(show({ big: 1n }), '{"big":1}')
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  for (const text of [show(proxy), describe(proxy), show([proxy])]) t.equal(text, 'an object that can not be read')
})

t.test('a value that a peer may have made is shown in short', async t => {
  const long = 'x'.repeat(1e6)
  const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)
  const rows: [value: unknown, shown: string][] = [
    [long, `"${'x'.repeat(100)}…"`],
    [Buffer.alloc(1e6), 'an object (Buffer)'],
    [new Uint8Array(1e6), 'an object (Uint8Array)'],
    [Array(1e6).fill(1), '[1,1,1,1,1,… 999995 more]'],
    [Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, i])), '{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,… 2 more}'],
    [{ [long]: long }, `{"${'x'.repeat(100)}…":"${'x'.repeat(100)}…"}`],
    [Symbol(long), `Symbol(${'x'.repeat(93)}…`],
    [deep, '[[[…]]]'],
    [new Date(0), 'an object (Date)'],
  ]
  for (const [value, shown] of rows) t.equal(show(value), shown)
  t.equal(describe({ constructor: { name: long } }), `an object (${'x'.repeat(100)}…)`)
  t.equal(describe({ constructor: { name: 5 } }), 'an object (no class)')
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

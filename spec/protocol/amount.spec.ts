import t from 'tap'
import { checkAmount } from '../../lib/protocol/amount.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'

t.test('whole numbers from 0 to 2^53-1 and Infinity are amounts', async t => {
  for (const value of [0, 1, 65536, Number.MAX_SAFE_INTEGER, Infinity]) {
    t.equal(checkAmount('limit', value, 'bytes'), value)
  }
})

t.test('anything else is a misuse that names option, unit and value', async t => {
  const rows: [value: unknown, shown: string][] = [
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [2 ** 53, '9007199254740992'],
    ['10', '"10"'],
    [null, 'null'],
    [undefined, 'undefined'],
    [10n, '10'],
    [{}, '{}'],
  ]
  for (const [value, shown] of rows) {
    const message = `limits.x must be a whole number of bytes, 0 or more, or Infinity, and not ${shown}`
    const check = (): unknown => checkAmount('limits.x', value, 'bytes')
    t.throws(check, MisuseError)
    t.throws(check, { code: 'invalid-option', message }, shown)
    t.throws(() => checkAmount('limits.x', value, 'bytes', 'invalid-argument'), { code: 'invalid-argument', message }, shown)
  }
})

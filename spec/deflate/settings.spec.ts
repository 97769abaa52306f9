import t from 'tap'
import { MAX_WINDOW_BITS, resolveDeflateSettings, type DeflateOptions } from '../../lib/deflate/settings.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'

const SHARED = { mode: 'shared', level: 1, windowBits: 15, memLevel: 8 }
const DEDICATED = { mode: 'dedicated', level: 1, windowBits: 12, memLevel: 5 }
const NUMBERS = [
  ['level', 1, 9],
  ['windowBits', 9, 15],
  ['memLevel', 1, 9],
] as const

t.test('what is left out, or undefined, has its default', async t => {
  const none = { mode: undefined, level: undefined, windowBits: undefined, memLevel: undefined }
  for (const options of [undefined, {}, none, { mode: 'shared' }] as const) {
    t.strictSame(resolveDeflateSettings(options), SHARED)
  }
  t.strictSame(resolveDeflateSettings({ ...none, mode: 'dedicated' }), DEDICATED)
  t.strictSame(resolveDeflateSettings({ mode: 'dedicated' }), DEDICATED)
  t.equal(MAX_WINDOW_BITS, 15, 'RFC 7692, section 7.1.2')
})

t.test('the level can be chosen in both modes, the rest where it is dedicated', async t => {
  for (let level = 1; level <= 9; level++) {
    t.strictSame(resolveDeflateSettings({ level }), { ...SHARED, level })
  }
  for (const [name, lowest, highest] of NUMBERS) {
    for (let value = lowest as number; value <= highest; value++) {
      const settings = resolveDeflateSettings({ mode: 'dedicated', [name]: value })
      t.strictSame(settings, { ...DEDICATED, [name]: value }, `${name} ${value}`)
    }
  }
})

t.test('anything else is misuse that names the option and what is allowed', async t => {
  const refused: [options: unknown, message: RegExp][] = [
    [{ mode: 'both' }, /^compression\.mode must be 'shared' or 'dedicated', and not "both"$/],
    [{ windowBits: 12 }, /^compression\.windowBits can only be chosen where mode is 'dedicated'$/],
    [{ mode: 'shared', memLevel: 5 }, /^compression\.memLevel can only be chosen where mode is 'dedicated'$/],
  ]
  for (const [name, lowest, highest] of NUMBERS) {
    for (const value of [lowest - 1, highest + 1, lowest + 0.5, NaN, Infinity, -1, String(lowest), null, true]) {
      const shown = typeof value === 'string' ? `"${value}"` : String(value)
      const sentence = `^compression\\.${name} must be a whole number from ${lowest} to ${highest}, and not ${shown}$`
      refused.push([{ mode: 'dedicated', [name]: value }, new RegExp(sentence)])
    }
  }
  for (const [options, message] of refused) {
    t.throws(() => resolveDeflateSettings(options as DeflateOptions), { code: 'invalid-option', message })
    t.throws(() => resolveDeflateSettings(options as DeflateOptions), MisuseError)
  }
})

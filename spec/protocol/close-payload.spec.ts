import t from 'tap'
import { encodeClosePayload, MAX_CLOSE_REASON, parseClosePayload } from '../../lib/protocol/close-payload.ts'
import { bytes, hex } from '../helpers/frames.ts'

/** Parses `payload` where it lies amid other bytes. */
function parse(payload: string): { code: number; reason: string } {
  const data = bytes(`ffff${payload}ffff`)
  return parseClosePayload(data, 2, data.length - 2)
}

t.test('5.5.1: an empty close frame means 1005', async t => {
  t.strictSame(parse(''), { code: 1005, reason: '' })
})

t.test('5.5.1: code, big end first, and reason', async t => {
  t.strictSame(parse('03e8'), { code: 1000, reason: '' })
  t.strictSame(parse('0fa1 627965'), { code: 4001, reason: 'bye' })
  t.strictSame(parse('03e8 e282ac'), { code: 1000, reason: '€' })
  t.strictSame(parse('03e8' + '61'.repeat(123)), { code: 1000, reason: 'a'.repeat(123) })
})

t.test('5.5.1: a payload that breaks a rule', async t => {
  const broken: [payload: string, code: string][] = [
    ['03', 'close-payload-size'],
    ['0000', 'close-code'],
    ['03e7', 'close-code'],
    ['03ed', 'close-code'],
    ['e803', 'close-code'],
    ['03e8ff', 'close-reason-utf8'],
    ['03e8eda080', 'close-reason-utf8'],
    ['03e8e282', 'close-reason-utf8'],
    ['03ee ff', 'close-code'],
  ]
  for (const [payload, code] of broken) t.throws(() => parse(payload), { name: 'Violation', code }, payload)
})

t.test('5.5.1: what is encoded', async t => {
  t.equal(hex(encodeClosePayload()), '')
  t.equal(hex(encodeClosePayload(undefined, '')), '')
  t.equal(hex(encodeClosePayload(1000)), '03e8')
  t.equal(hex(encodeClosePayload(4999, 'bye')), '1387627965')
  t.equal(hex(encodeClosePayload(1000, '€')), '03e8e282ac')
})

t.test('5.5.1: a reason of 123 bytes fits, whatever the characters; one more does not', async t => {
  t.equal(MAX_CLOSE_REASON, 123)
  for (const reason of ['a'.repeat(123), '€'.repeat(41), 'é'.repeat(61) + 'a']) {
    t.equal(encodeClosePayload(1000, reason).length, 125)
    const misuse = { name: 'MisuseError', code: 'invalid-argument', message: /reason.*123.*124/ }
    t.throws(() => encodeClosePayload(1000, reason + 'a'), misuse)
  }
})

t.test('7.4: what the caller must not send', async t => {
  const misuse = { name: 'MisuseError', code: 'invalid-argument' }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 66536, -1, 1000.5, NaN, Infinity]) {
    const message = new RegExp(`code must be .* not ${code}`)
    t.throws(() => encodeClosePayload(code), { ...misuse, message }, `${code}`)
  }
  t.throws(() => encodeClosePayload('1000' as unknown as number), { ...misuse, message: /code/ })
  t.throws(() => encodeClosePayload(1000, 5 as unknown as string), { ...misuse, message: /reason/ })
  t.throws(() => encodeClosePayload(undefined, 'bye'), { ...misuse, message: /reason needs a code/ })
})

import t from 'tap'
import { mask, writeKey } from '../../../lib/conformance/wire/mask.ts'
import { bytes, hex, KEY } from '../../helpers/frames.ts'
import { random } from '../../helpers/random.ts'

t.test("RFC 6455's example (section 5.7), there and back", async t => {
  const payload = bytes('48656c6c6f')
  mask(payload, 0, 5, bytes(KEY), 0)
  t.equal(hex(payload), '7f9f4d5158')
  mask(payload, 0, 5, bytes(KEY), 0)
  t.equal(payload.toString(), 'Hello')
})

t.test('any length at any place, with the key anywhere: what the definition says', async t => {
  const pick = random(t)
  for (let round = 0; round < 500; round++) {
    const from = pick(8)
    const length = pick(100)
    const at = pick(5)
    const memory = Buffer.from(Array.from({ length: 128 }, () => pick(256)))
    const keys = Buffer.from(Array.from({ length: 16 }, () => pick(256)))
    const expected = Buffer.from(memory)
    for (let i = 0; i < length; i++) expected[from + i] = memory[from + i] ^ keys[at + (i % 4)]
    mask(memory, from, from + length, keys, at)
    if (!memory.equals(expected)) t.fail(`from ${from}, length ${length}, key at ${at}`)
  }
  t.pass('500 rounds')
})

t.test('keys are random, and land where they should', async t => {
  const target = Buffer.alloc(12)
  writeKey(target, 4)
  t.equal(hex(target.subarray(0, 4)) + hex(target.subarray(8)), '0000000000000000')
  const keys = new Set<string>()
  // More than the pool holds.
  for (let round = 0; round < 5000; round++) {
    target.fill(0)
    writeKey(target, 0)
    if (hex(target.subarray(0, 4)) === '00000000') t.fail(`no key in round ${round}`)
    keys.add(hex(target.subarray(0, 4)))
  }
  t.ok(keys.size > 4990, `${keys.size} of 5,000 differ`)
})

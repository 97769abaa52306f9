import t from 'tap'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { checkBytes, checkPayload, type Payload } from '../../lib/transport/payload.ts'
import { hex } from '../helpers/frames.ts'

const memory = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]).buffer
const shared = new SharedArrayBuffer(2)
new Uint8Array(shared).set([8, 9])

const BYTES: readonly [what: string, payload: Payload, expected: string][] = [
  ['a Buffer', Buffer.from(memory, 1, 2), '0102'],
  ['a Uint8Array', new Uint8Array(memory, 2, 3), '020304'],
  ['a Uint8ClampedArray', new Uint8ClampedArray(memory, 1, 1), '01'],
  ['an Int16Array in the middle of its memory', new Int16Array(memory, 2, 2), '02030405'],
  ['a Float64Array', new Float64Array(memory), '0001020304050607'],
  ['a DataView in the middle of its memory', new DataView(memory, 5, 2), '0506'],
  ['an ArrayBuffer', memory, '0001020304050607'],
  ['a SharedArrayBuffer', shared, '0809'],
  ['an empty view', new Uint8Array(memory, 3, 0), ''],
]

t.test('bytes of every type come back as a Uint8Array on the same memory', async t => {
  for (const [what, payload, expected] of BYTES) {
    for (const checked of [checkPayload(payload), checkBytes(payload, 'payload')]) {
      t.ok(checked instanceof Uint8Array, what)
      t.equal(hex(checked as Uint8Array), expected, what)
      const buffer = 'buffer' in (payload as object) ? (payload as Uint8Array).buffer : payload
      t.equal((checked as Uint8Array).buffer, buffer, `${what}: the memory`)
    }
  }
})

t.test('strings stay strings, and become UTF-8 where bytes are wanted', async t => {
  t.equal(checkPayload('grün'), 'grün')
  t.equal(checkPayload(''), '')
  t.equal(hex(checkBytes('grün', 'payload')), '6772c3bc6e')
  t.equal(hex(checkBytes('', 'payload')), '')
})

t.test('anything else is misuse that says what came', async t => {
  class Invoice {}
  const wrong: [value: unknown, said: string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [5, 'a number'],
    [true, 'a boolean'],
    [5n, 'a bigint'],
    [() => {}, 'a function'],
    [Symbol('a'), 'a symbol'],
    [{}, 'an object (Object)'],
    [[1, 2], 'an object (Array)'],
    [new Invoice(), 'an object (Invoice)'],
    [Object.create(null), 'an object (no class)'],
  ]
  for (const [value, said] of wrong) {
    const allowed = 'must be a string, a Buffer, a view of an ArrayBuffer or an ArrayBuffer'
    const misuse = (name: string): MisuseError => new MisuseError('invalid-argument', `${name} ${allowed}, and not ${said}`)
    t.throws(() => checkPayload(value as Payload), misuse('data'))
    t.throws(() => checkPayload(value as Payload, 'other'), misuse('other'))
    t.throws(() => checkBytes(value as Payload, 'payload'), misuse('payload'))
  }
})

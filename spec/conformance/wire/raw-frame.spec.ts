import t from 'tap'
import type { RawFrame } from '../../../lib/conformance/case.ts'
import { rawFrameBytes } from '../../../lib/conformance/wire/raw-frame.ts'
import { hex } from '../../helpers/frames.ts'

function bytesOf(payload: string): RawFrame['payload'] {
  return { pattern: Buffer.from(payload), length: payload.length }
}

function frameOf(changes: Partial<RawFrame>, isClient = false): string {
  const frame = { opcode: 1, fin: true, rsv: 0, payload: bytesOf('Hello'), masked: undefined, key: undefined }
  return hex(rawFrameBytes({ ...frame, form: undefined, claim: undefined, ...changes }, isClient))
}

t.test('as it must be, where nothing else is said', async t => {
  t.equal(frameOf({}), '810548656c6c6f')
  const masked = frameOf({}, true)
  t.equal(masked.length, 2 * (2 + 4 + 5))
  t.equal(masked.slice(0, 4), '8185')
  t.equal(frameOf({ payload: { pattern: Buffer.from('*'), length: 126 } }).slice(0, 8), '817e007e')
  t.equal(frameOf({ payload: { pattern: Buffer.from('*'), length: 65_535 } }).slice(0, 8), '817effff')
  t.equal(frameOf({ payload: { pattern: Buffer.from('*'), length: 65_536 } }).slice(0, 20), '817f0000000000010000')
})

t.test('each part wrong', async t => {
  t.equal(frameOf({ fin: false, rsv: 5, opcode: 11 }).slice(0, 2), '5b')
  t.equal(frameOf({ masked: false }, true), '810548656c6c6f', 'not masked by a client')
  const key = { pattern: Buffer.from('01020304', 'hex'), length: 4 }
  t.equal(frameOf({ masked: true, key }), '81850102030449676f686e', 'masked by a server')
  t.equal(frameOf({ form: 2 }), '817e000548656c6c6f')
  t.equal(frameOf({ form: 8 }), '817f000000000000000548656c6c6f')
  t.equal(frameOf({ claim: 125n }), '817d48656c6c6f')
  t.equal(frameOf({ claim: 2n ** 64n - 1n }), '817fffffffffffffffff48656c6c6f')
})

t.test('the payload given is left as it is', async t => {
  const payload = bytesOf('Hello')
  frameOf({ payload }, true)
  t.equal(String(payload.pattern), 'Hello')
})

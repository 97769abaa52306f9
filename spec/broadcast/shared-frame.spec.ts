import t from 'tap'
import { encodeShared, type SharedFrame } from '../../lib/broadcast/shared-frame.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { bytes, frame, hex } from '../helpers/frames.ts'

const { text, binary, ping } = Opcode
const wire = ({ bytes: memory, start, end }: SharedFrame): string => hex(memory.subarray(start, end))
const noise = (length: number): Buffer => Buffer.from(new Uint8Array(length).map((_, i) => i * 7).buffer)

t.test('one unmasked frame: text, binary, control', async t => {
  t.equal(wire(encodeShared(text, 'grün')), frame('81', 'grün'))
  t.equal(wire(encodeShared(text, Buffer.from('grün'))), frame('81', 'grün'))
  t.equal(wire(encodeShared(binary, bytes('00ff'))), frame('82', bytes('00ff')))
  t.equal(wire(encodeShared(binary, 'grün')), frame('82', 'grün'))
  t.equal(wire(encodeShared(ping, 'p')), frame('89', 'p'))
  t.equal(wire(encodeShared(text, '')), frame('81'))
})

t.test('every length, also those that are larger than a slab', async t => {
  for (const length of [125, 126, 127, 16_383, 16_384, 65_520, 65_535, 65_536, 65_537, 200_000]) {
    t.ok(wire(encodeShared(binary, noise(length))) === frame('82', noise(length)), `binary ${length}`)
    t.ok(wire(encodeShared(text, 'é'.repeat(length / 2))) === frame('81', 'é'.repeat(length / 2)), `text ${length}`)
  }
})

t.test('bytes sent as text that are not UTF-8 are misuse', async t => {
  for (const length of [0, 20_000]) {
    const wrong = Buffer.concat([Buffer.alloc(length, 'a'), bytes('c3')])
    t.throws(() => encodeShared(text, wrong), { name: 'MisuseError', code: 'invalid-argument', message: /UTF-8/ })
  }
  t.equal(wire(encodeShared(text, 'next')), frame('81', 'next'))
})

t.test('small frames stand one behind the other in the same memory', async t => {
  encodeShared(binary, noise(65_536 - 1000))
  const frames = ['a', 'b', 'c'].map(each => encodeShared(text, each))
  const [a, b, c] = frames
  t.equal(a.bytes, b.bytes)
  t.equal(b.start, a.end)
  t.equal(c.start, b.end)
  t.strictSame(frames.map(wire), ['a', 'b', 'c'].map(each => frame('81', each)), 'and none writes over another')
})

t.test('a thousand frames keep what they say, across slabs', async t => {
  const frames = Array.from({ length: 1000 }, (_, i) => encodeShared(text, `${i} `.repeat(50)))
  t.ok(frames.every((each, i) => wire(each) === frame('81', `${i} `.repeat(50))))
})

t.test('what was given is the caller\'s again at once, also where it is large', async t => {
  for (const length of [10, 100_000]) {
    const data = Buffer.alloc(length, 7)
    const shared = encodeShared(binary, data)
    data.fill(0)
    t.ok(wire(shared) === frame('82', Buffer.alloc(length, 7)), `${length} bytes`)
  }
})

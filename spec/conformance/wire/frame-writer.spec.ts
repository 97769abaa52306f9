import t from 'tap'
import { cutsOf, frameBytes, headerBytes, messageBytes } from '../../../lib/conformance/wire/frame-writer.ts'
import { bytes, frame, hex, masked } from '../../helpers/frames.ts'

const TEXT = { opcode: 1, fin: true, rsv: 0 }

/** A masked frame with the key taken out of it. */
function unmasked(masked: Buffer, header: number): string {
  const head = Buffer.from(masked.subarray(0, header))
  head[1] &= 0x7f
  const key = masked.subarray(header, header + 4)
  return hex(head) + hex(masked.subarray(header + 4).map((byte, at) => byte ^ key[at % 4]))
}

t.test('frames of every form of length', async t => {
  for (const [length, header] of [
    [0, 2],
    [5, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ] as const) {
    const payload = Buffer.alloc(length, 'Hello')
    t.equal(hex(frameBytes(TEXT, payload, false)), frame('81', payload), `${length}`)
    t.equal(unmasked(frameBytes(TEXT, payload, true), header), frame('81', payload), `${length}, masked`)
  }
})

t.test('any opcode, bits and length: nothing is refused', async t => {
  t.equal(hex(frameBytes({ opcode: 15, fin: false, rsv: 7 }, bytes('00'), false)), '7f0100')
  t.equal(hex(frameBytes({ opcode: 9, fin: false, rsv: 4 }, Buffer.alloc(126), false)), `497e007e${'00'.repeat(126)}`)
  t.equal(hex(frameBytes({ opcode: 1, fin: true, rsv: 1 }, Buffer.alloc(0), false)), '9100')
  t.equal(hex(frameBytes({ opcode: 2, fin: true, rsv: 2 }, Buffer.alloc(0), false)), 'a200')
})

t.test('a masked frame is one that its key makes plain, and no two have the same key', async t => {
  const one = frameBytes(TEXT, Buffer.from('Hello'), true)
  t.equal(hex(one), masked(frame('81', 'Hello'), hex(one.subarray(2, 6))))
  t.notSame(frameBytes(TEXT, Buffer.from('Hello'), true), one)
})

t.test('a header alone', async t => {
  t.equal(hex(headerBytes({ opcode: 1, fin: false, rsv: 0 }, 21, false)), '0115')
  t.match(hex(headerBytes({ opcode: 1, fin: false, rsv: 0 }, 21, true)), /^0195[0-9a-f]{8}$/)
  t.equal(hex(headerBytes(TEXT, 70_000, false)), '817f0000000000011170')
})

t.test('where a message is cut', async t => {
  t.same(cutsOf(0, 0), [0])
  t.same(cutsOf(10, 0), [10])
  t.same(cutsOf(10, 10), [10], 'as large as a fragment may be: one frame')
  t.same(cutsOf(10, 4), [4, 8, 10])
  t.same(cutsOf(8, 4), [4, 8, 8], 'a multiple: an empty frame at the end')
  t.same(cutsOf(3, 1), [1, 2, 3, 3])
})

t.test('a message in frames: the bits on the first one, the rest continues', async t => {
  const head = { opcode: 2, fin: true, rsv: 4 }
  t.equal(hex(messageBytes(head, bytes('0102030405'), 2, false)), '42020102' + '00020304' + '800105')
  t.equal(hex(messageBytes(head, bytes('01020304'), 2, false)), '42020102' + '00020304' + '8000')
  t.equal(hex(messageBytes(head, bytes('0102'), 2, false)), 'c2020102')
  t.equal(hex(messageBytes({ ...head, fin: false }, bytes('0102'), 0, false)), 'c2020102')
  const long = messageBytes(TEXT, Buffer.alloc(300, 'x'), 200, false)
  t.equal(hex(long), `017e00c8${'78'.repeat(200)}8064${'78'.repeat(100)}`)
  const frames = messageBytes(TEXT, bytes('0102'), 1, true)
  const [one, two] = [frames.subarray(0, 7), frames.subarray(7, 14)]
  t.equal(unmasked(one, 2) + unmasked(two, 2) + unmasked(frames.subarray(14), 2), '010101' + '000102' + '8000')
})

import t from 'tap'
import { encodeShared, SharedFrame } from '../../lib/broadcast/shared-frame.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import type { FrameRange } from '../../lib/transport/connection-setup.ts'
import { deflatedFrame } from '../helpers/deflated.ts'
import { bytes, frame, hex } from '../helpers/frames.ts'
import { HandCompressor } from '../helpers/hand-codec.ts'
import { retainedBy } from '../helpers/memory.ts'

const { text, binary, ping } = Opcode
const wireOf = ({ bytes: memory, start, end }: FrameRange): string => hex(memory.subarray(start, end))
const wire = ({ plain }: SharedFrame): string => wireOf(plain)
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
  const [a, b, c] = frames.map(({ plain }) => plain)
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

t.test('opcode and payload are those of the frame, wherever it lies', async t => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    const whole = frame('82', noise(length))
    const given = new SharedFrame({ bytes: bytes(`ffff ${whole} ff`), start: 2, end: 2 + whole.length / 2 })
    t.equal(given.opcode, binary)
    t.ok(given.payload.equals(noise(length)), `${length} bytes`)
    t.equal(given.payload, given.payload, 'found once')
  }
  t.equal(encodeShared(ping, 'p').opcode, ping)
})

t.test('without a compressor the frame is as it is', async t => {
  const shared = encodeShared(text, 'a'.repeat(500))
  t.equal(shared.frameFor(undefined), shared.plain)
})

t.test('one encoding for each compressor, however many ask', async t => {
  const shared = encodeShared(text, 'a'.repeat(500))
  const [one, other] = [new HandCompressor(), new HandCompressor()]
  const made = shared.frameFor(one)
  for (let i = 0; i < 10; i++) t.equal(shared.frameFor(one), made)
  const second = shared.frameFor(other)
  t.not(second, made)
  t.strictSame([wireOf(made), wireOf(second)], Array(2).fill(deflatedFrame('81', 'a'.repeat(500))))
  t.strictSame([one.calls, other.calls], [['at once 500'], ['at once 500']])
  t.equal(wire(shared), frame('81', 'a'.repeat(500)), 'and the plain one is still there')
})

t.test('what is too large to be compressed at once, or would not get smaller, goes as it is', async t => {
  const compressor = new HandCompressor({ atOnceUpTo: 500 })
  const large = encodeShared(binary, Buffer.alloc(501))
  t.equal(large.frameFor(compressor), large.plain)
  t.strictSame(compressor.calls, [])
  const limit = encodeShared(binary, Buffer.alloc(500))
  t.equal(wireOf(limit.frameFor(compressor)), deflatedFrame('82', Buffer.alloc(500)))
  const dense = encodeShared(text, 'ab')
  for (let i = 0; i < 3; i++) t.equal(dense.frameFor(compressor), dense.plain)
  t.strictSame(compressor.calls, ['at once 500', 'at once 2'], 'and that is found out once')
})

t.test('where it stays as large as it was it goes as it is', async t => {
  const compressor = new HandCompressor()
  const shared = encodeShared(text, 'abcdefg')
  compressor.compress = payload => Buffer.alloc(payload.length)
  t.equal(shared.frameFor(compressor), shared.plain)
})

t.test('plain frames of a tick stand one behind the other, and so do compressed ones', async t => {
  encodeShared(binary, noise(65_536 - 1000))
  const compressor = new HandCompressor()
  const frames = ['a', 'b', 'c'].map(each => encodeShared(text, each.repeat(100)))
  const compressed = frames.map(each => each.frameFor(compressor))
  for (const ranges of [frames.slice(0, 3).map(({ plain }) => plain), compressed]) {
    for (const [i, range] of ranges.entries()) {
      t.equal(range.bytes, ranges[0].bytes)
      if (i > 0) t.equal(range.start, ranges[i - 1].end)
    }
  }
})

t.test('what a compressor has lent is copied, also where it is large', async t => {
  const compressor = new HandCompressor({ atOnceUpTo: Infinity })
  for (const size of [100, 20_000, 70_000]) {
    const lent = Buffer.alloc(size, 7)
    compressor.compress = () => lent
    const range = encodeShared(binary, Buffer.alloc(100_000)).frameFor(compressor)
    lent.fill(0)
    t.ok(wireOf(range) === frame('c2', Buffer.alloc(size, 7)), `${size} bytes`)
  }
})

t.test('a frame of more than 16 KiB has memory of its own, which those it waits for share', async t => {
  for (const [what, length] of [[noise, 17_000], [noise, 60_000], [(size: number) => 'x'.repeat(size), 17_000], [(size: number) => 'é'.repeat(size), 10_000]] as const) {
    const { plain } = encodeShared(typeof what(1) === 'string' ? text : binary, what(length))
    t.equal(plain.start, 0)
    t.equal(plain.bytes.buffer.byteLength, plain.end)
  }
  const [small, next] = [encodeShared(binary, noise(16_000)), encodeShared(binary, noise(10))]
  t.equal(small.plain.bytes, next.plain.bytes, 'smaller ones share a slab')
})

t.test('the last frame is kept by those who send it, and not here', async t => {
  const SIZE = 8 * 1024 * 1024
  const work: (() => unknown)[] = [
    () => void encodeShared(binary, Buffer.alloc(SIZE)),
    () => void encodeShared(text, 'x'.repeat(SIZE)),
  ]
  for (const each of work) {
    const kept = retainedBy(each)
    t.ok(kept < SIZE / 2, `${kept} bytes`)
  }
})

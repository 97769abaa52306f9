import t from 'tap'
import { BY_REFERENCE_FROM, ENCODED_IN_PLACE_UP_TO, writeFrame, writeHeader, writeTextFrame } from '../../lib/protocol/frame-serializer.ts'
import type { Output } from '../../lib/protocol/output.ts'
import { bytes, frame, hex, KEY, masked } from '../helpers/frames.ts'

const FIRST = 0x82
const BOUNDARIES = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537]
const key = bytes(KEY).readInt32LE()

/** An Output that has room for what is reserved, and not for a byte more. */
class ExactOutput implements Output {
  memory = Buffer.alloc(0)
  readonly blocked = false
  appended = 0
  readonly #chunks: Buffer[] = []

  reserve(size: number): number {
    this.memory = Buffer.alloc(3 + size)
    return 3
  }

  commit(size: number): void {
    if (size > this.memory.length - 3) throw new Error('more than was reserved')
    this.#chunks.push(this.memory.subarray(3, 3 + size))
  }

  append(bytes: Buffer): void {
    if (!Buffer.isBuffer(bytes)) throw new Error('not a Buffer')
    this.appended++
    this.#chunks.push(bytes)
  }

  all(): string {
    return hex(Buffer.concat(this.#chunks))
  }
}

function written(write: (output: Output) => void): string {
  const output = new ExactOutput()
  write(output)
  return output.all()
}

t.test('5.7: the examples', async t => {
  const hello = Buffer.from('Hello')
  t.equal(written(output => writeFrame(output, 0x81, hello, undefined, true)), '810548656c6c6f')
  t.equal(written(output => writeFrame(output, 0x81, hello, key, true)), '818537fa213d7f9f4d5158')
  t.equal(written(output => writeTextFrame(output, 0x81, 'Hello', undefined)), '810548656c6c6f')
  t.equal(written(output => writeTextFrame(output, 0x81, 'Hello', key)), '818537fa213d7f9f4d5158')
})

t.test('5.2: lengths in as few bytes as possible, masked or not', async t => {
  for (const length of BOUNDARIES) {
    const payload = Buffer.from(Array.from({ length }, (_, i) => i * 7))
    const expected = frame('82', payload)
    for (const lent of [true, false]) {
      t.equal(written(output => writeFrame(output, FIRST, payload, undefined, lent)), expected, `${length}`)
      t.equal(written(output => writeFrame(output, FIRST, payload, key, lent)), masked(expected), `${length}, masked`)
    }
  }
})

t.test('5.2: headers for more bytes than memory has', async t => {
  const headers: [length: number, field: string][] = [
    [0xffff_ffff, '7f00000000ffffffff'],
    [0x1_0000_0000, '7f0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '7f001fffffffffffff'],
  ]
  const memory = Buffer.alloc(20)
  for (const [length, field] of headers) {
    t.equal(writeHeader(memory, 1, FIRST, length, undefined), 11)
    t.equal(hex(memory.subarray(1, 11)), `82${field}`)
    t.equal(writeHeader(memory, 2, FIRST, length, key), 16)
    t.equal(hex(memory.subarray(2, 16)), `82ff${field.slice(2)}${KEY}`)
  }
})

t.test('5.3: every key of 32 bits, given signed or not', async t => {
  for (const wire of ['00000000', 'ffffffff', '000000ff', '01020380', 'fffefdfc']) {
    for (const value of [bytes(wire).readInt32LE(), bytes(wire).readUInt32LE()]) {
      const sent = written(output => writeFrame(output, FIRST, Buffer.from('Hello'), value, true))
      t.equal(sent, masked(frame('82', 'Hello'), wire))
    }
  }
})

t.test('5.6: text of every length around each border, of characters of 1 to 4 bytes', async t => {
  for (const character of ['a', 'é', '€', '😀', '\0', '\x7f', '\x80']) {
    for (const units of [0, 1, 39, 40, 41, 42, 43, 62, 63, 64, 125, 126, 127, 1000, 16_383, 16_384, 21_846, 65_536]) {
      const text = character.repeat(units).slice(0, units)
      const expected = frame('81', text)
      const plain = written(output => writeTextFrame(output, 0x81, text, undefined))
      const hidden = written(output => writeTextFrame(output, 0x81, text, key))
      t.ok(plain === expected && hidden === masked(expected), `${units} units of ${JSON.stringify(character)}`)
    }
  }
})

t.test('8.1: text that is ASCII but for one character, anywhere', async t => {
  for (const units of [1, 40, 41, 124, 125]) {
    for (const at of [0, units >> 1, units - 1]) {
      const text = 'a'.repeat(at) + 'é' + 'a'.repeat(units - 1 - at)
      const sent = written(output => writeTextFrame(output, 0x81, text, key))
      t.equal(sent, masked(frame('81', text)), `${at} of ${units}`)
    }
  }
})

t.test('8.1: lone surrogates become U+FFFD', async t => {
  const text = 'a\ud800b\udc00'
  t.equal(written(output => writeTextFrame(output, 0x81, text, undefined)), frame('81', 'a\ufffdb\ufffd'))
})

t.test('frames follow one another without a gap', async t => {
  const sent = written(output => {
    writeTextFrame(output, 0x81, '€'.repeat(50), undefined)
    writeFrame(output, 0x82, bytes('0102'), undefined, true)
    writeFrame(output, 0x82, Buffer.alloc(20_000), undefined, true)
    writeTextFrame(output, 0x81, 'é', key)
  })
  const [text, large] = [frame('81', '€'.repeat(50)), frame('82', Buffer.alloc(20_000))]
  t.equal(sent, [text, '82020102', large, masked(frame('81', 'é'))].join(''))
})

interface Memory {
  /** Whether what was written follows the payload's memory after the call. */
  readonly shared: boolean
  /** Whether the call changed the payload. */
  readonly touched: boolean
}

function memoryOf(payload: Uint8Array, withKey: number | undefined, lent: boolean): Memory {
  const before = hex(payload)
  const output = new ExactOutput()
  writeFrame(output, FIRST, payload, withKey, lent)
  const touched = hex(payload) !== before
  payload.fill(0x55)
  return { shared: output.all().endsWith('5555'), touched }
}

t.test('a large payload that is not lent goes by reference; all others are copied, and none is changed', async t => {
  t.equal(BY_REFERENCE_FROM, 65_536)
  const rows: [size: number, key: number | undefined, lent: boolean, shared: boolean][] = [
    [65_536, undefined, false, true],
    [65_536, undefined, true, false],
    [65_536, key, false, false],
    [65_536, key, true, false],
    [65_535, undefined, false, false],
    [65_535, key, false, false],
  ]
  for (const [size, withKey, lent, expected] of rows) {
    const label = `${size}, ${withKey === undefined ? 'plain' : 'masked'}, ${lent ? 'lent' : 'kept'}`
    t.strictSame(memoryOf(Buffer.alloc(size), withKey, lent), { shared: expected, touched: false }, `Buffer, ${label}`)
    const part = new Uint8Array(size + 9).subarray(5, size + 5)
    t.strictSame(memoryOf(part, withKey, lent), { shared: expected, touched: false }, `Uint8Array, ${label}`)
  }
})

t.test('a text that might take 64 KiB or more is encoded into memory of its own, and goes by reference', async t => {
  t.equal(ENCODED_IN_PLACE_UP_TO, 21_845)
  for (const unit of ['a', 'é', '€']) {
    for (const [units, appended] of [[21_845, 0], [21_846, 1]] as const) {
      const output = new ExactOutput()
      writeTextFrame(output, 0x81, unit.repeat(units), key)
      t.equal(output.appended, appended)
      t.equal(output.all(), masked(frame('81', unit.repeat(units))))
    }
  }
})

t.test('a part of a larger Uint8Array goes out as that part', async t => {
  for (const size of [5, 20_000]) {
    const memory = new Uint8Array(size + 20).fill(0xee)
    const part = memory.subarray(7, 7 + size).fill(1)
    t.equal(written(output => writeFrame(output, FIRST, part, undefined, false)), frame('82', part), `${size}`)
  }
})

import t from 'tap'
import { MessageAssembler } from '../../lib/protocol/message-assembler.ts'
import { Opcode, type DataOpcode } from '../../lib/protocol/opcode.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { retainedBy } from '../helpers/memory.ts'

function assembler(opcode: DataOpcode = Opcode.binary, limit = 1000): MessageAssembler {
  return new MessageAssembler(opcode, limit)
}

/** Appends each piece from amid other bytes, and then overwrites what it came in. */
function append(message: MessageAssembler, ...pieces: string[]): void {
  for (const piece of pieces) {
    const data = bytes(`ff${piece}ff`)
    message.append(data, 1, data.length - 1, false, 1000, 0)
    data.fill(0xaa)
  }
}

t.test('5.4: pieces in the order in which they came', async t => {
  const message = assembler()
  append(message, '0102', '', '03', '0405')
  t.equal(message.opcode, Opcode.binary)
  t.equal(message.length, 5)
  t.equal(hex(message.finish()), '0102030405')
  t.equal(hex(assembler().finish()), '', 'no piece at all is an empty message')
})

t.test('5.4: pieces of all sizes across every growth of the buffer', async t => {
  for (const size of [1, 7, 255, 256, 257, 1000]) {
    const message = assembler(Opcode.binary, Infinity)
    const pieces = Array.from({ length: 50 }, (_, i) => Buffer.alloc(size, i))
    for (const piece of pieces) message.append(piece, 0, size, false, Infinity, 0)
    t.ok(message.finish().equals(Buffer.concat(pieces)), `${size}`)
  }
})

t.test('the memory that it takes: what was allocated for it', async t => {
  const message = assembler()
  t.equal(message.memory, 0)
  append(message, '01')
  t.equal(message.memory, 256)
  append(message, 'aa'.repeat(256))
  t.equal(message.memory, 1000, 'no more than may come')
})

t.test('7.4.1: the limit counts all pieces: as much passes, one more does not', async t => {
  const message = assembler(Opcode.binary, 5)
  const tooBig = { name: 'Violation', code: 'message-too-big' }
  message.expect(5)
  t.throws(() => message.expect(6), tooBig)
  append(message, '010203')
  message.expect(2)
  t.throws(() => message.expect(3), tooBig)
  t.throws(() => message.expect(Number.MAX_SAFE_INTEGER), tooBig)
  append(message, '0405')
  message.expect(0)
  t.throws(() => message.expect(1), tooBig)
  assembler(Opcode.binary, Infinity).expect(Number.MAX_SAFE_INTEGER)
})

t.test('7.4.1: the memory for it has a limit of its own; the smaller one holds, and is the one that is told of', async t => {
  for (const [limit, retained, code] of [
    [5, 9, 'message-too-big'],
    [5, 5, 'message-too-big'],
    [9, 5, 'too-much-retained'],
    [Infinity, 5, 'too-much-retained'],
  ] as const) {
    const message = new MessageAssembler(Opcode.binary, limit, false, retained)
    t.equal(message.limit, 5)
    message.expect(5)
    t.throws(() => message.expect(6), { name: 'Violation', code }, `${limit} ${retained}`)
    append(message, '0102030405')
    t.throws(() => message.expect(1), { name: 'Violation', code })
  }
})

t.test('the buffer never has more than the memory that there may be', async t => {
  for (const retained of [1, 255, 300, 1000, 5000]) {
    const message = new MessageAssembler(Opcode.text, Infinity, false, retained)
    for (let i = 0; i < retained; i++) {
      message.expect(1)
      message.append(bytes('61'), 0, 1, true, message.limit, 100_000)
    }
    t.equal(message.finish().buffer.byteLength, retained)
  }
})

t.test('8.1: a text is refused at its first bad byte, and at its end where it is cut', async t => {
  const invalid = { name: 'Violation', code: 'invalid-utf8' }
  t.throws(() => append(assembler(Opcode.text), '61', 'f4', '90'), invalid)
  const cut = assembler(Opcode.text)
  append(cut, '61', 'e282')
  t.throws(() => cut.finish(), invalid)
  append(cut, 'ac')
  t.equal(hex(cut.finish()), '61e282ac')
  const binary = assembler()
  append(binary, 'f490', 'ff')
  t.equal(hex(binary.finish()), 'f490ff', 'binary is anything')
})

t.test('8.1: a piece that is known to be ASCII still has to fit behind the piece before', async t => {
  const message = assembler(Opcode.text)
  message.append(bytes('61'), 0, 1, true, 1000, 0)
  t.equal(message.ascii, true)
  message.append(bytes('c3'), 0, 1, false, 1000, 0)
  t.equal(message.ascii, false)
  t.throws(() => message.append(bytes('61'), 0, 1, true, 1000, 0), { code: 'invalid-utf8' })
})

t.test('ascii: only for text, and only while every piece is known to be', async t => {
  t.equal(assembler(Opcode.text).ascii, true)
  t.equal(assembler(Opcode.binary).ascii, false)
  const message = assembler(Opcode.text)
  append(message, 'c3a9')
  message.append(bytes('61'), 0, 1, true, 1000, 0)
  t.equal(message.ascii, false)
})

t.test('the buffer grows with what came, fourfold at most, and never past what the message can have', async t => {
  const sizes = new Set<number>()
  const message = assembler(Opcode.text, 100_000)
  for (let i = 1; i <= 100_000; i++) {
    message.append(bytes('61'), 0, 1, true, 100_000, 0)
    if (i % 1000 !== 1) continue
    const held = message.finish().buffer.byteLength
    sizes.add(held)
    if (held > Math.max(256, 4 * i)) t.fail(`${held} bytes held for ${i}`)
  }
  t.strictSame([...sizes], [256, 4 * 257, 4 * 1029, 4 * 4117, 4 * 16469, 100_000])
})

t.test('memory is what the buffer takes', async t => {
  const message = assembler()
  t.equal(message.memory, 0)
  append(message, '61')
  t.equal(message.memory, 256)
  append(message, '61'.repeat(256))
  t.equal(message.memory, 1000)
})

t.test('a message whose length is known gets no more than that', async t => {
  const message = assembler(Opcode.text, 1000)
  message.append(bytes('616161'), 0, 3, true, 5, 0)
  message.append(bytes('6161'), 0, 2, true, 5, 0)
  t.equal(message.finish().buffer.byteLength, 5)
})

t.test('what the peer is trusted with is allocated in one go, within what the message can have', async t => {
  const held = (pieces: number, most: number, likely: number): number => {
    const message = assembler(Opcode.text, Infinity)
    for (let i = 0; i < pieces; i++) message.append(bytes('61'), 0, 1, true, most, likely)
    return message.finish().buffer.byteLength
  }
  t.equal(held(1, 1_000_000, 300_000), 300_000)
  t.equal(held(1, 5000, 300_000), 5000)
  t.equal(held(1, 1_000_000, 100), 256, 'growth by what came is never less')
  t.equal(held(301, 1_000_000, 300), 4 * 301)
})

t.test('finished bytes pin at most twice their size; text, which is decoded at once, is not copied', async t => {
  const held = (opcode: DataOpcode, size: number): number => {
    const message = assembler(opcode, 100_000)
    message.append(Buffer.alloc(20_000), 0, 20_000, false, 100_000, 0)
    message.append(Buffer.alloc(size), 0, size, false, 100_000, 0)
    return message.finish().buffer.byteLength
  }
  t.equal(held(Opcode.binary, 20_000), 80_000)
  t.equal(held(Opcode.binary, 19_999), 39_999)
  t.equal(held(Opcode.text, 19_999), 80_000)
})

t.test('RFC 7692, 6.1: what a message was compressed to is no text yet, and is given up once inflated', async t => {
  const message = new MessageAssembler(Opcode.text, 100_000, true)
  t.strictSame([message.compressed, message.ascii, assembler().compressed], [true, false, false])
  append(message, 'f490', 'ff')
  t.equal(message.ascii, false)
  t.equal(hex(message.finish()), 'f490ff', 'not UTF-8')
  const binary = new MessageAssembler(Opcode.binary, 100_000, true)
  for (const size of [20_000, 1]) binary.append(Buffer.alloc(size), 0, size, false, 100_000, 0)
  t.equal(binary.finish().buffer.byteLength, 80_000, 'not copied')
})

t.test('5.4: pieces without bytes cost no memory', async t => {
  const message = assembler()
  const empty = Buffer.alloc(0)
  const retained = retainedBy(() => {
    for (let i = 0; i < 100_000; i++) message.append(empty, 0, 0, false, 1000, 0)
    return message
  })
  t.ok(retained < 800_000, `${retained} bytes`)
})

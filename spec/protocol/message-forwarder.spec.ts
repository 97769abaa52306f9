import t from 'tap'
import { MessageForwarder } from '../../lib/protocol/message-forwarder.ts'
import { Opcode, type DataOpcode } from '../../lib/protocol/opcode.ts'
import { bytes, hex } from '../helpers/frames.ts'

const INVALID = { name: 'Violation', code: 'invalid-utf8' }
const TOO_BIG = { name: 'Violation', code: 'message-too-big' }

function forwarder(opcode: DataOpcode, limit = 1000): { message: MessageForwarder; events: string[] } {
  const events: string[] = []
  const message = new MessageForwarder(opcode, limit, {
    onMessagePiece: (of, data, start, end) => events.push(`${of} ${hex(data.subarray(start, end))}`),
    onMessageEnd: of => events.push(`${of} end`),
  })
  return { message, events }
}

/** Appends each piece from amid other bytes. */
function append(message: MessageForwarder, ...pieces: string[]): void {
  for (const piece of pieces) {
    const data = bytes(`ff${piece}ff`)
    message.append(data, 1, data.length - 1)
  }
}

t.test('5.4: each piece goes on as it came, then the end; what is empty is no piece', async t => {
  for (const opcode of [Opcode.text, Opcode.binary]) {
    const { message, events } = forwarder(opcode)
    t.strictSame([message.opcode, message.compressed, message.limit, message.length], [opcode, false, 1000, 0])
    append(message, '6162', '', '63')
    t.equal(message.memory, 0, 'nothing is kept')
    t.equal(message.length, 3)
    t.equal(message.memory, 0)
    t.strictSame(events, [`${opcode} 6162`, `${opcode} 63`])
    message.finish()
    t.strictSame(events.slice(2), [`${opcode} end`])
  }
  const { message, events } = forwarder(Opcode.binary)
  message.finish()
  t.strictSame(events, ['2 end'])
})

t.test('7.4.1: the limit counts all pieces: as much passes, one more does not', async t => {
  const { message } = forwarder(Opcode.binary, 5)
  message.expect(5)
  t.throws(() => message.expect(6), TOO_BIG)
  append(message, '010203')
  message.expect(2)
  t.throws(() => message.expect(3), TOO_BIG)
  append(message, '0405')
  message.expect(0)
  t.throws(() => message.expect(1), TOO_BIG)
  forwarder(Opcode.binary, Infinity).message.expect(Number.MAX_SAFE_INTEGER)
})

t.test('8.1: nothing of a piece with a bad byte goes on; a character may be cut, but not at the end', async t => {
  const { message, events } = forwarder(Opcode.text)
  append(message, '61e2', '82')
  t.throws(() => message.finish(), INVALID)
  t.strictSame(events, ['1 61e2', '1 82'], 'no end')
  append(message, 'ac')
  message.finish()
  t.strictSame(events.slice(2), ['1 ac', '1 end'])
  for (const pieces of [['ff'], ['61', '62ff'], ['f4', '90'], ['c3', '61']]) {
    const bad = forwarder(Opcode.text)
    t.throws(() => append(bad.message, ...pieces), INVALID)
    t.strictSame(bad.events, pieces.slice(0, -1).map(piece => `1 ${piece}`))
  }
  const binary = forwarder(Opcode.binary)
  append(binary.message, 'f490')
  binary.message.finish()
  t.strictSame(binary.events, ['2 f490', '2 end'], 'binary is anything')
})

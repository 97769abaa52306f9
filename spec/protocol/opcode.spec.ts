import t from 'tap'
import {
  CONTROL_BIT,
  FIN,
  MAX_CONTROL_PAYLOAD,
  OPCODE_BITS,
  Opcode,
  RSV1,
  RSV2,
  RSV3,
} from '../../lib/protocol/opcode.ts'

t.test('5.2: the opcodes', async t => {
  t.strictSame(Opcode, { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 })
})

t.test('5.2: the fields of the first byte share no bit and fill it', async t => {
  t.strictSame([FIN, RSV1, RSV2, RSV3, OPCODE_BITS], [0x80, 0x40, 0x20, 0x10, 0x0f])
  t.equal(FIN + RSV1 + RSV2 + RSV3 + OPCODE_BITS, 0xff)
})

t.test('5.5: the control bit is set in the opcodes of control frames only', async t => {
  const control = Object.values(Opcode).filter(opcode => (opcode & CONTROL_BIT) !== 0)
  t.strictSame(control, [Opcode.close, Opcode.ping, Opcode.pong])
  t.equal(MAX_CONTROL_PAYLOAD, 125)
})

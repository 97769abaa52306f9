import t from 'tap'
import { MessageReader } from '../../../lib/conformance/wire/message-reader.ts'
import { bytes, closeFrame, frame, hex } from '../../helpers/frames.ts'

/** What a reader says about bytes from a server, one line each. */
function read(stream: string, compressed = false): string[] {
  const said: string[] = []
  const reader = new MessageReader(false, compressed, {
    frame() {},
    message: (opcode, payload, packed) => said.push(`message ${opcode} ${hex(payload)}${packed ? ' compressed' : ''}`),
    ping: payload => said.push(`ping ${hex(payload)}`),
    pong: payload => said.push(`pong ${hex(payload)}`),
    close: (payload, wrong) => said.push(`close ${hex(payload)} ${wrong ?? 'right'}`),
    violation: (wrong, code) => said.push(`${code}: ${wrong}`),
  })
  reader.push(bytes(stream))
  return said
}

const STREAMS: readonly (readonly [stream: string, said: readonly string[]])[] = [
  [frame('81', 'a') + frame('82', 'b'), ['message 1 61', 'message 2 62']],
  [frame('01', 'a') + frame('00', 'b') + frame('80', 'c'), ['message 1 616263']],
  [frame('01', 'a') + frame('89', 'p') + frame('8a', 'q') + frame('80', ''), ['ping 70', 'pong 71', 'message 1 61']],
  [frame('81', 'a') + frame('01', 'b') + frame('80', 'c'), ['message 1 61', 'message 1 6263']],
  [frame('80', 'a'), ['1002: a continuation where nothing is to be continued']],
  [frame('01', 'a') + frame('81', 'b'), ['1002: a new message inside of a message']],
  [frame('83'), ['1002: the reserved opcode 3']],
  [frame('8b'), ['1002: the reserved opcode 11']],
  [frame('09'), ['1002: a control frame in fragments']],
  [frame('89', Buffer.alloc(126)), ['1002: a control frame of 126 bytes']],
  [frame('89', Buffer.alloc(125)), [`ping ${'00'.repeat(125)}`]],
  [frame('c9'), ['1002: a control frame with reserved bits']],
  [frame('91'), ['1002: a frame with reserved bits']],
  [frame('c1'), ['1002: a frame with reserved bits']],
  ['8101ff', ['1007: text that is no UTF-8']],
  ['0101c3' + '8001a9', ['message 1 c3a9']],
  ['8201ff', ['message 2 ff']],
  ['8800', ['close  right']],
  ['880141', ['close 41 a close frame with half a code']],
  [closeFrame(1000, 'bye'), ['close 03e8627965 right']],
  [closeFrame(1005), ['close 03ed a close frame with code 1005']],
  ['880303e8ff', ['close 03e8ff a close frame with a reason that is no UTF-8']],
]

for (const [stream, said] of STREAMS) t.test(stream.slice(0, 40), async t => t.same(read(stream), said))

t.test('with permessage-deflate, RSV1 is for the first frame of a message', async t => {
  t.same(read('4101ff' + '800100', true), ['message 1 ff00 compressed'], 'and what is compressed is no text yet')
  t.same(read('c201ff' + '820100', true), ['message 2 ff compressed', 'message 2 00'])
  t.same(read('4100' + 'c000', true), ['1002: a frame with reserved bits'])
  t.same(read('a100', true), ['1002: a frame with reserved bits'])
  t.same(read('c900', true), ['1002: a control frame with reserved bits'])
})

t.test('fragments without end; but each message is counted on its own', async t => {
  const said: string[] = []
  const reader = new MessageReader(false, false, {
    frame() {},
    message: (_, payload) => said.push(`${payload.length} bytes`),
    ping() {},
    pong() {},
    close() {},
    violation: (wrong, code) => said.push(`${code}: ${wrong}`),
  })
  const size = 17 * 1024 * 1024
  const payload = Buffer.alloc(size)
  const push = (first: string): void => {
    reader.push(bytes(`${first}7f${size.toString(16).padStart(16, '0')}`))
    reader.push(payload)
  }
  for (const first of ['82', '82', '02']) push(first)
  t.same(said, [`${size} bytes`, `${size} bytes`])
  push('00')
  t.same(said.slice(2), ['1009: a message that is too large'])
})

t.test('stop', async t => {
  const said: number[] = []
  const nothing = (): void => {}
  const reader = new MessageReader(false, false, {
    frame: ({ opcode }) => {
      said.push(opcode)
      reader.stop()
    },
    message: nothing,
    ping: nothing,
    pong: nothing,
    close: nothing,
    violation: nothing,
  })
  reader.push(bytes('89008900'))
  t.same(said, [9])
})

/** Group 3: reserved bits are zero where no extension gave them a meaning (RFC 6455, section 5.2). */
import { Opcode } from '../../protocol/opcode.ts'
import type { Case } from '../case.ts'
import { binary, frame, HELLO, hex, kill, messageOf, NOTHING, ping, refused, text } from './build.ts'

const echoed = messageOf(text, HELLO)

export const RESERVED_BITS: readonly Case[] = [
  refused('3.1', 'A text message with RSV3 set.', [frame(text, HELLO, { rsv: 1 }), kill(1)]),
  refused(
    '3.2',
    'A valid text message, one with RSV2 set, and a ping, at once.',
    [frame(text, HELLO), frame(text, HELLO, { rsv: 2 }), frame(ping), kill(1)],
    echoed
  ),
  refused(
    '3.3',
    'A valid text message, one with RSV2 and RSV3 set, and a ping, each in a write of its own.',
    [
      frame(text, HELLO, { alone: true }),
      frame(text, HELLO, { rsv: 3, alone: true }),
      frame(ping, NOTHING, { alone: true }),
      kill(1),
    ],
    echoed
  ),
  refused(
    '3.4',
    'A valid text message, one with RSV1 set, and a ping, byte by byte.',
    [
      frame(text, HELLO, { chop: 1 }),
      frame(text, HELLO, { rsv: 4, chop: 1 }),
      frame(ping, NOTHING, { chop: 1 }),
      kill(1),
    ],
    echoed
  ),
  refused('3.5', 'A binary message with RSV1 and RSV3 set.', [
    frame(binary, hex('00fffefdfcfb00ff'), { rsv: 5 }),
    kill(1),
  ]),
  refused('3.6', 'A binary message with RSV1 and RSV2 set.', [frame(binary, HELLO, { rsv: 6 }), kill(1)]),
  refused('3.7', 'A close frame with all reserved bits set.', [frame(Opcode.close, NOTHING, { rsv: 7 }), kill(1)]),
]

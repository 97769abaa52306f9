/** Group 4: frames with opcodes that are reserved for later (RFC 6455, section 5.2). */
import type { Case } from '../case.ts'
import { frame, HELLO, kill, messageOf, NOTHING, ping, refused, text, utf8 } from './build.ts'

const PAYLOAD = utf8('reserved opcode payload')
const echoed = messageOf(text, HELLO)

export const OPCODES: readonly Case[] = [...group(1, 'data', 3), ...group(2, 'control', 11)]

/** Five opcodes from `first` on: alone, then behind a valid message. */
function group(number: number, kind: string, first: number): Case[] {
  const id = (index: number): string => `4.${number}.${index}`
  return [
    refused(id(1), `A frame with the reserved ${kind} opcode ${first}, without payload.`, [frame(first), kill(1)]),
    refused(id(2), `A frame with the reserved ${kind} opcode ${first + 1} and a payload.`, [
      frame(first + 1, PAYLOAD),
      kill(1),
    ]),
    refused(
      id(3),
      `A valid text message, a frame with the reserved ${kind} opcode ${first + 2}, and a ping.`,
      [frame(text, HELLO), frame(first + 2), frame(ping), kill(1)],
      echoed
    ),
    refused(
      id(4),
      `A valid text message, a frame with the reserved ${kind} opcode ${first + 3} and a payload, and a ping.`,
      [frame(text, HELLO), frame(first + 3, HELLO), frame(ping), kill(1)],
      echoed
    ),
    refused(
      id(5),
      `A valid text message, a frame with the reserved ${kind} opcode ${first + 4}, and a ping, byte by byte.`,
      [
        frame(text, HELLO, { chop: 1 }),
        frame(first + 4, HELLO, { chop: 1 }),
        frame(ping, NOTHING, { chop: 1 }),
        kill(1),
      ],
      echoed
    ),
  ]
}

/** Group 1: messages of the lengths where a frame's header changes its form (RFC 6455, section 5.2). */
import type { Case, DataOpcode } from '../case.ts'
import { answered, binary, FE, frame, kill, messageOf, NOTHING, repeated, STAR, text, utf8 } from './build.ts'

type Row = readonly [length: number, seconds: number, chop: number, why: string]

const ROWS: readonly Row[] = [
  [0, 1, 0, 'An empty'],
  [125, 1, 0, 'The longest length that fits into 7 bits: a'],
  [126, 1, 0, 'The shortest length of 16 bits: a'],
  [127, 1, 0, 'A length of 16 bits that looks like the mark for 64: a'],
  [128, 1, 0, 'A length of 16 bits beyond what a signed byte holds: a'],
  [65_535, 10, 0, 'The longest length of 16 bits: a'],
  [65_536, 10, 0, 'The shortest length of 64 bits: a'],
  [65_536, 10, 997, 'The same in writes of 997 bytes: a'],
]

export const FRAMING: readonly Case[] = [...group(1, text), ...group(2, binary)]

function group(number: number, opcode: DataOpcode): Case[] {
  const [kind, pattern] = opcode === text ? ['text', STAR] : ['binary', FE]
  return ROWS.map(([length, seconds, chop, why], index) => {
    const payload = length === 0 ? (opcode === text ? utf8('') : NOTHING) : repeated(pattern, length)
    const sends = `${why} ${kind} message${length === 0 ? '' : ` of ${length.toLocaleString('en-US')} bytes`}.`
    const steps = [frame(opcode, payload, { chop }), kill(seconds)]
    return answered(`1.${number}.${index + 1}`, sends, steps, messageOf(opcode, payload))
  })
}

/** Group 9: large messages, many fragments, small writes, many round trips. */
import type { Bytes, Case, DataOpcode } from '../case.ts'
import { binary, echo, FE, hex, repeated, STAR, text, utf8 } from './build.ts'

const KIB = 1024
const MIB = 1024 * KIB

const LETTERS = utf8('BAsd7&jh23')
const NUMBERS = hex('00fe23faf0')

/** Bytes of one message in one frame; the first few have less time. */
const SIZES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB]
const FRAGMENTS = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB]
const WRITES = [64, 128, 256, 512, KIB, 2 * KIB]
/** Bytes of each of a thousand messages, and seconds for them. */
const ROUND_TRIPS = [
  [0, 60],
  [16, 60],
  [64, 60],
  [256, 120],
  [KIB, 240],
  [4 * KIB, 480],
] as const

const COUNT = 1000

function large(group: number, opcode: DataOpcode, pattern: Bytes, hurried: number): Case[] {
  return SIZES.map((size, index) =>
    echo({ id: `9.${group}.${index + 1}`, opcode, payload: repeated(pattern, size), limit: index < hurried ? 10 : 100 })
  )
}

function fragmented(group: number, opcode: DataOpcode, patternOf: (index: number) => Bytes): Case[] {
  return FRAGMENTS.map((fragment, index) =>
    echo({ id: `9.${group}.${index + 1}`, opcode, payload: repeated(patternOf(index), 4 * MIB), limit: 100, fragment })
  )
}

function chopped(group: number, opcode: DataOpcode, pattern: Bytes): Case[] {
  return WRITES.map((chop, index) =>
    echo({ id: `9.${group}.${index + 1}`, opcode, payload: repeated(pattern, MIB), limit: 1000, chop })
  )
}

function roundTrips(group: number, opcode: DataOpcode, pattern: Bytes): Case[] {
  return ROUND_TRIPS.map(([size, limit], index) =>
    echo({ id: `9.${group}.${index + 1}`, opcode, payload: repeated(pattern, size), limit, count: COUNT })
  )
}

export const LIMITS: readonly Case[] = [
  ...large(1, text, LETTERS, 2),
  ...large(2, binary, NUMBERS, 4),
  ...fragmented(3, text, () => STAR),
  ...fragmented(4, binary, index => (index === 0 ? FE : STAR)),
  ...chopped(5, text, LETTERS),
  ...chopped(6, binary, NUMBERS),
  ...roundTrips(7, text, STAR),
  ...roundTrips(8, binary, FE),
]

/** Autobahn's 517 cases in order, and the titles of all groups. */
import type { Case } from '../case.ts'
import { AUTOMATIC_FRAGMENTS } from './automatic-fragments.ts'
import { BEYOND_TITLES } from '../beyond/index.ts'
import { CLOSE } from './close.ts'
import { COMPRESSION } from './compression.ts'
import { FRAGMENTATION } from './fragmentation.ts'
import { FRAMING } from './framing.ts'
import { LIMITS } from './limits.ts'
import { OPCODES } from './opcodes.ts'
import { PINGS } from './pings.ts'
import { RESERVED_BITS } from './reserved-bits.ts'
import { SEQUENCES } from './text-sequences.ts'
import { TEXT } from './text.ts'

const FIRST_BEYOND = 20

export const CASES: readonly Case[] = [
  ...FRAMING,
  ...PINGS,
  ...RESERVED_BITS,
  ...OPCODES,
  ...FRAGMENTATION,
  ...TEXT,
  ...CLOSE,
  ...LIMITS,
  ...AUTOMATIC_FRAGMENTS,
  ...COMPRESSION,
]

/** The groups and subgroups by the start of their cases' numbers. */
export const TITLES: Readonly<Record<string, string>> = {
  1: 'Framing',
  '1.1': 'Text messages',
  '1.2': 'Binary messages',
  2: 'Pings and pongs',
  3: 'Reserved bits',
  4: 'Reserved opcodes',
  '4.1': 'Data frames',
  '4.2': 'Control frames',
  5: 'Fragmentation',
  6: 'Text as UTF-8',
  '6.1': 'Empty fragments',
  '6.2': 'Valid text in fragments',
  '6.3': 'Invalid text in fragments',
  '6.4': 'Invalid text, found at once',
  ...Object.fromEntries(SEQUENCES.map(({ group, title }) => [`6.${group}`, title])),
  7: 'Closing',
  '7.1': 'The closing handshake',
  '7.3': 'Lengths of close frames',
  '7.5': 'Reasons that are no text',
  '7.7': 'Valid codes',
  '7.9': 'Invalid codes',
  '7.13': 'Codes without a meaning',
  9: 'Limits and speed',
  '9.1': 'Large text messages',
  '9.2': 'Large binary messages',
  '9.3': 'Text messages in fragments',
  '9.4': 'Binary messages in fragments',
  '9.5': 'Text in small writes',
  '9.6': 'Binary in small writes',
  '9.7': 'Round trips of text',
  '9.8': 'Round trips of binary',
  10: 'Automatic fragments',
  '10.1': 'A size that does not divide',
  12: 'Compression: data',
  '12.1': 'JSON',
  '12.2': 'An image',
  '12.3': 'German prose',
  '12.4': 'HTML',
  '12.5': 'A document',
  13: 'Compression: parameters',
  '13.1': 'No wishes',
  '13.2': 'No context takeover',
  '13.3': 'A window of 9 bits',
  '13.4': 'A window of 15 bits',
  '13.5': 'No context takeover, a window of 9 bits',
  '13.6': 'No context takeover, a window of 15 bits',
  '13.7': 'Three offers, the dearest first',
  ...BEYOND_TITLES,
}

/** The number of a case's group: 6 for 6.4.1. */
export function groupOf(id: string): string {
  return id.slice(0, id.indexOf('.'))
}

/** Whether a case is of the second set, which Autobahn does not have. */
export function isBeyond(id: string): boolean {
  return Number(groupOf(id)) >= FIRST_BEYOND
}

/** The number of its subgroup: 6.4 for 6.4.1; the group's own where there is none. */
export function subgroupOf(id: string): string {
  return /^\d+\.\d+(?=\.)/.exec(id)?.[0] ?? groupOf(id)
}

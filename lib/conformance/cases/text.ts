/** Group 6: text is UTF-8, over the borders of fragments too (RFC 6455, sections 5.6 and 8.1). */
import type { Bytes, Case, Step } from '../case.ts'
import {
  answered,
  continuation,
  frame,
  giveUp,
  hex,
  INVALID_TEXT,
  kill,
  message,
  messageOf,
  NOTHING,
  part,
  scripted,
  text,
  timeoutOf,
  utf8,
  wait,
} from './build.ts'
import { SEQUENCES } from './text-sequences.ts'

const MIDDLE = utf8('middle frame payload')
/** Two-byte characters between ASCII. */
const MIXED = hex('48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121')
const MIXED_START = hex('48656c6c6f2dc2b540c39fc3b6c3a4')
const MIXED_END = hex('c3bcc3a0c3a12d5554462d382121')
/** A Greek word of two- and three-byte characters. */
const GREEK = hex('cebae1bdb9cf83cebcceb5')
/** The same, then a surrogate, then ASCII. */
const INVALID = hex('cebae1bdb9cf83cebcceb5eda080656469746564')

function valid(id: string, sends: string, whole: Bytes, ...steps: Step[]): Case {
  return answered(id, sends, [...steps, giveUp(1)], messageOf(text, whole))
}

/** Invalid text: the peer has to fail the connection; that the tester gave up first would fail the case. */
function invalid(id: string, sends: string, payload: Bytes, fragment: number, seconds: number): Case {
  return scripted({
    id,
    sends,
    expects: 'No message; the connection is failed at once: code 1007, or TCP is dropped.',
    steps: [message(text, payload, fragment), kill(seconds)],
    close: INVALID_TEXT,
    sideDecides: true,
  })
}

/** Invalid text in pieces with a second between them; the second piece is the one that can't be. */
function failFast(id: string, sends: string, ...steps: Step[]): Case {
  return scripted({
    id,
    sends,
    expects:
      'Failed (code 1007, or TCP is dropped) as soon as the second piece is there; only after the third: non-strict.',
    steps: [...steps, kill(1)],
    events: { OK: [timeoutOf('A')], 'NON-STRICT': [timeoutOf('A'), timeoutOf('B')] },
    close: INVALID_TEXT,
    sideDecides: true,
  })
}

/** The pieces as fragments of a message. */
function asFragments(first: Bytes, second: Bytes, third: Bytes): Step[] {
  return [part(text, first), wait(1, 'A'), part(continuation, second), wait(1, 'B'), frame(continuation, third)]
}

/** The pieces as pieces of one frame, and an empty fragment behind it. */
function asOneFrame(first: Bytes, second: Bytes, third: Bytes): Step[] {
  return [
    { do: 'header', opcode: text, fin: false, length: first.length + second.length + third.length },
    { do: 'data', payload: first },
    wait(1, 'A'),
    { do: 'data', payload: second },
    wait(1, 'B'),
    { do: 'data', payload: third },
    frame(continuation, NOTHING),
  ]
}

/** What the sequences of 6.5 on say of themselves. */
function sequence(id: string, group: string, digits: string, isValid: boolean): Case {
  const payload = hex(digits)
  const bytes = digits.replace(/..(?=.)/g, '$& ')
  const sends = `${group}: ${bytes.length > 60 ? `${bytes.slice(0, 59)} …` : bytes}.`
  if (!isValid) return invalid(id, sends, payload, 0, 0.5)
  return answered(id, sends, [message(text, payload), kill(0.5)], messageOf(text, payload))
}

export const TEXT: readonly Case[] = [
  valid('6.1.1', 'An empty text message.', NOTHING, frame(text)),
  valid(
    '6.1.2',
    'An empty text message in three empty fragments.',
    NOTHING,
    part(text, NOTHING),
    part(continuation, NOTHING),
    frame(continuation)
  ),
  valid(
    '6.1.3',
    'A text message in three fragments, the first and the last one empty.',
    MIDDLE,
    part(text, NOTHING),
    part(continuation, MIDDLE),
    frame(continuation)
  ),
  valid('6.2.1', 'A text message with two-byte characters.', MIXED, message(text, MIXED)),
  valid(
    '6.2.2',
    'The same in two fragments, cut between characters.',
    MIXED,
    part(text, MIXED_START),
    frame(continuation, MIXED_END)
  ),
  valid('6.2.3', 'The same in fragments of one byte, cut inside characters.', MIXED, message(text, MIXED, 1)),
  valid(
    '6.2.4',
    'A text message of two- and three-byte characters in fragments of one byte.',
    GREEK,
    message(text, GREEK, 1)
  ),
  invalid('6.3.1', 'A text message with a surrogate in it.', INVALID, 0, 1),
  invalid('6.3.2', 'The same in fragments of one byte.', INVALID, 1, 1),
  failFast(
    '6.4.1',
    'A text message in three fragments, a second apart; the second one is beyond the last code point.',
    ...asFragments(GREEK, hex('f4908080'), utf8('edited'))
  ),
  failFast(
    '6.4.2',
    'The same, cut after the first byte of the invalid character: the second fragment is one byte that cannot follow.',
    ...asFragments(hex('cebae1bdb9cf83cebcceb5f4'), hex('90'), hex('8080656469746564'))
  ),
  failFast(
    '6.4.3',
    'A text frame that comes in three pieces, a second apart; the second one is beyond the last code point.',
    ...asOneFrame(GREEK, hex('f4908080'), utf8('edited'))
  ),
  failFast(
    '6.4.4',
    'The same, cut after the first byte of the invalid character: the second piece is one byte that cannot follow.',
    ...asOneFrame(hex('cebae1bdb9cf83cebcceb5f4'), hex('90'), hex('8080656469746564'))
  ),
  ...SEQUENCES.flatMap(({ group, title, rows }) =>
    rows.map(([digits, isValid], index) => sequence(`6.${group}.${index + 1}`, title, digits, isValid))
  ),
]

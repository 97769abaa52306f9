/** Group 5: messages in fragments, and fragments out of order (RFC 6455, section 5.4). */
import type { Case, Frame } from '../case.ts'
import {
  answered,
  continuation,
  frame,
  giveUp,
  HELLO,
  kill,
  messageOf,
  part,
  ping,
  pong,
  pongOf,
  refused,
  text,
  utf8,
  wait,
} from './build.ts'

type How = Pick<Frame, 'chop' | 'alone'>

/** The three ways of sending that the cases come in. */
const WAYS: readonly (readonly [words: string, how: How])[] = [
  ['at once', { chop: 0, alone: false }],
  ['each in a write of its own', { chop: 0, alone: true }],
  ['byte by byte', { chop: 1, alone: false }],
]

const [ONE, TWO, THREE, FOUR, FIVE] = [1, 2, 3, 4, 5].map(number => utf8(`fragment${number}`))
const PING = utf8('ping payload')
const STRAY = utf8('non-continuation payload')
const FIRST_PING = utf8('pongme 1!')
const SECOND_PING = utf8('pongme 2!')
const joined = messageOf(text, utf8('fragment1fragment2'))
const allFive = messageOf(text, utf8('fragment1fragment2fragment3fragment4fragment5'))

/** The same three cases, one for each way of sending. */
function threeWays(first: number, make: (id: string, words: string, how: How) => Case): Case[] {
  return WAYS.map(([words, how], index) => make(`5.${first + index}`, words, how))
}

function fragmentedControl(id: string, opcode: number): Case {
  const name = opcode === ping ? 'ping' : 'pong'
  return refused(id, `A ${name} in two fragments.`, [part(opcode, ONE), frame(continuation, TWO), kill(1)])
}

/** Twice the same: a stray fragment, then a message in two fragments. */
function strayFirst(id: string, fin: boolean): Case {
  const once = [frame(continuation, ONE, { fin }), part(text, TWO), frame(continuation, THREE)]
  const sends = `Twice: a continuation with FIN ${fin ? 'set' : 'clear'} out of place, then a text message in two fragments.`
  return refused(id, sends, [...once, ...once, kill(1)])
}

/** Five fragments with pings between them, and a second of silence in the middle. */
function longMessage(id: string, words: string, alone: boolean): Case {
  const how = { alone }
  return answered(
    id,
    `A text message in five fragments, ${words}, with a ping after the second and the fourth, and a second of silence.`,
    [
      part(text, ONE, how),
      part(continuation, TWO, how),
      frame(ping, FIRST_PING, how),
      wait(1),
      part(continuation, THREE, how),
      part(continuation, FOUR, how),
      frame(ping, SECOND_PING, how),
      frame(continuation, FIVE, how),
      giveUp(1),
    ],
    pongOf(FIRST_PING),
    pongOf(SECOND_PING),
    allFive
  )
}

export const FRAGMENTATION: readonly Case[] = [
  fragmentedControl('5.1', ping),
  fragmentedControl('5.2', pong),
  ...threeWays(3, (id, words, how) =>
    answered(
      id,
      `A text message in two fragments, ${words}.`,
      [part(text, ONE, how), frame(continuation, TWO, how), giveUp(1)],
      joined
    )
  ),
  ...threeWays(6, (id, words, how) =>
    answered(
      id,
      `A text message in two fragments with a ping between them, ${words}.`,
      [part(text, ONE, how), frame(ping, PING, how), frame(continuation, TWO, how), giveUp(1)],
      pongOf(PING),
      joined
    )
  ),
  ...[true, false].flatMap((fin, index) =>
    threeWays(9 + 3 * index, (id, words, how) =>
      refused(id, `A continuation with FIN ${fin ? 'set' : 'clear'} out of place, then a text message, ${words}.`, [
        frame(continuation, STRAY, { fin, ...how }),
        frame(text, HELLO, how),
        kill(1),
      ])
    )
  ),
  refused(
    '5.15',
    'A text message in two fragments, a continuation with FIN clear out of place, then a text message.',
    [part(text, ONE), frame(continuation, TWO), part(continuation, THREE), frame(text, FOUR), kill(1)],
    joined
  ),
  strayFirst('5.16', false),
  strayFirst('5.17', true),
  refused('5.18', 'The first fragment of a text message, then a new text message.', [
    part(text, ONE),
    frame(text, TWO),
    kill(1),
  ]),
  longMessage('5.19', 'at once', false),
  longMessage('5.20', 'each in a write of its own', true),
]

/** Group 2: pings are answered, pongs are not (RFC 6455, sections 5.5.2 and 5.5.3). */
import type { Case } from '../case.ts'
import {
  answered,
  CLEAN,
  close,
  closing,
  FE,
  frame,
  giveUp,
  hex,
  HELLO,
  kill,
  NOTHING,
  ping,
  pong,
  pongOf,
  PROTOCOL_ERROR,
  repeated,
  scripted,
  utf8,
} from './build.ts'

const BYTES = hex('00fffefdfcfb00ff')
const LONGEST = repeated(FE, 125)
const UNASKED = utf8('unsolicited pong payload')
const TEN = Array.from({ length: 10 }, (_, index) => utf8(`payload-${index}`))

function alone(id: string, sends: string, payload: typeof BYTES): Case {
  return answered(id, sends, [frame(ping, payload), giveUp(1)], pongOf(payload))
}

/** Nothing is expected but the answer to the close frame that follows. */
function ignored(id: string, sends: string, payload: typeof BYTES): Case {
  const expects = 'No message and no pong, but an answer to the close frame.'
  const steps = [frame(pong, payload), close(closing(1000)), giveUp(1)]
  return scripted({ id, sends, expects, steps, close: CLEAN })
}

export const PINGS: readonly Case[] = [
  alone('2.1', 'A ping without payload.', NOTHING),
  alone('2.2', 'A ping with a text as payload.', HELLO),
  alone('2.3', 'A ping with bytes that are no text.', BYTES),
  alone('2.4', 'A ping of 125 bytes, the most a control frame may carry.', LONGEST),
  scripted({
    id: '2.5',
    sends: 'A ping of 126 bytes, one more than allowed.',
    expects: 'No pong; the connection is failed at once: code 1002, or TCP is dropped.',
    steps: [frame(ping, repeated(FE, 126)), kill(1)],
    close: PROTOCOL_ERROR,
  }),
  answered(
    '2.6',
    'A ping of 125 bytes, sent byte by byte.',
    [frame(ping, LONGEST, { chop: 1 }), giveUp(2)],
    pongOf(LONGEST)
  ),
  ignored('2.7', 'A pong that nobody asked for, without payload; then a close frame.', NOTHING),
  ignored('2.8', 'A pong that nobody asked for, with payload; then a close frame.', UNASKED),
  answered(
    '2.9',
    'A pong that nobody asked for, then a ping.',
    [frame(pong, UNASKED), frame(ping, utf8('ping payload')), giveUp(1)],
    pongOf(utf8('ping payload'))
  ),
  answered('2.10', 'Ten pings at once.', [...TEN.map(payload => frame(ping, payload)), giveUp(3)], ...TEN.map(pongOf)),
  answered(
    '2.11',
    'Ten pings, sent byte by byte.',
    [...TEN.map(payload => frame(ping, payload, { chop: 1 })), giveUp(3)],
    ...TEN.map(pongOf)
  ),
]

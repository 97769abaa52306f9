/** Group 25: floods of small frames (RFC 6455, sections 5.4, 5.5.2, 5.5.3 and 10.4). */
import type { ProbeCase } from '../case.ts'
import {
  answers,
  binary,
  continuation,
  echoed,
  GOES_ON,
  HELLO,
  informational,
  NOTHING,
  part,
  ping,
  pong,
  pongOf,
  probes,
  repeated,
  send,
  text,
  utf8,
  WENT_ON,
} from './build.ts'

const STAR = utf8('*')
/** Seconds for what takes a peer some work. */
const LONG = 10
const MANY = 10_000
const LIMITED = informational('closes')

export const FLOODS: readonly ProbeCase[] = [
  ...probes(
    '25.1',
    {
      patience: LONG,
      lastPong: true,
      rule: 'RFC 6455, 5.5.2 and 5.5.3: each ping is answered, or of several the last one. To close on too many is left open (10.4).',
    },
    [
      {
        sends: '10,000 empty pings, then a message.',
        steps: [send(ping, NOTHING, {}, MANY), GOES_ON],
        allowed: [...answers(pongOf(NOTHING), WENT_ON), ...LIMITED],
      },
      {
        sends: '10,000 pings of 125 bytes, then a message.',
        steps: [send(ping, repeated(STAR, 125), {}, MANY), GOES_ON],
        allowed: [...answers(pongOf(repeated(STAR, 125)), WENT_ON), ...LIMITED],
      },
      {
        sends: '5,000 pings, another one, then a message.',
        steps: [send(ping, STAR, {}, 5000), send(ping, HELLO), GOES_ON],
        allowed: [...answers(pongOf(HELLO), WENT_ON), ...LIMITED],
      },
      {
        sends: '10,000 pongs that nobody asked for, then a message.',
        steps: [send(pong, STAR, {}, MANY), GOES_ON],
        allowed: [...answers(WENT_ON), ...LIMITED],
      },
      {
        sends: 'A fragment, 10,000 pings, and the last fragment.',
        steps: [part(text, HELLO), send(ping, STAR, {}, MANY), send(continuation, HELLO)],
        allowed: [...answers(pongOf(STAR), echoed(utf8('HelloHello'))), ...LIMITED],
      },
    ]
  ),
  ...probes(
    '25.2',
    {
      patience: LONG,
      rule: 'RFC 6455, 5.4: a message may have any number of fragments, empty ones too. To limit them is left open (10.4).',
    },
    [
      {
        sends: 'A text with 10,000 empty fragments between its two ends.',
        steps: [part(text, HELLO), part(continuation, NOTHING, {}, MANY), send(continuation, HELLO)],
        allowed: [...answers(echoed(utf8('HelloHello'))), ...LIMITED],
      },
      {
        sends: 'A binary message with 200,000 empty fragments and nothing else.',
        steps: [part(binary, NOTHING), part(continuation, NOTHING, {}, 200_000), send(continuation, NOTHING)],
        allowed: [...answers(echoed(NOTHING, binary)), ...LIMITED],
      },
      {
        sends: 'A text in 20,000 fragments of a byte.',
        steps: [part(text, STAR), part(continuation, STAR, {}, 19_998), send(continuation, STAR)],
        allowed: [...answers(echoed(repeated(STAR, 20_000))), ...LIMITED],
      },
    ]
  ),
  ...probes(
    '25.3',
    {
      patience: LONG / 2,
      rule: 'RFC 6455, 6.1 and 6.2: each message is for itself, however many come at once. To close on too many is left open (10.4).',
    },
    [
      {
        sends: '1,000 empty texts in one write.',
        steps: [send(text, NOTHING, {}, 1000)],
        allowed: [...answers(...Array.from({ length: 1000 }, () => echoed(NOTHING))), ...LIMITED],
      },
      {
        sends: '500 texts of a byte, then 500 empty binary messages, in one write.',
        steps: [send(text, STAR, {}, 500), send(binary, NOTHING, {}, 500)],
        allowed: [
          ...answers(
            ...Array.from({ length: 500 }, () => echoed(STAR)),
            ...Array.from({ length: 500 }, () => echoed(NOTHING, binary))
          ),
          ...LIMITED,
        ],
      },
    ]
  ),
]

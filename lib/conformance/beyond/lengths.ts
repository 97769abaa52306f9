/** Group 22: lengths at and over every boundary, claimed or sent, and in every form (RFC 6455, section 5.2). */
import type { ProbeCase } from '../case.ts'
import { amount } from '../cases/build.ts'
import {
  answers,
  binary,
  closeFrame,
  closes,
  closing,
  continuation,
  echoed,
  GOES_ON,
  HELLO,
  informational,
  NOTHING,
  nonStrict,
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
  type Draft,
} from './build.ts'

const STAR = utf8('*')
/** Seconds that show whether a peer waits. */
const SHORT = 0.5

const WHOLE: readonly Draft[] = [0, 1, 125, 126, 127, 65_535, 65_536].map(length => ({
  sends: `A binary message of ${amount(length)}.`,
  steps: [send(binary, repeated(STAR, length))],
  allowed: answers(echoed(repeated(STAR, length), binary)),
}))

const FRAGMENTS: Draft = {
  sends: 'A binary message in fragments of 125, 126, 127, 65,535, 65,536 and 0 bytes.',
  steps: [
    part(binary, repeated(STAR, 125)),
    ...[126, 127, 65_535, 65_536].map(length => part(continuation, repeated(STAR, length))),
    send(continuation),
  ],
  allowed: answers(echoed(repeated(STAR, 125 + 126 + 127 + 65_535 + 65_536), binary)),
}

const PINGS: readonly Draft[] = [0, 1, 124, 125].map(length => ({
  sends: `A ping of ${amount(length)}.`,
  steps: [send(ping, repeated(STAR, length))],
  allowed: answers(pongOf(repeated(STAR, length))),
}))

const CLAIMS: readonly (readonly [name: string, claim: bigint])[] = [
  ['2^31 − 1', 2n ** 31n - 1n],
  ['2^31', 2n ** 31n],
  ['2^32 − 1', 2n ** 32n - 1n],
  ['2^32', 2n ** 32n],
  ['2^32 + 5', 2n ** 32n + 5n],
  ['2^53 − 1', 2n ** 53n - 1n],
  ['2^53', 2n ** 53n],
  ['2^53 + 1', 2n ** 53n + 1n],
  ['2^63 − 1', 2n ** 63n - 1n],
]
const TOO_LONG: typeof CLAIMS = [
  ['2^63', 2n ** 63n],
  ['2^63 + 5', 2n ** 63n + 5n],
  ['2^64 − 1', 2n ** 64n - 1n],
]

const CLAIMED: readonly Draft[] = CLAIMS.map(([name, claim]) => ({
  sends: `The header of a binary frame of ${name} bytes, with the first 5 of them.`,
  steps: [send(binary, HELLO, { claim })],
  allowed: [...closes([1009, 1002]), ...informational('waits')],
}))

const MOST: readonly Draft[] = TOO_LONG.map(([name, claim]) => ({
  sends: `The header of a binary frame of ${name} bytes, with the first 5 of them.`,
  steps: [send(binary, HELLO, { claim })],
  allowed: [...closes([1002, 1009]), nonStrict('waits')],
}))

const CONTROLS: readonly Draft[] = [
  ...(
    [
      ['ping', ping],
      ['pong', pong],
      ['close', closeFrame],
    ] as const
  ).flatMap(([name, opcode]) => [
    {
      sends: `A ${name} frame of 126 bytes; then a good message.`,
      steps: [send(opcode, repeated(opcode === closeFrame ? closing(1000) : STAR, 126)), GOES_ON],
      allowed: closes([1002]),
    },
    {
      sends: `The header of a ${name} frame of 2^32 bytes, with the first 2 of them.`,
      steps: [send(opcode, closing(1000), { claim: 2n ** 32n })],
      allowed: closes([1002]),
    },
  ]),
]

/** A length in more bytes than it needs. */
const LONGER: readonly (readonly [length: number, form: 2 | 8])[] = [
  [0, 2],
  [5, 2],
  [125, 2],
  [0, 8],
  [5, 8],
  [125, 8],
  [126, 8],
  [65_535, 8],
]

const NOT_MINIMAL: readonly Draft[] = [
  ...LONGER.map(([length, form]) => ({
    sends: `A text message of ${amount(length)}, its length in ${form} bytes more; then a good message.`,
    steps: [send(text, repeated(STAR, length), { form }), GOES_ON],
    allowed: [...closes([1002]), nonStrict('answers', echoed(repeated(STAR, length)), WENT_ON)],
  })),
  ...([2, 8] as const).map(form => ({
    sends: `A ping of 5 bytes, its length in ${form} bytes more; then a good message.`,
    steps: [send(ping, HELLO, { form }), GOES_ON],
    allowed: [...closes([1002]), nonStrict('answers', pongOf(HELLO), WENT_ON)],
  })),
  {
    sends: 'A text in two fragments, the last one empty and its length in 8 bytes more; then a good message.',
    steps: [part(text, HELLO), send(continuation, NOTHING, { form: 8 }), GOES_ON],
    allowed: [...closes([1002]), nonStrict('answers', echoed(), WENT_ON)],
  },
]

export const LENGTHS: readonly ProbeCase[] = [
  ...probes(
    '22.1',
    {
      rule: 'RFC 6455, 5.2: a length up to 125 stands in the second byte, up to 65,535 in two more, and a longer one in eight.',
    },
    [...WHOLE, FRAGMENTS]
  ),
  ...probes(
    '22.2',
    { rule: 'RFC 6455, 5.5.2 and 5.5.3: a ping, of up to 125 bytes, is answered with all of its payload.' },
    PINGS
  ),
  ...probes(
    '22.3',
    {
      patience: SHORT,
      rule: 'RFC 6455, 10.4 and 7.4.1: a message that is too big to take may be refused, with 1009; to wait for it is allowed, to come to harm is not.',
    },
    [
      ...CLAIMED,
      {
        sends: 'A fragment of 5 bytes, and the header of one of 2^53 − 1 that continues it.',
        steps: [part(binary, HELLO), send(continuation, HELLO, { claim: 2n ** 53n - 1n })],
        allowed: [...closes([1009, 1002]), ...informational('waits')],
      },
    ]
  ),
  ...probes(
    '22.4',
    {
      patience: SHORT,
      rule: 'RFC 6455, 5.2: of a length in eight bytes the highest bit has to be 0. What a receiver does about it is left open, but there is nothing to wait for.',
    },
    MOST
  ),
  ...probes(
    '22.5',
    { patience: SHORT, rule: 'RFC 6455, 5.5: a control frame has to have 125 bytes or fewer.' },
    CONTROLS
  ),
  ...probes(
    '22.6',
    {
      rule: 'RFC 6455, 5.2: the length has to be written in the fewest bytes possible. What a receiver does about a longer form is left open; to take it is not strict.',
    },
    NOT_MINIMAL
  ),
]

/** Group 23: fragments that do not belong together, and such as do (RFC 6455, section 5.4). */
import type { ProbeCase } from '../case.ts'
import {
  answers,
  binary,
  closeFrame,
  closes,
  closesOnly,
  closing,
  continuation,
  echoed,
  GOES_ON,
  HELLO,
  NOTHING,
  part,
  ping,
  pong,
  pongOf,
  probes,
  send,
  text,
  utf8,
  WENT_ON,
  hex,
} from './build.ts'

const COSMOS = utf8('κόσμε')

export const FRAGMENTS: readonly ProbeCase[] = [
  ...probes(
    '23.1',
    {
      rule: 'RFC 6455, 5.4: the fragments of one message must not be mixed with those of another, and a continuation needs something to continue.',
    },
    [
      {
        sends: 'The first fragment of a text, and the first one of a binary message.',
        steps: [part(text, HELLO), part(binary, HELLO), GOES_ON],
        allowed: closes([1002]),
      },
      {
        sends: 'The first fragment of a binary message, and a whole text.',
        steps: [part(binary, HELLO), send(text, HELLO), send(continuation, HELLO)],
        allowed: closes([1002]),
      },
      {
        sends: 'Two fragments of a text, and the first fragment of another one, which is empty.',
        steps: [part(text, HELLO), part(continuation, HELLO), part(text, NOTHING), GOES_ON],
        allowed: closes([1002]),
      },
      {
        sends: 'A whole text, a ping, and a continuation that ends nothing.',
        steps: [send(text, HELLO), send(ping, HELLO), send(continuation, HELLO), GOES_ON],
        allowed: closes([1002], echoed(), pongOf(HELLO)),
      },
      {
        sends: 'A text in two fragments, and an empty continuation.',
        steps: [part(text, HELLO), send(continuation, HELLO), part(continuation, NOTHING), GOES_ON],
        allowed: closes([1002], echoed(utf8('HelloHello'))),
      },
      {
        sends: 'An empty continuation as the very first frame.',
        steps: [send(continuation, NOTHING), GOES_ON],
        allowed: closes([1002]),
      },
    ]
  ),
  ...probes('23.2', { rule: 'RFC 6455, 5.4 and 5.5: control frames must not be fragmented.' }, [
    {
      sends: 'A close frame that is not the last fragment; then a good message.',
      steps: [part(closeFrame, closing(1000)), GOES_ON],
      allowed: closesOnly([1002]),
    },
    {
      sends: 'Inside of a text, a ping that is not the last fragment.',
      steps: [part(text, HELLO), part(ping, HELLO), send(continuation, HELLO), GOES_ON],
      allowed: closes([1002]),
    },
    {
      sends: 'Inside of a text, a pong that is not the last fragment.',
      steps: [part(text, HELLO), part(pong, NOTHING), send(continuation, HELLO), GOES_ON],
      allowed: closes([1002]),
    },
  ]),
  ...probes(
    '23.3',
    {
      rule: 'RFC 6455, 5.4: control frames may stand between the fragments of a message, fragments may be empty, and the message is what they make together.',
    },
    [
      {
        sends: 'A text in four fragments, two of them empty, with a ping between all of them.',
        steps: [
          part(text, NOTHING),
          send(ping, utf8('1')),
          part(continuation, HELLO),
          send(ping, utf8('2')),
          part(continuation, NOTHING),
          send(ping, utf8('3')),
          send(continuation, HELLO),
        ],
        allowed: answers(pongOf(utf8('1')), pongOf(utf8('2')), pongOf(utf8('3')), echoed(utf8('HelloHello'))),
      },
      {
        sends: 'A text of 11 bytes cut within its second character, with a ping in the cut that is no UTF-8.',
        steps: [
          part(text, { pattern: COSMOS.pattern.subarray(0, 3), length: 3 }),
          send(ping, hex('ff')),
          send(continuation, { pattern: COSMOS.pattern.subarray(3), length: COSMOS.length - 3 }),
        ],
        allowed: answers(pongOf(hex('ff')), echoed(COSMOS)),
      },
      {
        sends: 'A text in two fragments, with a pong that nobody asked for between them.',
        steps: [part(text, HELLO), send(pong, HELLO), send(continuation, HELLO)],
        allowed: answers(echoed(utf8('HelloHello'))),
      },
      {
        sends: 'A binary message in three fragments, all of them empty; then a good message.',
        steps: [part(binary, NOTHING), part(continuation, NOTHING), send(continuation, NOTHING), GOES_ON],
        allowed: answers(echoed(NOTHING, binary), WENT_ON),
      },
    ]
  ),
]

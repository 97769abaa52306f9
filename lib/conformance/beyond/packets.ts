/** Group 26: the same bytes in other packets: one at a time, or together with the handshake. */
import type { Allowed, ProbeCase } from '../case.ts'
import {
  answers,
  binary,
  CLOSE,
  closes,
  continuation,
  echoed,
  END,
  ENDS,
  GOES_ON,
  HELLO,
  hex,
  informational,
  nonStrict,
  part,
  pause,
  ping,
  pongOf,
  probes,
  repeated,
  send,
  text,
  utf8,
  type Draft,
} from './build.ts'

const STAR = utf8('*')

const DRIBBLED: readonly Draft[] = [
  {
    sends: 'A text message, byte by byte, as the handshake before it.',
    steps: [send(text, HELLO)],
    allowed: answers(echoed()),
  },
  {
    sends: 'A text in three fragments with a ping between them, byte by byte.',
    steps: [part(text, HELLO), send(ping, STAR), part(continuation, HELLO), send(continuation, STAR)],
    allowed: answers(pongOf(STAR), echoed(utf8('HelloHello*'))),
  },
  {
    sends: 'A binary message of 300 bytes and an empty one, byte by byte.',
    steps: [send(binary, repeated(STAR, 300)), send(binary)],
    allowed: answers(echoed(repeated(STAR, 300), binary), echoed({ pattern: Buffer.alloc(0), length: 0 }, binary)),
  },
  {
    sends: 'Four texts of characters of one to four bytes, byte by byte.',
    steps: [utf8('κ'), utf8('a'), utf8('€'), utf8('😀')].map(payload => send(text, payload)),
    allowed: answers(...[utf8('κ'), utf8('a'), utf8('€'), utf8('😀')].map(payload => echoed(payload))),
  },
  {
    sends: 'A frame with the reserved opcode 11, byte by byte, then a good message.',
    steps: [send(11, HELLO), GOES_ON],
    allowed: closes([1002]),
  },
  {
    sends: 'A text with a wrong byte at its start, byte by byte, without its end.',
    rule: 'RFC 6455, 8.1: bytes that are no UTF-8 in a text fail the connection. To wait for the end of the message is not strict.',
    steps: [send(text, hex('ff2a2a'), { claim: 10n })],
    allowed: [...closes([1007]), nonStrict('waits')],
  },
]

/** What a server may do with bytes that come too early; a client has to take them. */
function early(...lax: readonly Allowed[]): readonly Draft[] {
  return [
    {
      sends: 'A text message in the packet of the handshake.',
      steps: [send(text, HELLO)],
      allowed: [...answers(echoed()), ...lax],
    },
    {
      sends: 'A text message, a ping and a binary message in the packet of the handshake.',
      steps: [send(text, HELLO), send(ping, STAR), send(binary, HELLO)],
      allowed: [...answers(echoed(), pongOf(STAR), echoed(HELLO, binary)), ...lax],
    },
    {
      sends: 'A message of 70,000 bytes together with the handshake.',
      steps: [send(binary, repeated(STAR, 70_000))],
      allowed: [...answers(echoed(repeated(STAR, 70_000), binary)), ...lax],
    },
    {
      sends: 'A fragment in the packet of the handshake, and the last one a moment later.',
      steps: [part(text, HELLO), pause(0.1), send(continuation, HELLO)],
      allowed: [...answers(echoed(utf8('HelloHello'))), ...lax],
    },
    {
      sends: 'A message and a close frame in the packet of the handshake.',
      steps: [send(text, HELLO), CLOSE],
      allowed: [...answers(echoed()), ...lax],
    },
    {
      sends: 'A frame with the reserved opcode 3 in the packet of the handshake, then a good message.',
      steps: [send(3, HELLO), GOES_ON],
      allowed: [...closes([1002]), ...lax.filter(({ ending }) => ending === 'refuses')],
    },
  ]
}

const HALF_CLOSED: readonly Draft[] = [
  {
    sends: 'The handshake and the end of TCP, in one packet.',
    steps: [END],
    allowed: [...ENDS, ...informational('refuses'), nonStrict('waits')],
  },
  {
    sends: 'The handshake, a text message and the end of TCP, in one packet.',
    steps: [send(text, HELLO), END],
    allowed: [...ENDS, ...informational('refuses'), nonStrict('waits'), nonStrict('waits', echoed())],
  },
]

export const PACKETS: readonly ProbeCase[] = [
  ...probes(
    '26.1',
    {
      chop: 1,
      rule: 'RFC 6455, 5.2 and 5.4: frames are read from a stream, and how it was cut into packets means nothing.',
    },
    DRIBBLED
  ),
  ...probes(
    '26.2',
    {
      tests: 'server',
      early: true,
      rule: 'RFC 6455, 4.1: a client has to wait for the answer before it sends data. What a server does with data that did not wait is left open.',
    },
    early(...informational('refuses', 'closes'))
  ),
  ...probes(
    '26.3',
    {
      tests: 'client',
      early: true,
      rule: 'RFC 6455, 4.2.2: once a server has answered, the connection is open, and it may send.',
    },
    early()
  ),
  ...probes(
    '26.4',
    { early: true, rule: 'RFC 6455, 7.1.5 and 7.2.3: a connection may be lost at any time; whoever notices ends it.' },
    HALF_CLOSED
  ),
]

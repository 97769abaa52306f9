/** Group 29: permessage-deflate with data that no compressor would make (RFC 7692, sections 6, 7.2 and 8). */
import { constants, deflateRawSync } from 'node:zlib'
import type { Bytes, DeflateWish, ProbeCase } from '../case.ts'
import { ANSWER, head } from '../wire/handshake-text.ts'
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
  hex,
  informational,
  NOTHING,
  nonStrict,
  part,
  ping,
  pong,
  pongOf,
  probes,
  repeated,
  requestAnd,
  send,
  text,
  WENT_ON,
  type Draft,
} from './build.ts'

const RSV1 = 4
const EXTENSION = 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover'

/** Without a context, or with one if it has to be. */
export const WISHES: readonly DeflateWish[] = [
  { noContextTakeover: true, windowBits: 0 },
  { noContextTakeover: false, windowBits: 0 },
]

/** "Hello" as the RFC has it. */
export const PACKED = hex('f248cdc9c90700')
const EMPTY_BLOCK = hex('000000ffff')
/** Refers 20,000 bytes back. */
const FAR = Buffer.concat([
  Buffer.from('A phrase to be repeated, far back.'),
  Buffer.alloc(20_000, '.'),
  Buffer.from('A phrase to be repeated, far back.'),
])

function join(...parts: readonly Bytes[]): Bytes {
  const bytes = Buffer.concat(parts.map(({ pattern }) => pattern))
  return { pattern: bytes, length: bytes.length }
}

function deflate(bytes: Buffer, dictionary?: Buffer): Bytes {
  const packed = deflateRawSync(bytes, {
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary && { dictionary }),
  }).subarray(0, -4)
  return { pattern: packed, length: packed.length }
}

/** Blocks of 64 KiB zeros, one after the other. */
function bomb(blocks: number): Bytes {
  const block = deflateRawSync(Buffer.alloc(65_536), { finishFlush: constants.Z_SYNC_FLUSH })
  return repeated({ pattern: block, length: block.length }, block.length * blocks)
}

const packed = { rsv: RSV1 }

function valid(sends: string, payload: Bytes, back: Bytes = HELLO, more: Partial<Draft> = {}): Draft {
  return {
    sends: `A compressed text: ${sends}.`,
    steps: [send(text, payload, packed)],
    allowed: answers(echoed(back)),
    ...more,
  }
}

const FORMS: readonly Draft[] = [
  valid('nothing, as one byte of zeros', hex('00'), NOTHING),
  valid('nothing, as an empty block with fixed codes', hex('0200'), NOTHING),
  valid('"Hello" in a block without compression', hex('000500faff48656c6c6f00')),
  valid('"Hello" in a final block', hex('f348cdc9c9070000')),
  valid('"Hello" in two blocks with an empty one between them', hex('f24805000000ffffcac9c90700')),
  valid(
    'five empty blocks, and "Hello"',
    join(EMPTY_BLOCK, EMPTY_BLOCK, EMPTY_BLOCK, EMPTY_BLOCK, EMPTY_BLOCK, PACKED)
  ),
  {
    sends: 'A compressed text with a final block, and another message behind it.',
    steps: [send(text, hex('f348cdc9c9070000'), packed), send(text, PACKED, packed)],
    allowed: answers(echoed(), echoed()),
  },
  {
    sends: 'A compressed text, one that is not compressed, and a compressed one.',
    steps: [send(text, PACKED, packed), send(text, HELLO), send(text, PACKED, packed)],
    allowed: answers(echoed(), echoed(), echoed()),
  },
  {
    sends: 'A compressed text in fragments of a byte, with empty ones and a ping between them.',
    steps: [
      part(text, hex('f2'), packed),
      part(continuation, hex('48')),
      part(continuation, NOTHING),
      part(continuation, hex('cd')),
      send(ping, HELLO),
      part(continuation, hex('c9c9')),
      part(continuation, hex('0700')),
      send(continuation, NOTHING),
    ],
    allowed: answers(pongOf(HELLO), echoed()),
  },
  {
    sends: 'A compressed text whose first fragment is empty.',
    steps: [part(text, NOTHING, packed), send(continuation, PACKED)],
    allowed: answers(echoed()),
  },
  {
    sends: 'A compressed binary message of 60,000 bytes that do not compress.',
    steps: [send(binary, deflate(noise(60_000)), packed)],
    allowed: answers(echoed({ pattern: noise(60_000), length: 60_000 }, binary)),
  },
  {
    ...valid('100,000 empty blocks, and "Hello"', join(repeatedWhole(EMPTY_BLOCK, 100_000), PACKED)),
    patience: 10,
    allowed: [...answers(echoed()), ...informational('closes')],
  },
]

/** Bytes without a pattern, the same each time. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

function repeatedWhole({ pattern }: Bytes, times: number): Bytes {
  const bytes = Buffer.alloc(pattern.length * times, pattern)
  return { pattern: bytes, length: bytes.length }
}

const BITS: readonly Draft[] = [
  {
    sends: 'A compressed text in two fragments, RSV1 set on both.',
    steps: [part(text, hex('f248cd'), packed), send(continuation, hex('c9c90700'), packed), GOES_ON],
    allowed: closes([1002]),
  },
  {
    sends: 'A text in two fragments, RSV1 set on the last one only.',
    steps: [part(text, HELLO), send(continuation, HELLO, packed), GOES_ON],
    allowed: closes([1002]),
  },
  { sends: 'A ping with RSV1 set.', steps: [send(ping, HELLO, packed), GOES_ON], allowed: closes([1002]) },
  { sends: 'A pong with RSV1 set.', steps: [send(pong, HELLO, packed), GOES_ON], allowed: closes([1002]) },
  {
    sends: 'A close frame with RSV1 set.',
    steps: [send(closeFrame, closing(1000), packed), GOES_ON],
    allowed: closesOnly([1002]),
  },
  {
    sends: 'A compressed text with RSV2 set too.',
    steps: [send(text, PACKED, { rsv: 6 }), GOES_ON],
    allowed: closes([1002]),
  },
  {
    sends: 'A compressed text with RSV3 set too.',
    steps: [send(text, PACKED, { rsv: 5 }), GOES_ON],
    allowed: closes([1002]),
  },
]

function broken(sends: string, payload: Bytes): Draft {
  return {
    sends: `A compressed binary message: ${sends}; then a good message.`,
    steps: [send(binary, payload, packed), GOES_ON],
    allowed: closes([1007, 1002]),
  }
}

const BROKEN: readonly Draft[] = [
  broken('a block of the reserved type', hex('07')),
  broken('a block without compression whose length and its complement do not fit', hex('000500ffff48656c6c6f')),
  broken('a reference to what has never been sent', hex('421000')),
  broken('a distance code that does not exist', hex('4a043e00')),
  broken('bytes of ff', hex('ffffffff')),
  broken('"Hello" with a header of zlib', hex('789cf348cdc9c90700058c01f5')),
  broken('"Hello" with a header of zlib that names a preset dictionary', hex('78bb058c01f5f3001100058c01f5')),
  broken('"Hello" with a header of gzip', hex('1f8b0800000000000003f348cdc9c907008289d1f705000000')),
  broken('a good block, and a block of the reserved type', join(PACKED, EMPTY_BLOCK, hex('07'))),
]

const TEXTS: readonly Draft[] = [
  {
    sends: 'A compressed text that inflates to a byte of ff.',
    steps: [send(text, deflate(Buffer.from([0xff])), packed), GOES_ON],
    allowed: closes([1007]),
  },
  {
    sends: 'A compressed text that inflates to half a character, in two fragments.',
    steps: [part(text, deflate(Buffer.from('Hello κ').subarray(0, -1)), packed), send(continuation, NOTHING), GOES_ON],
    allowed: closes([1007]),
  },
  {
    sends: 'A compressed text that inflates to a surrogate.',
    steps: [send(text, deflate(Buffer.from('eda080', 'hex')), packed), GOES_ON],
    allowed: closes([1007]),
  },
]

const LIMITED = [...closes([1009]), ...informational('answers')]

const BOMBS: readonly Draft[] = [
  {
    sends: 'A message that inflates to 256 MiB, in one frame.',
    steps: [send(binary, bomb(4096), packed)],
    allowed: LIMITED,
  },
  {
    sends: 'The same in fragments of 64 KiB that inflate.',
    steps: [part(binary, bomb(1), packed), part(continuation, bomb(1), {}, 4094), send(continuation, bomb(1))],
    allowed: LIMITED,
  },
  {
    sends: 'A text that inflates to 256 MiB of NULs, and a good message.',
    steps: [send(text, bomb(4096), packed), GOES_ON],
    allowed: LIMITED,
  },
]

const LEFT_OPEN: readonly Draft[] = [
  {
    sends: 'A final block with bytes of another one behind it; then a good message.',
    rule: 'RFC 1951, 3.2.3: nothing follows a final block. What is done about bytes behind it is left open.',
    steps: [send(binary, join(hex('f348cdc9c90700'), hex('4c616c6c6f')), packed), GOES_ON],
    allowed: informational('closes', 'answers'),
  },
  {
    sends: 'A block that is cut off: 5 bytes of 100; then a good message.',
    rule: 'RFC 1951, 3.2.4: a block has as many bytes as it says. What is done about one that has not is left open.',
    steps: [send(binary, hex('0064009bff48656c6c6f'), packed), GOES_ON],
    allowed: [...closes([1007, 1002]), ...informational('answers', 'closes')],
  },
  {
    sends: 'A message, and one that refers to it, though no context takeover was agreed on.',
    rule: 'RFC 7692, 7.1.1: who agreed to no context takeover must not refer to earlier messages. To read it all the same is left open.',
    steps: [send(text, PACKED, packed), send(text, deflate(Buffer.from('HelloHello'), Buffer.from('Hello')), packed)],
    allowed: [...closes([1007, 1002], echoed()), ...informational('answers')],
  },
]

const OVERRUN: Draft = {
  sends: 'A message that refers 20,000 bytes back, where a window of 512 bytes was offered.',
  rule: 'RFC 7692, 7.1.2: who agreed to a window must not refer back further. To read it all the same is left open.',
  steps: [send(binary, deflate(FAR), packed)],
  allowed: [...informational('answers', 'closes')],
}

export const DEFLATE: readonly ProbeCase[] = [
  ...probes(
    '29.1',
    {
      wishes: WISHES,
      rule: 'RFC 7692, 7.2.2 and 7.2.3: a message is any sequence of DEFLATE blocks, whatever their kinds and their number.',
    },
    FORMS
  ),
  ...probes(
    '29.2',
    {
      wishes: WISHES,
      rule: 'RFC 7692, 6: RSV1 is for the first frame of a message, and must not be set on control frames and continuations; whoever gets it there fails the connection. RSV2 and RSV3 keep no meaning.',
    },
    BITS
  ),
  ...probes(
    '29.3',
    {
      wishes: WISHES,
      rule: 'RFC 7692, 7.2.2, and RFC 1951: what is no DEFLATE data is no message; there is no header and no preset dictionary.',
    },
    BROKEN
  ),
  ...probes(
    '29.4',
    {
      wishes: WISHES,
      rule: 'RFC 6455, 8.1, and RFC 7692, 7.2.2: a text is UTF-8 once it is inflated, or the connection is failed.',
    },
    TEXTS
  ),
  ...probes(
    '29.5',
    {
      wishes: WISHES,
      patience: 10,
      rule: 'RFC 7692, 8, and RFC 6455, 10.4: who has a limit keeps to it while a message inflates, and may refuse it with 1009; whether there is one is left open.',
    },
    BOMBS
  ),
  ...probes('29.6', { wishes: WISHES }, [
    ...LEFT_OPEN,
    { ...OVERRUN, tests: 'server', handshake: requestAnd(`${EXTENSION}; client_max_window_bits=9`) },
    { ...OVERRUN, tests: 'client', handshake: head([...ANSWER, `${EXTENSION}; server_max_window_bits=9`]) },
  ]),
]

const NAME = 'Sec-WebSocket-Extensions: permessage-deflate'

function declined(offer: string): Draft {
  return {
    sends: `An offer that no server may agree to, ${offer.replace(/^; /, '')}; then a message that is not compressed.`,
    handshake: requestAnd(`${NAME}${offer}`),
    steps: [GOES_ON],
    allowed: [...answers(WENT_ON), nonStrict('refuses')],
  }
}

function taken(what: string, line: string): Draft {
  return {
    sends: `${what}; then a compressed message.`,
    handshake: requestAnd(line),
    wishes: [WISHES[1]],
    steps: [send(text, PACKED, packed)],
    allowed: [...answers(echoed()), nonStrict('refuses')],
  }
}

function failed(answer: string): Draft {
  return {
    sends: `An answer that no client may agree to, ${answer.replace(/^[;,] /, '')}; then a message that is not compressed.`,
    handshake: head([...ANSWER, `${NAME}${answer}`]),
    steps: [GOES_ON],
    allowed: closes([1002, 1010]),
  }
}

const DECLINED = [
  '; x_none',
  '; client_max_window_bits=7',
  '; client_max_window_bits=16',
  '; client_max_window_bits=08',
  '; server_max_window_bits',
  '; server_max_window_bits=7',
  '; server_no_context_takeover=1',
  '; client_no_context_takeover; client_no_context_takeover',
]
const FAILED = [
  '; x_none',
  '; server_max_window_bits=7',
  '; server_max_window_bits=16',
  '; server_max_window_bits',
  '; client_max_window_bits',
  '; server_no_context_takeover=1',
  '; server_no_context_takeover; server_no_context_takeover',
  ', permessage-deflate',
]

export const OFFERS: readonly ProbeCase[] = [
  ...probes(
    '30.1',
    {
      tests: 'server',
      rule: 'RFC 7692, 7: a server has to decline an offer with a parameter that is unknown, comes twice or has a value that it may not have.',
    },
    DECLINED.map(declined)
  ),
  ...probes(
    '30.2',
    { tests: 'server', rule: 'RFC 7692, 5 and 7.1: of several offers a server may take one; a value may be quoted.' },
    [
      taken('An offer with an unknown parameter, and a good one', `${NAME}; x_none, permessage-deflate`),
      taken(
        'An unknown extension, and a good offer in a header of its own',
        `Sec-WebSocket-Extensions: x-none\r\n${NAME}`
      ),
      taken('An offer with a quoted value', `${NAME}; client_max_window_bits="10"`),
      taken('An offer without spaces', `${NAME};client_max_window_bits;client_no_context_takeover`),
    ]
  ),
  ...probes(
    '30.3',
    {
      tests: 'client',
      early: true,
      rule: 'RFC 7692, 7: a client has to fail the connection where the answer has a parameter that is unknown, comes twice or has a value that it may not have.',
    },
    FAILED.map(failed)
  ),
]

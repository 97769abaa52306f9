// @ts-check
/** Conversations about frames from the client (RFC 6455, sections 5 and 7). */
import { BINARY, close, CLOSE, frame, longHeader, PING, PONG, TEXT } from './frames.js'

/** @typedef {import('./handshakes.js').Conversation} Conversation */

const DEFAULT_MAXFRAME = 16_384
const GIB = 1024n ** 3n
/** Bytes of a frame that Kore waits for before it looks at a length of 16 bits, and of 64. */
const KORE_LOOKS_AT_16 = 134
const KORE_LOOKS_AT_64 = 141

/** Frames after which the connection goes on. @type {Record<string, Buffer[]>} */
const GOOD = {
  'an empty text': [frame(TEXT)],
  'a text': [frame(TEXT, 'hello')],
  'a text with NUL in it': [frame(TEXT, 'a\0b')],
  'an empty binary message': [frame(BINARY)],
  'a binary message': [frame(BINARY, Buffer.of(0, 255, 128))],
  'a text of 125 bytes': [frame(TEXT, 'x'.repeat(125))],
  'a text of 126 bytes': [frame(TEXT, 'x'.repeat(126))],
  'a text of websocket_maxframe bytes': [frame(TEXT, 'x'.repeat(DEFAULT_MAXFRAME))],
  'three messages in one segment': [frame(TEXT, '1'), frame(BINARY, '2'), frame(TEXT, '3')],
  'an empty ping': [frame(PING)],
  'a ping of 125 bytes': [frame(PING, 'p'.repeat(125))],
  'a ping between two messages': [frame(TEXT, '1'), frame(PING, 'between'), frame(TEXT, '2')],
  'a pong that nobody asked for': [frame(PONG, 'here I am')],
  'an empty pong': [frame(PONG)],
  'a masking key of zeros': [frame(TEXT, 'hello', { key: '00000000' })],
}

/** Frames that the two take differently; sent one by one until the end. @type {Record<string, Buffer[]>} */
const DISPUTED = {
  'text that is no UTF-8': [frame(TEXT, Buffer.of(0xff, 0xfe))],
  'a first fragment': [frame(TEXT, 'frag', { fin: false })],
  'a message in two fragments': [frame(TEXT, 'frag', { fin: false }), frame(0, 'ment')],
  'a message in three fragments': [frame(BINARY, 'a', { fin: false }), frame(0, 'b', { fin: false }), frame(0, 'c')],
  'a ping between two fragments': [frame(TEXT, 'frag', { fin: false }), frame(PING, 'between'), frame(0, 'ment')],
  'a message between two fragments': [frame(TEXT, 'frag', { fin: false }), frame(TEXT, 'new')],
  'fragments that are too large together': [frame(TEXT, 'x'.repeat(DEFAULT_MAXFRAME), { fin: false }), frame(0, 'x')],
  'a 64-bit length of 127': [frame(TEXT, 'x'.repeat(127), { form: '64 bits' })],
  'a 16-bit length below 126': [frame(TEXT, 'x'.repeat(10), { form: '16 bits' })],
  'a 64-bit length below 127': [frame(TEXT, 'x'.repeat(10), { form: '64 bits' })],
  'a header that claims 1 GiB': [longHeader(TEXT, GIB)],
}

/**
 * What ends the connection. No more than that is sent of large frames: where input is left unread, the client may lose
 * what Kore says.
 *
 * @type {Record<string, Buffer[]>}
 */
const BAD = {
  'a text of one byte more than websocket_maxframe': [
    frame(TEXT, 'x'.repeat(DEFAULT_MAXFRAME + 1)).subarray(0, KORE_LOOKS_AT_16),
  ],
  'a header that claims 1 GiB, and as much as Kore wants to see': [padded(longHeader(TEXT, GIB))],
  'a 64-bit length with its top bit set': [padded(longHeader(TEXT, 1n << 63n))],
  'a 16-bit length below 126, and as much as Kore wants to see': [
    frame(TEXT, 'x'.repeat(10), { form: '16 bits' }),
    Buffer.alloc(KORE_LOOKS_AT_16 - 18),
  ],
  'a continuation of nothing': [frame(0, 'ment')],
  'an unmasked text': [frame(TEXT, 'hello', { key: null })],
  'an unmasked close frame': [frame(CLOSE, '', { key: null })],
  RSV1: [frame(TEXT, 'hello', { rsv: 4 })],
  RSV2: [frame(TEXT, 'hello', { rsv: 2 })],
  RSV3: [frame(TEXT, 'hello', { rsv: 1 })],
  'opcode 3': [frame(3, 'hello')],
  'opcode 7': [frame(7, 'hello')],
  'opcode b': [frame(0xb, 'hello')],
  'opcode f': [frame(0xf, 'hello')],
  'a ping without FIN': [frame(PING, 'ping', { fin: false })],
  'a close frame without FIN': [frame(CLOSE, '', { fin: false })],
  'a ping of 126 bytes': [frame(PING, 'p'.repeat(126))],
  'a close frame of 126 bytes': [close(1000, 'r'.repeat(124))],
}

/** Close frames; what comes behind them in the same segment is not for anybody. @type {Record<string, Buffer[]>} */
const CLOSES = {
  'an empty one': [frame(CLOSE)],
  'code 1000': [close(1000)],
  'code 1000 and a reason': [close(1000, 'bye')],
  'code 1001': [close(1001)],
  'code 3000': [close(3000, 'für dich')],
  'code 4999': [close(4999)],
  'a reason of 123 bytes': [close(1000, 'r'.repeat(123))],
  'one byte': [frame(CLOSE, Buffer.of(3))],
  'code 999': [close(999)],
  'code 1005': [close(1005)],
  'code 1006': [close(1006)],
  'code 1004': [close(1004)],
  'code 1016': [close(1016)],
  'code 5000': [close(5000)],
  'a reason that is no UTF-8': [close(1000, Buffer.of(0xff, 0xfe))],
  'a message behind it in the same segment': [close(1000), frame(TEXT, 'late')],
  'a message before it in the same segment': [frame(TEXT, 'in time'), close(1000)],
}

/** @type {Conversation[]} */
export const RECEIVING = [
  ...Object.entries(GOOD).map(([name, frames]) => ({
    name: `frames: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.send(...frames).alive()
    },
  })),
  ...Object.entries(DISPUTED).map(([name, frames]) => ({
    name: `frames: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      for (const frame of frames) {
        if (!a.over) await a.send(frame).settle()
      }
    },
  })),
  ...Object.entries(BAD).map(([name, pieces]) => ({
    name: `frames: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.send(...pieces).ended()
    },
  })),
  ...Object.entries(CLOSES).map(([name, frames]) => ({
    name: `close: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.send(...frames).ended()
    },
  })),
  {
    name: 'frames: byte by byte',
    async talk(talk) {
      const a = await talk.open('a')
      const frames = [frame(TEXT, 'slow'), frame(PING, 'and'), frame(BINARY, 'x'.repeat(200)), frame(TEXT, 'steady')]
      await a.trickle(Buffer.concat(frames))
      await a.frames(4)
      await a.alive()
    },
  },
  {
    name: 'frames: a wrong frame with much behind it that nobody reads',
    async talk(talk) {
      const a = await talk.open('a')
      await a.send(frame(3, 'hello'), Buffer.alloc(16_384)).ended({ how: true })
    },
  },
]

/** For websocket_maxframe 70000. @type {Conversation[]} */
export const LARGE = [
  ...[65_535, 65_536, 70_000].map(size => ({
    name: `websocket_maxframe 70000: a message of ${size} bytes`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.send(frame(BINARY, 'x'.repeat(size))).alive()
    },
  })),
  {
    name: 'websocket_maxframe 70000: a message of 70001 bytes',
    async talk(talk) {
      const a = await talk.open('a')
      await a.send(padded(longHeader(BINARY, 70_001n))).ended()
    },
  },
]

/** For websocket_maxframe 0. @type {Conversation[]} */
export const NOTHING_FITS = Object.entries({
  'an empty message': frame(TEXT),
  'a message of one byte': frame(TEXT, 'x'),
  'an empty ping': frame(PING),
  'a ping of one byte': frame(PING, 'p'),
}).map(([name, frame]) => ({
  name: `websocket_maxframe 0: ${name}`,
  async talk(talk) {
    const a = await talk.open('a')
    await a.send(frame).settle()
  },
}))

/** A header and as much behind it as Kore wants to see. @param {Buffer} header */
function padded(header) {
  return Buffer.concat([header, Buffer.alloc(KORE_LOOKS_AT_64 - header.length)])
}

/** Servers that cheat where messages are compressed (RFC 7692), one way each; the frames that come are compressed too. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'

/** After every message of the ring has been answered rightly. */
const SPOILED = 100
const TAIL = Buffer.from([0, 0, 0xff, 0xff])
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH }
const AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

/** By name: what is answered instead of AGREED; '' says nothing of the extension. */
const ANSWERS = {
  'declines compression': '',
  'agrees on context takeover': 'permessage-deflate',
  'agrees on context takeover, and says nothing': 'permessage-deflate',
  'agrees on context takeover, wrong body': 'permessage-deflate',
  'agrees on another extension': 'permessage-bzip2; server_no_context_takeover',
  'agrees on what was not offered': AGREED,
}

let last

/** By name, as in wrong.js. */
export const COMPRESSED_CHEATS = {
  'declines compression': frame => frame,
  'agrees on context takeover': frame => frame,
  'agrees on context takeover, and says nothing': () => undefined,
  'agrees on context takeover, wrong body': frame => compressed(frame, other(inflate(frame))),
  'agrees on another extension': frame => frame,
  'agrees on what was not offered': frame => frame,
  'honest compressed': frame => frame,
  'honest compressed, cut': frame => frame,
  'honest compressed, other bytes each time': (frame, n) => compressed(frame, inflate(frame), n % 10),
  'wrong compressed body': (frame, n) => (n === SPOILED ? compressed(frame, other(inflate(frame))) : frame),
  'wrong compressed body always': frame => compressed(frame, other(inflate(frame))),
  'compressed body too long': (frame, n) => (n === SPOILED ? compressed(frame, Buffer.concat([inflate(frame), TAIL])) : frame),
  'compressed body too short': (frame, n) => (n === SPOILED ? compressed(frame, inflate(frame).subarray(1)) : frame),
  'damaged compressed body': (frame, n) => (n === SPOILED ? { ...frame, payload: flipped(frame.payload) } : frame),
  'compressed reply of another message': (frame, n) => {
    const previous = last
    last = frame
    return n === SPOILED ? previous : frame
  },
  'compressed reply dropped': (frame, n) => (n === SPOILED ? undefined : frame),
  'compressed reply twice': (frame, n) => (n === SPOILED ? [frame, frame] : frame),
  'uncompressed reply': (frame, n) => (n === SPOILED ? { ...frame, compressed: false, payload: inflate(frame) } : frame),
  'compressed binary reply': (frame, n) => (n === SPOILED ? { ...frame, opcode: 2 } : frame),
  'compressed fragments': (frame, n) => (n === SPOILED ? { ...frame, fin: false } : frame),
  'context takeover': frame => ({ ...frame, payload: takeOver(inflate(frame)) }),
}

/** The line of the handshake's answer about extensions, or nothing. */
export function answerOffer(name, request) {
  const agreed = ANSWERS[name] ?? (/^sec-websocket-extensions:/im.test(request) ? AGREED : '')
  return agreed === '' ? '' : `Sec-WebSocket-Extensions: ${agreed}\r\n`
}

function inflate({ payload }) {
  return inflateRawSync(Buffer.concat([payload, TAIL]), FLUSH)
}

function compressed(frame, message, level = 1) {
  return { ...frame, payload: deflateRawSync(message, { ...FLUSH, level }).subarray(0, -TAIL.length) }
}

/** As long, and not the same. */
function other(message) {
  const copy = Buffer.from(message)
  copy[copy.length >> 1] ^= 1
  return copy
}

function flipped(payload) {
  const copy = Buffer.from(payload)
  copy[copy.length >> 1] ^= 0x10
  return copy
}

let history = Buffer.alloc(0)

/** Compressed with what was sent before as its dictionary, so that it refers back. */
function takeOver(message) {
  const dictionary = history
  history = message
  const options = dictionary.length === 0 ? FLUSH : { ...FLUSH, dictionary }
  return deflateRawSync(message, options).subarray(0, -TAIL.length)
}

/** Random streams of frames: most of them right, many with one rule broken, some damaged anywhere. */
import { constants, deflateRawSync } from 'node:zlib'
import { BINARY, CLOSE, CONTINUATION, FIN, frame, PING, PONG, RSV1, shortestForm, TEXT } from './frames.js'
import { mostCompressed } from './model.js'

/** Where a form of length, a kernel or a buffer ends, and next to it. */
const SIZES = [0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 124, 125, 126, 127, 128, 255, 256, 257]
const LARGE_SIZES = [1023, 1024, 4096, 8191, 8192, 8193, 16_383, 16_384, 65_534, 65_535, 65_536, 65_537, 70_000]
const CLAIMS = [
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]
const CLOSE_CODES = [
  0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1100,
  2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535,
]
/** Each side of each border of RFC 3629, section 4. */
const CHARACTERS = [
  '00',
  '7f',
  'c280',
  'dfbf',
  'e0a080',
  'ecbfbf',
  'ed9fbf',
  'ee8080',
  'efbfbf',
  'efbbbf',
  'f0908080',
  'f48fbfbf',
]
const NO_CHARACTERS = [
  '80',
  'bf',
  'c0af',
  'c1bf',
  'c2',
  'e08080',
  'e09fbf',
  'eda080',
  'edbfbf',
  'f08fbfbf',
  'f4908080',
  'f5808080',
  'ff',
  'e0a0',
  'f09080',
]
const LIMITS = [16 * 1024 * 1024, 16 * 1024 * 1024, 16 * 1024 * 1024, 1, 100, 125, 126, 1000, 65_535, 65_536]

/** Who receives what, and the stream. */
export function randomCase(random) {
  const deflate = random.oneIn(2)
    ? undefined
    : { takeover: random.oneIn(2), windowBits: random.oneIn(2) ? 15 : 8 + random.below(8) }
  const settings = { role: random.pick(['server', 'client']), limit: random.pick(LIMITS), deflate }
  const stream = new Writer(random, settings).write()
  return { ...settings, stream: random.below(5) < 2 ? damage(random, stream) : stream }
}

export function randomSize(random) {
  if (random.oneIn(30)) return random.pick(LARGE_SIZES)
  if (random.oneIn(40)) return random.below(20_000)
  return random.oneIn(2) ? random.pick(SIZES) : random.below(40)
}

const words = list => list.map(hex => Buffer.from(hex, 'hex'))
const GOOD = words(CHARACTERS)
const BAD = words(NO_CHARACTERS)

/** Text of about `size` bytes; good, unless the caller wants it otherwise. */
export function randomText(random, size, mayBeBad = false) {
  if (random.oneIn(2))
    return Buffer.from('the quick brown fox, the lazy dog; '.repeat(Math.ceil(size / 35)).slice(0, size))
  const pieces = []
  for (let length = 0; length < size; length += pieces.at(-1).length) {
    pieces.push(random.oneIn(3) ? random.pick(GOOD) : Buffer.from([0x20 + random.below(95)]))
  }
  if (mayBeBad && random.oneIn(3)) pieces.splice(random.below(pieces.length + 1), 0, random.pick(BAD))
  const text = Buffer.concat(pieces)
  return mayBeBad && random.oneIn(6) ? text.subarray(0, Math.max(text.length - 1, 0)) : text
}

class Writer {
  #random
  #settings
  #frames = []
  /** What the receiver's context holds, as far as the sender means it to. */
  #history = Buffer.alloc(0)

  constructor(random, settings) {
    this.#random = random
    this.#settings = settings
  }

  write() {
    const random = this.#random
    const acts = 1 + random.below(random.oneIn(8) ? 30 : 6)
    for (let i = 0; i < acts; i++) {
      if (random.oneIn(4)) this.#control()
      else if (random.oneIn(25)) this.#oddity()
      else this.#message()
    }
    if (random.oneIn(3)) this.#frame(FIN | CLOSE, this.#closePayload())
    if (random.oneIn(10)) this.#message()
    return Buffer.concat(this.#frames)
  }

  #frame(first, payload, form, claim) {
    const random = this.#random
    const masked = (this.#settings.role === 'server') !== random.oneIn(400)
    const key = random.oneIn(10) ? Buffer.alloc(4) : random.bytes(4)
    this.#frames.push(frame(first, payload, masked ? key : undefined, form, claim))
  }

  #control() {
    const random = this.#random
    const size = random.oneIn(20) ? 126 + random.below(3) : Math.min(random.pick(SIZES), 125)
    const opcode = random.oneIn(20) ? CLOSE : random.pick([PING, PONG])
    const payload = opcode === CLOSE ? this.#closePayload() : random.bytes(size)
    this.#frame((random.oneIn(60) ? 0 : FIN) | (random.oneIn(60) ? RSV1 : 0) | opcode, payload)
  }

  #closePayload() {
    const random = this.#random
    if (random.oneIn(5)) return Buffer.alloc(random.below(2))
    const code = Buffer.alloc(2)
    code.writeUInt16BE(random.oneIn(5) ? random.below(65_536) : random.pick(CLOSE_CODES))
    const reason = randomText(random, random.below(random.oneIn(3) ? 124 : 10), true)
    return Buffer.concat([code, random.oneIn(20) ? reason : reason.subarray(0, 123)])
  }

  /** What no sender should do. */
  #oddity() {
    const random = this.#random
    const payload = random.bytes(random.below(6))
    const first = random.pick([0, FIN]) | random.pick([TEXT, BINARY])
    if (random.oneIn(4)) this.#atTheLimit(first)
    else if (random.oneIn(4)) this.#frame(random.below(256), payload)
    else if (random.oneIn(3)) this.#frame(random.pick([0, FIN]) | CONTINUATION, payload)
    else if (random.oneIn(2)) this.#frame(first, payload, 64, random.pick(CLAIMS))
    else this.#frame(first, payload, random.pick([16, 64]))
  }

  /** A header whose message is one byte below the limit, at it, or one above. */
  #atTheLimit(first) {
    const { limit, deflate } = this.#settings
    const compressed = deflate !== undefined && this.#random.oneIn(2)
    const length = (compressed ? mostCompressed(limit) : limit) - 1 + this.#random.below(3)
    this.#frame(first | (compressed ? RSV1 : 0), Buffer.alloc(0), shortestForm(length), length)
  }

  #message() {
    const random = this.#random
    const opcode = random.pick([TEXT, BINARY])
    const size = randomSize(random)
    const bytes = opcode === TEXT || random.oneIn(2) ? randomText(random, size, random.oneIn(8)) : random.bytes(size)
    const compress = this.#settings.deflate !== undefined ? !random.oneIn(4) : random.oneIn(80)
    const payload = compress ? this.#compressed(bytes) : bytes
    const rsv = (compress ? RSV1 : 0) | (random.oneIn(300) ? random.pick([0x10, 0x20]) : 0)
    const fragments = random.oneIn(2) ? 1 : 1 + random.below(5)
    let at = 0
    for (let i = 0; i < fragments; i++) {
      const last = i === fragments - 1
      const end = last ? payload.length : at + random.below(payload.length - at + 1)
      const first = i === 0 ? rsv | opcode : CONTINUATION | (random.oneIn(300) ? RSV1 : 0)
      this.#frame((last && !random.oneIn(100) ? FIN : 0) | first, payload.subarray(at, end))
      at = end
      if (!last && random.oneIn(3)) this.#control()
    }
  }

  /** Without its tail; in one way or another, and at times not well. */
  #compressed(bytes) {
    const random = this.#random
    const { takeover, windowBits } = this.#settings.deflate ?? { takeover: false, windowBits: 15 }
    if (random.oneIn(40)) return random.bytes(random.below(20))
    const honest = !random.oneIn(20)
    const dictionary = takeover && this.#history.length > 0 && !random.oneIn(4) ? this.#history : undefined
    const options = {
      level: random.below(10),
      strategy: random.pick([
        constants.Z_DEFAULT_STRATEGY,
        constants.Z_FIXED,
        constants.Z_HUFFMAN_ONLY,
        constants.Z_RLE,
      ]),
      windowBits: honest ? Math.max(windowBits, 9) : 15,
      memLevel: 1 + random.below(9),
      dictionary: honest ? dictionary : random.bytes(50),
    }
    const compressed = random.oneIn(12) ? this.#inFinalBlocks(bytes, options) : inOneGo(bytes, options)
    if (takeover) this.#history = Buffer.concat([this.#history, bytes]).subarray(-(2 ** windowBits))
    return random.oneIn(25) ? damage(random, compressed) : compressed
  }

  /** RFC 7692, section 7.2.3.4: a block with BFINAL set, and more behind it. */
  #inFinalBlocks(bytes, options) {
    const cut = this.#random.below(bytes.length + 1)
    const first = deflateRawSync(bytes.subarray(0, cut), options)
    if (this.#random.oneIn(2))
      return Buffer.concat([first, deflateRawSync(bytes.subarray(cut), options), Buffer.alloc(1)])
    return Buffer.concat([first, inOneGo(bytes.subarray(cut), { ...options, dictionary: undefined })])
  }
}

function inOneGo(bytes, options) {
  if (bytes.length === 0) return Buffer.alloc(1)
  const compressed = deflateRawSync(bytes, { ...options, finishFlush: constants.Z_SYNC_FLUSH })
  return compressed.subarray(0, compressed.length - 4)
}

/** Bits flipped, bytes inserted, deleted, doubled, cut off. */
export function damage(random, bytes) {
  let damaged = Buffer.from(bytes)
  for (let i = 1 + random.below(3); i > 0 && damaged.length > 0; i--) {
    const at = random.below(damaged.length)
    const length = 1 + random.below(random.oneIn(4) ? 20 : 2)
    const [before, after] = [damaged.subarray(0, at), damaged.subarray(at)]
    const kind = random.below(6)
    if (kind < 2) damaged[at] ^= 1 << random.below(8)
    else if (kind === 2) damaged = Buffer.concat([before, random.bytes(length), after])
    else if (kind === 3) damaged = Buffer.concat([before, after.subarray(length)])
    else if (kind === 4) damaged = Buffer.concat([before, after.subarray(0, length), after])
    else damaged = Buffer.from(before)
  }
  return damaged
}

/** How a stream comes: the sizes of its pieces, the last of which is what is left. */
export function randomCuts(random, length) {
  const kind = random.below(5)
  if (kind === 0) return []
  if (kind === 1 && length <= 3000) return new Array(length).fill(1)
  const most = random.pick([2, 3, 8, 20, 100, 1000, 20_000])
  const cuts = []
  for (let left = length; left > 0 && cuts.length < 3000; left -= cuts.at(-1)) cuts.push(1 + random.below(most))
  return cuts
}

/** The pieces of a stream, in order. */
export function* piecesOf(stream, cuts) {
  let at = 0
  for (const size of cuts) {
    if (at >= stream.length) return
    yield stream.subarray(at, at + size)
    at += size
  }
  if (at < stream.length) yield stream.subarray(at)
}

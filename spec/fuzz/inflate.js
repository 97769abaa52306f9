/** DEFLATE decoded bit by bit, as RFC 1951 tells it: slow, with nothing of zlib in it. */

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
const MAX_BITS = 15

class Broken extends Error {}

class Bits {
  constructor(bytes) {
    this.bytes = bytes
    this.at = 0
    this.bit = 0
  }

  take(count) {
    let value = 0
    for (let i = 0; i < count; i++) {
      if (this.at >= this.bytes.length) throw new Broken('the data ends early')
      value |= ((this.bytes[this.at] >> this.bit) & 1) << i
      if (++this.bit === 8) {
        this.bit = 0
        this.at++
      }
    }
    return value
  }

  align() {
    if (this.bit > 0) {
      this.bit = 0
      this.at++
    }
  }
}

/** A canonical code: how many codes there are of each length, and the symbols in the order of their codes. */
function huffman(lengths, mayBeSingle) {
  const counts = new Array(MAX_BITS + 1).fill(0)
  for (const length of lengths) counts[length]++
  const used = lengths.length - counts[0]
  let left = 1
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    left = 2 * left - counts[bits]
    if (left < 0) throw new Broken('more codes than there is room for')
  }
  const single = used === counts[1] && used <= 1
  // As zlib has it: one code of one bit may stand alone, and so may none where none is used.
  if (left > 0 && used > 0 && !(mayBeSingle && single)) throw new Broken('fewer codes than there is room for')
  const symbols = []
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    lengths.forEach((length, symbol) => length === bits && symbols.push(symbol))
  }
  return { counts, symbols }
}

function decode(bits, { counts, symbols }) {
  let [code, first, index] = [0, 0, 0]
  for (let length = 1; length <= MAX_BITS; length++) {
    code |= bits.take(1)
    const count = counts[length]
    if (code - count < first) return symbols[index + (code - first)]
    index += count
    first = (first + count) << 1
    code <<= 1
  }
  throw new Broken('no such code')
}

const FIXED = {
  literals: huffman(
    Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
    false
  ),
  distances: huffman(new Array(32).fill(5), false),
}

function dynamicCodes(bits) {
  const [literals, distances, codes] = [bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4]
  if (literals > 286 || distances > 30) throw new Broken('too many symbols')
  const codeLengths = new Array(19).fill(0)
  for (let i = 0; i < codes; i++) codeLengths[CODE_LENGTH_ORDER[i]] = bits.take(3)
  const code = huffman(codeLengths, false)
  const lengths = []
  while (lengths.length < literals + distances) {
    const symbol = decode(bits, code)
    if (symbol < 16) {
      lengths.push(symbol)
      continue
    }
    if (symbol === 16 && lengths.length === 0) throw new Broken('nothing to repeat')
    const value = symbol === 16 ? lengths[lengths.length - 1] : 0
    const repeat = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7)
    if (lengths.length + repeat > literals + distances) throw new Broken('too many lengths')
    for (let i = 0; i < repeat; i++) lengths.push(value)
  }
  if (lengths[256] === 0) throw new Broken('no end of block')
  return { literals: huffman(lengths.slice(0, literals), true), distances: huffman(lengths.slice(literals), true) }
}

/** Output, with what it may refer back to in front of it. */
class Window {
  constructor(history, most) {
    this.bytes = [...history]
    this.from = this.bytes.length
    this.most = most
    this.reach = 0
  }

  push(byte) {
    this.bytes.push(byte)
    if (this.bytes.length - this.from > this.most) throw new RangeError('too much')
  }

  copy(distance, length) {
    this.reach = Math.max(this.reach, distance)
    const from = this.bytes.length - distance
    if (from < 0) throw new Broken('refers back too far')
    for (let i = 0; i < length; i++) this.push(this.bytes[from + i])
  }
}

function stored(bits, window) {
  bits.align()
  const length = bits.take(16)
  if (bits.take(16) !== (length ^ 0xffff)) throw new Broken('the length and its complement differ')
  for (let i = 0; i < length; i++) window.push(bits.take(8))
}

function compressed(bits, window, { literals, distances }) {
  for (;;) {
    const symbol = decode(bits, literals)
    if (symbol === 256) return
    if (symbol < 256) {
      window.push(symbol)
      continue
    }
    if (symbol > 285) throw new Broken('no such length')
    const length = LENGTH_BASE[symbol - 257] + bits.take(LENGTH_EXTRA[symbol - 257])
    const code = decode(bits, distances)
    if (code > 29) throw new Broken('no such distance')
    window.copy(DISTANCE_BASE[code] + bits.take(DISTANCE_EXTRA[code]), length)
  }
}

/** What a sender removes from a message, and a final block, by which the end is known to be one. */
const ENDING = Buffer.from('0000ffff010000ffff', 'hex')

/**
 * A compressed message (RFC 7692, section 7.2.2): `output` where it is good; `broken` says why it is not;
 * `tooBig` where it passes `limit`, with `broken` too if it breaks after that. `finals`: blocks with BFINAL inside;
 * `tooMany` of them where they pass what they may take: 128 KiB and 32 bytes for each of the message, where
 * one takes what may be referred back to behind it, and 8 KiB at least.
 */
export function inflateMessage(message, history, limit) {
  const bits = new Bits(Buffer.concat([message, ENDING]))
  const window = new Window(history, limit + 128 * 1024)
  let finals = 0
  let allowance = 128 * 1024 + 32 * message.length
  const result = broken => {
    const output = Buffer.from(window.bytes.slice(window.from))
    return { output, broken, tooBig: output.length > limit, finals, tooMany: allowance < 0, reach: window.reach }
  }
  try {
    for (;;) {
      const start = bits.at
      const final = bits.take(1)
      const type = bits.take(2)
      if (type === 0) stored(bits, window)
      else if (type === 1) compressed(bits, window, FIXED)
      else if (type === 2) compressed(bits, window, dynamicCodes(bits))
      else throw new Broken('no such block')
      if (final === 0) continue
      bits.align()
      if (bits.at === bits.bytes.length) {
        // A stored block that lacks just as many bytes would take all of ENDING for data.
        return result(start === message.length + 4 ? undefined : 'the data ends early')
      }
      finals++
      allowance -= Math.max(Math.min(window.bytes.length, 32 * 1024), 8 * 1024)
    }
  } catch (error) {
    if (error instanceof RangeError) return result(undefined)
    if (error instanceof Broken) return result(error.message)
    throw error
  }
}

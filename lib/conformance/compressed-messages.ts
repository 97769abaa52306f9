/** The messages of the compressed cases: pieces of a corpus, packed and unpacked by node:zlib (RFC 7692, section 7.2). */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { Opcode } from '../protocol/opcode.ts'
import type { CompressedCase, DataOpcode } from './case.ts'
import { corpusOf, type Corpus, type CorpusName } from './corpus/index.ts'
import { checkEcho, type Messages } from './echoes.ts'
import type { Peer } from './peer.ts'
import type { Agreement, Direction } from './wire/extension.ts'

const LEVEL = 6
const MEMORY_LEVEL = 8
const SMALLEST_WINDOW = 9
const LARGEST_WINDOW = 15
/** zlib's smallest: a window is enforced to within so many bytes. */
const SMALLEST_CHUNK = 64
const RSV1_BIT = 4
/** What an empty block ends with; it is not sent (section 7.2.1). */
const TAIL = Buffer.from('0000ffff', 'hex')
/** Series kept: as many as cases side by side may use, and some. */
const MOST_SERIES = 8

/**
 * All messages of one length: the corpus, over and over, in pieces that follow each other. After `period` messages they
 * repeat, and so do the bytes that a compressor with a window can look back on. That makes two things exact: to send a
 * message compressed as it was a round before, and to know a peer's compressed echo again instead of inflating it.
 */
class Series {
  readonly period: number
  readonly #corpus: Corpus
  readonly #length: number
  /** The corpus twice, so that every piece lies in one. */
  readonly #ring: Buffer
  /** By the kind of compression: the messages of one period, as sent and as checked. */
  readonly #compressed = new Map<string, Buffer[]>()
  readonly #known = new Map<string, Buffer[]>()

  constructor(name: CorpusName, length: number) {
    this.#corpus = corpusOf(name)
    this.#length = length
    this.#ring = Buffer.concat([this.#corpus.bytes, this.#corpus.bytes])
    this.period = this.#corpus.length / greatestCommonDivisor(this.#corpus.length, length)
  }

  plain(index: number): Buffer {
    const from = (index * this.#length) % this.#corpus.length
    return this.#ring.subarray(this.#offsetOf(from), this.#offsetOf(from + this.#length))
  }

  compressed(index: number, direction: Direction): Buffer {
    const messages = listIn(this.#compressed, keyOf(direction))
    const turn = index % this.period
    messages[turn] ??= this.#compress(turn, direction)
    return messages[turn]
  }

  /** A sentence about a compressed echo that is not what it should be, where all before it were compressed too. */
  check(index: number, opcode: DataOpcode, payload: Buffer, direction: Direction): string | undefined {
    const known = listIn(this.#known, `${keyOf(direction)} ${opcode}`)
    const turn = index % this.period
    if (known[turn]?.equals(payload)) return undefined
    const wrong = this.checkBehind(this.window(index, direction), index, opcode, payload, direction)
    // A copy: the payload may be a small part of what was read.
    if (wrong === undefined) known[turn] = Buffer.from(payload)
    return wrong
  }

  /** The same, where the echo may refer back to `window`. */
  checkBehind(
    window: Buffer,
    index: number,
    opcode: DataOpcode,
    payload: Buffer,
    direction: Direction
  ): string | undefined {
    const plain = this.plain(index)
    const inflated = inflate(payload, plain.length, direction, window)
    return typeof inflated === 'string' ? inflated : checkEcho(this.opcode, plain, opcode, inflated)
  }

  /** What message `index` may refer back to: the end of all that was sent before. */
  window(index: number, { contextTakeover, windowBits }: Direction): Buffer {
    if (!contextTakeover || index === 0) return this.#ring.subarray(0, 0)
    const start = this.#offsetOf((index * this.#length) % this.#corpus.length)
    const before = index * this.#length < this.#corpus.length ? start : Infinity
    const size = Math.min(2 ** windowBits, before)
    const end = start < size ? start + this.#corpus.bytes.length : start
    return this.#ring.subarray(end - size, end)
  }

  get opcode(): DataOpcode {
    return this.#corpus.text ? Opcode.text : Opcode.binary
  }

  #offsetOf(unit: number): number {
    const { offsets, length, bytes } = this.#corpus
    if (offsets === undefined) return unit
    return unit < length ? offsets[unit] : bytes.length + offsets[unit - length]
  }

  #compress(index: number, direction: Direction): Buffer {
    const compressed = deflateRawSync(this.plain(index), {
      level: LEVEL,
      memLevel: MEMORY_LEVEL,
      windowBits: Math.max(direction.windowBits, SMALLEST_WINDOW),
      finishFlush: constants.Z_SYNC_FLUSH,
      ...dictionary(this.window(index, direction)),
    })
    return compressed.subarray(0, compressed.length - TAIL.length)
  }
}

const kept = new Map<string, Series>()

/** The series that was used least recently makes room for a new one. */
function seriesOf(name: CorpusName, length: number): Series {
  const key = `${name} ${length}`
  const series = kept.get(key) ?? new Series(name, length)
  kept.delete(key)
  kept.set(key, series)
  const [oldest] = kept.keys()
  if (kept.size > MOST_SERIES && oldest !== undefined) kept.delete(oldest)
  return series
}

/** @param count how many of the case's messages to send */
export function compressedMessages(
  compressedCase: CompressedCase,
  agreement: Agreement,
  peer: Peer,
  isServer: boolean,
  count: number
): Messages {
  const { corpus, length, limit, fragment } = compressedCase
  const series = seriesOf(corpus, length)
  const { opcode } = series
  const [mine, theirs] = isServer ? [agreement.server, agreement.client] : [agreement.client, agreement.server]
  return {
    count,
    limit,
    send: index => peer.sendMessage(opcode, RSV1_BIT, series.compressed(index, mine), fragment),
    check: checkerOf(series, theirs),
  }
}

/**
 * What the peer sends uncompressed does not pass its compressor: from the first such message on, what it may refer back
 * to is written down here.
 */
function checkerOf(series: Series, direction: Direction): Messages['check'] {
  let window: Buffer | undefined
  return (index, opcode, payload, compressed) => {
    if (!compressed) {
      window ??= series.window(index, direction)
      return checkEcho(series.opcode, series.plain(index), opcode, payload)
    }
    if (window === undefined || !direction.contextTakeover) return series.check(index, opcode, payload, direction)
    const wrong = series.checkBehind(window, index, opcode, payload, direction)
    window = Buffer.concat([window, series.plain(index)]).subarray(-(2 ** direction.windowBits))
    return wrong
  }
}

/** What a message inflates to, or a sentence about why it does not. */
function inflate(payload: Buffer, expected: number, { windowBits }: Direction, window: Buffer): Buffer | string {
  // zlib allows references to all that it gave out in the same call: smaller calls make it keep to the window.
  const chunkSize = windowBits < LARGEST_WINDOW ? SMALLEST_CHUNK : Math.max(expected + 1, SMALLEST_CHUNK)
  const options = {
    windowBits,
    chunkSize,
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: expected + 1,
    ...dictionary(window),
  }
  try {
    return inflateRawSync(Buffer.concat([payload, TAIL]), options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') return `it has more than the ${expected} bytes that were sent`
    const window = `a window of ${2 ** windowBits} bytes`
    return `it does not inflate with ${window} (${message})`
  }
}

function dictionary(window: Buffer): { dictionary?: Buffer } {
  return window.length === 0 ? {} : { dictionary: window }
}

function keyOf({ contextTakeover, windowBits }: Direction): string {
  return `${contextTakeover} ${windowBits}`
}

function listIn(map: Map<string, Buffer[]>, key: string): Buffer[] {
  let list = map.get(key)
  if (list === undefined) {
    list = []
    map.set(key, list)
  }
  return list
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other)
}

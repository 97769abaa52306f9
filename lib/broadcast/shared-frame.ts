/** Messages that many connections send: encoded once for each variant, unmasked, as a server sends them. */
import { ENCODED_IN_PLACE_UP_TO, MAX_HEADER, writeFrame, writeHeader, writeTextFrame } from '../protocol/frame-serializer.ts'
import type { Compressor } from '../protocol/message-codec.ts'
import { copyOf } from '../protocol/message-memory.ts'
import { MisuseError } from '../protocol/misuse-error.ts'
import { FIN, Opcode, OPCODE_BITS, RSV1 } from '../protocol/opcode.ts'
import type { Output } from '../protocol/output.ts'
import { isValidUtf8 } from '../protocol/utf8.ts'
import type { FrameRange, SharedMessage } from '../transport/connection-setup.ts'

const SLAB_SIZE = 64 * 1024
/**
 * A frame of up to so many bytes costs less to copy than as a piece of its own for each receiver. A larger one has memory
 * of its own, which all receivers share while it waits for some of them.
 */
const COPIED = 16 * 1024

const NONE: FrameRange = { bytes: Buffer.alloc(0), start: 0, end: 0 }

/**
 * Writes frames one behind the other into slabs of their own, so that several broadcasts of a tick are one piece of
 * memory to each receiver.
 */
class SharedFrameWriter implements Output {
  readonly blocked = false
  memory = Buffer.allocUnsafeSlow(SLAB_SIZE)
  #used = 0
  #frame = NONE

  reserve(size: number): number {
    if (SLAB_SIZE - this.#used < size) {
      this.memory = Buffer.allocUnsafeSlow(Math.max(SLAB_SIZE, size))
      this.#used = 0
    }
    return this.#used
  }

  commit(size: number): void {
    const end = this.#used + size
    if (size > COPIED) {
      this.#frame = { bytes: copyOf(this.memory.subarray(this.#used, end)), start: 0, end: size }
      return
    }
    this.#frame = { bytes: this.memory, start: this.#used, end }
    this.#used = end
  }

  append(payload: Buffer): void {
    const { bytes, start, end } = this.#frame
    const frame = Buffer.concat([bytes.subarray(start, end), payload])
    this.#frame = { bytes: frame, start: 0, end: frame.length }
  }

  /** The frame that was written last, once: only its senders keep a large one. */
  take(): FrameRange {
    const frame = this.#frame
    this.#frame = NONE
    return frame
  }
}

// Two, so that the compressed variants do not come between the plain frames of a tick, which then are one piece.
const plainWriter = new SharedFrameWriter()
const compressedWriter = new SharedFrameWriter()

/** One message, as a frame, and as it is compressed for those who have agreed on that. */
export class SharedFrame implements SharedMessage {
  readonly opcode: Opcode
  /** The frame as it is. */
  readonly plain: FrameRange
  #payload: Buffer | undefined
  /** Made for the first connection that needs it. */
  #compressed: Map<Compressor, FrameRange> | undefined

  /** @param plain a whole unmasked frame, not compressed */
  constructor(plain: FrameRange) {
    this.plain = plain
    this.opcode = (plain.bytes[plain.start] & OPCODE_BITS) as Opcode
  }

  get payload(): Buffer {
    if (this.#payload !== undefined) return this.#payload
    const { bytes, start, end } = this.plain
    const small = bytes[start + 1]
    this.#payload = bytes.subarray(start + (small < 126 ? 2 : small === 126 ? 4 : 10), end)
    return this.#payload
  }

  frameFor(compressor: Compressor | undefined): FrameRange {
    // What takes long to compress would hold up everybody.
    if (compressor === undefined || this.payload.length > compressor.atOnceUpTo) return this.plain
    this.#compressed ??= new Map()
    const known = this.#compressed.get(compressor)
    if (known !== undefined) return known
    const made = this.#compress(compressor)
    this.#compressed.set(compressor, made)
    return made
  }

  #compress(compressor: Compressor): FrameRange {
    const { payload } = this
    const compressed = compressor.compress(payload)
    if (compressed.length >= payload.length) return this.plain
    writeFrame(compressedWriter, FIN | RSV1 | this.opcode, compressed, undefined, true)
    return compressedWriter.take()
  }
}

/**
 * Encodes a message for any number of receivers.
 *
 * @throws MisuseError `invalid-argument` for bytes sent as text that are not UTF-8
 */
export function encodeShared(opcode: Opcode, payload: string | Uint8Array): SharedFrame {
  if (typeof payload === 'string') {
    if (payload.length > ENCODED_IN_PLACE_UP_TO) return new SharedFrame(largeTextFrame(FIN | opcode, payload))
    writeTextFrame(plainWriter, FIN | opcode, payload, undefined)
  } else {
    if (opcode === Opcode.text && !isValidUtf8(payload, 0, payload.length)) {
      throw new MisuseError('invalid-argument', 'data sent as text must be valid UTF-8')
    }
    writeFrame(plainWriter, FIN | opcode, payload, undefined, false)
  }
  return new SharedFrame(plainWriter.take())
}

/** Encoded behind its header: a large text is not copied once more for that. */
function largeTextFrame(first: number, text: string): FrameRange {
  const size = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafeSlow(MAX_HEADER + size)
  const body = writeHeader(bytes, 0, first, size, undefined)
  bytes.write(text, body)
  return { bytes, start: 0, end: body + size }
}

/** Frames that many connections send: encoded once, unmasked, as a server sends them. */
import { isValidUtf8 } from '../protocol/utf8.ts'
import { writeFrame, writeTextFrame } from '../protocol/frame-serializer.ts'
import { MisuseError } from '../protocol/misuse-error.ts'
import { FIN, Opcode } from '../protocol/opcode.ts'
import type { Output } from '../protocol/output.ts'

/** One frame: `bytes[start, end)`. */
export interface SharedFrame {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

const SLAB_SIZE = 64 * 1024

/**
 * Writes frames one behind the other into slabs of their own, so that several broadcasts of a tick are one piece of
 * memory to each receiver. A large frame gets memory to itself.
 */
class SharedFrameWriter implements Output {
  readonly blocked = false
  memory = Buffer.allocUnsafeSlow(SLAB_SIZE)
  #used = 0
  #frame: SharedFrame = { bytes: this.memory, start: 0, end: 0 }

  reserve(size: number): number {
    if (SLAB_SIZE - this.#used < size) {
      this.memory = Buffer.allocUnsafeSlow(SLAB_SIZE)
      this.#used = 0
    }
    return this.#used
  }

  commit(size: number): void {
    const end = this.#used + size
    this.#frame = { bytes: this.memory, start: this.#used, end }
    this.#used = end
  }

  append(payload: Buffer): void {
    const { bytes, start, end } = this.#frame
    const frame = Buffer.concat([bytes.subarray(start, end), payload])
    this.#frame = { bytes: frame, start: 0, end: frame.length }
  }

  get frame(): SharedFrame {
    return this.#frame
  }
}

const writer = new SharedFrameWriter()

/**
 * Encodes a message for any number of receivers.
 *
 * @throws MisuseError `invalid-argument` for bytes sent as text that are not UTF-8
 */
export function encodeShared(opcode: Opcode, payload: string | Uint8Array): SharedFrame {
  if (typeof payload === 'string') {
    writeTextFrame(writer, FIN | opcode, payload, undefined)
  } else {
    if (opcode === Opcode.text && !isValidUtf8(payload, 0, payload.length)) {
      throw new MisuseError('invalid-argument', 'data sent as text must be valid UTF-8')
    }
    writeFrame(writer, FIN | opcode, payload, undefined, false)
  }
  return writer.frame
}

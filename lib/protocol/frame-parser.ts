/** Bytes to frames (RFC 6455, section 5.2): incremental, one byte at a time or a thousand frames in one read. */
import { isPlainAscii, rotateKey, xorInPlace } from './mask.ts'
import { CONTROL_BIT, FIN, MAX_CONTROL_PAYLOAD, OPCODE_BITS, Opcode, RSV1, RSV2, RSV3 } from './opcode.ts'
import { Violation, type ViolationName } from './violation.ts'

/** What a parser calls. Payloads are unmasked already and lent: good until the call returns. */
export interface FrameHandler {
  /** Looked at after each call: true makes the parser stop in front of the next frame. */
  readonly halted: boolean
  /** A frame that lies whole in `bytes[start, end)`; `first` is its first byte. */
  onFrame(first: number, bytes: Buffer, start: number, end: number, ascii: boolean): void
  /** A frame of `length` bytes of which not all is here yet: pieces follow. May throw a Violation to refuse it. */
  onFrameStart(first: number, length: number): void
  onFramePiece(bytes: Buffer, start: number, end: number, ascii: boolean): void
  onFrameEnd(): void
}

/** Role of the endpoint that receives: a server's peer masks, a client's peer doesn't (section 5.1). */
export type Role = 'server' | 'client'

/** For each first byte: undefined where the frame may begin so, else the violation. */
const FIRST_BYTE: readonly (ViolationName | undefined)[] = firstByteTable(0)
const FIRST_BYTE_WITH_RSV1: readonly (ViolationName | undefined)[] = firstByteTable(RSV1)

function firstByteTable(allowed: number): (ViolationName | undefined)[] {
  return Array.from({ length: 256 }, (_, first) => {
    const opcode = first & OPCODE_BITS
    // RSV1 marks the first frame of a compressed message only (RFC 7692, section 6.1).
    const mayCompress = opcode === Opcode.text || opcode === Opcode.binary
    const reserved = first & (RSV1 | RSV2 | RSV3) & ~(mayCompress ? allowed : 0)
    if (reserved !== 0) return 'reserved-bits'
    if ((opcode > Opcode.binary && opcode < Opcode.close) || opcode > Opcode.pong) return 'reserved-opcode'
    if ((opcode & CONTROL_BIT) !== 0 && (first & FIN) === 0) return 'fragmented-control'
    return undefined
  })
}

/** The 64-bit length in two halves: above this in the high half it passes 2^53-1. */
const MAX_SAFE_HIGH = 0x1f_ffff

export class FrameParser {
  readonly #handler: FrameHandler
  readonly #maskBit: number
  readonly #firstByte: readonly (ViolationName | undefined)[]
  /** Bytes of the frame under way that have not come yet; 0 between frames. */
  #missing = 0
  /** The masking key for the next byte of the frame under way. */
  #key = 0
  /** A header of which only a part has come; made when one is cut, and given up when it is whole. */
  #cutHeader: Buffer | undefined

  /** @param compression whether RSV1 has been agreed for data frames (permessage-deflate) */
  constructor(role: Role, handler: FrameHandler, compression = false) {
    this.#handler = handler
    this.#maskBit = role === 'server' ? 0x80 : 0
    this.#firstByte = compression ? FIRST_BYTE_WITH_RSV1 : FIRST_BYTE
  }

  /**
   * Parses `bytes[start, end)`, unmasking it in place, until it ends or the handler is halted.
   *
   * @returns where it stopped: `end`, or less where the handler halted
   * @throws Violation where the peer broke the protocol; the parser is of no use afterwards
   */
  parse(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.#missing > 0) at = this.#continueFrame(bytes, at, end)
    else if (this.#cutHeader !== undefined) at = this.#continueHeader(this.#cutHeader, bytes, at, end)
    return this.#parseFrames(bytes, at, end)
  }

  #parseFrames(bytes: Buffer, start: number, end: number): number {
    const handler = this.#handler
    const maskBit = this.#maskBit
    let at = start
    while (at < end && !handler.halted) {
      if (end - at < 2) {
        this.#cutHeader = Buffer.from(bytes.subarray(at, end))
        return end
      }
      const first = bytes[at]
      const second = bytes[at + 1]
      const small = second & 0x7f
      if ((second & 0x80) !== maskBit || this.#firstByte[first] !== undefined || small > MAX_CONTROL_PAYLOAD) {
        checkHeader(first, second, maskBit, this.#firstByte)
      }
      let body = at + 2 + (maskBit === 0 ? 0 : 4) + (small < 126 ? 0 : small === 126 ? 2 : 8)
      if (body > end) {
        this.#cutHeader = Buffer.from(bytes.subarray(at, end))
        return end
      }
      const length = small < 126 ? small : extendedLength(bytes, at + 2, small)
      const key = maskBit === 0 ? 0 : readKey(bytes, body - 4)
      const stop = body + length
      if (stop <= end) {
        const seen = maskBit === 0 ? -1 : xorInPlace(bytes, body, stop, key)
        at = stop
        handler.onFrame(first, bytes, body, stop, isPlainAscii(seen))
      } else {
        this.#beginFrame(first, length, key)
        return this.#continueFrame(bytes, body, end)
      }
    }
    return at
  }

  #beginFrame(first: number, length: number, key: number): void {
    this.#handler.onFrameStart(first, length)
    this.#missing = length
    this.#key = key
  }

  /** Hands on what has come of the frame under way. */
  #continueFrame(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#missing)
    const length = stop - start
    if (length === 0) return stop
    const seen = this.#maskBit === 0 ? -1 : xorInPlace(bytes, start, stop, this.#key)
    this.#key = rotateKey(this.#key, length)
    this.#missing -= length
    this.#handler.onFramePiece(bytes, start, stop, isPlainAscii(seen))
    if (this.#missing === 0) this.#handler.onFrameEnd()
    return stop
  }

  /** Completes a header that was cut, byte by byte, and starts its frame. */
  #continueHeader(cut: Buffer, bytes: Buffer, start: number, end: number): number {
    let at = start
    let header = cut
    for (;;) {
      const size = header.length < 2 ? 2 : headerSize(header)
      if (header.length >= 2) checkHeader(header[0], header[1], this.#maskBit, this.#firstByte)
      if (header.length === size) break
      const taken = Math.min(end - at, size - header.length)
      if (taken === 0) {
        this.#cutHeader = header
        return at
      }
      header = Buffer.concat([header, bytes.subarray(at, at + taken)])
      at += taken
    }
    this.#cutHeader = undefined
    const small = header[1] & 0x7f
    const length = small < 126 ? small : extendedLength(header, 2, small)
    const key = this.#maskBit === 0 ? 0 : readKey(header, header.length - 4)
    if (length === 0) {
      this.#handler.onFrame(header[0], header, 0, 0, true)
      return at
    }
    this.#beginFrame(header[0], length, key)
    return this.#continueFrame(bytes, at, end)
  }
}

/** What the first two bytes alone give away; the order is that in which RFC 6455, section 5.2, names the fields. */
function checkHeader(
  first: number,
  second: number,
  maskBit: number,
  firstByte: readonly (ViolationName | undefined)[]
): void {
  const violation = firstByte[first]
  if (violation !== undefined) throw new Violation(violation)
  if ((second & 0x80) !== maskBit) throw new Violation(maskBit === 0 ? 'masked-frame' : 'unmasked-frame')
  if ((first & CONTROL_BIT) !== 0 && (second & 0x7f) > MAX_CONTROL_PAYLOAD) throw new Violation('long-control')
}

/** How long a header is whose first two bytes are here. */
function headerSize(header: Buffer): number {
  const small = header[1] & 0x7f
  return 2 + ((header[1] & 0x80) === 0 ? 0 : 4) + (small < 126 ? 0 : small === 126 ? 2 : 8)
}

function extendedLength(bytes: Buffer, at: number, small: number): number {
  if (small === 126) {
    const length = (bytes[at] << 8) | bytes[at + 1]
    if (length < 126) throw new Violation('length-not-minimal')
    return length
  }
  const high = bytes.readUInt32BE(at)
  if (high > 0x7fff_ffff) throw new Violation('length-top-bit')
  if (high > MAX_SAFE_HIGH) throw new Violation('length-unsafe')
  const length = high * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
  if (length < 65536) throw new Violation('length-not-minimal')
  return length
}

function readKey(bytes: Buffer, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
}

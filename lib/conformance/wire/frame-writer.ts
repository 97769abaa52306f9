/** Frames as bytes, right or wrong (RFC 6455, section 5.2): nothing that is asked for is refused. */
import { FIN, Opcode } from '../../protocol/opcode.ts'
import { mask, writeKey } from './mask.ts'

const KEY_LENGTH = 4
const MASK_BIT = 0x80
/** RSV1 to RSV3 lie below FIN. */
const RSV_SHIFT = 4
const LENGTH_16 = 126
const LENGTH_64 = 127

export interface FrameHead {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
}

/** One frame; a masked one has a random key. */
export function frameBytes(head: FrameHead, payload: Buffer, masked: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(frameLength(payload.length, masked))
  writeFrame(bytes, 0, head, payload, masked)
  return bytes
}

/** A header that promises `length` bytes, with its key if there is one. */
export function headerBytes(head: FrameHead, length: number, masked: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(frameLength(length, masked) - length)
  writeHeader(bytes, 0, head, length, masked)
  return bytes
}

/** Where the frames of a message are cut. A payload that is a multiple of `fragment` ends with an empty frame. */
export function cutsOf(length: number, fragment: number): number[] {
  if (fragment === 0 || length <= fragment) return [length]
  const cuts: number[] = []
  for (let end = fragment; end <= length; end += fragment) cuts.push(end)
  return [...cuts, length]
}

/** A message, in frames of `fragment` bytes, all in one piece of memory; 0: in one frame. */
export function messageBytes(head: FrameHead, payload: Buffer, fragment: number, masked: boolean): Buffer {
  const cuts = cutsOf(payload.length, fragment)
  if (cuts.length === 1) return frameBytes({ ...head, fin: true }, payload, masked)
  const most = frameLength(fragment, masked) - fragment
  const bytes = Buffer.allocUnsafe(payload.length + most * cuts.length)
  let at = 0
  let from = 0
  for (const [index, to] of cuts.entries()) {
    const fin = index === cuts.length - 1
    const own = index === 0 ? { ...head, fin } : { opcode: Opcode.continuation, fin, rsv: 0 }
    at = writeFrame(bytes, at, own, payload.subarray(from, to), masked)
    from = to
  }
  return bytes.subarray(0, at)
}

function frameLength(length: number, masked: boolean): number {
  return 2 + (length < LENGTH_16 ? 0 : length < 65_536 ? 2 : 8) + (masked ? KEY_LENGTH : 0) + length
}

/** Returns where the frame ends. */
function writeFrame(bytes: Buffer, at: number, head: FrameHead, payload: Buffer, masked: boolean): number {
  const start = writeHeader(bytes, at, head, payload.length, masked)
  const end = start + payload.length
  payload.copy(bytes, start)
  if (masked) mask(bytes, start, end, bytes, start - KEY_LENGTH)
  return end
}

/** Returns where the payload begins. */
function writeHeader(
  bytes: Buffer,
  at: number,
  { opcode, fin, rsv }: FrameHead,
  length: number,
  masked: boolean
): number {
  const bit = masked ? MASK_BIT : 0
  bytes[at] = (fin ? FIN : 0) | (rsv << RSV_SHIFT) | opcode
  let next = at + 2
  if (length < LENGTH_16) {
    bytes[at + 1] = bit | length
  } else if (length < 65_536) {
    bytes[at + 1] = bit | LENGTH_16
    next = bytes.writeUInt16BE(length, next)
  } else {
    bytes[at + 1] = bit | LENGTH_64
    next = bytes.writeBigUInt64BE(BigInt(length), next)
  }
  if (!masked) return next
  writeKey(bytes, next)
  return next + KEY_LENGTH
}

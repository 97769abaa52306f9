/** A frame whose mask, length and form of the length can each be wrong (RFC 6455, section 5.2). */
import { FIN } from '../../protocol/opcode.ts'
import { toBuffer, type RawFrame } from '../case.ts'
import { mask, writeKey } from './mask.ts'

const KEY_LENGTH = 4
const MASK_BIT = 0x80
const RSV_SHIFT = 4
/** The second byte where the length is in so many bytes behind it. */
const FORMS = { 2: 126, 8: 127 } as const

/** @param isClient frames are masked, where the frame does not say otherwise */
export function rawFrameBytes(frame: RawFrame, isClient: boolean): Buffer {
  const payload = Buffer.from(toBuffer(frame.payload))
  const masked = frame.masked ?? isClient
  const length = frame.claim ?? BigInt(payload.length)
  const form = frame.form ?? shortest(length)
  const head = Buffer.alloc(2 + form)
  head[0] = (frame.fin ? FIN : 0) | (frame.rsv << RSV_SHIFT) | frame.opcode
  head[1] = (masked ? MASK_BIT : 0) | (form === 0 ? Number(length) : FORMS[form])
  if (form === 2) head.writeUInt16BE(Number(length), 2)
  else if (form === 8) head.writeBigUInt64BE(length, 2)
  if (!masked) return Buffer.concat([head, payload])
  const key = Buffer.alloc(KEY_LENGTH)
  if (frame.key === undefined) writeKey(key, 0)
  else toBuffer(frame.key).copy(key)
  mask(payload, 0, payload.length, key, 0)
  return Buffer.concat([head, key, payload])
}

function shortest(length: bigint): 0 | 2 | 8 {
  return length < 126n ? 0 : length < 65_536n ? 2 : 8
}

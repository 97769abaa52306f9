/** The payload of a close frame: code and reason (RFC 6455, section 5.5.1). */
import { CloseCode, isWireCloseCode, WIRE_CLOSE_CODES } from './close-code.ts'
import { MisuseError, show } from './misuse-error.ts'
import { MAX_CONTROL_PAYLOAD } from './opcode.ts'
import { isValidUtf8 } from './utf8.ts'
import { Violation } from './violation.ts'

/** A reason has at most this many bytes of UTF-8. */
export const MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2

export interface ClosePayload {
  /** 1005 where the frame was empty. */
  readonly code: number
  readonly reason: string
}

/** What a received close frame says; throws the Violation where it says it wrongly. */
export function parseClosePayload(bytes: Buffer, start: number, end: number): ClosePayload {
  if (start === end) return { code: CloseCode.noStatus, reason: '' }
  if (end - start === 1) throw new Violation('close-payload-size')
  const code = bytes.readUInt16BE(start)
  if (!isWireCloseCode(code)) throw new Violation('close-code')
  if (!isValidUtf8(bytes, start + 2, end)) throw new Violation('close-reason-utf8')
  return { code, reason: bytes.toString('utf8', start + 2, end) }
}

/**
 * The payload for a close frame of ours; empty without a code.
 *
 * @throws MisuseError `invalid-argument` for a code that may not travel, a reason of over 123 bytes, or a reason
 *   without a code
 */
export function encodeClosePayload(code?: number, reason = ''): Buffer {
  if (typeof reason !== 'string') throw new MisuseError('invalid-argument', 'reason must be a string')
  if (code === undefined) {
    if (reason !== '') throw new MisuseError('invalid-argument', 'a reason needs a code: pass 1000 or 3000 to 4999')
    return Buffer.alloc(0)
  }
  if (!isWireCloseCode(code)) {
    throw new MisuseError('invalid-argument', `code must be ${WIRE_CLOSE_CODES}, and not ${show(code)}`)
  }
  const size = Buffer.byteLength(reason)
  if (size > MAX_CLOSE_REASON) {
    throw new MisuseError('invalid-argument', `reason must be at most ${MAX_CLOSE_REASON} bytes of UTF-8, and not ${size}`)
  }
  const payload = Buffer.alloc(2 + size)
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

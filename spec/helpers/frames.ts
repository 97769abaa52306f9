/** Frames as hex strings, built the slow and obvious way: what the specs hold lib against. */

/** The masking key of RFC 6455's own examples (section 5.7). */
export const KEY = '37fa213d'

/** Bytes from hex; spaces are for the reader. */
export function bytes(hex: string): Buffer {
  const digits = hex.replaceAll(' ', '')
  const result = Buffer.from(digits, 'hex')
  if (result.length * 2 !== digits.length) throw new Error(`not hex: ${hex}`)
  return result
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex')
}

/** An unmasked frame; a payload given as a string is text. */
export function frame(first: string, payload: string | Uint8Array = ''): string {
  const body = Buffer.from(payload as string)
  return first + lengthField(body.length) + hex(body)
}

/** An unmasked close frame. */
export function closeFrame(code: number, reason = ''): string {
  return frame('88', Buffer.concat([bytes(code.toString(16).padStart(4, '0')), Buffer.from(reason)]))
}

/** The same frame masked, with key, as a client sends it. The frame may be cut in its payload. */
export function masked(unmasked: string, key = KEY): string {
  const frame = bytes(unmasked)
  const keyBytes = bytes(key)
  const small = frame[1] & 0x7f
  const header = small < 126 ? 2 : small === 126 ? 4 : 10
  const head = Buffer.from(frame.subarray(0, header))
  head[1] = head[1] | 0x80
  const body = frame.subarray(header).map((byte, i) => byte ^ keyBytes[i % 4])
  return hex(head) + key + hex(body)
}

function lengthField(length: number): string {
  if (length < 126) return length.toString(16).padStart(2, '0')
  if (length < 65536) return '7e' + length.toString(16).padStart(4, '0')
  return '7f' + length.toString(16).padStart(16, '0')
}

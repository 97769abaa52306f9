/** Frames to bytes, right or wrong, and where they lie in a stream (RFC 6455, section 5.2): slow and obvious. */

export const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]
export const [FIN, RSV1] = [0x80, 0x40]

/** The bytes of a length field in one of its three forms, however wrong. */
export function lengthField(length, form) {
  if (form === 7) return Buffer.from([length & 0x7f])
  const field = Buffer.alloc(form === 16 ? 3 : 9)
  field[0] = form === 16 ? 126 : 127
  if (form === 16) field.writeUInt16BE(length & 0xffff, 1)
  else field.writeBigUInt64BE(BigInt.asUintN(64, BigInt(length)), 1)
  return field
}

export function shortestForm(length) {
  return length < 126 ? 7 : length < 65536 ? 16 : 64
}

/** One frame. `key`: 4 bytes, or undefined for no mask; `claim`: what the length field says, if not the truth. */
export function frame(first, payload, key, form = shortestForm(payload.length), claim = payload.length) {
  const field = lengthField(claim, form)
  if (key === undefined) return Buffer.concat([Buffer.from([first]), field, payload])
  field[0] |= 0x80
  return Buffer.concat([Buffer.from([first]), field, key, payload.map((byte, i) => byte ^ key[i & 3])])
}

/**
 * The header at `at`: its fields, where the payload begins and ends; undefined where not all of it is there.
 * `masked` is what the bit says.
 */
export function headerAt(stream, at) {
  if (stream.length - at < 2) return undefined
  const small = stream[at + 1] & 0x7f
  const masked = (stream[at + 1] & 0x80) !== 0
  const field = small < 126 ? 0 : small === 126 ? 2 : 8
  const body = at + 2 + field + (masked ? 4 : 0)
  if (body > stream.length) return undefined
  const long =
    field === 2 ? BigInt(stream.readUInt16BE(at + 2)) : field === 8 ? stream.readBigUInt64BE(at + 2) : undefined
  const key = masked ? stream.subarray(body - 4, body) : undefined
  return { at, first: stream[at], form: field === 0 ? 7 : 8 * field, length: long ?? BigInt(small), body, key }
}

/** The payload at a header, unmasked, as far as it is there. */
export function payloadAt(stream, { body, length, key }) {
  const end = length > BigInt(stream.length - body) ? stream.length : body + Number(length)
  const payload = Buffer.from(stream.subarray(body, end))
  if (key !== undefined) for (let i = 0; i < payload.length; i++) payload[i] ^= key[i & 3]
  return payload
}

/** Where the frames of a stream begin, as far as their headers say. */
export function frameStarts(stream) {
  const starts = []
  let at = 0
  while (at < stream.length) {
    starts.push(at)
    const header = headerAt(stream, at)
    if (header === undefined || header.length > BigInt(stream.length - header.body)) break
    at = header.body + Number(header.length)
  }
  return starts
}

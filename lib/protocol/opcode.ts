/** Frame opcodes (RFC 6455, section 5.2) and the bits of a frame's first byte. */

export const Opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const
export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** What a message can be: text or binary. */
export type DataOpcode = typeof Opcode.text | typeof Opcode.binary

/** The last frame of its message. */
export const FIN = 0x80
/** Reserved bits: RSV1 means "compressed" where permessage-deflate was agreed (RFC 7692, section 6). */
export const RSV1 = 0x40
export const RSV2 = 0x20
export const RSV3 = 0x10
export const OPCODE_BITS = 0x0f

/** Control frames have the high bit of the opcode set (section 5.5). */
export const CONTROL_BIT = 0x08
/** A control frame carries at most this many bytes (section 5.5). */
export const MAX_CONTROL_PAYLOAD = 125

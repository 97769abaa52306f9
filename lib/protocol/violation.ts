/**
 * Every way in which a peer can break the protocol, one row each: name -> [close code, sentence, section of RFC 6455].
 * The sentence travels as the reason of the close frame, so it has at most 123 bytes.
 */
import { CloseCode } from './close-code.ts'

export const VIOLATIONS = {
  'reserved-bits': [CloseCode.protocolError, 'a reserved bit is set that no extension has been agreed for', '5.2'],
  'reserved-opcode': [CloseCode.protocolError, 'the opcode is reserved', '5.2'],
  'unmasked-frame': [CloseCode.protocolError, 'a client must mask its frames', '5.1'],
  'masked-frame': [CloseCode.protocolError, 'a server must not mask its frames', '5.1'],
  'fragmented-control': [CloseCode.protocolError, 'a control frame must not be fragmented', '5.5'],
  'long-control': [CloseCode.protocolError, 'a control frame carries at most 125 bytes', '5.5'],
  'length-top-bit': [CloseCode.protocolError, 'the top bit of a 64-bit length must be 0', '5.2'],
  'length-not-minimal': [CloseCode.protocolError, 'a length must be written in as few bytes as possible', '5.2'],
  'length-unsafe': [CloseCode.messageTooBig, 'a frame is longer than 2^53-1 bytes', '7.4.1'],
  'message-too-big': [CloseCode.messageTooBig, 'the message is larger than the limit', '7.4.1'],
  'too-much-retained': [CloseCode.messageTooBig, 'the message takes more memory than the limit', '7.4.1'],
  'unexpected-continuation': [CloseCode.protocolError, 'a continuation frame came with no message open', '5.4'],
  'expected-continuation': [CloseCode.protocolError, 'a new message began before the last one had ended', '5.4'],
  'invalid-utf8': [CloseCode.invalidPayload, 'a text message is not valid UTF-8', '8.1'],
  'close-payload-size': [CloseCode.protocolError, 'a close frame of one byte has no room for its code', '5.5.1'],
  'close-code': [CloseCode.protocolError, 'the close code may not be sent', '7.4'],
  'close-reason-utf8': [CloseCode.invalidPayload, 'the close reason is not valid UTF-8', '5.5.1'],
  'invalid-deflate': [CloseCode.invalidPayload, 'a compressed message is not valid DEFLATE data', 'RFC 7692, 7.2.2'],
} as const satisfies Record<string, readonly [closeCode: number, sentence: string, section: string]>

export type ViolationName = keyof typeof VIOLATIONS

/** The peer broke the protocol. The endpoint fails the connection with `closeCode` (RFC 6455, section 7.1.7). */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** The row of the table: stable, made for programs. */
  readonly code: ViolationName
  /** What the close frame says. */
  readonly closeCode: number
  /** The section that was broken: of RFC 6455 where no other is named. */
  readonly section: string

  constructor(code: ViolationName) {
    const [closeCode, sentence, section] = VIOLATIONS[code]
    super(sentence)
    this.code = code
    this.closeCode = closeCode
    this.section = section
  }
}

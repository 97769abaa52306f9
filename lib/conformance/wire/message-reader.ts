/** What comes from the peer, judged by the rules of RFC 6455, sections 5 and 8.1: messages, control frames, violations. */
import { isUtf8 } from 'node:buffer'
import { CloseCode, isWireCloseCode } from '../../protocol/close-code.ts'
import { CONTROL_BIT, MAX_CONTROL_PAYLOAD, Opcode } from '../../protocol/opcode.ts'
import type { DataOpcode } from '../case.ts'
import { FrameReader, type ReceivedFrame } from './frame-reader.ts'

const RSV1_BIT = 4
/** Twice the longest message that a case sends. */
const MAX_MESSAGE = 32 * 1024 * 1024

export interface MessageHandler {
  /** Every frame, before anything else is said about it. */
  frame(frame: ReceivedFrame): void
  /** A whole message; compressed: still to be inflated, and not checked to be UTF-8. */
  message(opcode: DataOpcode, payload: Buffer, compressed: boolean): void
  ping(payload: Buffer): void
  pong(payload: Buffer): void
  /** A close frame; `wrong` says what its payload must not be. */
  close(payload: Buffer, wrong: string | undefined): void
  /** A rule was broken: what was sent, as the end of a sentence, and the close code for it. */
  violation(wrong: string, code: number): void
}

export class MessageReader {
  readonly #handler: MessageHandler
  readonly #compressed: boolean
  readonly #frames: FrameReader
  /** The first frame of the message under way, and its payloads so far. */
  #first: ReceivedFrame | undefined
  #parts: Buffer[] = []
  #length = 0

  /**
   * @param masked whether frames have to be masked, or must not be
   * @param compressed whether permessage-deflate was agreed on
   */
  constructor(masked: boolean, compressed: boolean, handler: MessageHandler) {
    this.#handler = handler
    this.#compressed = compressed
    this.#frames = new FrameReader(
      masked,
      frame => this.#receive(frame),
      wrong => this.#violation(wrong)
    )
  }

  push(chunk: Buffer): void {
    this.#frames.push(chunk)
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#frames.stop()
  }

  #violation(wrong: string, code: number = CloseCode.protocolError): void {
    this.#handler.violation(wrong, code)
  }

  #receive(frame: ReceivedFrame): void {
    this.#handler.frame(frame)
    const isControl = (frame.opcode & CONTROL_BIT) !== 0
    const wrong = isControl ? wrongControl(frame) : this.#wrongData(frame)
    if (wrong !== undefined) this.#violation(wrong)
    else if (isControl) this.#receiveControl(frame)
    else this.#receiveData(frame)
  }

  #receiveControl({ opcode, payload }: ReceivedFrame): void {
    if (opcode === Opcode.ping) this.#handler.ping(payload)
    else if (opcode === Opcode.pong) this.#handler.pong(payload)
    else this.#handler.close(payload, wrongClose(payload))
  }

  #wrongData({ opcode, rsv }: ReceivedFrame): string | undefined {
    const isContinuation = opcode === Opcode.continuation
    if (opcode > Opcode.binary) return `the reserved opcode ${opcode}`
    if (isContinuation && this.#first === undefined) return 'a continuation where nothing is to be continued'
    if (!isContinuation && this.#first !== undefined) return 'a new message inside of a message'
    const allowed = this.#compressed && !isContinuation ? RSV1_BIT : 0
    return (rsv & ~allowed) === 0 ? undefined : 'a frame with reserved bits'
  }

  #receiveData(frame: ReceivedFrame): void {
    const first = this.#first ?? frame
    this.#first = first
    this.#parts.push(frame.payload)
    this.#length += frame.payload.length
    if (this.#length > MAX_MESSAGE) this.#violation('a message that is too large', CloseCode.messageTooBig)
    else if (frame.fin) this.#deliver(first.opcode as DataOpcode, (first.rsv & RSV1_BIT) !== 0)
  }

  #deliver(opcode: DataOpcode, compressed: boolean): void {
    const payload = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
    this.#first = undefined
    this.#parts = []
    this.#length = 0
    const isValid = opcode !== Opcode.text || compressed || isUtf8(payload)
    if (isValid) this.#handler.message(opcode, payload, compressed)
    else this.#violation('text that is no UTF-8', CloseCode.invalidPayload)
  }
}

function wrongControl({ opcode, fin, rsv, payload }: ReceivedFrame): string | undefined {
  if (opcode > Opcode.pong) return `the reserved opcode ${opcode}`
  if (!fin) return 'a control frame in fragments'
  if (payload.length > MAX_CONTROL_PAYLOAD) return `a control frame of ${payload.length} bytes`
  return rsv === 0 ? undefined : 'a control frame with reserved bits'
}

function wrongClose(payload: Buffer): string | undefined {
  if (payload.length === 0) return undefined
  if (payload.length === 1) return 'a close frame with half a code'
  const code = payload.readUInt16BE()
  if (!isWireCloseCode(code)) return `a close frame with code ${code}`
  return isUtf8(payload.subarray(2)) ? undefined : 'a close frame with a reason that is no UTF-8'
}

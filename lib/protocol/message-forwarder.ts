/** A message that is handed on piece by piece as it comes, instead of being put together (RFC 6455, section 5.4). */
import type { MessageBuilder } from './message-assembler.ts'
import { Opcode, type DataOpcode } from './opcode.ts'
import { Utf8Validator } from './utf8.ts'
import { Violation } from './violation.ts'

/** Where the pieces go. */
export interface PieceSink {
  onMessagePiece(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void
  onMessageEnd(opcode: DataOpcode): void
}

export class MessageForwarder implements MessageBuilder {
  readonly opcode: DataOpcode
  readonly compressed = false
  readonly limit: number
  length = 0
  readonly #sink: PieceSink
  readonly #utf8: Utf8Validator | undefined

  constructor(opcode: DataOpcode, limit: number, sink: PieceSink) {
    this.opcode = opcode
    this.limit = limit
    this.#sink = sink
    this.#utf8 = opcode === Opcode.text ? new Utf8Validator() : undefined
  }

  /** Nothing is kept of it. */
  get memory(): number {
    return 0
  }

  expect(more: number): void {
    if (more > this.limit - this.length) throw new Violation('message-too-big')
  }

  /** Hands a piece on; text is checked first, so that nothing of a bad text follows its first bad byte. */
  append(bytes: Buffer, start: number, end: number): void {
    if (this.#utf8 !== undefined && !this.#utf8.push(bytes, start, end)) throw new Violation('invalid-utf8')
    this.length += end - start
    if (end > start) this.#sink.onMessagePiece(this.opcode, bytes, start, end)
  }

  finish(): void {
    if (this.#utf8 !== undefined && !this.#utf8.complete) throw new Violation('invalid-utf8')
    this.#sink.onMessageEnd(this.opcode)
  }
}

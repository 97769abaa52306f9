/**
 * The rules of one end of a connection (RFC 6455, sections 5 to 7): bytes in, messages and answers out.
 * Pure: no socket, no timer, no promise, no event emitter. Server or client is a value.
 */
import { checkAmount } from './amount.ts'
import { CloseCode } from './close-code.ts'
import { encodeClosePayload, parseClosePayload } from './close-payload.ts'
import { FrameParser, type Role } from './frame-parser.ts'
import { writeFrame, writeTextFrame } from './frame-serializer.ts'
import { randomMaskingKey } from './masking-key.ts'
import { MessageAssembler } from './message-assembler.ts'
import { MisuseError } from './misuse-error.ts'
import { CONTROL_BIT, FIN, MAX_CONTROL_PAYLOAD, OPCODE_BITS, Opcode, type DataOpcode } from './opcode.ts'
import type { Output } from './output.ts'
import { EndpointState, TRANSITIONS, type EndpointEvent } from './states.ts'
import { isValidUtf8 } from './utf8.ts'
import { Violation } from './violation.ts'

/**
 * What an Endpoint calls, at rest: the sink may send, close, pause or resume from inside a call. It must not throw; if
 * it does, the endpoint fails with 1011 and the error goes on to the caller of `receive`.
 */
export interface EndpointSink {
  /**
   * A whole message: `bytes[start, end)`, unmasked, valid UTF-8 where it is text. Lent: good until the call returns,
   * unless `bytes` is not what `receive` was given, in which case it is the message's own memory.
   *
   * @param ascii whether a text is known to be plain ASCII
   */
  onMessage(opcode: DataOpcode, bytes: Buffer, start: number, end: number, ascii: boolean): void
  /** A ping, already answered; its payload is lent. */
  onPing(bytes: Buffer, start: number, end: number): void
  onPong(bytes: Buffer, start: number, end: number): void
  /**
   * The connection is over, once: by the peer's close frame (its code, 1005 without one), a failure of ours (the code
   * that was sent; `violation` where the peer broke the protocol), or the end of the transport (1006).
   */
  onClose(code: number, reason: string, violation: Violation | undefined): void
}

export interface EndpointOptions {
  readonly role: Role
  /** The most bytes a message may have; more is answered with 1009. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** Where a client's masking keys come from; the first byte lowest. Default: a pool of `crypto` random bytes. */
  readonly maskingKey?: (() => number) | undefined
}

/** 16 MiB: what a message may have unless the options say otherwise. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** Also the FrameHandler of its own parser: no object more for each connection. */
export class Endpoint {
  /** @internal Whether the parser has to stop in front of the next frame. */
  halted = false

  readonly #sink: EndpointSink
  readonly #output: Output
  readonly #parser: FrameParser
  readonly #maxMessageBytes: number
  readonly #maskingKey: (() => number) | undefined
  #state: EndpointState = EndpointState.open
  #paused = false
  #receiving = false
  /** What came while paused, not parsed yet. */
  #unread: Buffer | undefined
  /** The message under way, where it has more than one frame or a frame that has not all come. */
  #message: MessageAssembler | undefined
  /** The frame under way: its first byte, the message it belongs to (none for a control frame), that message's bound. */
  #first = 0
  #into: MessageAssembler | undefined
  #most = 0
  /** The length of the last message that came in pieces: another of that length gets its memory in one go. */
  #lastLength = 0
  /** What has come of a control frame under way. */
  #control: Buffer = EMPTY
  /** The newest ping that is not answered yet, because earlier output still waits. */
  #owedPong: Buffer | undefined

  /** @throws MisuseError `invalid-option` for a limit that is no amount of bytes */
  constructor(sink: EndpointSink, output: Output, options: EndpointOptions) {
    this.#sink = sink
    this.#output = output
    this.#parser = new FrameParser(options.role, this)
    this.#maxMessageBytes = checkAmount('maxMessageBytes', options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES, 'bytes')
    this.#maskingKey = options.role === 'client' ? (options.maskingKey ?? randomMaskingKey) : undefined
  }

  get state(): EndpointState {
    return this.#state
  }

  get paused(): boolean {
    return this.#paused
  }

  /**
   * Parses `bytes[start, end)` from the peer, all of it by default, unmasking it in place. Bytes that a pause leaves unread are copied and kept.
   *
   * @throws MisuseError `invalid-state` inside a call of the sink: the bytes at hand come first
   */
  receive(bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.#receiving) throw new MisuseError('invalid-state', 'receive can not be called from inside a callback')
    if (this.#state === EndpointState.closed) return
    if (this.#unread !== undefined || this.halted) {
      const more = bytes.subarray(start, end)
      this.#unread = this.#unread === undefined ? Buffer.from(more) : Buffer.concat([this.#unread, more])
      return
    }
    this.#parse(bytes, start, end, false)
  }

  /** The transport ended. Without a closing handshake that is an abnormal closure, 1006 (section 7.1.5). */
  transportEnded(): void {
    this.#over('transport-ended', CloseCode.abnormal, '', undefined)
  }

  /** No message is handed over after the one at hand, until `resume`. */
  pause(): void {
    this.#paused = true
    this.halted = true
  }

  /** Goes on, with what came meanwhile first. Inside a call of the sink it only takes the pause back. */
  resume(): void {
    this.#paused = false
    this.halted = this.#state === EndpointState.closed
    const unread = this.#unread
    if (unread === undefined || this.#receiving || this.halted) return
    this.#unread = undefined
    this.#parse(unread, 0, unread.length, true)
  }

  /**
   * Sends a message of one frame. False, and nothing sent, where a close frame is out or the connection is over.
   *
   * @param lent whether the memory of `data` is the caller's again right after; else a large payload is not copied
   * @throws MisuseError `invalid-argument` for text given as bytes that are not UTF-8
   */
  send(opcode: DataOpcode, data: string | Uint8Array, lent = false): boolean {
    if (this.#state !== EndpointState.open) return false
    const key = this.#maskingKey?.()
    if (typeof data === 'string') {
      writeTextFrame(this.#output, FIN | opcode, data, key)
    } else {
      if (opcode === Opcode.text && !isValidUtf8(data, 0, data.length)) {
        throw new MisuseError('invalid-argument', 'data sent as text must be valid UTF-8')
      }
      writeFrame(this.#output, FIN | opcode, data, key, lent)
    }
    return true
  }

  /** Sends a ping (section 5.5.2). @throws MisuseError `invalid-argument` for a payload of over 125 bytes */
  ping(payload: Uint8Array): boolean {
    return this.#sendPing(Opcode.ping, payload)
  }

  /** Sends a pong nobody asked for (section 5.5.3). @throws MisuseError as `ping` does */
  pong(payload: Uint8Array): boolean {
    return this.#sendPing(Opcode.pong, payload)
  }

  /**
   * Starts the closing handshake (section 7.1.2); without effect once a close frame is out.
   *
   * @throws MisuseError `invalid-argument` for a code that may not travel or a reason of over 123 bytes
   */
  close(code?: number, reason?: string): void {
    const payload = encodeClosePayload(code, reason)
    this.#sendClose('close-sent', payload)
  }

  /**
   * Fails the connection (section 7.1.7): a close frame where none is out yet, and nothing is read any more.
   *
   * @throws MisuseError as `close` does
   */
  fail(code: number, reason: string): void {
    this.#fail(code, reason, undefined)
  }

  /** Earlier output has gone: a pong that waited for it is written. */
  outputUnblocked(): void {
    const owed = this.#owedPong
    if (owed === undefined) return
    this.#owedPong = undefined
    this.#writeControl(Opcode.pong, owed)
  }

  /** @internal */
  onFrame(first: number, bytes: Buffer, start: number, end: number, ascii: boolean): void {
    const opcode = first & OPCODE_BITS
    if ((opcode === Opcode.text || opcode === Opcode.binary) && (first & FIN) !== 0 && this.#message === undefined) {
      if (end - start > this.#maxMessageBytes) throw new Violation('message-too-big')
      if (opcode === Opcode.text && !ascii && !isValidUtf8(bytes, start, end)) throw new Violation('invalid-utf8')
      this.#sink.onMessage(opcode, bytes, start, end, ascii)
    } else if ((opcode & CONTROL_BIT) !== 0) {
      this.#onControl(opcode, bytes, start, end)
    } else {
      this.onFrameStart(first, end - start)
      this.onFramePiece(bytes, start, end, ascii)
      this.onFrameEnd()
    }
  }

  /** @internal */
  onFrameStart(first: number, length: number): void {
    this.#first = first
    this.#into = undefined
    if ((first & CONTROL_BIT) !== 0) return
    const opcode = (first & OPCODE_BITS) as DataOpcode | typeof Opcode.continuation
    let message = this.#message
    if (opcode === Opcode.continuation) {
      if (message === undefined) throw new Violation('unexpected-continuation')
    } else {
      if (message !== undefined) throw new Violation('expected-continuation')
      message = this.#message = new MessageAssembler(opcode, this.#maxMessageBytes)
    }
    message.expect(length)
    this.#into = message
    this.#most = (first & FIN) === 0 ? this.#maxMessageBytes : message.length + length
  }

  /** @internal */
  onFramePiece(bytes: Buffer, start: number, end: number, ascii: boolean): void {
    if (this.#into === undefined) {
      this.#control = Buffer.concat([this.#control, bytes.subarray(start, end)])
    } else {
      // Only a frame that ends the message tells how long it will be.
      const likely = (this.#first & FIN) === 0 ? 0 : this.#lastLength
      this.#into.append(bytes, start, end, ascii, this.#most, likely)
    }
  }

  /** @internal */
  onFrameEnd(): void {
    const message = this.#into
    if (message === undefined) {
      const control = this.#control
      this.#control = EMPTY
      this.#onControl(this.#first & OPCODE_BITS, control, 0, control.length)
    } else if ((this.#first & FIN) !== 0) {
      const bytes = message.finish()
      this.#lastLength = bytes.length
      this.#message = this.#into = undefined
      this.#sink.onMessage(message.opcode, bytes, 0, bytes.length, message.ascii)
    }
  }

  #onControl(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.ping) {
      this.#answerPing(bytes, start, end)
      this.#sink.onPing(bytes, start, end)
    } else if (opcode === Opcode.pong) {
      this.#sink.onPong(bytes, start, end)
    } else {
      const { code, reason } = parseClosePayload(bytes, start, end)
      // Section 5.5.1: the answer typically echoes the code; with the reason, as most endpoints do.
      this.#sendClose('close-received', bytes.subarray(start, end))
      this.#over('close-received', code, reason, undefined)
    }
  }

  /**
   * Section 5.5.3: of several pings that wait for an answer, only the newest need get one. Section 5.5.2: they are
   * answered until the peer's close frame has come, so also behind a close frame of ours.
   */
  #answerPing(bytes: Buffer, start: number, end: number): void {
    const payload = bytes.subarray(start, end)
    if (this.#output.blocked) {
      this.#owedPong = Buffer.from(payload)
    } else {
      this.#owedPong = undefined
      this.#writeControl(Opcode.pong, payload)
    }
  }

  #sendPing(opcode: Opcode, payload: Uint8Array): boolean {
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new MisuseError('invalid-argument', `payload must be at most 125 bytes, and not ${payload.length}`)
    }
    if (this.#state !== EndpointState.open) return false
    this.#writeControl(opcode, payload)
    return true
  }

  #writeControl(opcode: Opcode, payload: Uint8Array): void {
    writeFrame(this.#output, FIN | opcode, payload, this.#maskingKey?.(), true)
  }

  /** Sends a close frame if the transition table has one here, after the pong that is still owed. */
  #sendClose(event: EndpointEvent, payload: Uint8Array): void {
    const [next, sendsClose] = TRANSITIONS[this.#state][event]
    if (sendsClose) {
      this.outputUnblocked()
      this.#writeControl(Opcode.close, payload)
    }
    if (next !== EndpointState.closed) this.#state = next
  }

  #fail(code: number, reason: string, violation: Violation | undefined): void {
    this.#sendClose('failed', encodeClosePayload(code, reason))
    this.#over('failed', code, reason, violation)
  }

  #over(event: EndpointEvent, code: number, reason: string, violation: Violation | undefined): void {
    if (this.#state === EndpointState.closed) return
    this.#state = TRANSITIONS[this.#state][event][0]
    this.halted = true
    this.#unread = this.#message = this.#into = this.#owedPong = undefined
    this.#control = EMPTY
    this.#sink.onClose(code, reason, violation)
  }

  /** @param own whether the memory is ours to keep */
  #parse(bytes: Buffer, start: number, end: number, own: boolean): void {
    this.#receiving = true
    try {
      const at = this.#parser.parse(bytes, start, end)
      if (this.#paused && at < end && this.#state !== EndpointState.closed) {
        const rest = bytes.subarray(at, end)
        this.#unread = own ? rest : Buffer.from(rest)
      }
    } catch (error) {
      if (error instanceof Violation) {
        this.#fail(error.closeCode, error.message, error)
      } else {
        this.#fail(CloseCode.internalError, '', undefined)
        throw error
      }
    } finally {
      this.#receiving = false
    }
  }
}

const EMPTY = Buffer.alloc(0)

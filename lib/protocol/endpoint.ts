/**
 * The rules of one end of a connection, all in one object (hence the length): bytes in, messages and answers out
 * (RFC 6455, sections 5 to 7; RFC 7692, section 6). Each object more would cost every idle connection memory.
 * Pure: no socket, no timer, no promise, no event emitter. Server or client is a value.
 */
import { checkAmount } from './amount.ts'
import { CloseCode } from './close-code.ts'
import { encodeClosePayload, parseClosePayload } from './close-payload.ts'
import { FrameParser, type Role } from './frame-parser.ts'
import { BY_REFERENCE_FROM, writeFrame, writeTextFrame } from './frame-serializer.ts'
import { randomMaskingKey } from './masking-key.ts'
import { MessageAssembler } from './message-assembler.ts'
import { OWN_MEMORY_FROM, type Compression, type Compressor } from './message-codec.ts'
import { MessageForwarder, type PieceSink } from './message-forwarder.ts'
import { copyOf } from './message-memory.ts'
import { MisuseError } from './misuse-error.ts'
import { CONTROL_BIT, FIN, MAX_CONTROL_PAYLOAD, OPCODE_BITS, Opcode, RSV1, type DataOpcode } from './opcode.ts'
import type { EndpointOutput } from './output.ts'
import { SendQueue } from './send-queue.ts'
import { EndpointState, TRANSITIONS, type EndpointEvent } from './states.ts'
import { encodeText, LENT_UNITS } from './text-scratch.ts'
import { isValidUtf8 } from './utf8.ts'
import { Violation } from './violation.ts'

/**
 * What an Endpoint calls, at rest: the sink may send, close, pause or resume from inside a call. It must not throw; if
 * it does, the endpoint fails with 1011, and `onClose` is given the error. What `onClose` throws goes on to the caller.
 */
export interface EndpointSink extends PieceSink {
  /**
   * A whole message: `bytes[start, end)`, unmasked, decompressed, valid UTF-8 where it is text. Good until the call
   * returns where `lent` says so or `bytes` is what `receive` was given; else it is the message's own memory.
   *
   * @param ascii whether a text is known to be plain ASCII
   */
  onMessage(opcode: DataOpcode, bytes: Buffer, start: number, end: number, ascii: boolean, lent: boolean): void
  /**
   * In place of `onMessage`, while `streaming` is set: a piece of a message, checked as far as it goes, lent as a message
   * is. Text may be cut inside a character.
   */
  onMessagePiece(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void
  /** The message whose pieces came is complete. */
  onMessageEnd(opcode: DataOpcode): void
  /** A ping, already answered; its payload is lent. */
  onPing(bytes: Buffer, start: number, end: number): void
  onPong(bytes: Buffer, start: number, end: number): void
  /**
   * The connection is over, once: by the peer's close frame (its code, 1005 without one), a failure of ours (the code
   * that was sent), or the end of the transport (1006).
   *
   * @param cause a Violation where the peer broke the protocol; whatever else was thrown while bytes were handled; else
   *   undefined
   */
  onClose(code: number, reason: string, cause: unknown): void
  /**
   * True: a message is being decompressed elsewhere; what is received meanwhile has to be kept, so it is better not read.
   * False: `resume` hands it over and goes on.
   */
  onBusy(busy: boolean): void
  /** More, or less, is retained: of a message that is being decompressed elsewhere. Default: not told. */
  onRetained?(): void
  /** Something was written that had waited for another message: not from inside `receive` or a call of the caller. */
  onOutput(): void
  /**
   * Asked in front of each message of 64 KiB or more that has memory of its own; a text is valid. False: the message is
   * kept and nothing is parsed, until `resume` asks again. Default: true.
   */
  isReady?(opcode: DataOpcode, bytes: Buffer, ascii: boolean): boolean
}

export interface EndpointOptions {
  readonly role: Role
  /** The most bytes a message may have; more is answered with 1009. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /**
   * The most bytes of memory for a message that is kept until it is whole; more is answered with 1009. Default: what a
   * message of `maxMessageBytes` may take.
   */
  readonly maxRetainedBytes?: number | undefined
  /** Where a client's masking keys come from; the first byte lowest. Default: a pool of `crypto` random bytes. */
  readonly maskingKey?: (() => number) | undefined
  /** What was agreed on (RFC 7692); undefined for no compression. */
  readonly compression?: Compression | undefined
}

/** 16 MiB: what a message may have unless the options say otherwise. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * The most bytes that a message of `messageBytes` can take, compressed or not. Data that can't be compressed grows, by
 * less than this: a byte has at most 9 bits in DEFLATE's fixed code (RFC 1951, section 3.2.6). So a message within its
 * limit is never refused for its compression.
 */
export function retainedFor(messageBytes: number): number {
  const bytes = messageBytes + Math.ceil(messageBytes / 8) + 1024
  return Number.isSafeInteger(bytes) ? bytes : Infinity
}

/** Messages of so many bytes take long to hand over: the sink is asked before. */
const LARGE_MESSAGE = 64 * 1024

/** First bytes of messages that are one frame, not compressed. */
const WHOLE_TEXT = FIN | Opcode.text
const WHOLE_BINARY = FIN | Opcode.binary

/** A frame of which the pieces come one after another. */
class FrameUnderWay {
  first = 0
  /** The message it belongs to; none for a control frame. */
  into: MessageAssembler | MessageForwarder | undefined
  /** The length that this message can't pass. */
  most = 0
  /** The length of the last message that came in pieces: another of that length gets its memory in one go. */
  lastLength = 0
  /** What has come of a control frame. */
  control: Buffer = EMPTY
}

/** Also the FrameHandler of its own parser: no object more for each connection. */
export class Endpoint {
  /** @internal Whether the parser has to stop in front of the next frame. */
  halted = false
  /** Whether messages are handed over in pieces, as they come; from the next message on. Compressed ones come whole. */
  streaming = false

  readonly #sink: EndpointSink
  readonly #output: EndpointOutput
  readonly #parser: FrameParser
  readonly #maxMessageBytes: number
  readonly #maxRetainedBytes: number
  readonly #maskingKey: (() => number) | undefined
  readonly #compression: Compression | undefined
  #state: EndpointState = EndpointState.open
  #paused = false
  #receiving = false
  /** What came while paused, not parsed yet. */
  #unread: Buffer | undefined
  /** The message under way, where it has more than one frame or a frame that has not all come. */
  #message: MessageAssembler | MessageForwarder | undefined
  /** The frame under way, or the last one that was. Made for the first that comes in pieces: few connections need it. */
  #frame: FrameUnderWay | undefined
  /** The newest ping that is not answered yet, because earlier output still waits. */
  #owedPong: Buffer | undefined
  /** A message that has come and is not handed over: it is being decompressed elsewhere, or the sink was not ready. */
  #late: LateMessage | undefined
  /** Made when a message has to wait for another. */
  #queue: SendQueue | undefined
  /** Whether our close frame counts as sent, but still waits for messages before it. */
  #closeWaits = false

  /** @throws MisuseError `invalid-option` for a limit that is no amount of bytes */
  constructor(sink: EndpointSink, output: EndpointOutput, options: EndpointOptions) {
    this.#sink = sink
    this.#output = output
    this.#parser = new FrameParser(options.role, this, options.compression !== undefined)
    this.#maxMessageBytes = checkAmount('maxMessageBytes', options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES, 'bytes')
    const retained = options.maxRetainedBytes ?? retainedFor(this.#maxMessageBytes)
    this.#maxRetainedBytes = checkAmount('maxRetainedBytes', retained, 'bytes')
    this.#maskingKey = options.role === 'client' ? (options.maskingKey ?? randomMaskingKey) : undefined
    this.#compression = options.compression
  }

  get state(): EndpointState {
    return this.#state
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Bytes that are kept of what has come: not parsed yet, of a message or ping under way, or being decompressed. */
  get retained(): number {
    const kept = (this.#unread?.length ?? 0) + (this.#message?.memory ?? 0) + (this.#late?.size ?? 0)
    return kept + (this.#frame?.control.length ?? 0) + (this.#owedPong?.length ?? 0)
  }

  /**
   * Parses `bytes[start, end)` from the peer, all of it by default, unmasking it in place. Bytes that a pause leaves
   * unread are copied and kept.
   *
   * @throws MisuseError `invalid-state` inside a call of the sink: the bytes at hand come first
   */
  receive(bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.#receiving) throw new MisuseError('invalid-state', 'receive can not be called from inside a callback')
    if (this.#state === EndpointState.closed) return
    if (this.#unread !== undefined || this.halted) {
      const more = bytes.subarray(start, end)
      this.#unread = this.#unread === undefined ? copyOf(more) : Buffer.concat([this.#unread, more])
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
    const late = this.#late
    if (late !== undefined && late.result === undefined) return
    // Inside a call of the sink, a message may be late as well: the one that the sink is not ready for.
    this.halted = this.#state === EndpointState.closed || late !== undefined
    if (this.#receiving || this.#state === EndpointState.closed) return
    if (late?.result !== undefined) {
      this.#late = undefined
      this.halted = false
      this.#handOver(late, late.result)
      // The message may have paused it again, or ended it.
      if (this.halted) return
    }
    const unread = this.#unread
    if (unread === undefined) return
    this.#unread = undefined
    this.#parse(unread, 0, unread.length, true)
  }

  /**
   * Sends a message of one frame. False, and nothing sent, where a close frame is out or the connection is over.
   *
   * @param lent whether the memory of `data` is the caller's again right after; else a large payload is not copied
   * @param compress true: whatever its size; false: not. Default: from the threshold on. Without effect where no
   *   compression was agreed on
   * @throws MisuseError `invalid-argument` for text given as bytes that are not UTF-8
   */
  send(opcode: DataOpcode, data: string | Uint8Array, lent = false, compress?: boolean): boolean {
    if (this.#state !== EndpointState.open) return false
    if (opcode === Opcode.text && typeof data !== 'string' && !isValidUtf8(data, 0, data.length)) {
      throw new MisuseError('invalid-argument', 'data sent as text must be valid UTF-8')
    }
    if (this.#queue === undefined || !this.#queue.held) {
      this.#write(opcode, data, lent, compress)
      return true
    }
    const text = typeof data === 'string'
    // As it would be if it went at once: only large memory is the caller's to leave alone.
    const kept = !text && (lent || data.length < BY_REFERENCE_FROM) ? Buffer.from(data) : data
    this.#queue.add(text ? Buffer.byteLength(data) : data.length, () => this.#write(opcode, kept, false, compress))
    return true
  }

  /** Whether a message is on its way that nothing but control frames may overtake. */
  get sendsLater(): boolean {
    return this.#queue?.held === true
  }

  /**
   * Calls `write` when the messages before are out, at once where none is on its way; it may write to the output what no
   * call of this class does. Never called where the connection ends first, or a close frame goes before.
   *
   * @param size how many bytes it will write
   */
  whenSent(size: number, write: () => void): void {
    if (this.#state !== EndpointState.open) return
    if (this.#queue?.held === true) this.#queue.add(size, write)
    else write()
  }

  /** Begins a message in parts: from `whenSent` only, and what is sent meanwhile waits for its last part. */
  beginParts(): void {
    this.#holdQueue()
  }

  /**
   * Sends a part of a message (section 5.4), uncompressed; after the last one what waited goes. False, and nothing sent,
   * where the connection is no longer open.
   *
   * @param opcode of the message in its first part, then continuation
   */
  sendPart(opcode: Opcode, data: Uint8Array, last: boolean): boolean {
    if (this.#state === EndpointState.closed || this.#queue === undefined) return false
    writeFrame(this.#output, (last ? FIN : 0) | opcode, data, this.#maskingKey?.(), false)
    if (last) this.#queue.release()
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

  /** Whether compression has memory of this connection's own. */
  get hasContexts(): boolean {
    return this.#compression?.contexts === true
  }

  /** Bytes of memory that compression keeps for this connection between messages. */
  get contextBytes(): number {
    const { compressor, decompressor } = this.#compression ?? {}
    return (compressor?.memory ?? 0) + (decompressor?.memory ?? 0)
  }

  /** The connection is idle: what compression can give up is. */
  releaseContexts(): void {
    this.#compression?.compressor?.release()
    this.#compression?.decompressor.release()
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
    if ((first === WHOLE_TEXT || first === WHOLE_BINARY) && this.#message === undefined && !this.streaming) {
      const length = end - start
      if (length > this.#maxMessageBytes || length > this.#maxRetainedBytes) throw this.#excess(this.#maxMessageBytes)
      if (first === WHOLE_TEXT && !ascii && !isValidUtf8(bytes, start, end)) throw new Violation('invalid-utf8')
      this.#sink.onMessage(opcode as DataOpcode, bytes, start, end, ascii, false)
    } else if ((opcode & CONTROL_BIT) !== 0) {
      this.#onControl(opcode, bytes, start, end)
    } else if ((first & (FIN | RSV1)) === (FIN | RSV1) && this.#message === undefined) {
      if (end - start > Math.min(this.#maxCompressedBytes, this.#maxRetainedBytes)) {
        throw this.#excess(this.#maxCompressedBytes)
      }
      this.#inflate(opcode as DataOpcode, bytes, start, end)
    } else {
      this.onFrameStart(first, end - start)
      this.onFramePiece(bytes, start, end, ascii)
      this.onFrameEnd()
    }
  }

  /** @internal */
  onFrameStart(first: number, length: number): void {
    const frame = (this.#frame ??= new FrameUnderWay())
    frame.first = first
    frame.into = undefined
    if ((first & CONTROL_BIT) !== 0) return
    const opcode = (first & OPCODE_BITS) as DataOpcode | typeof Opcode.continuation
    let message = this.#message
    if (opcode === Opcode.continuation) {
      if (message === undefined) throw new Violation('unexpected-continuation')
    } else {
      if (message !== undefined) throw new Violation('expected-continuation')
      message = this.#message = this.#beginMessage(opcode, (first & RSV1) !== 0)
    }
    message.expect(length)
    frame.into = message
    frame.most = (first & FIN) === 0 ? message.limit : message.length + length
  }

  /** @internal */
  onFramePiece(bytes: Buffer, start: number, end: number, ascii: boolean): void {
    const frame = this.#frame as FrameUnderWay
    if (frame.into === undefined) {
      frame.control = copyOf(Buffer.concat([frame.control, bytes.subarray(start, end)]))
    } else {
      // Only a frame that ends the message tells how long it will be.
      const likely = (frame.first & FIN) === 0 ? 0 : frame.lastLength
      frame.into.append(bytes, start, end, ascii, frame.most, likely)
    }
  }

  /** @internal */
  onFrameEnd(): void {
    const frame = this.#frame
    // It may all be over since the last piece.
    if (frame === undefined) return
    const message = frame.into
    if (message === undefined) {
      const { control } = frame
      frame.control = EMPTY
      this.#onControl(frame.first & OPCODE_BITS, control, 0, control.length)
    } else if ((frame.first & FIN) !== 0) {
      this.#message = frame.into = undefined
      if (message instanceof MessageForwarder) {
        message.finish()
        return
      }
      const bytes = message.finish()
      frame.lastLength = bytes.length
      if (message.compressed) this.#inflate(message.opcode, bytes, 0, bytes.length)
      else if (this.#isReadyFor(message.opcode, bytes, message.ascii, false))
        this.#sink.onMessage(message.opcode, bytes, 0, bytes.length, message.ascii, false)
    }
  }

  #beginMessage(opcode: DataOpcode, compressed: boolean): MessageAssembler | MessageForwarder {
    if (compressed) return new MessageAssembler(opcode, this.#maxCompressedBytes, true, this.#maxRetainedBytes)
    return this.streaming
      ? new MessageForwarder(opcode, this.#maxMessageBytes, this.#sink)
      : new MessageAssembler(opcode, this.#maxMessageBytes, false, this.#maxRetainedBytes)
  }

  get #maxCompressedBytes(): number {
    return retainedFor(this.#maxMessageBytes)
  }

  /** Of a compressed message, once it is inflated: it comes whole, even where others come in pieces. */
  get #maxInflatedBytes(): number {
    return Math.min(this.#maxMessageBytes, this.#maxRetainedBytes)
  }

  /** @param limit of the message's length, where no memory is spared */
  #excess(limit: number): Violation {
    return new Violation(this.#maxRetainedBytes < limit ? 'too-much-retained' : 'message-too-big')
  }

  /** A message that is complete but compressed: a large one is decompressed elsewhere, and nothing is read meanwhile. */
  #inflate(opcode: DataOpcode, bytes: Buffer, start: number, end: number): void {
    // The parser lets RSV1 pass only where there is a compression.
    const { decompressor } = this.#compression as Compression
    if (end - start <= decompressor.atOnceUpTo) {
      const message = decompressor.decompress(bytes, start, end, this.#maxInflatedBytes)
      if (message !== undefined) {
        this.#countInflated(end - start, message.length)
        validate(opcode, message)
        if (message.length < OWN_MEMORY_FROM || this.#isReadyFor(opcode, message, false, true)) this.#deliverInflated(opcode, message)
        return
      }
    }
    const late: LateMessage = { opcode, result: undefined, ascii: false, inflated: true, valid: false, size: end - start, cancel: undefined }
    this.#late = late
    this.halted = true
    const done = (result: Buffer | Violation): void => {
      late.cancel = undefined
      if (!(result instanceof Violation)) this.#countInflated(end - start, result.length)
      late.result = result
      late.size = result instanceof Violation ? 0 : result.length
      this.#sink.onBusy(false)
    }
    const grown = (size: number): void => {
      late.size = size
      this.#sink.onRetained?.()
    }
    late.cancel = decompressor.decompressLater(bytes.subarray(start, end), this.#maxInflatedBytes, done, grown)
    this.#sink.onBusy(true)
  }

  /** Whether the sink takes a message that has memory of its own; where it doesn't, the message is late. */
  #isReadyFor(opcode: DataOpcode, bytes: Buffer, ascii: boolean, inflated: boolean): boolean {
    if (bytes.length < LARGE_MESSAGE || this.#sink.isReady?.(opcode, bytes, ascii) !== false) return true
    // The question may have ended the connection.
    if (this.#state === EndpointState.closed) return false
    this.#late = { opcode, result: bytes, ascii, inflated, valid: true, size: bytes.buffer.byteLength, cancel: undefined }
    this.halted = true
    return false
  }

  #handOver({ opcode, ascii, inflated, valid }: LateMessage, result: Buffer | Violation): void {
    this.#receiving = true
    try {
      if (result instanceof Violation) throw result
      if (!valid) validate(opcode, result)
      if (!this.#isReadyFor(opcode, result, ascii, inflated)) return
      if (inflated) this.#deliverInflated(opcode, result)
      else this.#sink.onMessage(opcode, result, 0, result.length, ascii, false)
    } catch (error) {
      this.#caught(error)
    } finally {
      this.#receiving = false
    }
  }

  #countInflated(compressed: number, plain: number): void {
    const tally = this.#compression?.tally
    if (tally === undefined) return
    tally.receivedPlain += plain
    tally.receivedCompressed += compressed
  }

  #countDeflated(plain: number, compressed: number): void {
    const tally = this.#compression?.tally
    if (tally === undefined) return
    tally.sentPlain += plain
    tally.sentCompressed += compressed
  }

  #deliverInflated(opcode: DataOpcode, bytes: Buffer): void {
    if (this.streaming) {
      if (bytes.length > 0) this.#sink.onMessagePiece(opcode, bytes, 0, bytes.length)
      if (this.#state !== EndpointState.closed) this.#sink.onMessageEnd(opcode)
    } else {
      this.#sink.onMessage(opcode, bytes, 0, bytes.length, false, bytes.length < OWN_MEMORY_FROM)
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
      this.#owedPong = copyOf(payload)
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
    const write = (): void => {
      this.#closeWaits = false
      this.outputUnblocked()
      this.#writeControl(Opcode.close, payload)
    }
    if (event !== 'close-sent') {
      // The peer's own close frame, or a failure, waits for nothing: nor does the answer where ours is not out yet.
      if (sendsClose || this.#closeWaits) write()
    } else if (sendsClose) {
      // What was sent before it goes out before it.
      this.#closeWaits = true
      this.whenSent(0, write)
    }
    if (next !== EndpointState.closed) this.#state = next
  }

  #fail(code: number, reason: string, cause: unknown): void {
    this.#sendClose('failed', encodeClosePayload(code, reason))
    this.#over('failed', code, reason, cause)
  }

  #over(event: EndpointEvent, code: number, reason: string, cause: unknown): void {
    if (this.#state === EndpointState.closed) return
    this.#state = TRANSITIONS[this.#state][event][0]
    this.halted = true
    this.#closeWaits = false
    this.#late?.cancel?.()
    this.#unread = this.#message = this.#frame = this.#owedPong = this.#late = undefined
    this.#queue?.drop()
    this.#compression?.compressor?.close()
    this.#compression?.decompressor.close()
    this.#sink.onClose(code, reason, cause)
  }

  #write(opcode: DataOpcode, data: string | Uint8Array, lent: boolean, compress: boolean | undefined): void {
    const compressor = this.compressorFor(data, compress)
    if (compressor !== undefined) this.#writeCompressed(compressor, opcode, data, lent)
    else if (typeof data === 'string') writeTextFrame(this.#output, FIN | opcode, data, this.#maskingKey?.())
    else writeFrame(this.#output, FIN | opcode, data, this.#maskingKey?.(), lent)
  }

  /** @internal What would compress `data`; undefined where it would be sent as it is. */
  compressorFor(data: string | Uint8Array, compress: boolean | undefined): Compressor | undefined {
    const compression = this.#compression
    if (compression === undefined || compress === false) return undefined
    if (compress === true || data.length >= compression.threshold) return compression.compressor
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    return size >= compression.threshold ? compression.compressor : undefined
  }

  #writeCompressed(compressor: Compressor, opcode: DataOpcode, data: string | Uint8Array, lent: boolean): void {
    const bytes = typeof data === 'string' ? encodeText(data) : data
    const isLent = typeof data === 'string' ? data.length <= LENT_UNITS : lent
    if (bytes.length > compressor.atOnceUpTo) {
      this.#compressLater(compressor, opcode, isLent ? Buffer.from(bytes) : bytes)
      return
    }
    const compressed = compressor.compress(bytes)
    if (compressed.length < bytes.length || compressor.contextTakeover) {
      const own = compressed.length >= OWN_MEMORY_FROM
      this.#countDeflated(bytes.length, compressed.length)
      writeFrame(this.#output, FIN | RSV1 | opcode, compressed, this.#maskingKey?.(), !own)
    } else {
      writeFrame(this.#output, FIN | opcode, bytes, this.#maskingKey?.(), isLent)
    }
  }

  /** @param bytes nobody else's until they are sent */
  #compressLater(compressor: Compressor, opcode: DataOpcode, bytes: Uint8Array): void {
    const queue = this.#holdQueue()
    this.#output.promised += bytes.length
    const cancel = compressor.compressLater(bytes, compressed => {
      queue.underWay = undefined
      this.#output.promised -= bytes.length
      const smaller = compressed !== undefined && compressed.length < bytes.length
      const first = FIN | (smaller ? RSV1 : 0) | opcode
      if (smaller) this.#countDeflated(bytes.length, compressed.length)
      writeFrame(this.#output, first, smaller ? compressed : bytes, this.#maskingKey?.(), false)
      queue.release()
      this.#sink.onOutput()
    })
    queue.underWay = {
      cancel: () => {
        cancel()
        this.#output.promised -= bytes.length
      },
    }
  }

  #holdQueue(): SendQueue {
    this.#queue ??= new SendQueue(this.#output)
    this.#queue.hold()
    return this.#queue
  }

  /** @param own whether the memory is ours to keep */
  #parse(bytes: Buffer, start: number, end: number, own: boolean): void {
    this.#receiving = true
    try {
      const at = this.#parser.parse(bytes, start, end)
      if (this.halted && at < end && this.#state !== EndpointState.closed) {
        const rest = bytes.subarray(at, end)
        // A few bytes that are left should not hold on to all that came with them.
        this.#unread = own && 2 * rest.length >= rest.buffer.byteLength ? rest : copyOf(rest)
      }
    } catch (error) {
      this.#caught(error)
    } finally {
      this.#receiving = false
    }
  }

  #caught(error: unknown): void {
    if (error instanceof Violation) {
      this.#fail(error.closeCode, error.message, error)
      return
    }
    // It was thrown by `onClose`: there is nobody left to be told.
    if (this.#state === EndpointState.closed) throw error
    try {
      this.#sendClose('failed', encodeClosePayload(CloseCode.internalError, ''))
    } catch {
      // Where no memory can be had, none can be had for a frame either: the first error is the one that is told.
    }
    this.#over('failed', CloseCode.internalError, '', error)
  }
}

/** A message that has come whole and is not handed over yet. */
interface LateMessage {
  readonly opcode: DataOpcode
  /** Undefined: it is being decompressed. */
  result: Buffer | Violation | undefined
  /** As `onMessage` says it. */
  readonly ascii: boolean
  readonly inflated: boolean
  /** Whether a text has been validated. */
  readonly valid: boolean
  /** Bytes that are kept: of the message as it came, then of the result. */
  size: number
  /** Of a message that is being decompressed: cancelled work is not run. */
  cancel: (() => void) | undefined
}

/** @throws Violation `invalid-utf8` */
function validate(opcode: DataOpcode, bytes: Buffer): void {
  if (opcode === Opcode.text && !isValidUtf8(bytes, 0, bytes.length)) throw new Violation('invalid-utf8')
}

const EMPTY = Buffer.alloc(0)

/**
 * The other end of a connection, as the tester sees it: frames out, right or wrong, what comes in, and the closing
 * handshake with its time limits (RFC 6455, section 7).
 */
import type { Socket } from 'node:net'
import { CloseCode } from '../protocol/close-code.ts'
import { Opcode } from '../protocol/opcode.ts'
import type { DataOpcode } from './case.ts'
import { cutsOf, frameBytes, headerBytes, messageBytes, type FrameHead } from './wire/frame-writer.ts'
import { mask } from './wire/mask.ts'
import { MessageReader, type MessageHandler } from './wire/message-reader.ts'
import { WriteQueue } from './wire/write-queue.ts'
import type { WireLog } from './wire-log.ts'

/** Seconds for the peer's answer to a close frame, and for a server to drop TCP after the closing handshake. */
const CLOSE_TIME = 1
const DROP_TIME = 1
/** Parts of a peer's time. Each passes in a turn of its own: where the tester's machine stands still, it costs one. */
const TIME_PARTS = 10
const KEY_LENGTH = 4

/** What a case wants to hear; nothing more comes once the tester has failed the connection. */
export type PeerListener = Pick<MessageHandler, 'message' | 'pong'>

export interface PeerOptions {
  /** The tester is the server. */
  readonly isServer: boolean
  /** permessage-deflate was agreed on. */
  readonly compressed: boolean
  readonly log: WireLog
}

/** How the connection ended. */
export interface CloseRecord {
  closedByMe: boolean
  failedByMe: boolean
  droppedByMe: boolean
  wasClean: boolean
  /** Why it was not clean, as far as the tester knows. */
  reason: string | undefined
  dropTimedOut: boolean
  closeTimedOut: boolean
  localCode: number | undefined
  remoteCode: number | undefined
  remoteReason: string | undefined
}

export class Peer {
  readonly record: CloseRecord = {
    closedByMe: false,
    failedByMe: false,
    droppedByMe: false,
    wasClean: false,
    reason: undefined,
    dropTimedOut: false,
    closeTimedOut: false,
    localCode: undefined,
    remoteCode: undefined,
    remoteReason: undefined,
  }
  /** Resolves when the connection is over. */
  readonly over: Promise<void>
  state: 'open' | 'closing' | 'closed' = 'open'
  readonly #socket: Socket
  readonly #isServer: boolean
  readonly #log: WireLog
  readonly #reader: MessageReader
  readonly #queue: WriteQueue
  readonly #timers = new Set<NodeJS.Timeout>()
  #closeTimer: NodeJS.Timeout | undefined
  #listener: Partial<PeerListener> = {}
  #resolve: () => void = () => {}
  /** The masking key of a frame sent in pieces, as it is for the next piece. */
  #key = Buffer.alloc(KEY_LENGTH)

  constructor(socket: Socket, { isServer, compressed, log }: PeerOptions) {
    this.#socket = socket
    this.#isServer = isServer
    this.#log = log
    this.#queue = new WriteQueue(socket)
    this.#reader = new MessageReader(isServer, compressed, this.#handler())
    this.over = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** Begins to read; `rest` came together with the handshake. */
  start(listener: PeerListener, rest: Buffer): void {
    this.#listener = listener
    const socket = this.#socket
    socket.on('data', chunk => this.#reader.push(chunk))
    socket.on('end', () => this.#finish())
    socket.on('close', () => this.#finish())
    socket.on('error', () => {})
    if (socket.destroyed) this.#finish()
    this.#reader.push(rest)
    socket.resume()
  }

  #handler(): MessageHandler {
    const heard = (): Partial<PeerListener> => (this.record.failedByMe ? {} : this.#listener)
    return {
      frame: frame => this.#log.frame('peer', frame, frame.payload),
      message: (opcode, payload, compressed) => heard().message?.(opcode, payload, compressed),
      ping: payload => this.#answerPing(payload),
      pong: payload => heard().pong?.(payload),
      close: (payload, wrong) => this.#receiveClose(payload, wrong),
      violation: (wrong, code) => this.#violation(wrong, code),
    }
  }

  #answerPing(payload: Buffer): void {
    if (this.state === 'open') this.sendFrame({ opcode: Opcode.pong, fin: true, rsv: 0 }, payload)
  }

  /**
   * Calls back after so many seconds in which the tester could listen, unless the connection is over before. Seconds in
   * which it still sends byte by byte are its own: on a busy machine they are many.
   */
  after(seconds: number, callback: () => void): NodeJS.Timeout {
    let left = TIME_PARTS
    const timer = setInterval(
      () => {
        if (this.#queue.waiting || --left > 0) return
        clearInterval(timer)
        this.#timers.delete(timer)
        callback()
      },
      (seconds * 1000) / TIME_PARTS
    )
    this.#timers.add(timer)
    return timer
  }

  note(text: string): void {
    this.#log.note('note', text)
  }

  /** @param chop octets per write, each in its own turn; 0: at once @param alone written in a turn of its own */
  sendFrame(head: FrameHead, payload: Buffer, chop = 0, alone = false): void {
    const remark = chop > 0 ? `${chop} at a time` : alone ? 'in a write of its own' : ''
    this.#log.frame('tester', head, payload, remark)
    this.#queue.write(frameBytes(head, payload, !this.#isServer), chop, alone)
  }

  /** A message in frames of `fragment` octets; 0: in one frame. */
  sendMessage(opcode: DataOpcode, rsv: number, payload: Buffer, fragment: number): void {
    let from = 0
    const cuts = cutsOf(payload.length, fragment)
    for (const [index, to] of cuts.entries()) {
      const head = index === 0 ? { opcode, rsv } : { opcode: Opcode.continuation, rsv: 0 }
      this.#log.frame('tester', { ...head, fin: index === cuts.length - 1 }, payload.subarray(from, to))
      from = to
    }
    this.#queue.write(messageBytes({ opcode, fin: true, rsv }, payload, fragment, !this.#isServer))
  }

  /** A header without its payload, for `sendData` to bring. */
  sendHeader(head: FrameHead, length: number): void {
    const header = headerBytes(head, length, !this.#isServer)
    if (!this.#isServer) header.copy(this.#key, 0, header.length - KEY_LENGTH)
    this.#log.note('tester', `the header of a frame that will have ${length} bytes`)
    this.#queue.write(header)
  }

  /** A piece of the payload that `sendHeader` promised. */
  sendData(payload: Buffer): void {
    const bytes = Buffer.from(payload)
    if (!this.#isServer) {
      mask(bytes, 0, bytes.length, this.#key, 0)
      const turn = bytes.length % KEY_LENGTH
      this.#key = Buffer.concat([this.#key.subarray(turn), this.#key.subarray(0, turn)])
    }
    this.#log.note('tester', `${payload.length} bytes of its payload`)
    this.#queue.write(bytes)
  }

  /** Bytes of any kind. @param what they are, for the log */
  sendBytes(bytes: Buffer, what: string, chop = 0): void {
    this.#log.note('tester', what)
    this.#queue.write(bytes, chop)
  }

  /** The tester ends its side of TCP, and goes on reading. */
  end(): void {
    this.note('the tester ends its side of TCP')
    this.#queue.finish()
    this.#socket.end()
  }

  /** The tester is done, in whatever state the connection is. */
  abandon(reason?: string): void {
    this.#drop(reason)
  }

  /** A reset in place of an end. */
  reset(): void {
    this.note('the tester resets the connection')
    this.#socket.resetAndDestroy()
    this.abandon('The tester reset the connection.')
  }

  /** Starts the closing handshake, if that has not begun. */
  close(payload: Buffer): void {
    if (this.state !== 'open') return
    this.record.closedByMe = true
    this.#sendClose(payload)
    this.#closeTimer = this.after(CLOSE_TIME, () => {
      this.record.closeTimedOut = true
      this.#drop('The peer did not answer the close frame in time.')
    })
  }

  /** Fails the connection: what comes from now on does not count. */
  fail(code: number, sentence: string): void {
    if (this.state === 'closed') return
    this.note(sentence)
    this.record.failedByMe = true
    this.close(closePayload(code))
  }

  #sendClose(payload: Buffer): void {
    this.sendFrame({ opcode: Opcode.close, fin: true, rsv: 0 }, payload)
    this.state = 'closing'
    this.record.localCode = payload.length >= 2 ? payload.readUInt16BE() : undefined
  }

  #violation(wrong: string, code: number): void {
    const reason = `The peer sent ${wrong}.`
    this.#explain(reason)
    this.fail(code, reason)
  }

  /** The first thing that goes wrong is the reason. */
  #explain(reason: string): void {
    if (!this.record.wasClean) this.record.reason ??= reason
  }

  /** Messages behind a close frame are still recorded: there must not be any (section 5.5.1). */
  #receiveClose(payload: Buffer, wrong: string | undefined): void {
    if (this.record.wasClean) return
    if (payload.length >= 2) {
      this.record.remoteCode = payload.readUInt16BE()
      this.record.remoteReason = payload.toString('utf8', 2)
    }
    if (wrong !== undefined) {
      this.#violation(wrong, CloseCode.protocolError)
      return
    }
    clearTimeout(this.#closeTimer)
    this.record.wasClean = true
    if (this.state === 'open') this.#sendClose(payload.subarray(0, 2))
    if (this.#isServer) this.#drop(undefined)
    else this.after(DROP_TIME, () => this.#dropLate())
  }

  /** The server has to drop TCP; it did not. */
  #dropLate(): void {
    this.record.dropTimedOut = true
    this.record.wasClean = false
    this.#drop('The server did not drop TCP in time after the closing handshake.')
  }

  #drop(reason: string | undefined): void {
    if (this.state === 'closed') return
    this.record.droppedByMe = true
    if (reason !== undefined) {
      this.#explain(reason)
      this.note(reason)
    }
    this.#finish()
  }

  #finish(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#explain('The connection ended without a closing handshake.')
    this.note(this.record.droppedByMe ? 'TCP dropped by the tester' : 'TCP dropped by the peer')
    this.#reader.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#queue.finish()
    // As a server: what is written goes out first. The peer may be long in ending its side.
    if (this.#isServer) endSoon(this.#socket)
    else this.#socket.destroy()
    this.#resolve()
  }
}

/** A close frame's payload. */
export function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

function endSoon(socket: Socket): void {
  socket.end()
  const timer = setTimeout(() => socket.destroy(), DROP_TIME * 1000)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroySoon())
}

/** `send` and `bufferedAmount` of a WebSocket: in order although Blobs are read (WebSockets Standard, section 3.1). */
import { Opcode } from '../protocol/opcode.ts'
import type { Connection } from '../transport/connection.ts'
import type { Sendable } from './idl.ts'

/** What waits behind a Blob; a close waits too. */
type Waiting = Sendable | { readonly code: number | undefined; readonly reason: string }

/** A message that the connection has taken, in bytes: with and without its frame's header. */
interface Sent {
  readonly framed: number
  readonly payload: number
}

export class SendQueue {
  readonly #connection: Connection
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #reading = false
  /** Messages of which something may still be in the connection's queue, the oldest first, and their sum. */
  readonly #sent: Sent[] = []
  #framed = 0
  /** Bytes that will never be sent. */
  #lost = 0
  /** The amount when it was last looked at, for a connection that is cut off forgets what it had queued. */
  #known = 0
  /** The amount as it was when this turn of the event loop began to send, and what it has sent since. */
  #turn: { readonly before: number; sent: number } | undefined
  #over = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Bytes of application data that are not on their way; within one turn of the event loop it only grows. */
  get bufferedAmount(): number {
    return this.#turn === undefined ? this.look() : this.#turn.before + this.#turn.sent
  }

  /** The amount of this moment: the connection's queue, which ends with the newest messages, without their headers. */
  look(): number {
    if (this.#over) return this.#lost
    let amount = this.#lost + this.#waitingBytes
    let queued = this.#connection.bufferedAmount
    for (let at = this.#sent.length - 1; at >= 0 && queued > 0; at--) {
      const { framed, payload } = this.#sent[at]
      amount += Math.min(payload, queued)
      queued -= framed
    }
    this.#known = amount
    return amount
  }

  /** Sends it, or has it wait for the Blobs before it. Bytes that wait are copied. */
  send(data: Sendable): void {
    this.#count(sizeOf(data))
    if (this.#waiting.length === 0 && !this.#reading && !(data instanceof Blob)) this.#pass(data)
    else this.#wait(data)
  }

  /** Starts the closing handshake behind all that waits. */
  close(code: number | undefined, reason: string): void {
    this.#waiting.push({ code, reason })
    this.#goOn()
  }

  /** The connection is over: what it has not sent will never be; all that it had taken, where the end was clean. */
  end(clean: boolean): void {
    if (clean) this.#lost += this.#waitingBytes
    else this.#lost = this.#turn === undefined ? this.#known : this.#turn.before + this.#turn.sent
    this.#over = true
    this.#turn = undefined
    this.#waiting.length = this.#sent.length = this.#waitingBytes = 0
  }

  #wait(data: Sendable): void {
    this.#waiting.push(data instanceof Uint8Array ? data.slice() : data)
    this.#waitingBytes += sizeOf(data)
    this.#goOn()
  }

  #goOn(): void {
    while (!this.#reading) {
      const next = this.#waiting[0]
      if (next === undefined) return
      if (next instanceof Blob) {
        this.#read(next)
        return
      }
      this.#waiting.shift()
      if (typeof next === 'string' || next instanceof Uint8Array) {
        this.#waitingBytes -= sizeOf(next)
        this.#pass(next)
      } else if (next.code === undefined) {
        this.#connection.close()
      } else {
        this.#connection.close(next.code, next.reason)
      }
    }
  }

  #read(blob: Blob): void {
    this.#reading = true
    const finish = (bytes: ArrayBuffer | undefined): void => {
      this.#reading = false
      if (this.#over) return
      this.#waiting.shift()
      this.#waitingBytes -= blob.size
      if (bytes !== undefined) {
        this.#pass(new Uint8Array(bytes))
        this.#goOn()
        return
      }
      // Data that can't be had any more, such as of a file that has changed: a gap in the messages would go unnoticed.
      this.#lost += blob.size
      this.#connection.terminate('blob-unreadable')
    }
    blob.arrayBuffer().then(finish, () => finish(undefined))
  }

  #pass(data: string | Uint8Array): void {
    const payload = sizeOf(data)
    this.#forget()
    const goOn = this.#connection.sendLent(typeof data === 'string' ? Opcode.text : Opcode.binary, data)
    if (!goOn && this.#connection.readyState !== 'open') {
      this.#lost += payload
      return
    }
    const framed = payload + frameHeader(payload)
    this.#sent.push({ framed, payload })
    this.#framed += framed
  }

  /** Lets go of the oldest messages, of which nothing is in the connection's queue any more. */
  #forget(): void {
    const queued = this.#connection.bufferedAmount
    for (;;) {
      const [oldest] = this.#sent
      if (oldest === undefined || this.#framed - oldest.framed < queued) return
      this.#sent.shift()
      this.#framed -= oldest.framed
    }
  }

  #count(bytes: number): void {
    if (this.#turn === undefined) {
      this.#turn = { before: this.look(), sent: 0 }
      setImmediate(() => {
        this.#turn = undefined
        this.look()
      })
    }
    this.#turn.sent += bytes
  }
}

/** In bytes, text as UTF-8. */
export function sizeOf(data: Sendable): number {
  if (typeof data === 'string') return Buffer.byteLength(data)
  return data instanceof Blob ? data.size : data.byteLength
}

/** Of a masked frame, which is what a client sends (RFC 6455, section 5.2). */
function frameHeader(payload: number): number {
  return payload < 126 ? 6 : payload < 65_536 ? 8 : 14
}

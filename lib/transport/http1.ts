/** Handshakes over HTTP/1.1: the socket of an `upgrade` event, until it is a connection or refused. */
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { REFUSALS, type Refusal } from '../handshake/refusal.ts'
import { isTooLarge } from '../handshake/request.ts'
import { formatRefusal } from '../handshake/response.ts'
import { dropEndListener } from '../node-internals/net-end-listener.ts'
import { Deadline } from './deadlines.ts'
import type { Holder, MemoryBudget } from './memory-budget.ts'

/** Bytes that a client may send ahead while `accept` thinks; beyond it the client is slowed down. */
const MAX_EARLY = 64 * 1024
/** The least that memory for them grows by, in bytes. */
const MIN_EARLY = 256
/** The most that one read of a socket brings, in bytes. */
const READ_SIZE = 64 * 1024
const EMPTY = Buffer.alloc(0)

/** Frees the socket of what HTTP has set up on it. */
export function takeOver(socket: Duplex): void {
  if (!(socket instanceof Socket)) return
  socket.setTimeout(0)
  socket.setNoDelay(true)
  dropEndListener(socket)
}

/**
 * Sends the refusal and ends the connection. Input is read and thrown away until the client ends too, at most for
 * `closingTime` milliseconds: a socket closed with unread input is reset, and the client might lose the answer.
 */
export function refuseUpgrade(socket: Duplex, refusal: Refusal, closingTime: number): void {
  socket.on('error', ignore)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  destroyAfter(socket, closingTime)
  socket.end(formatRefusal(refusal, STATUS_CODES[refusal.status] ?? ''))
  socket.resume()
}

/**
 * When a worker is to leave, node:cluster calls its server's `close`, and that ends idle connections: those too whose first
 * request is on its way. They are kept, until `closeAllConnections`.
 */
export function keepNewcomers(server: Server): void {
  server.closeIdleConnections = () => {}
}

/** Milliseconds as Node's HTTP server takes them: 0 for no end. */
export function httpTime(time: number): number {
  return time === Infinity ? 0 : Math.max(1, time)
}

/**
 * The answer to a request that asks for no upgrade: 426 (RFC 9110, section 15.5.22), or 431 where it has too many header
 * lines. Newer releases of Node refuse those themselves.
 */
export function answerPlainRequest(request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = isTooLarge(request) ? REFUSALS.headSize : REFUSALS.upgrade
  // RFC 9110, section 7.8: a sender of Upgrade also names it in Connection.
  const connection = 'upgrade' in headers ? 'upgrade, close' : 'close'
  response.writeHead(status, { ...headers, connection, 'content-type': 'text/plain; charset=utf-8' })
  response.end(body)
}

/** A copy of what came behind the request: the view that Node gives holds on to all that was read with it. */
export function ownHead(head: Buffer): Buffer {
  return head.length === 0 ? EMPTY : Buffer.from(head)
}

/**
 * What Node's parser would not have, or not wait for any longer (`clientError`): answered as Node does where nobody listens.
 *
 * @returns what it was refused with; undefined where nobody is left to hear it
 */
export function refuseBadRequest({ code }: NodeJS.ErrnoException, socket: Duplex): Refusal | undefined {
  const refusal =
    code === 'HPE_HEADER_OVERFLOW' ? REFUSALS.headSize : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? REFUSALS.timeout : REFUSALS.request
  const heard = socket.writable && code !== 'ECONNRESET'
  refuseAtOnce(socket, refusal, heard)
  return heard ? refusal : undefined
}

/**
 * Gives up a request that has not come whole, with an answer. As Node does where its parser fails, nothing is waited for:
 * until the socket is destroyed the parser keeps what has come.
 *
 * @param heard whether the socket still takes the answer
 */
export function refuseAtOnce(socket: Duplex, refusal: Refusal, heard = socket.writable): void {
  socket.on('error', ignore)
  if (heard) socket.write(formatRefusal(refusal, STATUS_CODES[refusal.status] ?? ''))
  socket.destroy()
}

/** Destroys the socket if it is not gone after `time` milliseconds. */
export function destroyAfter(socket: Duplex, time: number): void {
  const deadline = new Deadline({ onDeadline: () => socket.destroy() })
  deadline.set(time)
  socket.on('close', () => deadline.clear())
}

function ignore(): void {}

/**
 * A handshake that waits for an answer: keeps what the client sends ahead, and sees when the client goes away. Early data
 * lies in one buffer of its own: a piece as it came takes some hundred bytes more, and may be a view of a larger one.
 */
export class PendingUpgrade implements Holder {
  readonly connection = null
  readonly #socket: Duplex
  readonly #deadline: Deadline
  readonly #onEnough: (why: 'timeout' | 'memory') => void
  readonly #onGone: () => void
  readonly #memory: MemoryBudget | undefined
  readonly #requestSize: number
  #early = EMPTY
  #size = 0
  #counted = 0
  readonly #onData = (chunk: Buffer): void => {
    this.#keep(chunk)
    if (this.#size >= MAX_EARLY) this.#socket.pause()
    this.recount()
  }
  readonly #onLost = (): void => {
    this.#release()
    this.#socket.destroy()
    this.#onGone()
  }

  /**
   * @param time milliseconds until `onEnough`, called once: it took too long, or the server holds too much
   * @param onGone the client went away; nothing else is called any more
   * @param memory counts what is kept, from `recount` on
   * @param requestSize bytes that the request itself counts with
   */
  constructor(
    socket: Duplex,
    head: Buffer,
    time: number,
    onEnough: (why: 'timeout' | 'memory') => void,
    onGone: () => void,
    memory?: MemoryBudget,
    requestSize = 0
  ) {
    this.#socket = socket
    this.#onEnough = onEnough
    this.#onGone = onGone
    this.#memory = memory
    this.#requestSize = requestSize
    if (head.length > 0) this.#keep(head)
    this.#deadline = new Deadline({ onDeadline: () => onEnough('timeout') })
    this.#deadline.set(time)
    socket.on('data', this.#onData)
    socket.on('end', this.#onLost)
    socket.on('error', this.#onLost)
    socket.on('close', this.#onLost)
    if (this.#size >= MAX_EARLY) socket.pause()
  }

  /** The answer is there: lets go of the socket, paused, and returns what came ahead. */
  finish(): Buffer {
    const early = this.#early.subarray(0, this.#size)
    this.#release()
    return early
  }

  /** Tells the budget what is kept; it may call `onEnough` at once. */
  recount(): void {
    const before = this.#counted
    const held = this.#held
    if (held === before) return
    this.#counted = held
    this.#memory?.report(this, before, held)
  }

  /** It reads on: up to its own limit all is counted, and a paused socket would buffer as much that nothing tells of. */
  stopReading(): void {}

  resumeReading(): void {}

  dropHeld(): void {
    this.#counted = 0
    this.#onEnough('memory')
  }

  get #held(): number {
    // A paused socket reads on until its own buffer is full, and that read may be a long one.
    const ahead = this.#size >= MAX_EARLY ? this.#socket.readableHighWaterMark + READ_SIZE : 0
    return this.#requestSize + this.#early.length + ahead
  }

  #keep(bytes: Buffer): void {
    const size = this.#size + bytes.length
    if (size > this.#early.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(MAX_EARLY, this.#size === 0 ? 0 : 2 * size + MIN_EARLY)))
      this.#early.copy(grown, 0, 0, this.#size)
      this.#early = grown
    }
    bytes.copy(this.#early, this.#size)
    this.#size = size
  }

  #release(): void {
    this.#memory?.report(this, this.#counted, 0)
    this.#counted = 0
    // The promise of an answer that never comes may keep this object for ever.
    this.#early = EMPTY
    this.#size = 0
    this.#deadline.clear()
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onLost)
    socket.off('error', this.#onLost)
    socket.off('close', this.#onLost)
    // A destroyed socket may have an error yet to tell.
    socket.on('error', ignore)
    socket.pause()
  }
}

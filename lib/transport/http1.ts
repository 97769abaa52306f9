/** Handshakes over HTTP/1.1: the socket of an `upgrade` event, until it is a connection or refused. */
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { REFUSALS, type Refusal } from '../handshake/refusal.ts'
import { formatRefusal } from '../handshake/response.ts'
import { Deadline } from './deadlines.ts'
import type { Holder, MemoryBudget } from './memory-budget.ts'

/** Bytes that a client may send ahead while `accept` thinks; beyond it the client is slowed down. */
const MAX_EARLY = 64 * 1024
/** From so many pieces on they are joined: one of a byte takes 450 of memory (Node 20). */
const MAX_EARLY_PIECES = 32

/** What each net.Socket listens to itself with: it minds only those that may not be half open. */
const NET_END_LISTENERS = new Socket().listeners('end') as (() => void)[]

/** Frees the socket of what HTTP has set up on it. */
export function takeOver(socket: Duplex): void {
  if (!(socket instanceof Socket)) return
  socket.setTimeout(0)
  socket.setNoDelay(true)
  // Together with the one that comes they would be a list, which costs each idle connection 64 bytes.
  if (socket.allowHalfOpen) for (const listener of NET_END_LISTENERS) socket.off('end', listener)
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

/** To a request that asks for no upgrade: 426 (RFC 9110, section 15.5.22). */
export function answerPlainRequest(_: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = REFUSALS.upgrade
  response.writeHead(status, { ...headers, connection: 'upgrade, close', 'content-type': 'text/plain; charset=utf-8' })
  response.end(body)
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
  if (heard) socket.write(formatRefusal(refusal, STATUS_CODES[refusal.status] ?? ''))
  socket.destroy()
  return heard ? refusal : undefined
}

/** Destroys the socket if it is not gone after `time` milliseconds. */
export function destroyAfter(socket: Duplex, time: number): void {
  const deadline = new Deadline({ onDeadline: () => socket.destroy() })
  deadline.set(time)
  socket.on('close', () => deadline.clear())
}

function ignore(): void {}

/** A handshake that waits for an answer: keeps what the client sends ahead, and sees when it goes away. */
export class PendingUpgrade implements Holder {
  readonly #socket: Duplex
  readonly #deadline: Deadline
  readonly #onEnough: (why: 'timeout' | 'memory') => void
  readonly #onGone: () => void
  readonly #memory: MemoryBudget | undefined
  #early: Buffer[]
  #size: number
  #counted = 0
  readonly #onData = (chunk: Buffer): void => {
    this.#early.push(chunk)
    if (this.#early.length > MAX_EARLY_PIECES) this.#early = [Buffer.concat(this.#early)]
    this.#size += chunk.length
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
   */
  constructor(
    socket: Duplex,
    head: Buffer,
    time: number,
    onEnough: (why: 'timeout' | 'memory') => void,
    onGone: () => void,
    memory?: MemoryBudget
  ) {
    this.#socket = socket
    this.#early = [head]
    this.#size = head.length
    this.#onEnough = onEnough
    this.#onGone = onGone
    this.#memory = memory
    this.#deadline = new Deadline({ onDeadline: () => onEnough('timeout') })
    this.#deadline.set(time)
    socket.on('data', this.#onData)
    socket.on('end', this.#onLost)
    socket.on('error', this.#onLost)
    socket.on('close', this.#onLost)
  }

  /** The answer is there: lets go of the socket, paused, and returns what came ahead. */
  finish(): Buffer {
    this.#release()
    return Buffer.concat(this.#early)
  }

  /** Tells the budget what is kept; it may call `onEnough` at once. */
  recount(): void {
    if (this.#size === this.#counted) return
    const before = this.#counted
    this.#counted = this.#size
    this.#memory?.report(this, before, this.#size)
  }

  stopReading(): void {
    this.#socket.pause()
  }

  resumeReading(): void {
    if (this.#size < MAX_EARLY) this.#socket.resume()
  }

  dropHeld(): void {
    this.#onEnough('memory')
  }

  #release(): void {
    this.#memory?.report(this, this.#counted, 0)
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

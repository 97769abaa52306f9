/** The bytes on their way to one transport: filled frame by frame, written once a read or tick, with backpressure. */
import type { Duplex } from 'node:stream'
import type { EndpointOutput } from '../protocol/output.ts'
import { Backlog } from './backlog.ts'
import { flushAtEndOfTick, type Flushable } from './flush-queue.ts'
import type { OutboxOwner } from './outbox-owner.ts'
import { PIECE_COST, PieceWriter } from './piece-writer.ts'
import { gather, ownMemory } from './pieces.ts'
import { FIRST_PORTION } from './portion.ts'
import { reserveInSlab, slab } from './slab.ts'
import { isSystemSocket } from './system-socket.ts'

/** From this many queued bytes on, a sender is asked to wait. */
export const HIGH_WATER = 64 * 1024

/** From so many on they are looked at, though they may have few bytes. */
const MANY_PIECES = HIGH_WATER / PIECE_COST

/**
 * Bits, beside PINS:
 * - copiesOnWrite: bytes that a write took at once are free again: true of a kernel's socket, not of a stream in general
 * - corked: a read is being handled, which ends with a flush anyway
 * - flushQueued: the end of this tick flushes
 * - drainWanted: somebody was asked to wait
 * - drainQueued: they will be told, where the transport will not tell
 * - last: the transport is ended behind what waits
 */
const IS = { copiesOnWrite: 2, corked: 4, flushQueued: 8, drainWanted: 16, drainQueued: 32, last: 64 } as const

export class Outbox extends PieceWriter implements EndpointOutput, Flushable {
  /** Bytes that will be written once they are compressed, or once the message before them is out. */
  promised = 0
  readonly #owner: OutboxOwner
  /** The last piece of the batch: `#piece[#start, #end)`. */
  #piece: Buffer = EMPTY
  #start = 0
  #end = 0
  /** The pieces before it, in order; undefined as long as there is one piece. */
  #earlier: Buffer[] | undefined
  #size = 0

  constructor(transport: Duplex, owner: OutboxOwner) {
    super(transport, isSystemSocket(transport) ? IS.copiesOnWrite : 0)
    this.#owner = owner
  }

  /** Bytes in the batch. */
  get size(): number {
    return this.#size
  }

  /** Bytes in the batch or on their way into it. */
  get accepted(): number {
    return this.#size + this.promised
  }

  /** Bytes in the batch, on their way into it, and in the transport's own queue. */
  get queued(): number {
    return this.#size + this.promised + this.transport.writableLength
  }

  /** Whether `size` bytes more keep the queue within `limit`; many small pieces count with what they take of memory. */
  fits(size: number, limit: number): boolean {
    return Math.max(this.queued + size, this.pieces * PIECE_COST) <= limit
  }

  /** Whether so many pieces wait that they may be over a limit, whatever they have of bytes. */
  get isCrowded(): boolean {
    return this.delays !== undefined && this.pieces >= MANY_PIECES
  }

  /** Bytes of memory that are held: what is queued, and what its pieces take besides. */
  get held(): number {
    const delays = this.delays
    if (delays === undefined) return this.queued
    const gone = (delays.backlog?.taken ?? 0) + (this.hasWaiting ? delays.tail : 0)
    return this.queued + this.pieces * PIECE_COST + gone
  }

  /** Whether the transport takes what is written; what is promised, and may wait for just that, does not count. */
  get keepsUp(): boolean {
    return this.#size + (this.delays?.backlog?.size ?? 0) + this.transport.writableLength < HIGH_WATER
  }

  get memory(): Buffer {
    return slab.memory
  }

  reserve(size: number): number {
    return reserveInSlab(size)
  }

  commit(size: number): void {
    this.appendRange(slab.memory, slab.used, slab.used + size)
    slab.used += size
  }

  append(bytes: Buffer): void {
    this.appendRange(bytes, 0, bytes.length)
  }

  countWaiting(change: number): void {
    this.delay.messages += change
  }

  /** `bytes[start, end)` goes out by reference; next to the last piece in the same memory it is one piece with it. */
  appendRange(bytes: Buffer, start: number, end: number): void {
    if (this.#piece === bytes && this.#end === start) {
      this.#end = end
    } else {
      if (this.#size > 0) (this.#earlier ??= []).push(this.#piece.subarray(this.#start, this.#end))
      this.#piece = bytes
      this.#start = start
      this.#end = end
    }
    this.#size += end - start
  }

  /** Until `uncork`, the batch only grows. */
  cork(): void {
    this.is |= IS.corked
  }

  uncork(): void {
    this.is &= ~IS.corked
    this.flush()
  }

  /** The batch is written at the end of this tick, or of the read that is being handled. */
  queueFlush(): void {
    if ((this.is & (IS.corked | IS.flushQueued)) !== 0) return
    this.is |= IS.flushQueued
    flushAtEndOfTick(this)
  }

  /** A message has been added: sees to it that it leaves in time. False where the sender should wait for `onDrain`. */
  settle(): boolean {
    if (this.#size >= HIGH_WATER) this.#write()
    this.queueFlush()
    if (this.queued < HIGH_WATER) return true
    this.is |= IS.drainWanted
    return false
  }

  /** A sender was refused: `onDrain` will be called when it is worth another try. */
  askToWait(): void {
    this.is |= IS.drainWanted
    if (this.transport.writableLength === 0) this.queueFlush()
  }

  /** `callback` is called each time that the transport has taken a part of what is written from now on. */
  whenTaken(callback: (() => void) | undefined): void {
    if (callback !== undefined || this.delays !== undefined) this.delay.onTaken = callback
  }

  /** For a limit below what a stream may hold without a word: the taking of each part is noticed, for `onDrain`. */
  watchTaken(): void {
    this.delay.onTaken ??= () => this.queueFlush()
  }

  /** Where the transport is blocked, the batch waits here, whole: as a message that may be skipped, or as what may not. */
  setAside(droppable: boolean): void {
    if (this.#size === 0 || (this.delays?.backlog === undefined && !this.blocked)) return
    const delay = this.delay
    delay.backlog ??= new Backlog()
    const size = this.#size
    const pieces = gather([...(this.#earlier ?? []), this.#piece.subarray(this.#start, this.#end)])
    this.#clearBatch()
    delay.backlog.push(pieces.map(ownMemory), size, droppable)
    this.promised += size
  }

  /** Skips messages that were set aside, oldest first, until `size` bytes more fit. How many; 0 where that is no help. */
  makeRoom(size: number, limit: number): number {
    const backlog = this.delays?.backlog
    if (backlog === undefined || this.queued - backlog.droppableSize + size > limit) return 0
    let skipped = 0
    while (!this.fits(size, limit)) {
      const freed = backlog.skip()
      if (freed === 0) break
      this.promised -= freed
      skipped++
    }
    return skipped
  }

  /** Resolves when nobody has to wait; rejects if `end` comes first. */
  drained(): Promise<void> {
    if ((this.is & IS.drainWanted) === 0) return Promise.resolve()
    return new Promise((resolve, reject) => this.delay.waiters.push({ resolve, reject }))
  }

  /** Resolves when the transport takes more, whatever is promised; rejects if `end` comes first. For one at a time. */
  taken(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.delay.partWaiter = { resolve, reject }
    })
  }

  /** Nothing more will be sent but what has been accepted. `why` is called for each who waits: mostly there is none. */
  rejectWaiters(why: () => Error): void {
    this.is &= ~IS.drainWanted
    for (const waiter of this.delays?.waiters.splice(0) ?? []) waiter.reject(why())
  }

  /** The connection ended. */
  end(why: () => Error): void {
    this.rejectWaiters(why)
    const delays = this.delays
    if (delays === undefined) return
    delays.partWaiter?.reject(why())
    delays.partWaiter = undefined
    if (this.transport.destroyed) this.#dropBacklog()
  }

  /** Nothing more will be sent: what waits goes at the pace of the peer, and then the transport is ended. */
  endTransport(): void {
    this.is |= IS.last
    this.flush()
    this.#endBehindAll()
  }

  /** The transport is gone: nothing that waits is kept for it. */
  discard(): void {
    this.#clearBatch()
    this.#dropBacklog()
    this.unpin()
  }

  /** It could not be flushed. */
  broken(error: unknown): void {
    this.#owner.broken(error)
  }

  flush(): void {
    this.is &= ~IS.flushQueued
    this.#write()
    if (this.#isAwaited && (this.is & IS.drainQueued) === 0 && !this.#willTell) {
      // Not in this tick: a callback that sends whenever it may would let nobody else run.
      this.is |= IS.drainQueued
      setImmediate(Outbox.drainLater, this)
    }
    this.#owner.onQueueChanged()
  }

  /** The transport says that it takes more. */
  unblocked(): void {
    this.is &= ~IS.drainQueued
    if (!this.hasWaiting) this.delays?.portion.taken()
    this.#owner.onProgress()
    this.#writeBacklog()
    this.#endBehindAll()
    if (!this.hasWaiting) this.unpin()
    if (this.blocked) return
    this.#owner.onQueueChanged()
    this.#owner.onUnblocked()
    if (this.#size > 0) this.queueFlush()
    const delays = this.delays
    delays?.partWaiter?.resolve()
    if (delays !== undefined) delays.partWaiter = undefined
    if (!this.#mayDrain) return
    this.is &= ~IS.drainWanted
    for (const waiter of delays?.waiters.splice(0) ?? []) waiter.resolve()
    this.#owner.onDrain()
  }

  /** @internal */
  static drainLater(outbox: Outbox): void {
    outbox.unblocked()
  }

  /** Whether somebody waits who might go on now. */
  get #isAwaited(): boolean {
    return this.#mayDrain || this.delays?.partWaiter !== undefined
  }

  get #mayDrain(): boolean {
    return (this.is & IS.drainWanted) !== 0 && this.promised < HIGH_WATER && (this.delays?.messages ?? 0) < MANY_PIECES
  }

  /** Whether something will be heard of the transport when it takes more. */
  get #willTell(): boolean {
    return this.blocked || (this.delays?.onTaken !== undefined && this.transport.writableLength > 0)
  }

  /** Hands the batch to the transport; what it does not take at once waits in its queue, and more than that here. */
  #write(): void {
    this.#writeBacklog()
    const size = this.#size
    if (size === 0) return
    const transport = this.transport
    if (size + transport.writableLength > (this.delays?.portion.size ?? FIRST_PORTION)) {
      this.#writePortions()
      return
    }
    this.#owner.onFlush(transport.writable ? size : 0)
    const earlier = this.#earlier
    const piece = this.#piece
    const start = this.#start
    const last = piece.subarray(start, this.#end)
    const inSlab = piece === slab.memory && this.#end === slab.used
    this.#clearBatch()
    if (!transport.writable) return
    if (earlier === undefined) {
      this.writePiece(last)
      // Taken at once: the memory is free for the next batch.
      if (inSlab && (this.is & IS.copiesOnWrite) !== 0 && transport.writableLength === 0) slab.used = start
    } else {
      earlier.push(last)
      this.writePieces(gather(earlier))
    }
    if (this.delays !== undefined && this.hasWaiting) this.delays.portion.waits()
  }

  /** The batch, as far as the transport takes it; the rest waits here. */
  #writePortions(): void {
    const delay = this.delay
    delay.backlog = new Backlog()
    delay.backlog.push([...(this.#earlier ?? []), this.#piece.subarray(this.#start, this.#end)], this.#size, false)
    this.promised += this.#size
    this.#clearBatch()
    this.#writeBacklog()
    delay.backlog?.ownPieces()
  }

  /** What was set aside goes, in order and the batch behind it, as far as the transport takes it. */
  #writeBacklog(): void {
    const delays = this.delays
    const backlog = delays?.backlog
    if (delays === undefined || backlog === undefined) return
    if (!this.transport.writable) {
      this.#dropBacklog()
      return
    }
    this.setAside(false)
    const before = backlog.size
    // A transport asks for a pause when it has as much as this: a smaller portion would be taken byte by byte.
    const most = this.transport.writableHighWaterMark
    const size = Math.max(delays.portion.size, most)
    // What may be skipped stays here for as long as it can, and is not parted.
    if (backlog.droppableSize > 0) this.#writeFrom(backlog, most, size)
    else this.#writeFrom(backlog, size, 0)
    this.promised -= before - backlog.size
    if (backlog.count === 0) delays.backlog = undefined
  }

  #writeFrom(backlog: Backlog, portion: number, whole: number): void {
    const transport = this.transport
    // A stream that has taken all of it at once asks for a pause all the same, until the next tick.
    while (backlog.count > 0 && transport.writable && !(this.blocked && this.hasWaiting)) {
      const before = backlog.size
      if (!this.hasWaiting) this.delay.tail = 0
      const pieces = backlog.take(Math.max(1, portion - transport.writableLength), whole)
      this.delay.tail = Math.max(this.delay.tail, backlog.tail)
      backlog.tail = 0
      this.#owner.onFlush(before - backlog.size)
      this.writePieces(gather(pieces))
    }
    if (this.hasWaiting) this.delay.portion.waits()
  }

  #dropBacklog(): void {
    const delays = this.delays
    if (delays?.backlog === undefined) return
    this.promised -= delays.backlog.size
    delays.backlog = undefined
  }

  #endBehindAll(): void {
    if ((this.is & IS.last) !== 0 && this.delays?.backlog === undefined) this.transport.end()
  }

  #clearBatch(): void {
    this.#piece = EMPTY
    this.#start = this.#end = this.#size = 0
    this.#earlier = undefined
  }
}

const EMPTY = Buffer.alloc(0)

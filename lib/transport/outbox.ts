/** The bytes on their way to one transport: filled frame by frame, written once a read or tick, with backpressure. */
import type { Duplex } from 'node:stream'
import type { EndpointOutput } from '../protocol/output.ts'
import { Backlog } from './backlog.ts'
import { closedError } from './closed-error.ts'
import { flushAtEndOfTick, type Flushable } from './flush-queue.ts'
import { Delays } from './outbox-delays.ts'
import type { OutboxOwner } from './outbox-owner.ts'
import { gather, ownMemory } from './pieces.ts'
import { mayPin, pin, unpin, type Writer } from './pinned-memory.ts'
import { reserveInSlab, slab } from './slab.ts'
import { isSystemSocket } from './system-socket.ts'

/** From this many queued bytes on, a sender is asked to wait. */
export const HIGH_WATER = 64 * 1024

/** What a piece that waits takes of memory besides its bytes, at most: 411 bytes for a write to a socket (Node 20). */
const PIECE_COST = 512
/** From so many on they are looked at, though they may have few bytes. */
const MANY_PIECES = HIGH_WATER / PIECE_COST

/**
 * Bits of one field, for an idle connection has 8 bytes for each field:
 * - copiesOnWrite: bytes that a write took at once are free again: true of a kernel's socket, not of a stream in general
 * - corked: a read is being handled, which ends with a flush anyway
 * - flushQueued: the end of this tick flushes
 * - drainWanted: somebody was asked to wait
 * - drainQueued: they will be told, where the transport will not tell
 * - pins: a write that was not taken at once pins memory that others share
 */
const IS = { copiesOnWrite: 1, corked: 2, flushQueued: 4, drainWanted: 8, drainQueued: 16, pins: 32 } as const

export class Outbox implements EndpointOutput, Flushable, Writer {
  /** Bytes that will be written once they are compressed, or once the message before them is out. */
  promised = 0
  readonly #owner: OutboxOwner
  readonly #transport: Duplex
  /** Bits of IS. */
  #is: number
  /** The last piece of the batch: `#piece[#start, #end)`. */
  #piece: Buffer = EMPTY
  #start = 0
  #end = 0
  /** The pieces before it, in order; undefined as long as there is one piece. */
  #earlier: Buffer[] | undefined
  #size = 0
  #delays: Delays | undefined

  constructor(transport: Duplex, owner: OutboxOwner) {
    this.#owner = owner
    this.#transport = transport
    this.#is = isSystemSocket(transport) ? IS.copiesOnWrite : 0
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
    return this.#size + this.promised + this.#transport.writableLength
  }

  /** Whether `size` bytes more keep the queue within `limit`; many small pieces count with what they take of memory. */
  fits(size: number, limit: number): boolean {
    return Math.max(this.queued + size, this.#pieces * PIECE_COST) <= limit
  }

  /** Whether so many pieces wait that they may be over a limit, whatever they have of bytes. */
  get isCrowded(): boolean {
    return this.#delays !== undefined && this.#pieces >= MANY_PIECES
  }

  /** Bytes of memory that are held: what is queued, and what its pieces take besides. */
  get held(): number {
    return this.queued + this.#pieces * PIECE_COST
  }

  get #pieces(): number {
    const delays = this.#delays
    if (delays === undefined) return 0
    // The stream says that it has drained before it calls back for its writes.
    const writes = this.#transport.writableLength === 0 ? 0 : delays.writes
    return writes + delays.messages + (delays.backlog?.count ?? 0)
  }

  /** Whether the transport takes what is written; what is promised, and may wait for just that, does not count. */
  get keepsUp(): boolean {
    return this.#size + (this.#delays?.backlog?.size ?? 0) + this.#transport.writableLength < HIGH_WATER
  }

  get memory(): Buffer {
    return slab.memory
  }

  get blocked(): boolean {
    return this.#transport.writableNeedDrain
  }

  /** Whether the transport has not taken all that was written. */
  get hasWaiting(): boolean {
    return this.#transport.writableLength > 0
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
    this.#delay.messages += change
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
    this.#is |= IS.corked
  }

  uncork(): void {
    this.#is &= ~IS.corked
    this.flush()
  }

  /** The batch is written at the end of this tick, or of the read that is being handled. */
  queueFlush(): void {
    if ((this.#is & (IS.corked | IS.flushQueued)) !== 0) return
    this.#is |= IS.flushQueued
    flushAtEndOfTick(this)
  }

  /** A message has been added: sees to it that it leaves in time. False where the sender should wait for `onDrain`. */
  settle(): boolean {
    if (this.#size >= HIGH_WATER) this.#write()
    this.queueFlush()
    if (this.queued < HIGH_WATER) return true
    this.#is |= IS.drainWanted
    return false
  }

  /** A sender was refused: `onDrain` will be called when it is worth another try. */
  askToWait(): void {
    this.#is |= IS.drainWanted
    if (this.#transport.writableLength === 0) this.queueFlush()
  }

  /** `callback` is called each time that the transport has taken a part of what is written from now on. */
  whenTaken(callback: (() => void) | undefined): void {
    if (callback !== undefined || this.#delays !== undefined) this.#delay.onTaken = callback
  }

  /** For a limit below what a stream may hold without a word: the taking of each part is noticed, for `onDrain`. */
  watchTaken(): void {
    this.#delay.onTaken ??= () => this.queueFlush()
  }

  /** Where the transport is blocked, the batch waits here, whole: as a message that may be skipped, or as what may not. */
  setAside(droppable: boolean): void {
    if (this.#size === 0 || (this.#delays?.backlog === undefined && !this.blocked)) return
    const delay = this.#delay
    delay.backlog ??= new Backlog()
    const size = this.#size
    const pieces = gather([...(this.#earlier ?? []), this.#piece.subarray(this.#start, this.#end)])
    this.#clearBatch()
    delay.backlog.push(pieces.map(ownMemory), size, droppable)
    this.promised += size
  }

  /** Skips messages that were set aside, oldest first, until `size` bytes more fit. How many; 0 where that is no help. */
  makeRoom(size: number, limit: number): number {
    const backlog = this.#delays?.backlog
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
    if ((this.#is & IS.drainWanted) === 0) return Promise.resolve()
    return new Promise((resolve, reject) => this.#delay.waiters.push({ resolve, reject }))
  }

  /** Resolves when the transport takes more, whatever is promised; rejects if `end` comes first. For one at a time. */
  taken(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#delay.partWaiter = { resolve, reject }
    })
  }

  /** Nobody will be able to go on. */
  end(): void {
    this.#is &= ~IS.drainWanted
    const delays = this.#delays
    if (delays === undefined) return
    delays.partWaiter?.reject(closedError())
    delays.partWaiter = undefined
    for (const waiter of delays.waiters.splice(0)) waiter.reject(closedError())
    if (!this.#transport.destroyed || delays.backlog === undefined) return
    this.promised -= delays.backlog.size
    delays.backlog = undefined
  }

  /** As `flush`; and what was set aside goes too, for nothing more will be sent. */
  flushLast(): void {
    this.#writeBacklog(true)
    this.flush()
  }

  /** The transport is gone: nothing that waits is kept for it. */
  discard(): void {
    this.#clearBatch()
    this.#unpin()
  }

  flush(): void {
    this.#is &= ~IS.flushQueued
    this.#write()
    if (this.#isAwaited && (this.#is & IS.drainQueued) === 0 && !this.#willTell) {
      // Not in this tick: a callback that sends whenever it may would let nobody else run.
      this.#is |= IS.drainQueued
      setImmediate(Outbox.#drainLater, this)
    }
    this.#owner.onQueueChanged()
  }

  /** The transport says that it takes more. */
  unblocked(): void {
    this.#is &= ~IS.drainQueued
    this.#writeBacklog(false)
    if (!this.hasWaiting) this.#unpin()
    if (this.blocked) return
    this.#owner.onQueueChanged()
    this.#owner.onUnblocked()
    if (this.#size > 0) this.queueFlush()
    const delays = this.#delays
    delays?.partWaiter?.resolve()
    if (delays !== undefined) delays.partWaiter = undefined
    if (!this.#mayDrain) return
    this.#is &= ~IS.drainWanted
    for (const waiter of delays?.waiters.splice(0) ?? []) waiter.resolve()
    this.#owner.onDrain()
  }

  static #drainLater(outbox: Outbox): void {
    outbox.unblocked()
  }

  get #delay(): Delays {
    this.#delays ??= new Delays()
    return this.#delays
  }

  /** Whether somebody waits who might go on now. */
  get #isAwaited(): boolean {
    return this.#mayDrain || this.#delays?.partWaiter !== undefined
  }

  get #mayDrain(): boolean {
    return (this.#is & IS.drainWanted) !== 0 && this.promised < HIGH_WATER && (this.#delays?.messages ?? 0) < MANY_PIECES
  }

  /** Whether something will be heard of the transport when it takes more. */
  get #willTell(): boolean {
    return this.blocked || (this.#delays?.onTaken !== undefined && this.#transport.writableLength > 0)
  }

  /** Hands the batch to the transport; what it does not take at once waits in its queue. */
  #write(): void {
    this.#writeBacklog(false)
    if (this.#size === 0) return
    this.#owner.onFlush(this.#transport.writable ? this.#size : 0)
    const transport = this.#transport
    const earlier = this.#earlier
    const piece = this.#piece
    const start = this.#start
    const last = piece.subarray(start, this.#end)
    const inSlab = piece === slab.memory && this.#end === slab.used
    this.#clearBatch()
    if (!transport.writable) return
    if (earlier === undefined) {
      this.#writePiece(last)
      // Taken at once: the memory is free for the next batch.
      if (inSlab && (this.#is & IS.copiesOnWrite) !== 0 && transport.writableLength === 0) slab.used = start
    } else {
      earlier.push(last)
      this.#writePieces(gather(earlier))
    }
  }

  /** What was set aside goes, in order and the batch behind it, as far as the transport takes it; or all of it. */
  #writeBacklog(all: boolean): void {
    const delays = this.#delays
    if (delays?.backlog === undefined) return
    this.setAside(false)
    const transport = this.#transport
    while (delays.backlog !== undefined && (all || !this.blocked)) {
      const pieces: Buffer[] = []
      const room = all ? Infinity : transport.writableHighWaterMark - transport.writableLength
      let size = 0
      do {
        const entry = delays.backlog.shift()
        if (entry === undefined) break
        this.promised -= entry.size
        size += entry.size
        pieces.push(...entry.pieces)
      } while (size < room)
      if (delays.backlog.count === 0) delays.backlog = undefined
      if (!transport.writable) continue
      this.#owner.onFlush(size)
      this.#writePieces(gather(pieces))
    }
  }

  #clearBatch(): void {
    this.#piece = EMPTY
    this.#start = this.#end = this.#size = 0
    this.#earlier = undefined
  }

  #writePieces(pieces: readonly Buffer[]): void {
    if (pieces.length === 1) {
      this.#writePiece(pieces[0])
      return
    }
    const copies = this.#mustCopy()
    this.#transport.cork()
    for (const piece of pieces) this.#hand(copies ? ownMemory(piece) : piece)
    this.#transport.uncork()
    if (!copies && this.hasWaiting) this.#pin(pieces)
  }

  #writePiece(piece: Buffer): void {
    const copies = this.#mustCopy()
    this.#hand(copies ? ownMemory(piece) : piece)
    if (!copies && this.hasWaiting) this.#pin([piece])
  }

  /** Pieces that wait get memory of their own: a slow reader's few bytes don't pin a whole slab. */
  #mustCopy(): boolean {
    if (this.hasWaiting) return true
    this.#unpin()
    return !mayPin()
  }

  #hand(bytes: Buffer): void {
    if (!this.hasWaiting) {
      this.#transport.write(bytes, this.#delays?.onTaken)
      return
    }
    const delay = this.#delay
    delay.writes++
    this.#transport.write(bytes, delay.onWritten)
  }

  #pin(pieces: readonly Buffer[]): void {
    if (pin(this, pieces)) this.#is |= IS.pins
  }

  #unpin(): void {
    if ((this.#is & IS.pins) === 0) return
    this.#is &= ~IS.pins
    unpin(this)
  }
}

const EMPTY = Buffer.alloc(0)

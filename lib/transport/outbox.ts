/** The bytes on their way to one transport: filled frame by frame, written once a read or tick, with backpressure. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { EndpointOutput } from '../protocol/output.ts'
import { Backlog } from './backlog.ts'
import { flushAtEndOfTick, type Flushable } from './flush-queue.ts'

/** From this many queued bytes on, a sender is asked to wait. */
export const HIGH_WATER = 64 * 1024

/** Frames of all connections are written into slabs of this many bytes, one after the other. */
const SLAB_SIZE = 64 * 1024
/** Pieces up to this many bytes are copied together where a batch has several: a vectored write costs more. */
const GATHER_UP_TO = 4 * 1024

/** What a piece that waits takes of memory besides its bytes, at most: 411 bytes for a write to a socket (Node 20). */
const PIECE_COST = 512

/** What an Outbox calls. */
export interface OutboxOwner {
  /** So many bytes are being written now. */
  onFlush(size: number): void
  /** What is queued may have changed. */
  onQueueChanged(): void
  /** The transport takes more than it did: answers that waited may go. */
  onUnblocked(): void
  /** A sender that was asked to wait may go on. */
  onDrain(): void
}

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

let slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
let slabUsed = 0

export class Outbox implements EndpointOutput, Flushable {
  /** Bytes that will be written once they are compressed, or once the message before them is out. */
  promised = 0
  readonly #owner: OutboxOwner
  readonly #transport: Duplex
  /** Whether bytes that a write took at once are free again: true of a kernel's socket, not of a stream in general. */
  readonly #copiesOnWrite: boolean
  /** The last piece of the batch: `#piece[#start, #end)`. */
  #piece: Buffer = EMPTY
  #start = 0
  #end = 0
  /** The pieces before it, in order; undefined as long as there is one piece. */
  #earlier: Buffer[] | undefined
  #size = 0
  /** While a read is being handled, which ends with a flush anyway. */
  #corked = false
  #flushQueued = false
  /** Somebody was asked to wait. */
  #drainWanted = false
  #drainQueued = false
  #waiters: Waiter[] | undefined
  /** Who sends a message in parts, and waits. */
  #partWaiter: Waiter | undefined
  /** Made when a message that may be skipped finds the transport blocked; what is sent meanwhile waits in it as well. */
  #backlog: Backlog | undefined
  /** How many writes the transport may still have in its queue. */
  #waitingWrites = 0
  /** Called each time that the transport has taken a part of what was written to it. */
  #onTaken: (() => void) | undefined

  constructor(transport: Duplex, owner: OutboxOwner) {
    this.#owner = owner
    this.#transport = transport
    this.#copiesOnWrite = transport instanceof Socket && !('encrypted' in transport)
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
    const writes = this.#transport.writableLength === 0 ? 0 : this.#waitingWrites
    const pieces = writes + (this.#backlog?.count ?? 0)
    return Math.max(this.queued + size, pieces * PIECE_COST) <= limit
  }

  /** Whether the transport takes what is written; what is promised, and may wait for just that, does not count. */
  get keepsUp(): boolean {
    return this.#size + (this.#backlog?.size ?? 0) + this.#transport.writableLength < HIGH_WATER
  }

  get memory(): Buffer {
    return slab
  }

  get blocked(): boolean {
    return this.#transport.writableNeedDrain
  }

  reserve(size: number): number {
    if (SLAB_SIZE - slabUsed < size) {
      slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
      slabUsed = 0
    }
    return slabUsed
  }

  commit(size: number): void {
    this.appendRange(slab, slabUsed, slabUsed + size)
    slabUsed += size
  }

  append(bytes: Buffer): void {
    this.appendRange(bytes, 0, bytes.length)
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
    this.#corked = true
  }

  uncork(): void {
    this.#corked = false
    this.flush()
  }

  /** The batch is written at the end of this tick, or of the read that is being handled. */
  queueFlush(): void {
    if (this.#corked || this.#flushQueued) return
    this.#flushQueued = true
    flushAtEndOfTick(this)
  }

  /** A message has been added: sees to it that it leaves in time. False where the sender should wait for `onDrain`. */
  settle(): boolean {
    if (this.#size >= HIGH_WATER) this.#write()
    this.queueFlush()
    if (this.queued < HIGH_WATER) return true
    this.#drainWanted = true
    return false
  }

  /** A sender was refused: `onDrain` will be called when it is worth another try. */
  askToWait(): void {
    this.#drainWanted = true
    if (this.#transport.writableLength === 0) this.queueFlush()
  }

  /** `callback` is called each time that the transport has taken a part of what is written from now on. */
  whenTaken(callback: (() => void) | undefined): void {
    this.#onTaken = callback
  }

  /** For a limit below what a stream may hold without a word: the taking of each part is noticed, for `onDrain`. */
  watchTaken(): void {
    this.#onTaken ??= () => this.queueFlush()
  }

  /** Where the transport is blocked, the batch waits here, whole: as a message that may be skipped, or as what may not. */
  setAside(droppable: boolean): void {
    if (this.#size === 0 || (this.#backlog === undefined && !this.blocked)) return
    this.#backlog ??= new Backlog()
    const size = this.#size
    const pieces = gather([...(this.#earlier ?? []), this.#piece.subarray(this.#start, this.#end)])
    this.#clearBatch()
    this.#backlog.push(pieces.map(ownMemory), size, droppable)
    this.promised += size
  }

  /** Skips messages that were set aside, oldest first, until `size` bytes more fit. How many; 0 where that is no help. */
  makeRoom(size: number, limit: number): number {
    const backlog = this.#backlog
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
    if (!this.#drainWanted) return Promise.resolve()
    return new Promise((resolve, reject) => (this.#waiters ??= []).push({ resolve, reject }))
  }

  /** Resolves when the transport takes more, whatever is promised; rejects if `end` comes first. For one at a time. */
  taken(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#partWaiter = { resolve, reject }
    })
  }

  /** Nobody will be able to go on. */
  end(): void {
    this.#drainWanted = false
    this.#partWaiter?.reject(closedError())
    this.#partWaiter = undefined
    for (const waiter of this.#takeWaiters()) waiter.reject(closedError())
    if (!this.#transport.destroyed || this.#backlog === undefined) return
    this.promised -= this.#backlog.size
    this.#backlog = undefined
  }

  /** As `flush`; and what was set aside goes too, for nothing more will be sent. */
  flushLast(): void {
    this.#writeBacklog(true)
    this.flush()
  }

  flush(): void {
    this.#flushQueued = false
    this.#write()
    if ((this.#mayDrain || this.#partWaiter !== undefined) && !this.#drainQueued && !this.#willTell) {
      // Not in this tick: a callback that sends whenever it may would let nobody else run.
      this.#drainQueued = true
      setImmediate(Outbox.#drainLater, this)
    }
    this.#owner.onQueueChanged()
  }

  /** The transport says that it takes more. */
  unblocked(): void {
    this.#drainQueued = false
    this.#writeBacklog(false)
    if (this.blocked) return
    this.#owner.onQueueChanged()
    this.#owner.onUnblocked()
    if (this.#size > 0) this.queueFlush()
    this.#partWaiter?.resolve()
    this.#partWaiter = undefined
    if (!this.#mayDrain) return
    this.#drainWanted = false
    for (const waiter of this.#takeWaiters()) waiter.resolve()
    this.#owner.onDrain()
  }

  static #drainLater(outbox: Outbox): void {
    outbox.unblocked()
  }

  get #mayDrain(): boolean {
    return this.#drainWanted && this.promised < HIGH_WATER
  }

  /** Whether something will be heard of the transport when it takes more. */
  get #willTell(): boolean {
    return this.blocked || (this.#onTaken !== undefined && this.#transport.writableLength > 0)
  }

  #takeWaiters(): Waiter[] {
    const waiters = this.#waiters ?? []
    this.#waiters = undefined
    return waiters
  }

  /** Hands the batch to the transport; what it does not take at once waits in its queue. */
  #write(): void {
    this.#writeBacklog(false)
    if (this.#size === 0) return
    this.#owner.onFlush(this.#transport.writable ? this.#size : 0)
    const transport = this.#transport
    if (transport.writableLength === 0) this.#waitingWrites = 0
    const earlier = this.#earlier
    const piece = this.#piece
    const start = this.#start
    const last = piece.subarray(start, this.#end)
    const inSlab = piece === slab && this.#end === slabUsed
    this.#clearBatch()
    if (!transport.writable) return
    if (earlier === undefined) {
      this.#writePiece(last)
      // Taken at once: the memory is free for the next batch.
      if (inSlab && this.#copiesOnWrite && transport.writableLength === 0) slabUsed = start
    } else {
      earlier.push(last)
      transport.cork()
      for (const part of gather(earlier)) this.#writePiece(part)
      transport.uncork()
    }
  }

  /** What was set aside goes, in order and the batch behind it, as far as the transport takes it; or all of it. */
  #writeBacklog(all: boolean): void {
    if (this.#backlog === undefined) return
    this.setAside(false)
    const transport = this.#transport
    while (this.#backlog !== undefined && (all || !this.blocked)) {
      const pieces: Buffer[] = []
      const room = all ? Infinity : transport.writableHighWaterMark - transport.writableLength
      let size = 0
      do {
        const entry = this.#backlog.shift()
        if (entry === undefined) break
        this.promised -= entry.size
        size += entry.size
        pieces.push(...entry.pieces)
      } while (size < room)
      if (this.#backlog.count === 0) this.#backlog = undefined
      if (!transport.writable) continue
      this.#owner.onFlush(size)
      transport.cork()
      for (const part of gather(pieces)) this.#writePiece(part)
      transport.uncork()
    }
  }

  #clearBatch(): void {
    this.#piece = EMPTY
    this.#start = this.#end = this.#size = 0
    this.#earlier = undefined
  }

  /** What has to wait gets memory of its own, so that a slow reader's few bytes don't hold a whole slab. */
  #writePiece(bytes: Buffer): void {
    const waits = this.#transport.writableLength > 0
    if (waits) this.#waitingWrites++
    this.#transport.write(waits ? ownMemory(bytes) : bytes, this.#onTaken)
  }
}

const EMPTY = Buffer.alloc(0)

/** A small piece of memory that others share, in memory of its own. */
function ownMemory(bytes: Buffer): Buffer {
  return bytes.length < GATHER_UP_TO && bytes.length < bytes.buffer.byteLength ? copyOf(bytes) : bytes
}

/** Not `Buffer.from`, which may take a part of Node's pool: that is 64 KiB from Node 24 on, and would be held instead. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/** Joins neighbouring small pieces; large ones stay as they are. */
function gather(pieces: readonly Buffer[]): Buffer[] {
  const parts: Buffer[] = []
  let small: Buffer[] = []
  const joinSmall = (): void => {
    if (small.length > 0) parts.push(small.length === 1 ? small[0] : Buffer.concat(small))
    small = []
  }
  for (const piece of pieces) {
    if (piece.length <= GATHER_UP_TO) {
      small.push(piece)
    } else {
      joinSmall()
      parts.push(piece)
    }
  }
  joinSmall()
  return parts
}

/** What `drained` rejects with. */
export function closedError(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'connection-closed' })
}

export function isClosedError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'connection-closed'
}

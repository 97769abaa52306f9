/** Hands pieces to one transport: sees to what waits there, what that takes of memory, and whose memory it pins. */
import type { Duplex } from 'node:stream'
import { Delays } from './outbox-delays.ts'
import { ownMemory } from './pieces.ts'
import { mayPin, pin, unpin, type Writer } from './pinned-memory.ts'

/** What a piece that waits takes of memory besides its bytes, at most: 411 bytes for a write to a socket (Node 20). */
export const PIECE_COST = 512
/** A write that was not taken at once pins memory that others share. */
export const PINS = 1

/** The base of an Outbox and one object with it: another one would cost each idle connection 40 bytes and more. */
export class PieceWriter implements Writer {
  protected readonly transport: Duplex
  protected delays: Delays | undefined
  /** Bits of one field, for an idle connection has 8 bytes for each field: `PINS`, and those of the Outbox. */
  protected is: number

  constructor(transport: Duplex, is: number) {
    this.transport = transport
    this.is = is
  }

  /** Whether the transport has not taken all that was written. */
  get hasWaiting(): boolean {
    return this.transport.writableLength > 0
  }

  /** Whether the transport asks for a pause. */
  get blocked(): boolean {
    return this.transport.writableNeedDrain
  }

  /** Pieces that wait, here or in the transport. */
  protected get pieces(): number {
    const delays = this.delays
    if (delays === undefined) return 0
    // The stream says that it has drained before it calls back for its writes.
    const writes = this.hasWaiting ? delays.writes : 0
    return writes + delays.messages + (delays.backlog?.count ?? 0)
  }

  protected get delay(): Delays {
    this.delays ??= new Delays()
    return this.delays
  }

  protected writePieces(pieces: readonly Buffer[]): void {
    if (pieces.length === 1) {
      this.writePiece(pieces[0])
      return
    }
    const copies = this.#mustCopy()
    this.transport.cork()
    for (const piece of pieces) this.#hand(copies ? ownMemory(piece) : piece)
    this.transport.uncork()
    if (!copies && this.hasWaiting) this.#pin(pieces)
  }

  protected writePiece(piece: Buffer): void {
    const copies = this.#mustCopy()
    this.#hand(copies ? ownMemory(piece) : piece)
    if (!copies && this.hasWaiting) this.#pin([piece])
  }

  /** Nothing that was written pins anything any more. */
  protected unpin(): void {
    if ((this.is & PINS) === 0) return
    this.is &= ~PINS
    unpin(this)
  }

  /** Pieces that wait get memory of their own: a slow reader's few bytes don't pin a whole slab. */
  #mustCopy(): boolean {
    if (this.hasWaiting) return true
    this.unpin()
    return !mayPin()
  }

  #hand(bytes: Buffer): void {
    if (!this.hasWaiting) {
      this.transport.write(bytes, this.delays?.onTaken)
      return
    }
    const delay = this.delay
    delay.writes++
    this.transport.write(bytes, delay.onWritten)
  }

  #pin(pieces: readonly Buffer[]): void {
    if (pin(this, pieces)) this.is |= PINS
  }
}

/**
 * Writes that the system has not taken at once, and the memory that they pin beyond their own bytes.
 *
 * A batch is a range of a slab that all connections write to. The kernel takes nearly every batch at once; one that it
 * does not take pins the whole slab until it does. That shows only when it is written, and a copy of each batch would cost
 * every connection. So a few slabs may be pinned. Beyond that, batches are copied before they are written.
 */

import { pinsOthers } from './pieces.ts'
import { SLAB_SIZE } from './slab.ts'

/** Slabs that may be pinned at a time; of 128 KiB each, 4 MiB. */
const MOST = 32
/** So many refusals come before the writes are looked at again. */
const PATIENCE = 64

/** What has written. */
export interface Writer {
  /** Whether something that was written has not been taken. */
  readonly hasWaiting: boolean
}

/** By writer, what it pins. */
const writers = new Map<Writer, readonly ArrayBufferLike[]>()
/** How many writers pin each slab. */
const slabs = new Map<ArrayBufferLike, number>()
let refusals = 0

/** Whether a write may pin a slab. */
export function mayPin(): boolean {
  if (slabs.size < MOST) return true
  if (refusals++ % PATIENCE === 0) sweep()
  return slabs.size < MOST
}

/**
 * The pieces were written and not taken at once. What they pin beyond themselves stays pinned until `unpin`.
 *
 * @returns whether they pin anything
 */
export function pin(writer: Writer, pieces: readonly Buffer[]): boolean {
  const memory = pieces.filter(isOfSlab).map(({ buffer }) => buffer)
  if (memory.length === 0) return false
  writers.set(writer, memory)
  for (const slab of memory) slabs.set(slab, (slabs.get(slab) ?? 0) + 1)
  return true
}

/** Without effect on a writer that pins nothing. */
export function unpin(writer: Writer): void {
  for (const slab of writers.get(writer) ?? []) {
    const count = slabs.get(slab) ?? 0
    if (count > 1) slabs.set(slab, count - 1)
    else slabs.delete(slab)
  }
  writers.delete(writer)
}

/** How many slabs are pinned, as far as it is known. */
export function pinned(): number {
  return slabs.size
}

/** Larger memory is the application's, which has sent a part of it by reference: its own matter. */
function isOfSlab(piece: Buffer): boolean {
  return pinsOthers(piece) && piece.buffer.byteLength <= SLAB_SIZE
}

function sweep(): void {
  for (const writer of writers.keys()) {
    if (!writer.hasWaiting) unpin(writer)
  }
}

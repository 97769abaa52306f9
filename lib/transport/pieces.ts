/** Pieces of outgoing bytes: which are worth a copy, to be written together or to wait in memory of their own. */
import { copyOf } from '../protocol/message-memory.ts'

/** Pieces up to this many bytes are copied together where a batch has several: a vectored write costs more. */
const GATHER_UP_TO = 4 * 1024

/** Whether the piece keeps more than twice its own size of memory from being freed. */
export function pinsOthers(bytes: Buffer): boolean {
  return 2 * bytes.length < bytes.buffer.byteLength
}

/** A piece in memory of its own, where it would pin much more: a copy if need be. */
export function ownMemory(bytes: Buffer): Buffer {
  return pinsOthers(bytes) ? copyOf(bytes) : bytes
}

/** Joins neighbouring small pieces; large ones stay as they are. */
export function gather(pieces: readonly Buffer[]): Buffer[] {
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

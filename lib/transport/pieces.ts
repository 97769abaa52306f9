/** Pieces of outgoing bytes: which are worth a copy, to be written together or to wait in memory of their own. */
import { copyOf } from '../protocol/message-memory.ts'

/** Pieces up to this many bytes are copied together where a batch has several: a vectored write costs more. */
const GATHER_UP_TO = 4 * 1024

/** A small piece of memory that others share, in memory of its own. */
export function ownMemory(bytes: Buffer): Buffer {
  return bytes.length < GATHER_UP_TO && bytes.length < bytes.buffer.byteLength ? copyOf(bytes) : bytes
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

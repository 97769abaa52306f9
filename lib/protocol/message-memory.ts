/** Memory for messages that are put together from pieces: allocated so that the system's page faults don't cost more. */

/**
 * From this many bytes on it pays. At the start glibc's malloc asks the system for each block over 128 KiB, and gives back
 * what is free at the end of its heap when that is more: a few messages of 64 KiB do that already (Node 20: 37 k of them a
 * second before, 67 k after), and a few hundred of 16 KiB that are collected together (58 k before, 125 k after).
 */
export const LARGE = 8 * 1024

/**
 * glibc learns from what is freed: a block of just under 32 MiB, the most that it takes into account, and from then on
 * it keeps up to 64 MiB of freed memory for the next large message. Before, it gives each back to the system, which
 * hands it out again page by page: 616 µs against 108 for 1 MiB, and half the throughput of such messages (Node 20).
 */
const LESSON = 32 * 1024 * 1024 - 8 * 1024

let taught = false

/** Memory for `size` bytes, with whatever was in it before. */
export function allocateForMessage(size: number): Buffer {
  if (size >= LARGE && !taught) {
    taught = true
    // Never written to, so never resident; freed with the next collection of garbage. Other mallocs don't mind.
    Buffer.allocUnsafeSlow(LESSON)
  }
  return Buffer.allocUnsafeSlow(size)
}

/** A copy in memory of its own: Node's pool, where small ones come from otherwise, would be held by it as a whole. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = allocateForMessage(bytes.length)
  copy.set(bytes)
  return copy
}

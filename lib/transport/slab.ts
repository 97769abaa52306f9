/** Memory that the frames of all connections are written into, one behind the other. */

/** Bytes of a slab: as much as a batch is written at, 64 KiB, and the frame that passes it. */
export const SLAB_SIZE = 128 * 1024

/** The slab of the moment: `memory[0, used)` is of frames that are on their way. */
export const slab = { memory: Buffer.allocUnsafeSlow(SLAB_SIZE), used: 0 }

/** Makes room for `size` bytes, at most a slab's, and returns where they begin. */
export function reserveInSlab(size: number): number {
  if (SLAB_SIZE - slab.used < size) {
    slab.memory = Buffer.allocUnsafeSlow(SLAB_SIZE)
    slab.used = 0
  }
  return slab.used
}

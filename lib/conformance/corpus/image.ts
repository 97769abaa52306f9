/** An image: a Windows bitmap of 512 by 512 grey pixels, with soft shapes and the noise of a camera. */
import { randomFrom } from './random.ts'

const SEED = 0x5eed04
const SIDE = 512
const GREYS = 256
const FILE_HEADER = 14
const INFO_HEADER = 40

/** The file, whose pixels end at `size`; what is left in front of them is a gap that the format allows. */
export function image(size: number): Buffer {
  const file = Buffer.alloc(size)
  const start = size - SIDE * SIDE
  file.write('BM', 'latin1')
  file.writeUInt32LE(size, 2)
  file.writeUInt32LE(start, 10)
  file.writeUInt32LE(INFO_HEADER, FILE_HEADER)
  file.writeInt32LE(SIDE, FILE_HEADER + 4)
  file.writeInt32LE(SIDE, FILE_HEADER + 8)
  file.writeUInt16LE(1, FILE_HEADER + 12)
  file.writeUInt16LE(8, FILE_HEADER + 14)
  file.writeUInt32LE(SIDE * SIDE, FILE_HEADER + 20)
  file.writeUInt32LE(GREYS, FILE_HEADER + 32)
  for (let grey = 0; grey < GREYS; grey++)
    file.fill(grey, FILE_HEADER + INFO_HEADER + 4 * grey, FILE_HEADER + INFO_HEADER + 4 * grey + 3)
  paint(file.subarray(start))
  return file
}

/** Hills and waves in integers, so that every machine paints the same. */
function paint(pixels: Buffer): void {
  const random = randomFrom(SEED)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const hill = (((x - 200) ** 2 + (y - 260) ** 2) >> 9) & 0xff
      const edge = ((x * 3 + y * 2) >> 7) % 3 === 0 ? 40 : 0
      pixels[y * SIDE + x] = (200 - (hill >> 1) - edge + random(9) + random(9)) & 0xff
    }
  }
}

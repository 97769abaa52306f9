/** Text of a part of a Buffer, by the calls that `toString` makes inside. */
import { usesInternals } from './switch.ts'

interface FastBuffer {
  latin1Slice?(start: number, end: number): string
  utf8Slice?(start: number, end: number): string
}

const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as FastBuffer
const areThere = usesInternals && typeof latin1Slice === 'function' && typeof utf8Slice === 'function'

/** The text of `bytes[start, end)`, which is ASCII. */
export const asciiText: (bytes: Buffer, start: number, end: number) => string = areThere
  ? (bytes, start, end) => (bytes as unknown as Required<FastBuffer>).latin1Slice(start, end)
  : (bytes, start, end) => bytes.toString('latin1', start, end)

/** The text of `bytes[start, end)`, which is valid UTF-8. */
export const utf8Text: (bytes: Buffer, start: number, end: number) => string = areThere
  ? (bytes, start, end) => (bytes as unknown as Required<FastBuffer>).utf8Slice(start, end)
  : (bytes, start, end) => bytes.toString('utf8', start, end)

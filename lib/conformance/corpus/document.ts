/** A document as PDF files are: objects in plain text around streams that are compressed already. */
import { randomFrom } from './random.ts'
import { sentence } from './words.ts'

const SEED = 0x5eed05

/** A file of `size` bytes; only its looks are those of a PDF. */
export function document(size: number): Buffer {
  const random = randomFrom(SEED)
  const parts = [Buffer.from('%PDF-1.4\n')]
  let length = 0
  for (let number = 1; length < size; number++) {
    const stream =
      number % 3 === 0 ? textStream(() => sentence(random)) : packedStream(1024 + random(16_384), () => random(256))
    const head = `${number} 0 obj\n<< /Type /XObject /Length ${stream.length} /Parent ${random(number)} 0 R >>\nstream\n`
    const part = Buffer.concat([Buffer.from(head), stream, Buffer.from('\nendstream\nendobj\n')])
    parts.push(part)
    length += part.length
  }
  return Buffer.concat(parts, size)
}

function packedStream(length: number, next: () => number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) bytes[at] = next()
  return bytes
}

/** Text as it lies uncompressed in old files: a position and a string for each line. */
function textStream(next: () => string): Buffer {
  const lines = Array.from({ length: 60 }, (_, line) => `1 0 0 1 72 ${780 - 12 * line} Tm (${next()}) Tj`)
  return Buffer.from(`BT /F1 10 Tf\n${lines.join('\n')}\nET`, 'latin1')
}

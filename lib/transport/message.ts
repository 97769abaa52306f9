/** A message as the public faces hand it over. */
import { copyOf, LARGE } from '../protocol/message-memory.ts'
import { Opcode, type DataOpcode } from '../protocol/opcode.ts'
import { countMessageMemory } from './young-garbage.ts'

/** A string for text, a Buffer of its own for binary. */
export type Message = string | Buffer

/** Text decodes by a direct call: `toString` costs 8 to 14 ns more, of 55 to 62 for 20 bytes (Node 20). */
interface FastBuffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

/**
 * The message that lies in `bytes[start, end)`.
 *
 * @param ascii whether a text is known to be plain ASCII
 * @param own whether nobody else will use the memory of `bytes`, so that the message may keep it
 */
export function toMessage(
  opcode: DataOpcode,
  bytes: Buffer,
  start: number,
  end: number,
  ascii: boolean,
  own: boolean
): Message {
  if (own || opcode === Opcode.binary) countMessageMemory(end - start)
  if (opcode === Opcode.text) {
    const fast = bytes as unknown as FastBuffer
    return ascii ? fast.latin1Slice(start, end) : fast.utf8Slice(start, end)
  }
  const view = bytes.subarray(start, end)
  // A view that is most of its memory may keep it: a copy would save less than it costs.
  if (own && 2 * (end - start) > bytes.buffer.byteLength) return view
  return end - start < LARGE ? Buffer.from(view) : copyOf(view)
}

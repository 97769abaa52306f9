/** A message as the public faces hand it over. */
import { copyOf, LARGE } from '../protocol/message-memory.ts'
import { Opcode, type DataOpcode } from '../protocol/opcode.ts'
import { checkLength, decodeLargeText, LARGE_TEXT } from './large-text.ts'
import { asciiText, utf8Text } from '../node-internals/buffer-text.ts'
import { countMessageMemory } from '../node-internals/young-garbage.ts'

/** A string for text, a Buffer of its own for binary. */
export type Message = string | Buffer

/**
 * The message that lies in `bytes[start, end)`.
 *
 * @param ascii whether a text is known to be plain ASCII
 * @param own whether nobody else will use the memory of `bytes`, so that the message may keep it
 * @throws Violation `message-too-big` for a text that is longer than V8's strings
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
    if (ascii) {
      if (end - start >= LARGE_TEXT) checkLength(end - start)
      return asciiText(bytes, start, end)
    }
    return end - start < LARGE_TEXT ? utf8Text(bytes, start, end) : decodeLargeText(bytes, start, end)
  }
  const view = bytes.subarray(start, end)
  // A view that is most of its memory may keep it: a copy would save less than it costs.
  if (own && 2 * (end - start) > bytes.buffer.byteLength) return view
  return copyOfMessage(view)
}

/** A copy of `bytes[start, end)`, as a binary message is. */
export function ownBytes(bytes: Buffer, start: number, end: number): Buffer {
  countMessageMemory(end - start)
  return copyOfMessage(bytes.subarray(start, end))
}

/** Bytes of memory that a message takes: V8 keeps two for a character, unless all of the text are Latin-1. */
export function memoryOf(message: Message, ascii: boolean): number {
  return typeof message === 'string' && !ascii ? 2 * message.length : message.length
}

/**
 * A copy that pins no more than a few times its own size while the application keeps it: Node's pool would be pinned
 * whole. Copies of up to 256 bytes share 1 KiB; a larger one shares its memory with two others at most.
 */
function copyOfMessage(view: Buffer): Buffer {
  const size = view.length
  if (size >= LARGE) return copyOf(view)
  if (size <= ON_HEAP) {
    const copy = Buffer.allocUnsafeSlow(size)
    copy.set(view)
    return copy
  }
  const pool = size <= SMALL ? smallMessages : messages
  const poolSize = Math.max(POOL_SIZE, 2 * size)
  if (pool.memory.length - pool.used < size || pool.memory.length > poolSize) {
    pool.memory = Buffer.allocUnsafeSlow(poolSize)
    pool.used = 0
  }
  const start = pool.used
  const copy = pool.memory.subarray(start, start + size)
  copy.set(view)
  // Views of other types begin at a multiple of up to 8 bytes.
  pool.used = (start + size + 7) & ~7
  return copy
}

/** V8 keeps the bytes of such a Buffer beside the object itself, which costs no more than a view of a pool. */
const ON_HEAP = 64
const POOL_SIZE = 1024
/** Up to so many bytes a message comes from memory that larger ones never share. */
const SMALL = POOL_SIZE / 4

const smallMessages = { memory: Buffer.alloc(0), used: 0 }
const messages = { memory: Buffer.alloc(0), used: 0 }

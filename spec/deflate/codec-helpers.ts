/** Codecs, called as specs like it. */
import type { Compressor, Decompressor } from '../../lib/protocol/message-codec.ts'
import type { Violation } from '../../lib/protocol/violation.ts'

/** @throws where it is too large to be done at once */
export function decompress(decompressor: Decompressor, compressed: Buffer, limit = Infinity): Buffer {
  const message = decompressor.decompress(compressed, 0, compressed.length, limit)
  if (message === undefined) throw new Error('it is not done at once')
  return message
}

export function decompressLater(
  decompressor: Decompressor,
  compressed: Buffer,
  limit = Infinity
): Promise<Buffer | Violation> {
  return new Promise(resolve => decompressor.decompressLater(compressed, limit, resolve, () => {}))
}

/** At once, or where that is too much later. */
export async function decompressAnyhow(
  decompressor: Decompressor,
  compressed: Buffer,
  limit = Infinity
): Promise<Buffer | Violation> {
  const message = decompressor.decompress(compressed, 0, compressed.length, limit)
  return message === undefined ? decompressLater(decompressor, compressed, limit) : Buffer.from(message)
}

/** @throws where there is no result */
export async function compressLater(compressor: Compressor, payload: Uint8Array): Promise<Buffer> {
  const result = await new Promise<Buffer | undefined>(resolve => compressor.compressLater(payload, resolve))
  if (result === undefined) throw new Error('it could not be compressed')
  return result
}

/** Codecs, called as specs like it. */
import type { Compressor, Decompressor } from '../../lib/protocol/message-codec.ts'
import type { Violation } from '../../lib/protocol/violation.ts'

export function decompress(decompressor: Decompressor, compressed: Buffer, limit = Infinity): Buffer {
  return decompressor.decompress(compressed, 0, compressed.length, limit)
}

export function decompressLater(
  decompressor: Decompressor,
  compressed: Buffer,
  limit = Infinity
): Promise<Buffer | Violation> {
  return new Promise(resolve => decompressor.decompressLater(compressed, limit, resolve))
}

/** @throws where there is no result */
export async function compressLater(compressor: Compressor, payload: Uint8Array): Promise<Buffer> {
  const result = await new Promise<Buffer | undefined>(resolve => compressor.compressLater(payload, resolve))
  if (result === undefined) throw new Error('it could not be compressed')
  return result
}

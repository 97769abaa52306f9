/** permessage-deflate as two ends may have agreed on it, and messages compressed by zlib itself. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { createCompression, resolveCompression } from '../../lib/deflate/compression.ts'
import type { Agreement } from '../../lib/deflate/negotiation.ts'
import type { Role } from '../../lib/protocol/frame-parser.ts'
import type { Compression } from '../../lib/protocol/message-codec.ts'

export const MODES = ['shared', 'dedicated'] as const
export type Mode = (typeof MODES)[number]

/** Without context takeover in both directions, or with. */
export function agreementOf(mode: Mode): Agreement {
  const [serverNoContextTakeover, clientNoContextTakeover] = [mode === 'shared', mode === 'shared']
  return { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits: 15, clientMaxWindowBits: 15 }
}

/** One end, with real codecs; what has `threshold` bytes is compressed. */
export function compressionOf(role: Role, mode: Mode = 'shared', threshold = 0): Compression {
  const settings = resolveCompression({ mode, threshold })
  if (settings === undefined) throw new Error('no compression')
  return createCompression(role, agreementOf(mode), settings)
}

/** What RFC 7692, section 7.2.1, makes of a message: without context, and without its tail. */
export function deflated(message: string | Uint8Array, level = 1): Buffer {
  const compressed = deflateRawSync(message, { level, finishFlush: constants.Z_SYNC_FLUSH })
  return compressed.subarray(0, -4)
}

/** The inverse, section 7.2.2. */
export function inflated(compressed: Uint8Array): Buffer {
  const input = Buffer.concat([compressed, Buffer.from('0000ffff', 'hex')])
  return inflateRawSync(input, { finishFlush: constants.Z_SYNC_FLUSH })
}

/** The flags of `serve` and `echo` that say how to compress (RFC 7692). */
import type { CompressionOption } from '../deflate/compression.ts'
import type { Flags, Values } from './flags.ts'

const MAX_THRESHOLD = 2 ** 30

export const COMPRESSION_FLAGS = {
  compression: {
    value: 'MODE',
    help: 'permessage-deflate: shared, dedicated or off',
    choices: ['shared', 'dedicated', 'off'],
    fallback: 'off',
  },
  'compression-threshold': {
    value: 'BYTES',
    help: 'smaller messages are sent as they are (default 1024)',
    range: [0, MAX_THRESHOLD],
  },
} as const satisfies Flags

export function compressionOf({ compression: mode, 'compression-threshold': threshold }: Values): CompressionOption {
  if (mode !== 'shared' && mode !== 'dedicated') return false
  return { mode, threshold: typeof threshold === 'number' ? threshold : undefined }
}

/** Compressed messages, as an attacker makes them (RFC 7692). */
import { constants, deflateRawSync } from 'node:zlib'

export const EXTENSION =
  'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover'

/** An empty stored block without its tail (section 7.2.3.6): what a message ends with whose last block has BFINAL set. */
const EMPTY = Buffer.alloc(1)
/** An empty block with fixed codes, BFINAL set. */
const EMPTY_FINAL = Buffer.from('0300', 'hex')

/** As a message is compressed (section 7.2.1). */
export function deflate(bytes) {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** In a block with BFINAL set, and more of them, all empty, behind it: `blocks` together. */
export function deflateFinally(bytes, blocks) {
  return Buffer.concat([deflateRawSync(bytes), ...new Array(blocks - 1).fill(EMPTY_FINAL), EMPTY])
}

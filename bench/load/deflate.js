/** Echo of compressed text: each connection has agreed on permessage-deflate (RFC 7692), without context takeover. */
import { constants, deflateRawSync } from 'node:zlib'
import { CompressedReplies } from './compressed-replies.js'
import { runEcho } from './echo.js'
import { FrameReader } from './frame-reader.js'
import { maskedFrame, RequestRing, RSV1, TEXT } from './frames.js'
import { jsonTexts } from './json-text.js'

/** So many different messages, or as many as are in flight. */
const LEAST_SLOTS = 16
/** The empty block at the end of what zlib has flushed, which is not sent (section 7.2.1). */
const TAIL = 4

/** @param {import('./run.js').Run} run */
export async function runDeflate(run, job, readCpu) {
  const messages = jsonTexts(Math.max(LEAST_SLOTS, job.inFlight), job.size).map(text => Buffer.from(text))
  const replies = new CompressedReplies(messages)
  const rings = { requests: new RequestRing(messages.map(compressedFrame), job.inFlight), createReader: () => new FrameReader(replies) }
  const figures = await runEcho(run, job, rings, readCpu)
  return { ...figures, replyBytes: replies.meanSize }
}

/** A masked frame of a whole message that was compressed by itself. @param {Buffer} message */
export function compressedFrame(message) {
  const compressed = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH })
  return maskedFrame(TEXT | RSV1, compressed.subarray(0, -TAIL))
}

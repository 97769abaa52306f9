/** Text as UTF-8 for those that only look at it once: in memory that is used again. */

/** A UTF-16 unit becomes at most this many bytes of UTF-8. */
const MAX_BYTES_A_UNIT = 3
/** Up to so many UTF-16 units text is encoded in memory that is used again; longer ones get memory of their own. */
export const LENT_UNITS = 16 * 1024

let scratch: Buffer | undefined

/** The UTF-8 of `text`; up to `LENT_UNITS` it is lent, good until the next call. Lone surrogates become U+FFFD, as everywhere in Node. */
export function encodeText(text: string): Buffer {
  if (text.length > LENT_UNITS) return Buffer.from(text, 'utf8')
  scratch ??= Buffer.allocUnsafeSlow(MAX_BYTES_A_UNIT * LENT_UNITS)
  return scratch.subarray(0, scratch.write(text, 0, 'utf8'))
}

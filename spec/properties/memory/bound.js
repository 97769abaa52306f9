/** The property as a sum: real memory is at most twice what is counted, and constants that are written down here. */

const KIBI = 1024
export const MIBI = 1024 * KIBI

/** Real bytes for each counted byte: a string of text outside Latin-1 takes two bytes for a character. */
export const FACTOR = 2
/**
 * Bytes for the process: the slabs that writes may pin (4 MiB), the library's slab and codecs, code that V8 compiles on the way, pools of parsers that Node keeps,
 * and what V8 keeps of its tables once they have grown.
 */
export const CONSTANT = 8 * MIBI
/** Bytes for a connection, as docs/reference/limits.md has them, and the 1 KiB that is not worth a report. */
export const CONNECTION = 6 * KIBI
/** Bytes that Node's TLS takes besides for a connection, on the heap: idle it is 3 KiB. */
export const TLS = 8 * KIBI
/** Bytes for a handshake under way: 16 KiB is the most that Node takes as headers, and the request is an object of them. */
export const HANDSHAKE = 24 * KIBI

/**
 * @typedef {object} Measured
 * @property {number} real bytes above the idle process
 * @property {number} counted bytes
 * @property {number} sockets all that are open, TLS included
 * @property {number} tls those of them that have TLS
 * @property {number} handshakes under way
 */

/** @param {Measured} measured @returns {number} the most bytes that may really be held */
export function boundOf({ counted, sockets, tls, handshakes }) {
  return (
    FACTOR * counted + CONSTANT + sockets * CONNECTION + tls * TLS + handshakes * HANDSHAKE
  )
}

/** @param {Measured} measured @returns {string | undefined} the complaint */
export function judge(measured) {
  const bound = boundOf(measured)
  if (measured.real <= bound) return undefined
  const { real, counted, sockets, handshakes } = measured
  return `counted ${inMebibytes(counted)}, really held ${inMebibytes(real)}, allowed ${inMebibytes(bound)}; ${sockets} sockets, ${handshakes} handshakes`
}

export function inMebibytes(bytes) {
  return `${(bytes / MIBI).toFixed(1)} MiB`
}

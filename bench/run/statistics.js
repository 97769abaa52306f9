/** Figures of several rounds put together. */

/** In seconds: Linux counts processor time in steps of this size, and a server that was kept waiting may have used none. */
const LEAST_CPU = 0.01

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * What one server did in one workload: either rounds or an error, never both.
 *
 * @typedef {object} Cell
 * @property {Round[]} [rounds]
 * @property {string} [error]
 */

/**
 * @typedef {object} Round
 * @property {number} [bytes] of memory for each idle connection; then there is nothing else
 * @property {number} messages
 * @property {number} seconds
 * @property {number} [cpu] seconds of the server's processor time
 * @property {number} [loadCpu] seconds of the load generator's
 * @property {number} [memory] resident bytes of the server
 * @property {number} [replyBytes] mean size of a compressed reply's frame
 * @property {{ p50: number, p99: number, p999: number }} [latency] in microseconds
 */

/** Messages a second, round by round. @param {Cell} cell */
export function rates(cell) {
  return (cell.rounds ?? []).map(({ messages, seconds }) => messages / seconds)
}

/**
 * The headline, round by round: messages per second of the server's processor time; messages a second where that time
 * can't be known. For idle connections the bytes of each.
 *
 * @param {Cell} cell
 */
export function figures(cell) {
  return (cell.rounds ?? []).map(({ bytes, messages, seconds, cpu }) => bytes ?? messages / (cpu === undefined ? seconds : Math.max(cpu, LEAST_CPU)))
}

/** How busy the server was, or the load generator, of 1. @param {Cell} cell @param {'cpu' | 'loadCpu'} which */
export function cpuShare(cell, which = 'cpu') {
  const known = (cell.rounds ?? []).filter(round => round[which] !== undefined)
  return known.length === 0 ? undefined : median(known.map(round => round[which] / round.seconds))
}

/**
 * `cell` as a multiple of `base`: the median of the ratios of the same rounds.
 *
 * @param {Cell | undefined} cell @param {Cell | undefined} base
 */
export function ratio(cell, base) {
  if (!cell?.rounds?.length || !base?.rounds?.length) return undefined
  const below = figures(base)
  return median(figures(cell).map((value, round) => value / below[round]))
}

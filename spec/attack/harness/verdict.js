/** What an attack must not do: the verdict on what was measured, apart from the measuring. */

const MIBI = 1024 * 1024
/** Milliseconds that others may have to wait at worst. Lenient, because machines that run this are busy; the figure is told. */
export const PATIENCE = 2500
/** Milliseconds within which 99 of 100 words are answered ... */
export const PROMPT = 100
/** ... or so many times what an idle server needed at worst meanwhile: the machine's noise is no fault of the server's. */
const NOISE = 3
/** Memory that is really held may be so many times what the server counts ... */
const RATIO = 2
/** ... and so many bytes more: compiled code, caches, and what V8 has not returned yet. */
const SPARE = 16 * MIBI
/** What a server reckons an open connection at in `limits.connections`, which is a limit of its own. */
const CONNECTION = 5 * 1024

/** Of sorted figures the one that so many per cent do not exceed (nearest rank); 0 where there are none. */
export function percentile(sorted, percent) {
  return sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? 0
}

/** Words that may wait for long, where 1 % is fewer: one halt of the machine delays several, and a short attack has few. */
const HALTED = 5

/** p99 of sorted latencies; with fewer than 500 what all but five do not exceed, or the median. */
export function p99Of(sorted) {
  const rank = Math.max(sorted.length - HALTED, Math.ceil(sorted.length / 2))
  return Math.min(percentile(sorted, 99), sorted[rank - 1] ?? 0)
}

/** The milliseconds that p99 may have. */
export function promptLimit(noise) {
  return Math.max(PROMPT, NOISE * noise)
}

/**
 * By how many bytes more is held than what is counted accounts for; negative where all is well.
 *
 * @param {{ real: number, counted: number | undefined, connections: number }} sample
 */
export function excessOf({ real, counted, connections }) {
  return counted === undefined ? -Infinity : real - CONNECTION * connections - RATIO * counted - SPARE
}

/**
 * @param {import('./measure.js').Result} result
 * @param {{ resident: number }} limits `resident`: MiB
 * @returns {string[]} sentences; none where all is well
 */
export function faultsOf({ peak, seen, got, left, ended, memory }, { resident }) {
  if (ended !== undefined) return [`the process ended (${ended})`]
  const faults = []
  if (peak > resident * MIBI) faults.push(`${mebibytes(peak)} MiB resident, more than ${resident}`)
  if (memory !== undefined && excessOf(memory) > 0)
    faults.push(`${mebibytes(memory.real)} MiB held, and only ${mebibytes(memory.counted)} counted`)
  if (seen.lost) faults.push('the connection of somebody else was lost')
  if (seen.asked === 0) faults.push('nobody was asked')
  if (left === undefined) faults.push('the server does not answer any more')
  else if (left > 1) faults.push(`${left - 1} connections were left behind`)
  for (const [what] of got) if (/^attack/.test(what)) faults.push(what)
  return faults
}

/**
 * Faults of time alone.
 *
 * @param {import('./measure.js').Result} result
 * @param {{ crowd?: boolean, exhausts?: boolean }} attack
 */
export function slownessOf({ seen, noise, newcomer, ended }, { crowd = false, exhausts = false } = {}) {
  if (ended !== undefined) return []
  const faults = []
  const limit = promptLimit(noise)
  if (!crowd && seen.p99 > limit)
    faults.push(`somebody else waited ${Math.round(seen.p99)} ms in p99, more than ${Math.round(limit)}`)
  if (seen.worst > PATIENCE + noise) faults.push(`somebody else waited ${Math.round(seen.worst)} ms`)
  if (newcomer === undefined) faults.push(`nobody new was served within ${Math.round(PATIENCE + noise)} ms`)
  else if (newcomer.refused && !exhausts) faults.push('somebody new was refused')
  return faults
}

function mebibytes(bytes) {
  return Math.round(bytes / MIBI)
}

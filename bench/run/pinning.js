/** Which processor the server gets and which the load generator, where there are two and `taskset` to give them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const SERVER_CPU = 0

/** @typedef {{ server: number, load: number }} Pinning */

/** @returns {Pinning | undefined} */
export function findPinning() {
  if (process.platform !== 'linux' || availableParallelism() < 2) return undefined
  const load = otherCore()
  const possible = [SERVER_CPU, load].every(cpu => spawnSync('taskset', ['-c', String(cpu), 'true']).status === 0)
  return possible ? { server: SERVER_CPU, load } : undefined
}

/** A program and its parameters, on one processor. @param {number | undefined} cpu @returns {[string, string[]]} */
export function pinned(cpu, program, parameters) {
  return cpu === undefined ? [program, parameters] : ['taskset', ['-c', String(cpu), program, ...parameters]]
}

/** The first processor that does not share its core with the server's, else simply the next. */
function otherCore() {
  try {
    const list = readFileSync(`/sys/devices/system/cpu/cpu${SERVER_CPU}/topology/thread_siblings_list`, 'latin1').trim()
    const siblings = new Set(list.split(',').flatMap(range))
    for (let cpu = 0; cpu < availableParallelism(); cpu++) if (!siblings.has(cpu)) return cpu
  } catch {
    // Not every kernel tells.
  }
  return SERVER_CPU + 1
}

function range(text) {
  const [from, to = from] = text.split('-').map(Number)
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** Processor time and resident memory of processes, from Linux' /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in hundredths for programs, whatever it does inside. */
const TICKS_A_SECOND = 100
const KILOBYTE = 1024

/** User and system time of all threads of the processes. @param {readonly number[]} pids */
export function cpuSeconds(pids) {
  let ticks = 0
  for (const pid of pids) {
    const fields = statFields(pid)
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS_A_SECOND
}

/** @param {readonly number[]} pids */
export function residentBytes(pids) {
  let bytes = 0
  for (const pid of pids) {
    const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    bytes += Number(kilobytes) * KILOBYTE
  }
  return bytes
}

/** A process and all that it started. @param {number} root */
export function processTree(root) {
  const parents = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      parents.set(Number(name), Number(statFields(name)[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const tree = [root]
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child)
  return tree
}

/** What follows the name, which may have spaces and brackets itself: [0] is the state, [1] the parent. */
function statFields(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

// @ts-check
/** What the system says of processes and of TCP (proc(5)), for what has to be so before a conversation goes on. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../helpers.js'

/** Milliseconds between two looks: /proc tells of no change. */
const LOOK = 5
/** States in /proc/PID/stat and in /proc/net/tcp. */
const STOPPED = 'T'
const CLOSE_WAIT = '08'

/**
 * Stops a process. Until it has stopped, its epoll_wait may still take what comes, and hand it over when it goes on.
 *
 * @param {number} pid
 */
export async function stop(pid) {
  process.kill(pid, 'SIGSTOP')
  await until(async () => {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith(STOPPED)
  }, `process ${pid} to stop`)
}

/**
 * Waits until a server's side of a connection has the client's FIN.
 *
 * @param {number} server its port
 * @param {number} client its port
 */
export async function untilFinished(server, client) {
  const ends = `:${portOf(server)} 0100007F:${portOf(client)} ${CLOSE_WAIT} `
  await until(async () => (await readFile('/proc/net/tcp', 'latin1')).includes(ends), `FIN of port ${client}`)
}

/** @param {number} port */
function portOf(port) {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/**
 * @param {() => Promise<boolean>} isSo
 * @param {string} what
 */
async function until(isSo, what) {
  const search = async () => {
    while (!(await isSo())) await sleep(LOOK)
  }
  await within(search(), what)
}

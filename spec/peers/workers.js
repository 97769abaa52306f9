// @ts-check
/** Which worker process holds the server's end of a connection, from Linux's /proc. */
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { request } from 'node:http'
import { within } from './helpers.js'

const LOCAL = 1
const REMOTE = 2
const INODE = 9

/**
 * The child processes of `pid`; undefined where the system doesn't tell.
 *
 * @param {number} pid
 */
export function workersOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).map(Number)
  } catch {
    return undefined
  }
}

/**
 * @param {import('./server.js').Server} server
 * @param {number} clientPort the client's end of the connection
 * @returns {number} the worker's process id
 */
export function workerOf(server, clientPort) {
  const serverPort = Number(server.host.split(':')[1])
  const connection = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(fields => portOf(fields[LOCAL]) === serverPort && portOf(fields[REMOTE]) === clientPort)
  const worker = workersOf(server.pid)?.find(pid => openSockets(pid).has(`socket:[${connection?.[INODE]}]`))
  if (worker === undefined) throw new Error(`no worker holds the connection from port ${clientPort}`)
  return worker
}

/** One worker takes all connections while the other still starts: this waits for both. @param {import('./server.js').Server} server */
export async function untilBothServe(server) {
  const seen = new Set()
  const search = async () => {
    while (seen.size < 2) seen.add(await askWho(server))
  }
  await within(search(), 'an answer from each of the two workers')
}

/** @param {import('./server.js').Server} server */
async function askWho(server) {
  const asked = request(server.http('/'), { agent: false, method: 'HEAD', headers: { connection: 'keep-alive' } }).end()
  try {
    const [response] = await once(asked, 'response')
    return workerOf(server, response.socket.localPort)
  } finally {
    asked.destroy()
  }
}

/** @param {string | undefined} address */
function portOf(address) {
  return parseInt(address?.split(':')[1] ?? '', 16)
}

/** @param {number} pid */
function openSockets(pid) {
  const folder = `/proc/${pid}/fd`
  return new Set(readdirSync(folder).map(name => linkOf(`${folder}/${name}`)))
}

/** @param {string} path */
function linkOf(path) {
  try {
    return readlinkSync(path)
  } catch {
    // Closed since the folder was read.
    return ''
  }
}

/** Node's own WebSocket: a global since Node.js 22; before, the same as the package undici, of spec/peers. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

export const UNDICI = new URL('../../spec/peers/node_modules/undici/', import.meta.url)

/** The version of undici that is part of `node`, with its WebSocket; undefined where there is none. */
function globalVersion(node) {
  const { stdout } = spawnSync(node, ['-p', 'globalThis.WebSocket === undefined ? "" : process.versions.undici'], { encoding: 'utf8' })
  return stdout.trim() || undefined
}

/** @param {string} node @returns {string | undefined} */
export function missingWebSocket(node) {
  if (existsSync(UNDICI) || globalVersion(node) !== undefined) return undefined
  return 'this Node.js has no WebSocket: take 22 or newer (--node), or npm ci --prefix spec/peers'
}

/** @param {string} node */
export function webSocketVersion(node) {
  const own = globalVersion(node)
  if (own !== undefined) return `${own}, part of Node.js`
  return `${JSON.parse(readFileSync(new URL('package.json', UNDICI), 'utf8')).version}, the package`
}

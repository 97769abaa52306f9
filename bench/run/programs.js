/** How the programs that are measured are started, whether they are there, and of which version. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Start
 * @property {string} program
 * @property {string[]} parameters
 * @property {Record<string, string>} [env]
 * @property {string} [path] of the WebSocket; default /
 * @property {boolean} [silent] it does not tell its address, but listens on the port that it was given
 */

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {string} what one line for the list and the docs
 * @property {readonly string[]} modes
 * @property {readonly string[]} [kinds] the only kinds of workload it takes part in; default: all of its modes
 * @property {boolean} [repliesMasked] it sends back the client's own bytes
 * @property {boolean} [collects] it collects garbage on SIGUSR2 when started for the workload idle
 * @property {string} [unable] why it has no part in the compressed workloads
 * @property {(node: string) => string | undefined} missing a sentence with how to install it; on that Node.js
 * @property {(node: string) => string} version
 * @property {(mode: string, context: Context) => Start} start
 */

/**
 * @typedef {object} Context
 * @property {string} node path of the Node.js under test
 * @property {boolean} gc whether it must be able to collect garbage
 * @property {number} port for those that don't choose one
 * @property {string} [url] where a client that is measured connects to
 * @property {number} [batch] so many messages a client that is measured answers with one
 */

/** A program of servers/ on the Node.js under test. */
export function nodeServer(file, env = {}) {
  return (mode, context) => ({ ...nodeProgram([fileOf(`servers/${file}`), mode], context), env })
}

/** A program of clients/ on the Node.js under test. */
export function nodeClient(file, env = {}) {
  return (mode, context) => ({ ...nodeProgram([fileOf(`clients/${file}`), ...clientParameters(mode, context)], context), env })
}

/** What programs of clients/ are told. */
export function clientParameters(mode, { url, batch }) {
  return [mode, url, String(batch)]
}

/** `server` where the mode asks for one, else `client`. */
export function eitherOf(server, client) {
  return (mode, context) => (context.url === undefined ? server : client)(mode, context)
}

export function nodeProgram(parameters, { node, gc }) {
  // Without /proc the preload is also what tells how much the server has used.
  const preload = gc || process.platform !== 'linux' ? ['--import', new URL('../servers/preload.js', import.meta.url).href] : []
  return { program: node, parameters: [...(gc ? ['--expose-gc'] : []), ...preload, ...parameters] }
}

/** @param {string} name in bench/ */
export function fileOf(name) {
  return fileURLToPath(new URL(`../${name}`, import.meta.url))
}

export function programOf(name) {
  return fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))
}

export function missingPackage(name) {
  return existsSync(new URL(`../node_modules/${name}/package.json`, import.meta.url))
    ? undefined
    : `${name} is not installed: npm ci --prefix bench`
}

export function missingProgram(name, program) {
  const absent = missingPackage(name)
  if (absent !== undefined) return absent
  const { status } = spawnSync(program, ['--version'], { stdio: 'ignore' })
  return status === 0 ? undefined : `${name} does not start here: npm rebuild ${name} --prefix bench`
}

export function packageVersion(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

export function firstNumber(text) {
  return /\d+(\.\d+)+/.exec(text)?.[0] ?? 'unknown'
}

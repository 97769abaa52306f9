/** Who is measured, as data: how each is started, what it can do, and what is missing where it can't be. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BUILD, buildKore, buildLibwebsockets, writeKoreConfig } from './native.js'

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
 * @property {() => string | undefined} missing a sentence with how to install it
 * @property {() => string} version
 * @property {(mode: string, context: { node: string, gc: boolean, port: number }) => Start} start
 */

/** The library under test; another build of it can be put here. */
const dist = process.env.KORE_WS_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url))
export const DIST = pathToFileURL(`${dist}/`)

const ALL = ['echo', 'chat', 'burst']
/** Where the command serves what; other modes need a program of their own. */
const KORE_WS_PATHS = { echo: '/echo', chat: '/chat' }

/** @type {readonly Server[]} */
export const SERVERS = [
  koreWs('kore-ws', 'this library: its command `kore-ws serve`', {}),
  koreWs('kore-ws-portable', 'the same with KORE_WS_PORTABLE=1: no undocumented handles', { KORE_WS_PORTABLE: '1' }),
  {
    name: 'net',
    what: 'a bare net.Socket that sends the bytes back: Node’s floor',
    modes: ['echo'],
    kinds: ['echo', 'idle'],
    repliesMasked: true,
    missing: () => undefined,
    version: () => 'part of Node.js',
    collects: true,
    start: nodeServer('net.js'),
  },
  {
    name: 'ws',
    what: 'ws, without bufferutil',
    modes: ALL,
    missing: () => missingPackage('ws'),
    version: () => packageVersion('ws'),
    collects: true,
    start: nodeServer('ws.js', { WS_NO_BUFFER_UTIL: '1' }),
  },
  {
    name: 'ws+bufferutil',
    what: 'ws with bufferutil, its addon in C',
    modes: ALL,
    missing: () => missingPackage('ws') ?? missingPackage('bufferutil'),
    version: () => `${packageVersion('ws')}, bufferutil ${packageVersion('bufferutil')}`,
    collects: true,
    start: nodeServer('ws.js'),
  },
  {
    name: 'websocket-driver',
    what: 'websocket-driver (faye) on node:http',
    modes: ALL,
    missing: () => missingPackage('websocket-driver'),
    version: () => packageVersion('websocket-driver'),
    collects: true,
    start: nodeServer('websocket-driver.js'),
  },
  {
    name: 'bun',
    what: 'Bun.serve (uWebSockets, C++)',
    modes: ALL,
    missing: () => missingProgram('bun', programOf('bun')),
    version: () => packageVersion('bun'),
    collects: true,
    start: mode => ({ program: programOf('bun'), parameters: [fileOf('bun.js'), mode] }),
  },
  {
    name: 'deno',
    what: 'Deno.serve (Rust)',
    modes: ALL,
    missing: () => missingProgram('deno', programOf('deno')),
    version: () => packageVersion('deno'),
    collects: true,
    start: (mode, { gc }) => ({
      program: programOf('deno'),
      parameters: ['run', '--quiet', '--no-config', ...(gc ? ['--v8-flags=--expose-gc'] : []), '--allow-net', fileOf('deno.js'), mode],
    }),
  },
  {
    name: 'kore',
    what: 'Kore (C), Debian’s package, with a module of ours',
    modes: ALL,
    // Not idle: it sets memory for all connections aside when it starts.
    kinds: ['echo', 'fanout', 'burst', 'handshakes'],
    missing: buildKore,
    version: () => firstNumber(spawnSync('kore', ['-v'], { encoding: 'utf8' }).stdout),
    start: (mode, { port }) => ({
      program: 'kore',
      parameters: ['-nrf', '-c', writeKoreConfig(mode, port)],
      path: `/${mode}`,
      silent: true,
    }),
  },
  {
    name: 'libwebsockets',
    what: 'libwebsockets (C), Debian’s package, with a program of ours',
    modes: ALL,
    missing: buildLibwebsockets,
    version: () => firstNumber(/LWS_LIBRARY_VERSION "[^"]*/.exec(readFileSync('/usr/include/lws_config.h', 'utf8'))?.[0] ?? ''),
    start: (mode, { port }) => ({ program: `${BUILD}/libwebsockets`, parameters: [mode, String(port)], silent: true }),
  },
]

export const SUBJECT = SERVERS[0].name

/** @param {Server} server @param {import('./workloads.js').Workload} workload */
export function takesPart(server, { kind, mode }) {
  return kind !== 'codec' && server.modes.includes(mode) && (server.kinds?.includes(kind) ?? true)
}

/** @returns {Server} */
function koreWs(name, what, env) {
  return {
    name,
    what,
    modes: ALL,
    collects: true,
    missing: () => (existsSync(new URL('cli/main.js', DIST)) ? undefined : 'the library is not built: npm run build'),
    version: () => JSON.parse(readFileSync(new URL('../package.json', DIST), 'utf8')).version,
    start(mode, context) {
      const path = KORE_WS_PATHS[mode]
      if (path === undefined) return nodeServer('kore-ws.js', { ...env, KORE_WS_INDEX: new URL('index.js', DIST).href })(mode, context)
      const command = fileURLToPath(new URL('cli/main.js', DIST))
      return { ...nodeProgram([command, 'serve', '--port', '0'], context), env, path }
    },
  }
}

/** A program of servers/ on the Node.js under test. */
function nodeServer(file, env = {}) {
  return (mode, context) => ({ ...nodeProgram([fileOf(file), mode], context), env })
}

function nodeProgram(parameters, { node, gc }) {
  // Without /proc the preload is also what tells how much the server has used.
  const preload = gc || process.platform !== 'linux' ? ['--import', new URL('../servers/preload.js', import.meta.url).href] : []
  return { program: node, parameters: [...(gc ? ['--expose-gc'] : []), ...preload, ...parameters] }
}

function fileOf(name) {
  return fileURLToPath(new URL(`../servers/${name}`, import.meta.url))
}

function programOf(name) {
  return fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))
}

function missingPackage(name) {
  return existsSync(new URL(`../node_modules/${name}/package.json`, import.meta.url))
    ? undefined
    : `${name} is not installed: npm ci --prefix bench`
}

function missingProgram(name, program) {
  const absent = missingPackage(name)
  if (absent !== undefined) return absent
  const { status } = spawnSync(program, ['--version'], { stdio: 'ignore' })
  return status === 0 ? undefined : `${name} does not start here: npm rebuild ${name} --prefix bench`
}

function packageVersion(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

function firstNumber(text) {
  return /\d+(\.\d+)+/.exec(text)?.[0] ?? 'unknown'
}

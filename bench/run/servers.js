/** Who is measured, as data: how each is started, what it can do, and what is missing where it can't be. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BUILD, buildKore, buildLibwebsockets, writeKoreConfig } from './native.js'
import {
  clientParameters,
  eitherOf,
  fileOf,
  firstNumber,
  missingPackage,
  missingProgram,
  nodeClient,
  nodeProgram,
  nodeServer,
  packageVersion,
  programOf,
} from './programs.js'
import { missingWebSocket, webSocketVersion } from './undici.js'

/** @typedef {import('./programs.js').Server} Server */

/** The library under test; another build of it can be put here. */
const dist = process.env.KORE_WS_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url))
export const DIST = pathToFileURL(`${dist}/`)

const SERVER = ['echo', 'chat', 'burst']
const DEFLATE = ['deflate', 'deflate-takeover']
const CLIENT = ['client-receive', 'client-echo']
/** Where the command serves what, and with which flags; other modes need a program of their own. */
const KORE_WS_ROUTES = {
  echo: { path: '/echo', flags: [] },
  chat: { path: '/chat', flags: [] },
  deflate: { path: '/echo', flags: compressing('shared') },
  'deflate-takeover': { path: '/echo', flags: compressing('dedicated') },
}

const NO_ADDON = { WS_NO_BUFFER_UTIL: '1' }

/** @type {readonly Server[]} */
export const SERVERS = [
  koreWs('kore-ws', 'this library: its command `kore-ws serve`, and its `connect`', {}),
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
    modes: [...SERVER, ...DEFLATE, ...CLIENT],
    missing: () => missingPackage('ws'),
    version: () => packageVersion('ws'),
    collects: true,
    start: eitherOf(nodeServer('ws.js', NO_ADDON), nodeClient('ws.js', NO_ADDON)),
  },
  {
    name: 'ws+bufferutil',
    what: 'ws with bufferutil, its addon in C',
    modes: [...SERVER, ...DEFLATE, ...CLIENT],
    missing: () => missingPackage('ws') ?? missingPackage('bufferutil'),
    version: () => `${packageVersion('ws')}, bufferutil ${packageVersion('bufferutil')}`,
    collects: true,
    start: eitherOf(nodeServer('ws.js'), nodeClient('ws.js')),
  },
  {
    name: 'ws-level-1',
    what: 'ws, compressing with zlib’s level 1 as kore-ws does, and not with 6',
    modes: ['deflate'],
    kinds: ['deflate'],
    missing: () => missingPackage('ws'),
    version: () => packageVersion('ws'),
    start: nodeServer('ws.js', { ...NO_ADDON, DEFLATE_LEVEL: '1' }),
  },
  {
    name: 'websocket-driver',
    what: 'websocket-driver (faye) on node:http',
    modes: SERVER,
    unable: 'it needs another package for that, permessage-deflate',
    missing: () => missingPackage('websocket-driver'),
    version: () => packageVersion('websocket-driver'),
    collects: true,
    start: nodeServer('websocket-driver.js'),
  },
  {
    name: 'bun',
    what: 'Bun: Bun.serve (uWebSockets, C++), and its WebSocket',
    modes: [...SERVER, ...DEFLATE, ...CLIENT],
    missing: () => missingProgram('bun', programOf('bun')),
    version: () => packageVersion('bun'),
    collects: true,
    start: eitherOf(
      mode => ({ program: programOf('bun'), parameters: [fileOf('servers/bun.js'), mode] }),
      (mode, context) => ({ program: programOf('bun'), parameters: [fileOf('clients/standard.js'), ...clientParameters(mode, context)] })
    ),
  },
  {
    name: 'undici',
    what: 'the WebSocket of Node.js (undici)',
    modes: CLIENT,
    missing: missingWebSocket,
    version: webSocketVersion,
    start: nodeClient('standard.js'),
  },
  {
    name: 'deno',
    what: 'Deno: Deno.serve (Rust), and its WebSocket',
    modes: [...SERVER, ...CLIENT],
    unable: 'it has no permessage-deflate',
    missing: () => missingProgram('deno', programOf('deno')),
    version: () => packageVersion('deno'),
    collects: true,
    start: eitherOf(
      (mode, { gc }) => denoProgram([...(gc ? ['--v8-flags=--expose-gc'] : []), '--allow-net', fileOf('servers/deno.js'), mode]),
      (mode, context) => denoProgram(['--allow-net', fileOf('clients/standard.js'), ...clientParameters(mode, context)])
    ),
  },
  {
    name: 'kore',
    what: 'Kore (C), Debian’s package, with a module of ours',
    modes: SERVER,
    unable: 'it has no permessage-deflate',
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
    modes: SERVER,
    unable: 'it hands over compressed messages in pieces, which the program of ours does not take',
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
    modes: [...SERVER, ...DEFLATE, ...CLIENT],
    collects: true,
    missing: () => (existsSync(new URL('cli/main.js', DIST)) ? undefined : 'the library is not built: npm run build'),
    version: () => JSON.parse(readFileSync(new URL('../package.json', DIST), 'utf8')).version,
    start(mode, context) {
      const route = KORE_WS_ROUTES[mode]
      const withIndex = { ...env, KORE_WS_INDEX: new URL('index.js', DIST).href }
      if (CLIENT.includes(mode)) return nodeClient('kore-ws.js', withIndex)(mode, context)
      if (route === undefined) return nodeServer('kore-ws.js', withIndex)(mode, context)
      const command = fileURLToPath(new URL('cli/main.js', DIST))
      return { ...nodeProgram([command, 'serve', '--port', '0', ...route.flags], context), env, path: route.path }
    },
  }
}

/** @param {'shared' | 'dedicated'} mode */
function compressing(mode) {
  return ['--compression', mode, '--compression-threshold', '0']
}

function denoProgram(parameters) {
  return { program: programOf('deno'), parameters: ['run', '--quiet', '--no-config', ...parameters] }
}

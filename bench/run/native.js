/** Builds the servers in C, once per run, into bench/build. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const BUILD = fileURLToPath(new URL('../build', import.meta.url))
const SERVERS = fileURLToPath(new URL('../servers', import.meta.url))
const KORE_FEATURES = '/usr/share/kore/features'

/** Answers by program, so that each is built once. @type {Map<string, string | undefined>} */
const built = new Map()

/** @returns {string | undefined} what is missing, as a sentence */
export function buildKore() {
  return once('kore', () => {
    if (!runs('kore', ['-v']) || !existsSync(KORE_FEATURES)) return 'Debian’s kore is not installed: apt-get install kore gcc'
    const features = readFileSync(KORE_FEATURES, 'utf8').trim().split(/\s+/)
    return compile(['-shared', '-fPIC', ...features, '-o', `${BUILD}/kore.so`, `${SERVERS}/kore.c`])
  })
}

/** @returns {string | undefined} what is missing, as a sentence */
export function buildLibwebsockets() {
  return once('libwebsockets', () => {
    if (!existsSync('/usr/include/libwebsockets.h')) return 'libwebsockets is not installed: apt-get install libwebsockets-dev gcc'
    return compile(['-o', `${BUILD}/libwebsockets`, `${SERVERS}/libwebsockets.c`, '-lwebsockets'])
  })
}

/** Kore takes its settings from a file. @returns {string} its path */
export function writeKoreConfig(mode, port) {
  const path = `${BUILD}/kore-${mode}.conf`
  writeFileSync(
    path,
    `socket_backlog 4096
server bench {
	bind 127.0.0.1 ${port}
	tls no
}
load ${BUILD}/kore.so
pidfile ${BUILD}/kore.pid
workers 1
worker_set_affinity 0
worker_max_connections 12000
worker_rlimit_nofiles 13000
http_request_limit 12000
websocket_maxframe 2097152
websocket_timeout 3600
domain * {
	attach bench
	route /echo echo
	route /chat chat
	route /burst burst
}
`
  )
  return path
}

function once(name, build) {
  if (!built.has(name)) built.set(name, build())
  return built.get(name)
}

function compile(parameters) {
  if (!runs('gcc', ['--version'])) return 'there is no C compiler: apt-get install gcc libc6-dev'
  mkdirSync(BUILD, { recursive: true })
  const { status, stderr } = spawnSync('gcc', ['-O2', ...parameters], { encoding: 'utf8' })
  return status === 0 ? undefined : `gcc failed: ${stderr.split('\n').find(line => line.includes('error')) ?? stderr}`
}

export function runs(program, parameters) {
  return spawnSync(program, parameters, { stdio: 'ignore' }).error === undefined
}

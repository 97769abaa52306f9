// @ts-check
/** The two servers: real Kore with module.c, and facade.js; both write a line for each callback. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { within } from '../helpers.js'

const FEATURES = '/usr/share/kore/features'
const HOW_TO_INSTALL = 'apt-get install kore gcc libc6-dev'
/** The line of versions whose configuration and behaviour this is about. */
const VERSION = /^4\.1\./

/** @typedef {{ workers: number, maxframe?: number, timeout?: number }} Settings as Kore's, under shorter names */
/** @typedef {{ pid: number, text: string }} Line what a callback has written */
/** @typedef {'kore' | 'ours'} Side */

/** Below those that the system gives to connections: one of theirs could be taken before the server has it. */
let nextPort = 20_000 + (process.pid % 10_000)

/** @type {Set<Server>} */
const running = new Set()
/** @type {string | undefined} */
let folder

// Whatever ends this process early must leave neither a server nor a file behind.
process.on('exit', () => {
  for (const server of running) server.kill()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/**
 * Looks for Kore and builds the module.
 *
 * @returns {{ version: string } | { missing: string }}
 */
export function buildKore() {
  const asked = spawnSync('kore', ['-v'], { encoding: 'utf8' })
  if (asked.error !== undefined || !existsSync(FEATURES)) return { missing: `not installed; ${HOW_TO_INSTALL}` }
  const version = asked.stdout.trim().split(' ')[0]
  if (!VERSION.test(version)) return { missing: `this is Kore ${version}, and what is known here is of Debian's 4.1` }
  folder = mkdtempSync(join(tmpdir(), 'kore-ws-peers-'))
  const source = fileURLToPath(new URL('module.c', import.meta.url))
  const features = readFileSync(FEATURES, 'utf8').trim().split(/\s+/)
  const parameters = ['-O1', '-shared', '-fPIC', ...features, '-o', `${folder}/module.so`, source]
  const compiler = spawnSync('gcc', parameters, { encoding: 'utf8' })
  if (compiler.error !== undefined) return { missing: `there is no C compiler; ${HOW_TO_INSTALL}` }
  if (compiler.status !== 0) throw new Error(`gcc failed: ${compiler.stderr}`)
  return { version }
}

export class Server {
  #child
  #output = ''
  #exited
  /** @type {Map<string, Line[]>} */
  #lines = new Map()
  /** @type {Set<() => void>} */
  #waiting = new Set()

  /**
   * @param {string} program
   * @param {string[]} parameters
   * @param {number} port
   */
  constructor(program, parameters, port) {
    this.port = port
    // A group of its own: Kore's workers would outlive a parent that is killed.
    this.#child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#exited = once(this.#child, 'exit')
    this.#exited.catch(() => {})
    createInterface(this.#child.stdout).on('line', line => this.#take(line))
    this.#child.stderr.setEncoding('utf8').on('data', text => (this.#output += text))
    running.add(this)
  }

  /** @param {string} line */
  #take(line) {
    const [, pid, name, text] = /^@(\d+) (\S+) (.*)$/.exec(line) ?? []
    if (name === undefined) {
      this.#output += `${line}\n`
      return
    }
    const lines = this.#lines.get(name)
    if (lines) lines.push({ pid: Number(pid), text })
    else this.#lines.set(name, [{ pid: Number(pid), text }])
    for (const wake of [...this.#waiting]) wake()
  }

  /** Everything else that it has printed. */
  get output() {
    return this.#output
  }

  /** All names that callbacks have written lines for. */
  get names() {
    return [...this.#lines.keys()].filter(name => name !== '-')
  }

  /**
   * The lines of one connection's callbacks.
   *
   * @param {string} name
   */
  linesOf(name) {
    return this.#lines.get(name) ?? []
  }

  /**
   * Waits until the lines of `name` are as wanted.
   *
   * @template Found
   * @param {string} name
   * @param {(lines: Line[]) => Found | undefined} find
   * @param {string} what
   * @returns {Promise<Found>}
   */
  async until(name, find, what) {
    /** @type {() => void} */
    let wake = () => {}
    const found = new Promise(resolve => {
      wake = () => {
        const result = find(this.linesOf(name))
        if (result !== undefined) resolve(result)
      }
      this.#waiting.add(wake)
      wake()
    })
    try {
      return await within(found, what)
    } finally {
      this.#waiting.delete(wake)
    }
  }

  terminate() {
    this.#child.kill('SIGTERM')
  }

  /** Ends it, and does not return before it has. */
  async stop() {
    try {
      this.terminate()
      await within(this.#exited, 'the end of the server after SIGTERM')
    } finally {
      this.kill()
      running.delete(this)
    }
  }

  kill() {
    try {
      process.kill(-(/** @type {number} */ (this.#child.pid)), 'SIGKILL')
    } catch {
      // It has ended, and all its workers with it.
    }
  }
}

/**
 * @param {Side} side
 * @param {Settings} settings
 */
export async function startServer(side, settings) {
  const port = await freePort()
  const server = side === 'kore' ? startKore(port, settings) : startOurs(port, settings)
  try {
    await server.until('-', lines => (lines.length === settings.workers ? true : undefined), 'a word from each worker')
    return server
  } catch (error) {
    server.kill()
    throw new Error(`the server does not start: ${server.output}`, { cause: error })
  }
}

/**
 * @param {number} port
 * @param {Settings} settings
 */
function startOurs(port, settings) {
  const script = fileURLToPath(new URL('facade.js', import.meta.url))
  return new Server(process.execPath, [script, JSON.stringify({ port, ...settings })], port)
}

/**
 * @param {number} port
 * @param {Settings} settings
 */
function startKore(port, { workers, maxframe, timeout }) {
  const path = `${folder}/${port}.conf`
  writeFileSync(
    path,
    `server peers {
	bind 127.0.0.1 ${port}
	tls no
}
load ${folder}/module.so
pidfile ${folder}/${port}.pid
workers ${workers}
worker_set_affinity 0
${maxframe === undefined ? '' : `websocket_maxframe ${maxframe}`}
${timeout === undefined ? '' : `websocket_timeout ${timeout}`}
domain * {
	attach peers
	route /talk talk
	route /other talk
}
`
  )
  return new Server('kore', ['-nrf', '-c', path], port)
}

/** Kore does not tell which port it took: both servers are given one. @returns {Promise<number>} */
async function freePort() {
  for (;;) {
    const port = nextPort++
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      // Somebody has it.
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

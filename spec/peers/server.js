// @ts-check
/** The servers under test, each a process of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { within } from './helpers.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export const isBuilt = () => existsSync(MAIN)

/** @type {Set<Server>} */
const running = new Set()

// Whatever ends this process early must not leave a server behind.
process.on('exit', () => {
  for (const server of running) server.kill()
})

export class Server {
  #child
  #stderr = ''
  #asked = false
  /** Whether it compresses with clients that offer that. */
  compresses
  /** @type {Promise<[code: number | null, signal: string | null]>} */
  #exited
  /** `host:port`. */
  host = ''

  /** @param {string[]} parameters */
  constructor(parameters) {
    this.compresses = parameters.includes('--compression')
    this.#child = spawn(process.execPath, [MAIN, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr.setEncoding('utf8').on('data', text => (this.#stderr += text))
    this.#exited = /** @type {Promise<any>} */ (once(this.#child, 'close'))
    running.add(this)
    this.#exited.finally(() => running.delete(this)).catch(() => {})
  }

  /** Resolves when it has printed its address. */
  async start() {
    let printed = ''
    const address = new Promise(resolve => {
      this.#child.stdout.setEncoding('utf8').on('data', text => {
        printed += text
        const match = /:\/\/([\d.]+:\d+)/.exec(printed)
        if (match) resolve(match[1])
      })
    })
    const failed = this.#exited.then(([code, signal]) => {
      throw new Error(`the server ended (${code ?? signal}) before it printed an address: ${printed}${this.#stderr}`)
    })
    // It ends in any case some day, when nobody waits for that any more.
    failed.catch(() => {})
    this.host = await within(Promise.race([address, failed]), "the server's address")
    return this
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid)
  }

  /** @param {string} path */
  http(path) {
    return `http://${this.host}${path}`
  }

  /** @param {string} path */
  ws(path) {
    return `ws://${this.host}${path}`
  }

  /** Asks it to end. */
  terminate() {
    // A second signal would be taken for impatience: it ends the server at once, with 1.
    if (!this.#asked) this.#child.kill('SIGTERM')
    this.#asked = true
  }

  kill() {
    this.#child.kill('SIGKILL')
  }

  /** Ends it; fails unless it exits with 0 and has nothing to complain about. */
  async stop() {
    this.terminate()
    try {
      const [code, signal] = await within(this.#exited, "the server's exit after SIGTERM")
      assert.deepEqual({ code, signal, stderr: this.#stderr }, { code: 0, signal: null, stderr: '' })
    } finally {
      this.kill()
    }
  }
}

/**
 * Both kinds of server for one peer, twice: without compression, and compressing whatever they may, `serve` without
 * context takeover and `echo` with. Afterwards both must end as they should, which is a check of its own.
 *
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {(serve: Server, echo: Server, title: string) => Promise<void>} body
 */
export async function withServers(report, title, body) {
  await withPair(report, title, [], [], body)
  const compressing = (/** @type {string} */ mode) => ['--compression', mode, '--compression-threshold', '0']
  await withPair(report, `${title}, compressed`, compressing('shared'), compressing('dedicated'), body)
}

/**
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {string[]} serveFlags
 * @param {string[]} echoFlags
 * @param {(serve: Server, echo: Server, title: string) => Promise<void>} body
 */
async function withPair(report, title, serveFlags, echoFlags, body) {
  const servers = [
    new Server(['serve', '--port', '0', '--workers', '2', ...serveFlags]),
    new Server(['echo', '--port', '0', ...echoFlags]),
  ]
  try {
    const [serve, echo] = await Promise.all(servers.map(server => server.start()))
    await body(serve, echo, title)
  } catch (error) {
    report.fail(`${title}: the run`, error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  await report.check(`${title}: serve and echo end with exit code 0 and without a word on stderr`, () =>
    Promise.all(servers.map(server => server.stop()))
  )
}

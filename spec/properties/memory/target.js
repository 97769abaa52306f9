/** The servers' process, from outside. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** MiB. More than is ever held, so that nothing is collected or dropped because of it. */
const HEAP = 2048
const LAST_WORDS = 2000

export class Target {
  addresses = {}
  /** How it ended by itself. @type {string | undefined} */
  ended
  #child
  #directory = mkdtempSync(join(tmpdir(), 'kore-ws-memory-'))
  #orders = []
  #stderr = ''

  /** @param {string} [fault] one of FAULTS in server.js */
  static async start(fault) {
    const target = new Target(fault)
    const { addresses } = await target.#told()
    target.addresses = addresses
    return target
  }

  constructor(fault) {
    const file = fileURLToPath(new URL('server.js', import.meta.url))
    this.#child = fork(file, [this.#directory, ...(fault === undefined ? [] : [fault])], {
      execArgv: ['--expose-gc', `--max-old-space-size=${HEAP}`, '--no-warnings'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.#child.stderr.setEncoding('utf8').on('data', text => (this.#stderr = (this.#stderr + text).slice(-LAST_WORDS)))
    this.#child.on('exit', (code, signal) => (this.ended = `the servers' process ended with ${signal ?? code}: ${this.#stderr}`))
  }

  /** Given before it is next measured. */
  tell(order) {
    this.#orders.push(order)
  }

  /** Sends what was told. */
  flush() {
    if (this.ended !== undefined || this.#orders.length === 0) return
    this.#child.send(this.#orders, () => {})
    this.#orders = []
  }

  /** @returns {Promise<import('./bound.js').Measured>} absolute, that is, with what the idle process has */
  measure() {
    this.tell({ order: 'measure' })
    const answer = this.#told()
    this.flush()
    return answer
  }

  stop() {
    this.#child.kill('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #told() {
    const gone = new AbortController()
    const { signal } = gone
    const message = once(this.#child, 'message', { signal }).then(([answer]) => answer)
    const exit = once(this.#child, 'exit', { signal }).then(() => Promise.reject(new Error(this.ended)))
    try {
      return await Promise.race([message, exit])
    } finally {
      for (const waiting of [message, exit]) waiting.catch(() => {})
      gone.abort()
    }
  }
}

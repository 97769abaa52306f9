/** A server under attack: a process with a fixed heap, watched from outside. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const START_TIME = 60_000
const LAST_WORDS = 4000
const POLL = 100
const KIBI = 1024

export class Target {
  port = 0
  /** Where it speaks TLS, if it does. @type {number | undefined} */
  securePort
  /** Why it is over, before it was stopped. @type {string | undefined} */
  ended
  #child
  #stderr = ''
  #peak = 0
  #stopped = false
  #timer

  /**
   * @param {string} program a file of servers/
   * @param {string[]} parameters
   * @param {number} heap MiB
   */
  static async start(program, parameters, heap) {
    const target = new Target(program, parameters, heap)
    const [{ port, securePort }] = await Promise.race([
      once(target.#child, 'message'),
      once(target.#child, 'exit').then(() => [{}]),
      new Promise(resolve => setTimeout(resolve, START_TIME, [{}]).unref()),
    ])
    if (port === undefined) {
      target.stop()
      throw new Error(`${program} did not start: ${target.lastWords}`)
    }
    target.port = port
    target.securePort = securePort
    return target
  }

  constructor(program, parameters, heap) {
    const file = fileURLToPath(new URL(`../servers/${program}`, import.meta.url))
    this.#child = fork(file, parameters, {
      execArgv: [`--max-old-space-size=${heap}`, '--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr.setEncoding('utf8').on('data', text => (this.#stderr = (this.#stderr + text).slice(-LAST_WORDS)))
    this.#child.on('error', () => {})
    this.#child.on('exit', (code, signal) => {
      if (!this.#stopped) this.ended = signal ?? `exit code ${code}`
    })
    this.#timer = setInterval(() => this.#look(), POLL)
  }

  /** The most that was resident at any time, in bytes. */
  get peak() {
    this.#look()
    return this.#peak
  }

  /** The last line of what it complained of. */
  get lastWords() {
    const lines = this.#stderr.split('\n').map(line => line.trim())
    return lines.find(line => /^(\w*Error\b|FATAL)/.test(line)) ?? lines.findLast(line => line !== '') ?? ''
  }

  /** How many connections it has; undefined where it does not answer in time. */
  async connections(time = 15_000) {
    return this.#ask('connections', time)
  }

  /**
   * What it holds on the heap and in ArrayBuffers behind a garbage collection, and counts as held, in bytes; with how
   * many connections. Undefined where it does not answer in time.
   *
   * @returns {Promise<{ real: number, counted: number | undefined, connections: number } | undefined>}
   */
  async memory(time = 15_000) {
    return this.#ask('memory', time)
  }

  async #ask(question, time) {
    if (this.ended !== undefined) return undefined
    this.#child.send(question, () => {})
    const signal = AbortSignal.timeout(time)
    // An answer that came too late for its question may come first.
    for (;;) {
      const answer = await once(this.#child, 'message', { signal }).catch(() => undefined)
      if (answer === undefined) return undefined
      if (question in answer[0]) return answer[0][question]
    }
  }

  stop() {
    this.#stopped = true
    clearInterval(this.#timer)
    this.#child.kill('SIGKILL')
  }

  /** The kernel keeps the peak itself (VmHWM), so that nothing between two looks is missed. */
  #look() {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1')
      const kibibytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
      this.#peak = Math.max(this.#peak, kibibytes * KIBI)
    } catch {
      // It is gone; what was seen before holds.
    }
  }
}

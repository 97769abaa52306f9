/** What all runs of the load generator share: opening clients, failing as one, and the window that is measured. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from './client.js'
import { Histogram } from './histogram.js'

/** So many handshakes are under way at once while clients are opened. */
const OPENING = 64
/** How long missing replies are waited for, in milliseconds. */
const PATIENCE = 5000
const CHECK_EVERY = 5
const WARM_UP_STEP = 20
/** A server that is seldom busy is not waited for any longer than so many times the warm-up. */
const LONGEST_WARM_UP = 4

/** A run that can't go on: its message is what the report shows instead of a number. */
export class RunError extends Error {}

export class Run {
  /** Messages received so far. */
  count = 0
  /** Whether a reply is followed by another request. */
  going = true
  latency = new Histogram()
  clients = []
  #fail
  #failure

  constructor() {
    this.#failure = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.#failure.catch(() => {})
  }

  /** @param {string} why */
  fail(why) {
    this.going = false
    this.#fail(new RunError(why))
  }

  /** Waits for `promise`, but not beyond a failure. @template T @param {Promise<T>} promise */
  until(promise) {
    return Promise.race([promise, this.#failure])
  }

  /** @param {number} milliseconds */
  pause(milliseconds) {
    return this.until(delay(milliseconds))
  }

  /** Opens clients, and gives each its reader as soon as it is open. */
  async open(address, count, attach) {
    let started = 0
    let opened = 0
    await this.until(
      new Promise(resolve => {
        const next = () => {
          if (started === count) return
          const index = started++
          const client = new Client(
            address,
            () => {
              attach(client, index)
              opened++
              if (opened === count) resolve(undefined)
              else next()
            },
            why => this.fail(`connection ${index + 1} of ${count}: ${why}`)
          )
          this.clients.push(client)
        }
        for (let i = 0; i < Math.min(OPENING, count); i++) next()
      })
    )
  }

  /** Makes a reader of `client` whose errors fail the run. */
  listen(client, onBytes) {
    client.onBytes = (bytes, end) => {
      try {
        onBytes(bytes, end)
      } catch (error) {
        this.fail(error.message)
      }
    }
  }

  /**
   * The measured window.
   *
   * @param {{ warmUp: number, seconds: number }} job
   * @param {() => Promise<number | undefined>} readCpu seconds of processor time that the server has used
   */
  async measure({ warmUp, seconds }, readCpu) {
    await this.#warmUp(warmUp, readCpu)
    const cpu = await readCpu()
    const from = performance.now()
    const count = this.count
    const own = process.cpuUsage()
    this.latency.reset()
    await this.pause(seconds * 1000)
    const messages = this.count - count
    const cpuAfter = await readCpu()
    const elapsed = (performance.now() - from) / 1000
    const { user, system } = process.cpuUsage(own)
    if (messages === 0) throw new RunError(`no message came in ${seconds} s`)
    return { messages, seconds: elapsed, cpu: cpu === undefined ? undefined : cpuAfter - cpu, loadCpu: (user + system) / 1e6 }
  }

  /** Until the server has had so much processor time, for code is compiled by work done and not by time gone by. */
  async #warmUp(seconds, readCpu) {
    const from = performance.now()
    const before = await readCpu()
    for (;;) {
      await this.pause(WARM_UP_STEP)
      const elapsed = (performance.now() - from) / 1000
      const worked = before === undefined ? elapsed : (await readCpu()) - before
      if (worked >= seconds || elapsed >= seconds * LONGEST_WARM_UP) return
    }
  }

  /** Stops sending and waits until `missing()` is 0: a server that lost a message is found here at the latest. */
  async drain(missing) {
    this.going = false
    for (let waited = 0; missing() !== 0; waited += CHECK_EVERY) {
      if (missing() < 0) throw new RunError(`${-missing()} more replies came than were asked for`)
      if (waited >= PATIENCE) throw new RunError(`${missing()} replies never came`)
      await this.pause(CHECK_EVERY)
    }
    // What comes now was not asked for.
    const count = this.count
    await this.pause(4 * CHECK_EVERY)
    if (this.count !== count) throw new RunError('more replies came than were asked for')
  }

  percentiles() {
    return { p50: this.latency.quantile(0.5), p99: this.latency.quantile(0.99), p999: this.latency.quantile(0.999) }
  }

  end() {
    this.going = false
    for (const client of this.clients) client.end()
  }
}

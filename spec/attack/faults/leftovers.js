/** What is left behind in a process: intervals that run, listeners of the process, handles that keep it alive. */
import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds for what goes by itself. */
const PATIENCE = 20_000
const LOOK = 50

/** Counts from here on; `check` tells what is there that was not, and stops counting. */
export class Leftovers {
  /** Set and not cleared: of deadlines and heartbeats. They hold no process open, so Node counts none of them. */
  #intervals = new Set()
  #set = globalThis.setInterval
  #clear = globalThis.clearInterval
  #listeners = listenersOfProcess()
  #resources = process.getActiveResourcesInfo().length

  constructor() {
    globalThis.setInterval = (...parameters) => {
      const interval = this.#set(...parameters)
      this.#intervals.add(interval)
      return interval
    }
    globalThis.clearInterval = interval => {
      this.#intervals.delete(interval)
      this.#clear(interval)
    }
  }

  /**
   * @param {number} [patience] milliseconds for all to be gone
   * @returns {Promise<string[]>} complaints
   */
  async check(patience = PATIENCE) {
    const deadline = performance.now() + patience
    // The wheel of deadlines stops at the turn in which it finds itself empty.
    while (this.#complaints.length > 0 && performance.now() < deadline) await delay(LOOK)
    globalThis.setInterval = this.#set
    globalThis.clearInterval = this.#clear
    return this.#complaints
  }

  get #complaints() {
    const complaints = []
    if (this.#intervals.size > 0) complaints.push(`${this.#intervals.size} intervals run on`)
    const listeners = listenersOfProcess() - this.#listeners
    if (listeners > 0) complaints.push(`${listeners} more listeners of the process`)
    const resources = process.getActiveResourcesInfo().length - this.#resources
    if (resources > 0) complaints.push(`${resources} more handles: ${process.getActiveResourcesInfo().join()}`)
    return complaints
  }
}

function listenersOfProcess() {
  return process.eventNames().reduce((count, name) => count + process.listenerCount(name), 0)
}

/** Asks a server again and again what it holds and what it counts, and keeps the worst that was seen. */
import { setTimeout as delay } from 'node:timers/promises'
import { excessOf } from './verdict.js'

const EVERY = 1000

export class Sampler {
  #target
  #prober
  /** What the server held before the attack. */
  #idle
  /** @type {{ real: number, counted: number | undefined, connections: number } | undefined} */
  #worst
  #over = false
  #done

  /**
   * @param {import('./target.js').Target} target
   * @param {import('./prober.js').Prober} prober says nothing while garbage is collected for a sample
   */
  static async start(target, prober) {
    const sampler = new Sampler()
    sampler.#target = target
    sampler.#prober = prober
    sampler.#idle = (await target.memory())?.real ?? 0
    sampler.#done = sampler.#repeat()
    return sampler
  }

  /** Takes a last sample, and returns the worst; undefined where the server has never answered. */
  async stop() {
    this.#over = true
    await this.#done
    await this.#sample()
    return this.#worst
  }

  async #repeat() {
    for (;;) {
      await delay(EVERY)
      if (this.#over || this.#target.ended !== undefined) return
      await this.#sample()
    }
  }

  async #sample() {
    await this.#prober.hush()
    const memory = await this.#target.memory()
    this.#prober.goOn()
    if (memory === undefined) return
    const sample = { ...memory, real: Math.max(0, memory.real - this.#idle) }
    if (this.#worst === undefined || isWorse(sample, this.#worst)) this.#worst = sample
  }
}

/** What is more than the count accounts for is worse than all else; where all is accounted for, the most that is held. */
function isWorse(sample, worst) {
  const more = Math.max(0, excessOf(sample)) - Math.max(0, excessOf(worst))
  return more === 0 ? sample.real > worst.real : more > 0
}

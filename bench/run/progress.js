/** One line on stderr that says what is measured just now, and for how long it will go on. */

export class Progress {
  #steps
  #done = 0
  #started = performance.now()
  #terminal = process.stderr.isTTY

  /** @param {number} steps */
  constructor(steps) {
    this.#steps = steps
  }

  /** A step begins. It is written once, before: nothing of ours runs while a server is measured. */
  step(workload, server, round) {
    const elapsed = (performance.now() - this.#started) / 1000
    const left = this.#done === 0 ? '' : `, ${duration((elapsed / this.#done) * (this.#steps - this.#done))} left`
    this.#done++
    const line = `[${this.#done}/${this.#steps}${left}] ${workload}: ${server}${round && `, ${round}`}`
    process.stderr.write(this.#terminal ? `\r\x1b[K${line.slice(0, process.stderr.columns - 1)}` : `${line}\n`)
  }

  end() {
    if (this.#terminal) process.stderr.write('\r\x1b[K')
  }
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
}

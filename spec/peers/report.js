// @ts-check
/** One line per check, and the sum of them at the end. */

export class Report {
  #passed = 0
  #failed = 0
  #skipped = 0

  /**
   * Runs one check: it passes when `body` returns, and fails with what it throws.
   *
   * @param {string} name
   * @param {() => unknown} body
   */
  async check(name, body) {
    try {
      await body()
      this.pass(name)
    } catch (error) {
      this.fail(name, error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
  }

  /** @param {string} name */
  pass(name) {
    this.#passed++
    console.log(`ok      ${name}`)
  }

  /**
   * @param {string} name
   * @param {string} details
   */
  fail(name, details) {
    this.#failed++
    console.log(`not ok  ${name}\n${details.replace(/^/gm, '        ')}`)
  }

  /**
   * @param {string} name
   * @param {string} reason why, and what to do about it
   */
  skip(name, reason) {
    this.#skipped++
    console.log(`skipped: ${name}: ${reason}`)
  }

  /**
   * Prints the sum.
   *
   * @param {boolean} strict whether a skipped check is a failure
   * @returns {boolean} whether the run is good
   */
  finish(strict) {
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`)
    return this.#failed === 0 && !(strict && this.#skipped > 0)
  }
}

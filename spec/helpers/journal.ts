/** What happened, one line each, in order; a test waits for lines instead of for a while. */

/**
 * How long a test waits before it says what is missing, in milliseconds. Less than the 10 s that lib gives a peer: what ends
 * only by that time is to be found.
 */
export const PATIENCE = 9000
const STEP = 100
// Specs put others in the place of these.
const { setInterval, clearInterval } = globalThis

/**
 * Calls `late` when the process has been at work for `time` milliseconds. A stop of the whole process counts as one step:
 * what is waited for may have come meanwhile, and timers run before sockets are read.
 */
export function patience(time: number, late: () => void): NodeJS.Timeout {
  let left = time
  const timer = setInterval(() => {
    left -= STEP
    if (left > 0) return
    clearInterval(timer)
    late()
  }, STEP)
  return timer
}

export class Journal {
  readonly lines: string[] = []
  readonly #checks = new Set<(line: string) => void>()

  add(line: string): void {
    this.lines.push(line)
    for (const check of [...this.#checks]) check(line)
  }

  /** The lines, once there are `count` of them. */
  async reach(count: number): Promise<readonly string[]> {
    if (this.lines.length < count) await this.#wait(`${count} lines`, () => this.lines.length >= count)
    return this.lines
  }

  /** The lines, once one of them begins with `start`; within `time` milliseconds. */
  async until(start: string, time = PATIENCE): Promise<readonly string[]> {
    const fits = (line: string): boolean => line.startsWith(start)
    if (!this.lines.some(fits)) await this.#wait(JSON.stringify(start), fits, time)
    return this.lines
  }

  #wait(what: string, isMet: (line: string) => boolean, time = PATIENCE): Promise<void> {
    const met = new Promise<void>(resolve => {
      const check = (line: string): void => {
        if (!isMet(line)) return
        this.#checks.delete(check)
        resolve()
      }
      this.#checks.add(check)
    })
    return within(met, () => `${what}; so far ${JSON.stringify(this.lines.slice(-50)).slice(-2000)}`, time)
  }
}

/** The promise's value, or after `time` milliseconds an error that says what was waited for. */
export async function within<Value>(promise: Promise<Value>, what: string | (() => string), time = PATIENCE): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = patience(time, () => reject(new Error(`waited ${time} ms for ${typeof what === 'string' ? what : what()}`)))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearInterval(timer)
  }
}

/** Resolves when everything that is due now has run. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Turns until the condition holds; within `time` milliseconds. */
export async function eventually(what: string, holds: () => boolean, time = PATIENCE): Promise<void> {
  let isLate = false
  // No work of its own, for those who look at what the process has to do.
  const timer = patience(time, () => (isLate = true)).unref()
  try {
    while (!holds()) {
      if (isLate) throw new Error(`waited ${time} ms for ${what}`)
      await turn()
    }
  } finally {
    clearInterval(timer)
  }
}

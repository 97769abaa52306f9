/** What happened, one line each, in order; a test waits for lines instead of for a while. */

/** How long a test waits before it says what is missing, in milliseconds: for what hangs, however busy the machine is. */
export const PATIENCE = 30_000

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
    timer = setTimeout(() => reject(new Error(`waited ${time} ms for ${typeof what === 'string' ? what : what()}`)), time)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when everything that is due now has run. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Turns until the condition holds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const start = performance.now()
  while (!holds()) {
    if (performance.now() - start > PATIENCE) throw new Error(`waited ${PATIENCE} ms for ${what}`)
    await turn()
  }
}

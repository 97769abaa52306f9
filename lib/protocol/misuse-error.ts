/** The caller used the API wrongly: thrown at once, with nothing sent. */

export type MisuseCode =
  | 'invalid-argument'
  | 'invalid-option'
  | 'invalid-header'
  | 'invalid-state'
  | 'unknown-callback'

/** A sentence that names the argument or option and what is allowed, and a stable `code`. */
export class MisuseError extends Error {
  override readonly name = 'MisuseError'
  readonly code: MisuseCode

  constructor(code: MisuseCode, message: string) {
    super(message)
    this.code = code
  }
}

/** How a message shows the value it complains about. */
export function show(value: unknown): string {
  if (typeof value !== 'object' && typeof value !== 'string') return String(value)
  try {
    return JSON.stringify(value)
  } catch {
    // What JSON can't write: a cycle, a bigint inside.
    return Object.prototype.toString.call(value)
  }
}

/** The same, where an object's class says more than what is in it. */
export function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return show(value)
  return `an object (${value.constructor?.name ?? 'no class'})`
}

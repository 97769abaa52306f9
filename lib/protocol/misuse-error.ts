/** The caller used the API wrongly: thrown at once, with nothing sent. */
import { isPlain } from './plain-object.ts'

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

/** Of a string, in characters. */
const MOST_TEXT = 100
/** Of a list or an object. */
const MOST_MEMBERS = 5
const DEEPEST = 2
/** A proxy that is revoked, a getter that throws. */
const UNREADABLE = 'an object that can not be read'

/** How a message shows the value it complains about: in short, for it may be what a peer has sent. Never throws. */
export function show(value: unknown): string {
  try {
    return written(value, DEEPEST)
  } catch {
    return UNREADABLE
  }
}

/** The same, where an object's class says more than what is in it. */
export function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return show(value)
  try {
    return classOf(value)
  } catch {
    return UNREADABLE
  }
}

/** The beginning of a text that may be long. */
export function shorten(text: string): string {
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text
}

function written(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value))
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return shorten(String(value))
  if (Array.isArray(value)) {
    const members = value.slice(0, MOST_MEMBERS).map(member => (depth === 0 ? '…' : written(member, depth - 1)))
    return `[${listed(members, value.length)}]`
  }
  if (!isPlain(value)) return classOf(value)
  const names = Object.keys(value)
  const members = names.slice(0, MOST_MEMBERS).map(name => {
    const member = depth === 0 ? '…' : written((value as Record<string, unknown>)[name], depth - 1)
    return `${JSON.stringify(shorten(name))}:${member}`
  })
  return `{${listed(members, names.length)}}`
}

function listed(members: readonly string[], count: number): string {
  return [...members, ...(count > members.length ? [`… ${count - members.length} more`] : [])].join(',')
}

function classOf(value: object): string {
  const name: unknown = value.constructor?.name
  return `an object (${typeof name === 'string' ? shorten(name) : 'no class'})`
}

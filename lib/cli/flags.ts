/** The command line's flags: what each command takes, read and checked, and the help made from the same table. */
import { parseArgs } from 'node:util'

/** A wrong command line: one sentence for the user, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** One flag with a value. */
export interface Flag {
  /** What the value stands for, in the help. */
  readonly value: string
  readonly help: string
  /** For a whole number: its range. Without it the value is any text. */
  readonly range?: readonly [from: number, to: number]
  /** For one of several words. */
  readonly choices?: readonly string[]
  readonly fallback?: string | number
}

export type Flags = Readonly<Record<string, Flag>>

/** The values given, or the defaults; undefined for a flag with neither. */
export type Values = Readonly<Record<string, string | number | undefined>>

/** What a command does when it is asked for help instead of being run. */
export const HELP = Symbol('help')

/** @throws UsageError for a flag that is not in the table, one without its value, or a value out of range */
export function readFlags(flags: Flags, parameters: readonly string[]): Values | typeof HELP {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  }
  for (const name of Object.keys(flags)) options[name] = { type: 'string' }
  let given: Record<string, unknown>
  try {
    given = parseArgs({ args: [...parameters], options, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(sentenceOf(error))
  }
  if (given.help === true) return HELP
  const values: Record<string, string | number | undefined> = {}
  for (const [name, flag] of Object.entries(flags)) {
    const value = given[name]
    values[name] = typeof value === 'string' ? readValue(name, flag, value) : flag.fallback
  }
  return values
}

/** The lines of the help that list the flags. */
export function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => [`--${name} ${flag.value}`, describe(flag)] as const)
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

function describe({ help, fallback }: Flag): string {
  return fallback === undefined ? help : `${help} (default ${fallback})`
}

function readValue(name: string, { range, choices }: Flag, value: string): string | number {
  if (choices !== undefined && !choices.includes(value)) {
    throw new UsageError(`--${name} takes ${choices.join(' or ')}, and not ${JSON.stringify(value)}.`)
  }
  if (range === undefined) return value
  const [from, to] = range
  const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN
  if (number >= from && number <= to) return number
  throw new UsageError(`--${name} takes a whole number from ${from} to ${to}, and not ${JSON.stringify(value)}.`)
}

/** parseArgs explains itself in the first sentence; the rest is about positional arguments. */
function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const [first = message] = message.split('. ')
  return first.endsWith('.') ? first : `${first}.`
}

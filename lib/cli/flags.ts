/** The command line's flags: what each command takes, read and checked, and the help made from the same table. */
import { parseArgs } from 'node:util'
import { nearest } from '../protocol/option-names.ts'

/** A wrong command line: one sentence for the user, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** One flag. */
export interface Flag {
  /** What its value stands for, in the help; a flag without it is a switch, on or off. */
  readonly value?: string
  readonly help: string
  /** For a whole number: its range. Without it the value is any text. */
  readonly range?: readonly [from: number, to: number]
  /** For one of several words. */
  readonly choices?: readonly string[]
  readonly fallback?: string | number
}

export type Flags = Readonly<Record<string, Flag>>

/** What may stand on the command line without a name: one word. */
export interface Operand {
  /** Where it is found among the values, and how the help calls it in capitals. */
  readonly name: string
  readonly help: string
}

/** The values given, or the defaults; undefined for a flag with neither, true for a switch that is on. */
export type Values = Readonly<Record<string, string | number | true | undefined>>

/** What a command does when it is asked for help instead of being run. */
export const HELP = Symbol('help')

/** @throws UsageError for a flag that is not in the table, one without its value, a value out of range, or a stray word */
export function readFlags(flags: Flags, parameters: readonly string[], operand?: Operand): Values | typeof HELP {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  }
  for (const [name, { value }] of Object.entries(flags)) options[name] = { type: value === undefined ? 'boolean' : 'string' }
  let given: Record<string, unknown>
  let words: string[]
  try {
    ;({ values: given, positionals: words } = parseArgs({ args: [...parameters], options, allowPositionals: operand !== undefined }))
  } catch (error) {
    throw new UsageError(sentenceOf(error, flags))
  }
  if (given.help === true) return HELP
  if (words.length > 1) throw new UsageError(`There is one ${operand?.name.toUpperCase()} too many: ${JSON.stringify(words[1])}.`)
  const values: Record<string, string | number | true | undefined> = operand === undefined ? {} : { [operand.name]: words[0] }
  for (const [name, flag] of Object.entries(flags)) {
    const value = given[name]
    values[name] = typeof value === 'string' ? readValue(name, flag, value) : value === true ? true : flag.fallback
  }
  return values
}

/** The lines of the help that list the flags; an operand comes first. */
export function describeFlags(flags: Flags, operand?: Operand): string {
  const rows = Object.entries(flags).map(([name, flag]) => [`--${name} ${flag.value ?? ''}`.trimEnd(), describe(flag)] as const)
  if (operand !== undefined) rows.unshift([operand.name.toUpperCase(), operand.help])
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

/** What parseArgs says, in our words: it names the flag in quotes, or the word that is no flag's. */
function sentenceOf(error: unknown, flags: Flags): string {
  const { code, message } = error as Error & { readonly code?: string }
  const [, given = ''] = /'(?:-\w, )?-*([^'\s]*)/.exec(message) ?? []
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const near = nearest(given, [...Object.keys(flags), 'help'])
    const dashes = given.length === 1 ? '-' : '--'
    return `There is no flag ${dashes}${given}${near === undefined ? '' : `, but --${near}`}; --help lists them.`
  }
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return `${JSON.stringify(given)} is no flag; --help lists them.`
  if (flags[given]?.value !== undefined) return `--${given} needs a value, as in --${given}=${flags[given].value}.`
  return `--${given} takes no value.`
}

/** The names in an object of options: one that is unknown is misuse, and the message says what to write instead. */
import { MisuseError, shorten, show, type MisuseCode } from './misuse-error.ts'

/** Names of other libraries, each with what to write here. */
export type ForeignNames = ReadonlyMap<string, string>

export interface KnownNames {
  /** Stands in front of each name in messages, such as `limits.`. Default: nothing. */
  readonly prefix?: string | undefined
  /** What a name is one of. Default: an option. */
  readonly kind?: string | undefined
  readonly names: readonly string[]
  /** What an object of them looks like, for who gives something else. */
  readonly example?: string | undefined
  readonly foreign?: ForeignNames | undefined
  /** Ends the message where a name is neither foreign nor near to one that is known. */
  readonly hint?: string | undefined
  readonly code?: MisuseCode | undefined
}

const NO_NAMES: ForeignNames = new Map()

/**
 * @param what the argument or option, as the caller writes it
 * @throws MisuseError of `known.code`, by default `invalid-option`, for what is no object or has a name that is not known
 */
export function checkNames(what: string, given: unknown, known: KnownNames): void {
  if (typeof given !== 'object' || given === null) {
    const { code = 'invalid-option', example } = known
    throw new MisuseError(code, `${what} must be an object${example === undefined ? '' : `, as in ${example}`}, and not ${show(given)}`)
  }
  for (const name of Object.keys(given)) {
    if (!known.names.includes(name)) throw unknownName(name, known)
  }
}

/** What is thrown at a name that is not known: with our word for it, or the nearest name, or all names. */
export function unknownName(name: string, known: KnownNames): MisuseError {
  const { prefix = '', kind = 'option', names, foreign = NO_NAMES, hint, code = 'invalid-option' } = known
  const ours = foreign.get(name)
  if (ours !== undefined) return new MisuseError(code, `${prefix}${name} is no ${kind}: ${ours}`)
  const near = nearest(name, names)
  const meant = near === undefined ? '' : `, ${near} is`
  const end = near === undefined && hint !== undefined ? `: ${hint}` : ''
  return new MisuseError(code, `${prefix}${shorten(name)} is no ${kind}${meant}; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}${end}`)
}

/** The known name with the fewest changed letters, at most a third of them; case is ignored. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const candidate of names) {
    const steps = distance(name.toLowerCase(), candidate.toLowerCase())
    if (steps < least && steps <= candidate.length / 3) {
      best = candidate
      least = steps
    }
  }
  return best
}

/** How many letters are to be added, taken away, changed or swapped with the next (optimal string alignment). */
function distance(one: string, other: string): number {
  // Whoever writes a name as long as that has not mistyped one of ours.
  if (Math.abs(one.length - other.length) > 8) return Infinity
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: other.length + 1 }, (_, j) => j)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1]
      let steps = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      if (swapped) steps = Math.min(steps, before[j - 2] + 1)
      next.push(steps)
    }
    before = row
    row = next
  }
  return row[other.length]
}

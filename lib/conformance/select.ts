/** Which cases are meant: `6.*,7.1.1`. */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import type { Case } from './case.ts'
import { BEYOND } from './beyond/index.ts'
import { CASES } from './cases/index.ts'

export interface Selection {
  /** Case numbers; `*` stands for any rest, `autobahn` for 1.* to 13.*, `beyond` for 20.* and up. Default: all. */
  readonly cases?: readonly string[] | undefined
  /** The same, of cases that are left out. */
  readonly exclude?: readonly string[] | undefined
}

/** Autobahn's cases, and ours. */
export const ALL_CASES: readonly Case[] = [...CASES, ...BEYOND]
const SETS: Readonly<Record<string, readonly Case[]>> = { autobahn: CASES, beyond: BEYOND }

/**
 * @param tests who is tested: what only the other one can be asked is left out
 * @throws MisuseError `invalid-option` for a pattern that means no case, or where no case is left
 */
export function selectCases({ cases = ['*'], exclude = [] }: Selection, tests: 'server' | 'client'): Case[] {
  const wanted = matcher('cases', cases)
  const unwanted = matcher('exclude', exclude)
  const selected = ALL_CASES.filter(one => isFor(one, tests) && wanted(one.id) && !unwanted(one.id))
  if (selected.length === 0) throw new MisuseError('invalid-option', `cases and exclude leave no case for a ${tests}`)
  return selected
}

function isFor(one: Case, tests: 'server' | 'client'): boolean {
  return one.kind !== 'probe' || one.tests === 'both' || one.tests === tests
}

function matcher(option: string, patterns: readonly string[]): (id: string) => boolean {
  const ids = new Set(patterns.flatMap(pattern => idsOf(option, pattern.trim())))
  return id => ids.has(id)
}

function idsOf(option: string, pattern: string): string[] {
  const expression = new RegExp(`^${pattern.replace(/[^*]/g, escape).replaceAll('*', '.*')}$`)
  const set = Object.hasOwn(SETS, pattern) ? SETS[pattern] : ALL_CASES.filter(({ id }) => expression.test(id))
  if (set.length > 0) return set.map(({ id }) => id)
  const known = 'there are numbers such as 6.4.1, and 6.*, and the sets autobahn and beyond'
  throw new MisuseError('invalid-option', `${option}: ${show(pattern)} means no case; ${known}`)
}

function escape(character: string): string {
  return /[\w]/.test(character) ? character : `\\${character}`
}

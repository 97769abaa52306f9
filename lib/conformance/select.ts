/** Which cases are meant: `6.*,7.1.1`. */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import type { Case } from './case.ts'
import { CASES } from './cases/index.ts'

export interface Selection {
  /** Case numbers; `*` stands for any rest. Default: all. */
  readonly cases?: readonly string[] | undefined
  /** The same, of cases that are left out. */
  readonly exclude?: readonly string[] | undefined
}

/** @throws MisuseError `invalid-option` for a pattern that means no case, or where no case is left */
export function selectCases({ cases = ['*'], exclude = [] }: Selection): Case[] {
  const wanted = matcher('cases', cases)
  const unwanted = matcher('exclude', exclude)
  const selected = CASES.filter(({ id }) => wanted(id) && !unwanted(id))
  if (selected.length === 0) throw new MisuseError('invalid-option', 'cases and exclude leave no case')
  return selected
}

function matcher(option: string, patterns: readonly string[]): (id: string) => boolean {
  const expressions = patterns.map(pattern => {
    const expression = new RegExp(`^${pattern.trim().replace(/[^*]/g, escape).replaceAll('*', '.*')}$`)
    if (CASES.some(({ id }) => expression.test(id))) return expression
    throw new MisuseError(
      'invalid-option',
      `${option}: ${show(pattern)} means no case; there are numbers such as 6.4.1, and 6.*`
    )
  })
  return id => expressions.some(expression => expression.test(id))
}

function escape(character: string): string {
  return /[\w]/.test(character) ? character : `\\${character}`
}

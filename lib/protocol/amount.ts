/** Amounts that a limit may be: a whole number, or Infinity written out; never "none" by accident. */
import { MisuseError, show, type MisuseCode } from './misuse-error.ts'

/**
 * `value`, where it is a whole number from 0 to 2^53-1, or Infinity.
 *
 * @param name the option or argument, as the caller writes it
 * @param unit what it counts, in the plural
 * @throws MisuseError of `code`
 */
export function checkAmount(name: string, value: unknown, unit: string, code: MisuseCode = 'invalid-option'): number {
  if (value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0)) return value as number
  throw new MisuseError(
    code,
    `${name} must be a whole number of ${unit}, 0 or more, or Infinity, and not ${show(value)}`
  )
}

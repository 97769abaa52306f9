/** Amounts that a limit may be: a whole number, or Infinity written out; never "none" by accident. */
import { MisuseError, show } from './misuse-error.ts'

/**
 * `value`, where it is a whole number from 0 to 2^53-1, or Infinity.
 *
 * @param name the option, as the caller writes it
 * @param unit what it counts, in the plural
 * @throws MisuseError `invalid-option`
 */
export function checkAmount(name: string, value: unknown, unit: string): number {
  if (value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0)) return value as number
  throw new MisuseError(
    'invalid-option',
    `${name} must be a whole number of ${unit}, 0 or more, or Infinity, and not ${show(value)}`
  )
}

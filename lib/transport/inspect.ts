/** What `console.log` and `util.inspect` show of an object whose state is private. */
import type { InspectOptions } from 'node:util'

/** The method that `util.inspect` asks, where an object has it. */
export const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** As `util.inspect` itself, which hands itself over. */
export type Inspect = (value: unknown, options: InspectOptions) => string

/** `Name { field: value, … }`, and `[Name]` below the depth that is shown. */
export function showAs(name: string, fields: object, depth: number, options: InspectOptions, inspect: Inspect): string {
  return depth < 0 ? `[${name}]` : `${name} ${inspect(fields, options)}`
}

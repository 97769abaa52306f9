/** Loops over what belongs to several connections: where one fails, the others have their turn all the same. */
import { reportError } from './report.ts'

/** What can be ended where it fails. */
interface Breakable {
  /** Must not throw. */
  broken(error: unknown): void
}

export function callEach<Item extends object>(items: Iterable<Item>, call: (item: Item) => void): void {
  for (const item of items) callOne(item, call)
}

/** Calls with the item, and never throws: an error ends what the item belongs to, or else becomes a process warning. */
export function callOne<Item extends object>(item: Item, call: (item: Item) => void): void {
  try {
    call(item)
  } catch (error) {
    if (isBreakable(item)) item.broken(error)
    else reportError(error, undefined)
  }
}

function isBreakable(item: object): item is Breakable {
  return 'broken' in item && typeof item.broken === 'function'
}

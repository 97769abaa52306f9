/** Errors that have no caller to be thrown at. */
import { types } from 'node:util'
import { Violation } from '../protocol/violation.ts'

/**
 * Tells the user's error callback, or makes the error a process warning where there is none; a peer's Violation is no
 * fault of the process and is not worth a warning. Never throws: what the callback throws becomes a warning too.
 */
export function reportError(error: unknown, callback: ((error: unknown) => void) | undefined): void {
  try {
    if (callback !== undefined) callback(error)
    else if (!(error instanceof Violation)) warn(error)
  } catch (second) {
    warn(second)
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error || types.isNativeError(error) ? error : String(error))
}

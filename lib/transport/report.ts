/** Errors that have no caller to be thrown at. */
import { types } from 'node:util'
import { show } from '../protocol/misuse-error.ts'
import { Violation } from '../protocol/violation.ts'

/** Whose error it is. */
export interface Failure {
  /** The callback that threw or rejected. */
  readonly callback: string
  /** What it was called for, and what became of that. */
  readonly outcome: string
}

/**
 * Tells the user's error callback, or makes the error a process warning where there is none; a peer's Violation is no
 * fault of the process and is not worth a warning. Never throws: what the callback throws becomes a warning too.
 *
 * @param failure what the warning says beside the error; default nothing
 */
export function reportError(error: unknown, callback: ((error: unknown) => void) | undefined, failure?: Failure): void {
  try {
    if (callback !== undefined) callback(error)
    else if (!(error instanceof Violation)) warn(error, failure)
  } catch (second) {
    warn(second, callback === undefined ? undefined : { callback: 'error', outcome: `it was told of ${oneLine(error)}` })
  }
}

/** Its name is `KoreWsWarning`, its code `KORE_WS_CALLBACK`, its cause what was thrown, and its detail the stack of that. */
function warn(error: unknown, failure: Failure | undefined): void {
  const isError = error instanceof Error || types.isNativeError(error)
  if (failure === undefined) {
    process.emitWarning(isError ? error : oneLine(error))
    return
  }
  const sentence = `the callback ${failure.callback} failed: ${oneLine(error)}; ${failure.outcome}`
  const warning = new Error(sentence, { cause: error })
  warning.name = 'KoreWsWarning'
  // Printed below the sentence.
  process.emitWarning(Object.assign(warning, { code: 'KORE_WS_CALLBACK', detail: isError ? stackOf(error) : undefined }))
}

/** Never throws, whatever was thrown. */
function oneLine(error: unknown): string {
  try {
    if (error instanceof Error || types.isNativeError(error)) return String(error)
    return typeof error === 'string' ? show(error) : String(error)
  } catch {
    return 'what has no text'
  }
}

function stackOf(error: Error): string | undefined {
  const { stack } = error
  return typeof stack === 'string' ? stack : undefined
}

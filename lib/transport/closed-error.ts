/** The error of calls that a connection can no longer serve. */

/** What `drained` rejects with. */
export function closedError(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'connection-closed' })
}

export function isClosedError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'connection-closed'
}

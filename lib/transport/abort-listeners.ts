/** One listener for each AbortSignal, however many wait for it: Node warns of more than ten. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `onAbort` when the signal is aborted, at once where it has been.
 *
 * @returns takes it back
 */
export function whenAborted(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) {
    onAbort()
    return () => {}
  }
  const callbacks = waiting.get(signal) ?? listenTo(signal)
  // The same function may be given twice.
  const entry = (): void => onAbort()
  callbacks.add(entry)
  return () => {
    callbacks.delete(entry)
    if (callbacks.size > 0 || waiting.get(signal) !== callbacks) return
    waiting.delete(signal)
    signal.removeEventListener('abort', tell)
  }
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>()
  waiting.set(signal, callbacks)
  signal.addEventListener('abort', tell)
  return callbacks
}

function tell(this: AbortSignal): void {
  const callbacks = waiting.get(this)
  waiting.delete(this)
  this.removeEventListener('abort', tell)
  for (const onAbort of callbacks ?? []) onAbort()
}

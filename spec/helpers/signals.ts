/** What listens on an AbortSignal. */
import { getEventListeners } from 'node:events'

export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

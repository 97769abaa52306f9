/** The number by which the system knows a socket. */
import { usesInternals } from './switch.ts'

/** -1 where the platform does not tell it, or it must not be asked for. */
export function fileDescriptor(socket: object): number {
  if (!usesInternals) return -1
  const handle = (socket as { _handle?: { fd?: unknown } | null })._handle
  return typeof handle?.fd === 'number' ? handle.fd : -1
}

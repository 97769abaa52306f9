/** What a net.Socket listens to itself with, for its own end. */
import { Socket } from 'node:net'
import { usesInternals } from './switch.ts'

const listeners = usesInternals ? (new Socket().listeners('end') as (() => void)[]) : []

/**
 * Takes Node's own `end` listener off a socket that may be half open: it minds only those that may not. Together with
 * another it would be a list, which costs each idle connection 64 bytes.
 */
export function dropEndListener(socket: Socket): void {
  if (socket.allowHalfOpen) for (const listener of listeners) socket.off('end', listener)
}

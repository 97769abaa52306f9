/** The address at the other end of a socket, as its handle says it. */
import type { Socket } from 'node:net'
import { usesInternals } from './switch.ts'

/** What Node's sockets ask for their peer's address; the same from Node 20 to 26. */
interface AddressHandle {
  getpeername?(out: { address?: string | undefined }): number
}

const asked: { address?: string | undefined } = {}
let lastAddress = ''

/**
 * The address that the socket is connected to, where it has one. `remoteAddress` would keep an object for it beside the
 * address, and that is a part of what an idle connection takes.
 */
export function peerAddress(socket: Socket): string | undefined {
  if (!usesInternals) return socket.remoteAddress
  const handle = (socket as { readonly _handle?: AddressHandle | null })._handle
  if (typeof handle?.getpeername !== 'function') return socket.remoteAddress
  asked.address = undefined
  if (handle.getpeername(asked) !== 0 || asked.address === undefined) return socket.remoteAddress
  // All clients of a proxy have its address, and so may have one string.
  if (asked.address !== lastAddress) lastAddress = asked.address
  return lastAddress
}

/** Which transports are sockets of the operating system, with nothing in between. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Whether it is TCP or a unix socket: TLS encrypts into memory of its own, and other streams have no system below. */
export function isSystemSocket(transport: Duplex): transport is Socket {
  return transport instanceof Socket && !('encrypted' in transport)
}

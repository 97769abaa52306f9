/** What the commands that listen share: their flags, the port, the signals that end them. */
import { closeSync, openSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MAX_HEADER_LINES } from '../handshake/request.ts'
import { UsageError, type Flags } from './flags.ts'

export const LISTEN_FLAGS = {
  port: { value: 'PORT', help: 'the port; 0 takes any free one', range: [0, 65535], fallback: 8080 },
  host: { value: 'HOST', help: 'the address to listen on', fallback: '127.0.0.1' },
} as const satisfies Flags

const MAX_MESSAGE = 2 ** 30

export const MAX_MESSAGE_FLAG = {
  value: 'BYTES',
  help: 'the most bytes of one message',
  range: [0, MAX_MESSAGE],
} as const

/** Milliseconds for a request to come whole; and between two looks for requests that take longer. */
const REQUEST_TIME = 10_000
const LOOK = 1000

/** An HTTP server for which half-sent requests hold little: few header lines each, and not for long. */
export function createBoundedServer(listener: RequestListener): Server {
  const times = { headersTimeout: REQUEST_TIME, requestTimeout: REQUEST_TIME, connectionsCheckingInterval: LOOK }
  const server = createServer(times, listener)
  // One more than allowed, so that one too many is seen.
  server.maxHeadersCount = MAX_HEADER_LINES + 1
  return server
}

/** Listens and returns the address as a URL. @throws UsageError where the system won't have it */
export async function listen(server: Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new UsageError(explainListening(error, port, host))))
    server.listen({ port, host }, resolve)
  })
  return urlOf(server.address() as AddressInfo)
}

export function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** A sentence about why a server can't listen. */
export function explainListening(error: NodeJS.ErrnoException, port: number, host: string): string {
  if (error.code === 'EADDRINUSE') return `Port ${port} of ${host} is in use: choose another with --port.`
  if (error.code === 'EACCES') return `Port ${port} of ${host} is not allowed to this user: choose another with --port.`
  return `Can't listen on ${host}, port ${port}: ${error.message}.`
}

/** Calls `end` once, at the first SIGINT (Ctrl-C) or SIGTERM; the second ends the process at once. */
export function onSignal(end: () => Promise<void>): void {
  let ending = false
  const handle = (): void => {
    if (ending) process.exit(1)
    ending = true
    void end().then(() => process.exit(0))
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
}

/** Calls `reload` at each SIGHUP; but where that says that the terminal is gone, it is a SIGTERM. */
export function onHangup(reload: () => void): void {
  const hadTerminal = hasTerminal()
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) process.emit('SIGTERM')
    else reload()
  })
}

/** Whether the process belongs to a terminal. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Sockets of the client's: TCP, a unix socket, and TLS over either or over a tunnel. */
import { connect as connectSocket, isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { MisuseError, show } from '../protocol/misuse-error.ts'

/** Which options of `tls.connect` decide where it connects to and what is spoken there; these are the client's own. */
const OWN_OPTIONS = ['ALPNProtocols', 'host', 'path', 'port', 'socket'] as const

/** What `tls.connect` takes about keys, certificates and the like. */
export type TlsOptions = Omit<ConnectionOptions, (typeof OWN_OPTIONS)[number]>

/**
 * @param name the option, as the caller writes it
 * @throws MisuseError `invalid-option` for what is no object or decides where to connect to
 */
export function checkTls(name: string, tls: unknown): TlsOptions | undefined {
  if (tls === undefined) return undefined
  if (typeof tls !== 'object' || tls === null) throw invalid(`${name} must be an object, and not ${show(tls)}`)
  const own = OWN_OPTIONS.find(option => Reflect.get(tls, option) !== undefined)
  if (own === undefined) return { ...tls }
  throw invalid(`${name}.${own} can't be set: the URL decides where to connect to, and HTTP/1.1 is spoken there`)
}

export interface Address {
  readonly secure: boolean
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/**
 * Begins to connect; errors come as the socket's events.
 *
 * @param path of a unix socket to go to in place of host and port
 */
export function openSocket(address: Address, tls: TlsOptions | undefined, path: string | undefined): Socket {
  const { secure, host, port } = address
  if (secure) return connectTls({ ...tlsOptions(host, tls), ...(path === undefined ? { port } : { path }) })
  return path === undefined ? connectSocket({ host, port }) : connectSocket({ path })
}

/** TLS with `host` over a socket that is there. */
export function secureSocket(socket: Duplex, host: string, tls: TlsOptions | undefined): Socket {
  // Its errors reach the TLS socket; destroyed on its own it would have nobody to tell.
  socket.on('error', ignore)
  return connectTls({ ...tlsOptions(host, tls), socket })
}

/** What HTTP and the caller's agent have set on the socket is taken back, and small writes leave at once. */
export function takeOver(socket: Duplex): void {
  // A Connection ends its side itself, behind its close frame.
  socket.allowHalfOpen = true
  if (!(socket instanceof Socket)) return
  socket.setTimeout(0)
  socket.setNoDelay(true)
}

/** The certificate is checked against the host, whichever way the bytes go; a name is asked for, never an address. */
function tlsOptions(host: string, tls: TlsOptions | undefined): ConnectionOptions {
  const name = isIP(host) === 0 ? { servername: host } : {}
  return { ...name, ...tls, host, ALPNProtocols: ['http/1.1'] }
}

function ignore(): void {}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-option', sentence)
}

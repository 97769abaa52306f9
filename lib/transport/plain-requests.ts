/** Requests with an Upgrade header that nobody takes: the header is ignored, and the page is served (RFC 9110, section 7.8). */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { trimSpace } from '../handshake/fields.ts'

/** What goes with the header, and is of no use without it (RFC 7540, section 3.2.1). */
const DROPPED = ['upgrade', 'http2-settings']

/**
 * Gives a request of an `upgrade` event back to its server, without the header. Node has no way to take the event back:
 * the request is written down anew, and the server is given the socket as a new one.
 */
export function serveWithoutUpgrade(server: HttpServer | HttpsServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.unshift(Buffer.concat([Buffer.from(formatHead(request), 'latin1'), head]))
  // An HTTPS server hears of its sockets when they are decrypted.
  server.emit('setSecureContext' in server ? 'secureConnection' : 'connection', socket)
}

function formatHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at], rawHeaders[at + 1]]
    const field = name.toLowerCase()
    if (DROPPED.includes(field)) continue
    const kept = field === 'connection' ? withoutDropped(value) : value
    if (kept !== '' || field !== 'connection') head += `${name}: ${kept}\r\n`
  }
  return `${head}\r\n`
}

function withoutDropped(tokens: string): string {
  return tokens
    .split(',')
    .map(trimSpace)
    .filter(token => !DROPPED.includes(token.toLowerCase()))
    .join(', ')
}

/** The tester as a server: reads a client's request and answers it (RFC 6455, section 4.2). */
import type { Duplex } from 'node:stream'
import type { DeflateWish } from '../case.ts'
import { chooseOffer, type Agreement } from './extension.ts'
import { answerKey, hasToken, type Head } from './http.ts'

/** Where a client wants to go. */
export interface Request {
  readonly url: URL
  readonly key: string
  readonly head: Head
}

/** The request, or a sentence about what it is not. */
export function readRequest(head: Head): Request | string {
  const { line, headers } = head
  const target = /^GET (\/\S*) HTTP\/1\.1$/.exec(line)?.[1]
  if (target === undefined) return 'The request has to be a GET of a path, in HTTP/1.1.'
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return 'Upgrade has to be websocket.'
  if (!hasToken(headers.get('connection'), 'upgrade')) return 'Connection has to say Upgrade.'
  if (headers.get('sec-websocket-version') !== '13') return 'Sec-WebSocket-Version has to be 13.'
  const key = headers.get('sec-websocket-key') ?? ''
  if (Buffer.from(key, 'base64').length !== 16) return 'Sec-WebSocket-Key has to be 16 bytes in base64.'
  // Behind a host of its own, or what begins with two slashes would be taken for one.
  return { url: new URL(`ws://tester${target.replace(/^[/\\]+/, '/')}`), key, head }
}

/** Answers with 101; returns what was answered. */
export function acceptRequest(
  socket: Duplex,
  { key, head }: Request,
  wishes: readonly DeflateWish[]
): { agreement: Agreement | undefined; response: string } {
  const chosen = chooseOffer(head.headers.get('sec-websocket-extensions'), wishes)
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${answerKey(key)}`,
    'Server: kore-ws-conformance',
    ...(chosen === undefined ? [] : [`Sec-WebSocket-Extensions: ${chosen.answer}`]),
  ]
  const response = `${lines.join('\r\n')}\r\n\r\n`
  socket.write(response)
  return { agreement: chosen?.agreement, response }
}

/** Answers with anything else, and ends the connection. */
export function refuseRequest(socket: Duplex, status: string, sentence: string): void {
  const body = `${sentence}\n`
  const lines = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** The tester as a client: dials a server and shakes hands (RFC 6455, section 4.1). */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { DeflateWish } from '../case.ts'
import { formatOffers, readAnswer, type Agreement } from './extension.ts'
import { answerKey, HandshakeFailure, hasToken, makeKey, readHead, type Head } from './http.ts'

/** Milliseconds for the whole handshake. */
export const HANDSHAKE_TIME = 5000

export interface Opened {
  readonly socket: Socket
  readonly agreement: Agreement | undefined
  readonly request: string
  readonly response: Head
}

/**
 * @param wishes what to offer of permessage-deflate; none: the extension is not offered
 * @throws HandshakeFailure, with the socket gone
 */
export async function openClient(url: URL, wishes: readonly DeflateWish[], tls: ConnectionOptions): Promise<Opened> {
  const started = performance.now()
  const socket = dial(url, tls)
  // What goes wrong later is found out by whoever reads.
  socket.on('error', () => {})
  socket.setNoDelay(true)
  const key = makeKey()
  const request = formatRequest(url, key, wishes)
  try {
    socket.write(request)
    const response = await readHead(socket, HANDSHAKE_TIME)
    const agreement = checkAnswer(response, key, wishes)
    return { socket, agreement, request, response }
  } catch (error) {
    socket.destroy()
    if (!(error instanceof HandshakeFailure)) throw error
    const time = Math.round(performance.now() - started)
    throw new HandshakeFailure(`${error.message} (after ${time} ms)`, error.late, error.head)
  }
}

/** A socket that is connected, or will be. */
export function dial(url: URL, tls: ConnectionOptions): Socket {
  const secure = url.protocol === 'wss:'
  // A URL has IPv6 addresses in brackets.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (secure ? 443 : 80))
  if (!secure) return connectTcp({ host, port })
  const servername = /^[\d.:]+$/.test(host) ? '' : host
  return connectTls({ host, port, servername, ALPNProtocols: ['http/1.1'], ...tls })
}

function formatRequest(url: URL, key: string, wishes: readonly DeflateWish[]): string {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    'User-Agent: kore-ws-conformance',
    ...(wishes.length > 0 ? [`Sec-WebSocket-Extensions: ${formatOffers(wishes)}`] : []),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** What a server's answer agrees to. @throws HandshakeFailure where it is no upgrade */
export function checkAnswer(head: Head, key: string, wishes: readonly DeflateWish[]): Agreement | undefined {
  const { line, headers } = head
  const expect = (condition: boolean, sentence: string): void => {
    if (!condition) throw new HandshakeFailure(`The server's answer is no upgrade: ${sentence}`, false, head.text)
  }
  expect(/^HTTP\/1\.1 101(?: |$)/.test(line), `its first line is ${JSON.stringify(line.slice(0, 100))}.`)
  expect(headers.get('upgrade')?.toLowerCase() === 'websocket', 'Upgrade is not websocket.')
  expect(hasToken(headers.get('connection'), 'upgrade'), 'Connection does not say upgrade.')
  expect(headers.get('sec-websocket-accept') === answerKey(key), 'Sec-WebSocket-Accept does not fit the key.')
  expect(headers.get('sec-websocket-protocol') === undefined, 'it names a subprotocol, and none was offered.')
  const agreement = readAnswer(headers.get('sec-websocket-extensions'), wishes)
  if (typeof agreement === 'string')
    throw new HandshakeFailure(`The server's extensions: ${agreement}.`, false, head.text)
  return agreement
}

/** Echo clients that keep every rule the cases know but one. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Echo, type Deflate, type Fault } from './raw-echo.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export interface Client {
  readonly fault?: Fault | undefined
  /** The value of Sec-WebSocket-Extensions; without it, none is offered. */
  readonly offer?: string | undefined
}

/** One connection, from the handshake to its end; returns the server's head, and what came with it. */
export async function runClient(port: number, path: string, { fault, offer }: Client = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n` +
      `${offer === undefined ? '' : `Sec-WebSocket-Extensions: ${offer}\r\n`}\r\n`
  )
  let received = Buffer.alloc(0)
  let echo: Echo | undefined
  socket.on('error', () => {})
  socket.on('data', chunk => {
    if (echo !== undefined) {
      echo.receive(chunk)
      return
    }
    received = Buffer.concat([received, chunk])
    const end = received.indexOf('\r\n\r\n') + 4
    if (end < 4 || !received.includes('HTTP/1.1 101')) return
    echo = new Echo(socket, false, fault, agreedOn(received.toString('latin1', 0, end)))
    echo.receive(received.subarray(end))
  })
  await once(socket, 'close')
  return received.toString()
}

function agreedOn(answer: string): Deflate | undefined {
  const extension = /sec-websocket-extensions: (.*)/i.exec(answer)?.[1]
  if (extension === undefined) return undefined
  const bits = /client_max_window_bits=(\d+)/.exec(extension)?.[1]
  return { contextTakeover: !extension.includes('client_no_context_takeover'), windowBits: Number(bits ?? 15) }
}

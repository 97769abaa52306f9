/** Echo servers that keep every rule the cases know but one. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Echo, type Deflate, type Fault } from './raw-echo.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export interface BrokenServer {
  readonly url: string
  /** How many connections there have been. */
  readonly served: number
  close(): Promise<void>
}

/** @param fault undefined: nothing is broken */
export async function brokenServer(fault?: Fault): Promise<BrokenServer> {
  const sockets = new Set<Socket>()
  let served = 0
  const server = createServer({ noDelay: true }, socket => {
    served++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.once('data', head => {
      const deflate = shakeHands(socket, head.toString('latin1'), fault)
      const echo = new Echo(socket, true, fault, deflate)
      socket.on('data', chunk => echo.receive(chunk))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get served() {
      return served
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function shakeHands(socket: Socket, head: string, fault: Fault | undefined): Deflate | undefined {
  const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? ''
  const offer = /sec-websocket-extensions: (permessage-deflate[^,\r]*)/i.exec(head)?.[1]
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  const contextTakeover = !(offer?.includes('server_no_context_takeover') ?? false)
  const bits = /server_max_window_bits=(\d+)/.exec(offer ?? '')?.[1]
  const answer = [
    'permessage-deflate',
    ...(contextTakeover ? [] : ['server_no_context_takeover']),
    ...(bits === undefined ? [] : [`server_max_window_bits=${fault === 'grants-a-larger-window' ? 15 : bits}`]),
    ...(fault === 'names-unknown-parameters' ? ['server_max_context=1'] : []),
  ]
  const extension = offer === undefined ? '' : `Sec-WebSocket-Extensions: ${answer.join('; ')}\r\n`
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n${extension}\r\n`
  )
  return offer === undefined ? undefined : { contextTakeover, windowBits: Number(bits ?? 15) }
}

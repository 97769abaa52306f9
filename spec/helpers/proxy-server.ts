/** An HTTP proxy that knows CONNECT and no more. */
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { answering, headersOf, RawServer, type RawServerOptions, type Reply } from './raw-server.ts'

export interface ProxyServer {
  readonly raw: RawServer
  /** Where it listens, for the option `proxy`. */
  readonly url: string
  /** The targets asked for, such as `localhost:80`. */
  readonly targets: string[]
}

export interface ProxyServerOptions extends Pick<RawServerOptions, 'tls'> {
  /** Says no to those who do not send this Proxy-Authorization. */
  readonly authorization?: string
  /** Where tunnels lead in truth, whatever was asked for. */
  readonly port?: number
  /** In place of a tunnel. */
  readonly reply?: Reply
}

export async function openProxy(t: Test, options: ProxyServerOptions = {}): Promise<ProxyServer> {
  const { tls, authorization, port, reply } = options
  const targets: string[] = []
  const raw = await RawServer.open(
    t,
    (head, socket) => {
      const target = head.split(' ')[1]
      targets.push(target)
      if (authorization !== undefined && headersOf(head)['proxy-authorization'] !== authorization) {
        return answering(407, { 'proxy-authenticate': 'Basic' }, 'Who are you?')
      }
      if (reply !== undefined) return reply(head, socket)
      return tunnel(socket, port ?? Number(/\d+$/.exec(target)?.[0]))
    },
    tls === undefined ? {} : { tls }
  )
  return { raw, targets, url: `${tls === undefined ? 'http' : 'https'}://localhost:${raw.port}` }
}

function tunnel(socket: Socket, port: number): void {
  const far = connect({ port, host: '127.0.0.1' }, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    far.pipe(socket)
    socket.pipe(far)
  })
  far.on('error', () => socket.destroy())
  far.on('close', () => socket.destroy())
  socket.on('close', () => far.destroy())
}

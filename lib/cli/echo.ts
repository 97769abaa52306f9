/** `kore-ws echo`: a server that sends every message back, on every path; for trying out clients. */
import { REFUSALS } from '../handshake/refusal.ts'
import { WebSocketServer } from '../server.ts'
import { COMPRESSION_FLAGS, compressionOf } from './compression-flags.ts'
import type { Flags, Values } from './flags.ts'
import { createBoundedServer, listen, LISTEN_FLAGS, MAX_MESSAGE_FLAG, onSignal } from './listen.ts'

export const ECHO_FLAGS = {
  ...LISTEN_FLAGS,
  ...COMPRESSION_FLAGS,
  'max-message': { ...MAX_MESSAGE_FLAG, fallback: 16 * 1024 * 1024 },
} as const satisfies Flags

export async function echo(values: Values): Promise<void> {
  const server = createBoundedServer((_, response) => {
    const { status, headers, body } = REFUSALS.upgrade
    response.writeHead(status, { ...headers, connection: 'upgrade, close' }).end(body)
  })
  const echoes = new WebSocketServer({
    // A tool for trying things out: any page may use it.
    origins: 'any',
    limits: { messageBytes: Number(values['max-message']) },
    compression: compressionOf(values),
    message: (socket, data) => void socket.send(data),
  }).attach(server)
  onSignal(async () => {
    server.close()
    server.closeAllConnections()
    await echoes.close()
  })
  const url = await listen(server, Number(values.port), String(values.host))
  process.stdout.write(`kore-ws echoes on ${url.replace('http', 'ws')}; Ctrl-C ends it\n`)
}

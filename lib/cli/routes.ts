/** The routes of `serve`: /echo (our API), /chat (Kore's broadcast to all workers), /people (how many are in the chat). */
import type { Server } from 'node:http'
import { clusterBus } from '../broadcast/cluster-bus.ts'
import type { CompressionOption } from '../deflate/compression.ts'
import {
  broadcast,
  config,
  handshake,
  kore_attach,
  kore_shutdown,
  koreMetrics,
  WEBSOCKET_BROADCAST_GLOBAL,
  type KoreConnection,
} from '../kore.ts'
import { WebSocketServer } from '../server.ts'
import { HeadCount } from './head-count.ts'
import type { MetricsPage } from './metrics-page.ts'

/**
 * Puts the routes on an HTTP server.
 *
 * @param maxMessage bytes of one message on both routes; undefined leaves each its default
 * @param compression of /echo and /people; Kore has none
 * @param metrics shows the figures of each
 * @returns what closes every connection with a code, and resolves when all are gone
 */
export function attachRoutes(
  server: Server,
  maxMessage: number | undefined,
  compression: CompressionOption,
  metrics: MetricsPage
): (code: number) => Promise<void> {
  const echo = new WebSocketServer({
    path: '/echo',
    limits: { messageBytes: maxMessage },
    compression,
    message: (socket, data) => void socket.send(data),
  }).attach(server)

  const people = new WebSocketServer({
    path: '/people',
    compression,
    open: socket => void socket.send(String(count.total)),
    // Nobody has to say anything here.
    message() {},
  }).attach(server)
  const count = new HeadCount(clusterBus(), total => people.broadcast(String(total)))

  if (maxMessage !== undefined) config.websocket_maxframe = maxMessage
  const onmessage = (c: KoreConnection, op: number, data: Buffer, length: number): void =>
    broadcast(c, op, data, length, WEBSOCKET_BROADCAST_GLOBAL)
  kore_attach(server, {
    '/chat': request => handshake(request, () => count.add(1), onmessage, () => count.add(-1)),
  })

  metrics.add('/echo', () => echo.metrics())
  metrics.add('/chat', koreMetrics)
  metrics.add('/people', () => people.metrics())

  return async code => {
    count.close()
    await Promise.all([echo.close({ code }), people.close({ code }), kore_shutdown(code)])
    metrics.close()
  }
}

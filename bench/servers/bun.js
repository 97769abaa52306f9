/** Bun.serve, whose WebSockets are uWebSockets (C++) below. */
import { announce, BURST_MESSAGES } from './shared.js'

const deflate = { message: (socket, data) => void socket.send(data, true) }

const MODES = {
  deflate: { ...deflate, perMessageDeflate: { compress: 'shared', decompress: 'shared' } },
  'deflate-takeover': { ...deflate, perMessageDeflate: { compress: 'dedicated', decompress: 'dedicated' } },
  echo: { message: (socket, data) => void socket.send(data) },
  chat: {
    open: socket => socket.subscribe('room'),
    message: (socket, data) => void socket.publish('room', data),
  },
  burst: {
    message(socket) {
      for (const message of BURST_MESSAGES) socket.send(message)
    },
  },
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('upgrade', { status: 426 })),
  websocket: {
    ...MODES[process.argv[2]],
    // By default a message of 1 MiB behind another is dropped.
    backpressureLimit: 64 * 1024 * 1024,
  },
})
process.on('SIGUSR2', () => Bun.gc(true))
announce(server.port)

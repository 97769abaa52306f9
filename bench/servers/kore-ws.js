/** kore-ws where its command has no route: many messages in answer to one, and compression of the smallest messages too. */
import { announce, BURST_MESSAGES } from './shared.js'

const { WebSocketServer } = await import(process.env.KORE_WS_INDEX)

const echo = (socket, data) => void socket.send(data)

const MODES = {
  burst: {
    message(socket) {
      for (const message of BURST_MESSAGES) socket.send(message)
    },
  },
  deflate: { compression: { mode: 'shared', threshold: 0 }, message: echo },
  'deflate-takeover': { compression: { mode: 'dedicated', threshold: 0 }, message: echo },
}

const server = new WebSocketServer(MODES[process.argv[2]])
const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
announce(port)

/** kore-ws where its command has no route: many messages in answer to one. */
import { announce, BURST_MESSAGES } from './shared.js'

const { WebSocketServer } = await import(process.env.KORE_WS_INDEX)

const server = new WebSocketServer({
  message(socket) {
    for (const message of BURST_MESSAGES) socket.send(message)
  },
})
const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
announce(port)

/** `ws`, as its documentation shows it: text as strings, binary as Buffers. */
import { WebSocketServer } from 'ws'
import { announce, BURST_MESSAGES } from './shared.js'

const MODES = {
  echo: socket => socket.on('message', (data, isBinary) => socket.send(isBinary ? data : data.toString())),
  chat: socket =>
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString()
      for (const client of server.clients) if (client !== socket) client.send(message)
    }),
  burst: socket =>
    socket.on('message', () => {
      for (const message of BURST_MESSAGES) socket.send(message)
    }),
}

const attach = MODES[process.argv[2]]
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => announce(server.address().port))
server.on('connection', socket => {
  socket.on('error', () => {})
  attach(socket)
})

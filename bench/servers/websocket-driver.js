/** `websocket-driver` (faye) on a plain HTTP server, as its documentation shows it. */
import { createServer } from 'node:http'
import driver from 'websocket-driver'
import { announce, BURST_MESSAGES } from './shared.js'

const everybody = new Set()

function send(socket, data) {
  if (typeof data === 'string') socket.text(data)
  else socket.binary(data)
}

const MODES = {
  echo: (socket, data) => send(socket, data),
  chat(socket, data) {
    for (const other of everybody) if (other !== socket) send(other, data)
  },
  burst(socket) {
    for (const message of BURST_MESSAGES) socket.text(message)
  },
}

const onMessage = MODES[process.argv[2]]
const server = createServer()
server.on('upgrade', (request, transport, head) => {
  const socket = driver.http(request)
  transport.on('error', () => transport.destroy())
  transport.on('close', () => everybody.delete(socket))
  socket.on('message', event => onMessage(socket, event.data))
  socket.on('open', () => everybody.add(socket))
  socket.io.write(head)
  transport.pipe(socket.io).pipe(transport)
  socket.start()
})
server.listen(0, '127.0.0.1', () => announce(server.address().port))

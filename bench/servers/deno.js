/** Deno.serve with Deno.upgradeWebSocket, which has no broadcast: a loop, as with ws. */
import { announce, BURST_MESSAGES } from './shared.js'

const everybody = new Set()

const MODES = {
  echo: (socket, data) => socket.send(data),
  chat(socket, data) {
    for (const other of everybody) if (other !== socket) other.send(data)
  },
  burst(socket) {
    for (const message of BURST_MESSAGES) socket.send(message)
  },
}

const onMessage = MODES[Deno.args[0]]

function upgrade(request) {
  const { socket, response } = Deno.upgradeWebSocket(request)
  socket.binaryType = 'arraybuffer'
  socket.onopen = () => everybody.add(socket)
  socket.onclose = () => everybody.delete(socket)
  socket.onerror = () => {}
  socket.onmessage = event => onMessage(socket, event.data)
  return response
}

Deno.serve({ hostname: '127.0.0.1', port: 0, onListen: ({ port }) => announce(port) }, upgrade)
Deno.addSignalListener('SIGUSR2', () => globalThis.gc?.())

/** Node's floor: a bare net.Socket that answers the handshake and then sends back the very bytes that come. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { announce } from './shared.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

function answer(head) {
  const [, key = ''] = /^sec-websocket-key: *(\S+)/im.exec(head) ?? []
  const accept = createHash('sha1').update(key + GUID).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

function sendBack(chunk) {
  this.write(chunk)
}

const server = createServer({ noDelay: true }, socket => {
  let head = ''
  socket.on('error', () => {})
  // The load generator writes nothing behind the head before it has the answer.
  socket.on('data', function readHead(chunk) {
    head += chunk.toString('latin1')
    if (!head.endsWith('\r\n\r\n')) return
    socket.off('data', readHead)
    socket.on('data', sendBack)
    socket.write(answer(head))
    head = ''
  })
})
server.listen(0, '127.0.0.1', () => announce(server.address().port))

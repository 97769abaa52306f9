/** Where the clients that are measured connect to: the server's side of the handshake on raw sockets, one path for each. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const END_OF_HEAD = '\r\n\r\n'
const HOST = '127.0.0.1'

/** A client that has connected; to be used as a Client is. */
class Peer {
  /** @type {(bytes: Buffer, end: number) => void} */
  onBytes = () => {}
  /** @type {(why: string) => void} */
  onLost = () => {}
  #socket

  constructor(socket) {
    this.#socket = socket
    socket.on('data', chunk => this.onBytes(chunk, chunk.length))
    socket.on('close', () => this.onLost('the client closed the connection'))
  }

  get over() {
    return this.#socket.destroyed
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    this.#socket.write(bytes)
  }
}

export class ClientDoor {
  /** @type {Map<string, Peer>} */
  #peers = new Map()
  #server

  /** @returns {Promise<string>} the URL that clients add their path to */
  async listen() {
    if (this.#server === undefined) {
      this.#server = createServer({ noDelay: true }, socket => this.#greet(socket)).listen(0, HOST)
      await once(this.#server, 'listening')
    }
    return `ws://${HOST}:${this.#server.address().port}/`
  }

  /** The client that connected to this path, or undefined. @param {string} path without the slash */
  peer(path) {
    const peer = this.#peers.get(path)
    return peer?.over === false ? peer : undefined
  }

  #greet(socket) {
    let head = ''
    socket.on('error', () => {})
    const readHead = chunk => {
      head += chunk.toString('latin1')
      // A client may not send frames before it has the answer (RFC 6455, section 4.1).
      if (!head.endsWith(END_OF_HEAD)) return
      socket.off('data', readHead)
      const [, path = ''] = /^GET \/(\S*) HTTP\/1\.1/.exec(head) ?? []
      const [, key = ''] = /^sec-websocket-key: *(\S+)/im.exec(head) ?? []
      const accept = createHash('sha1').update(key + GUID).digest('base64')
      this.#peers.set(path, new Peer(socket))
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept}${END_OF_HEAD}`
      )
    }
    socket.on('data', readHead)
  }
}

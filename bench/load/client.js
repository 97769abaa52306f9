/** One client on a raw socket: the handshake, then bytes out and in. All clients read into one and the same buffer. */
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { complaintAbout } from './extension.js'
import { READ_SIZE } from './frames.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = randomBytes(16).toString('base64')
const ACCEPT = createHash('sha1').update(KEY + GUID).digest('base64')
const END_OF_HEAD = '\r\n\r\n'

/** A read is dealt with before the next one, of whichever client, so one buffer is enough. */
const input = Buffer.allocUnsafe(READ_SIZE)

export class Client {
  /** What is called with each read once the handshake is done. @type {(bytes: Buffer, end: number) => void} */
  onBytes = () => {}
  #socket
  #head = ''
  #offer
  #open = false
  #over = false
  #onOpen
  #onLost

  /**
   * @param {{ host: string, port: number, path: string, offer?: string }} address offer: the extension that must be agreed on
   * @param {() => void} onOpen
   * @param {(why: string) => void} onLost not called after `end`
   */
  constructor({ host, port, path, offer }, onOpen, onLost) {
    this.#offer = offer
    this.#onOpen = onOpen
    this.#onLost = onLost
    const onread = { buffer: input, callback: end => this.#read(end) }
    const socket = connect({ host, port, noDelay: true, onread })
    this.#socket = socket
    socket.on('error', error => this.#lose(`${error.code ?? error.message}`))
    socket.on('close', () => this.#lose('the server closed the connection'))
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
        (offer === undefined ? '\r\n' : `Sec-WebSocket-Extensions: ${offer}\r\n\r\n`)
    )
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    this.#socket.write(bytes)
  }

  end() {
    this.#over = true
    this.#socket.destroy()
  }

  #read(end) {
    if (this.#over) return false
    if (this.#open) this.onBytes(input, end)
    else this.#readHead(end)
    return true
  }

  #readHead(end) {
    const before = this.#head.length
    this.#head += input.toString('latin1', 0, end)
    const stop = this.#head.indexOf(END_OF_HEAD)
    if (stop < 0) return
    const head = this.#head.slice(0, stop)
    this.#head = ''
    if (!/^HTTP\/1\.1 101 /.test(head)) return this.#lose(`the handshake was answered with: ${head.split('\r\n', 1)[0]}`)
    if (!head.split('\r\n').some(isAccept)) return this.#lose('the handshake was answered with a wrong key')
    const complaint = complaintAbout(head, this.#offer)
    if (complaint !== undefined) return this.#lose(complaint)
    this.#open = true
    this.#onOpen()
    const from = stop + END_OF_HEAD.length - before
    if (from === end) return
    input.copyWithin(0, from, end)
    this.onBytes(input, end - from)
  }

  #lose(why) {
    if (this.#over) return
    this.end()
    this.#onLost(why)
  }
}

function isAccept(line) {
  const colon = line.indexOf(':')
  return line.slice(0, colon).toLowerCase() === 'sec-websocket-accept' && line.slice(colon + 1).trim() === ACCEPT
}

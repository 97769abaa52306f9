/** One raw connection: a socket, what it has read, and how it ended. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Reader, request } from './wire.js'

const HOST = '127.0.0.1'

export class Peer {
  socket
  reader
  ended = false
  /** The code of the socket's error. @type {string | undefined} */
  error
  #onAnswer

  /**
   * Resolves once it is connected, or has failed to.
   *
   * @param {{ port: number, address?: string, onMessage?: (payload: Buffer) => void }} options `address`: of its own end
   */
  static async dial({ port, address, onMessage }) {
    const peer = new Peer(connect({ port, host: HOST, localAddress: address, noDelay: true }), onMessage)
    await new Promise(resolve => {
      peer.socket.once('connect', resolve)
      peer.socket.once('close', resolve)
    })
    return peer
  }

  /** The same with its handshake done: `status` is what came of it. */
  static async open({ path = '/echo', headers, ...options }) {
    const peer = await Peer.dial(options)
    peer.write(request(path, headers))
    await peer.answered()
    return peer
  }

  constructor(socket, onMessage) {
    this.socket = socket
    this.reader = new Reader(onMessage)
    socket.on('data', chunk => {
      this.reader.read(chunk)
      if (this.reader.status !== undefined) this.#onAnswer?.()
    })
    socket.on('error', error => (this.error = error.code))
    socket.on('close', () => {
      this.ended = true
      this.#onAnswer?.()
    })
  }

  get open() {
    return !this.ended && this.reader.status === 101
  }

  /** Resolves when the handshake's answer has come, or never will. */
  async answered() {
    if (this.ended || this.reader.status !== undefined) return
    await new Promise(resolve => (this.#onAnswer = resolve))
  }

  /** @returns {boolean} false where the system takes no more for now */
  write(bytes) {
    return !this.socket.destroyed && this.socket.write(bytes, 'latin1')
  }

  /** Writes the same again and again, as fast as it is taken. Resolves to how often it was. */
  async flood(bytes, { until, times = Infinity }) {
    let count = 0
    while (count < times && !this.socket.destroyed && this.socket.writable && performance.now() < until) {
      count++
      if (this.write(bytes)) {
        if (count % 16 === 0) await immediate()
      } else if (!(await this.#taken(until))) {
        break
      }
    }
    return count
  }

  /** Resolves to whether more may be written. */
  #taken(until) {
    return new Promise(resolve => {
      const settle = () => {
        clearTimeout(timer)
        this.socket.off('drain', settle)
        this.socket.off('close', settle)
        resolve(!this.socket.destroyed && performance.now() < until)
      }
      const timer = setTimeout(settle, Math.max(1, until - performance.now()))
      this.socket.on('drain', settle)
      this.socket.on('close', settle)
    })
  }

  /** Reads nothing from here on. */
  deafen() {
    this.socket.pause()
  }

  reset() {
    this.socket.resetAndDestroy()
  }

  async gone() {
    if (!this.ended) await once(this.socket, 'close').catch(() => {})
  }

  /** In a word, for the count of what the attacker got. */
  get outcome() {
    const { status, closeCode } = this.reader
    if (closeCode !== undefined) return `closed ${closeCode}`
    if (status !== undefined && status !== 101) return `refused ${status}`
    if (!this.ended) return status === undefined ? 'no answer' : 'open'
    return this.error === 'ECONNREFUSED' ? 'not let in' : 'dropped'
  }
}

function immediate() {
  return new Promise(resolve => setImmediate(resolve))
}

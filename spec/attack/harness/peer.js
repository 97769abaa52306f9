/** One raw connection: a socket, what it has read, and how it ended. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { Reader, request } from './wire.js'

const HOST = '127.0.0.1'

export class Peer {
  socket
  reader
  ended = false
  /** The code of the socket's error. @type {string | undefined} */
  error
  #transport
  #onAnswer
  #heard = 0
  #listener

  /**
   * Resolves once it is connected, or has failed to.
   *
   * @param {{ port: number, address?: string, tls?: boolean, onMessage?: (payload: Buffer) => void }} options
   *   `address`: of its own end
   */
  static async dial({ port, address, tls = false, onMessage }) {
    const transport = connect({ port, host: HOST, localAddress: address, noDelay: true })
    const socket = tls ? connectSecurely({ socket: transport, rejectUnauthorized: false }) : transport
    const peer = new Peer(socket, onMessage, transport)
    await new Promise(resolve => {
      peer.socket.once(tls ? 'secureConnect' : 'connect', resolve)
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

  /** @param transport below TLS, where there is any */
  constructor(socket, onMessage, transport) {
    this.#transport = transport
    this.socket = socket
    this.reader = new Reader(payload => {
      this.#heard++
      onMessage?.(payload)
      this.#listener?.()
    })
    socket.on('data', chunk => {
      this.reader.read(chunk)
      if (this.reader.status !== undefined) this.#onAnswer?.()
    })
    socket.on('error', error => (this.error = error.code))
    socket.on('close', () => {
      this.ended = true
      this.#onAnswer?.()
      this.#listener?.()
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

  /** Resolves when so many messages have come that no call has waited for, or it is over, or `until` is. */
  async heard(count, until) {
    const timer = setTimeout(() => this.#listener?.(), Math.max(1, until - performance.now()))
    while (this.#heard < count && !this.ended && performance.now() < until)
      await new Promise(resolve => (this.#listener = resolve))
    clearTimeout(timer)
    this.#heard -= Math.min(count, this.#heard)
  }

  /** Reads nothing from here on. */
  deafen() {
    this.socket.pause()
  }

  reset() {
    this.#transport.resetAndDestroy()
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

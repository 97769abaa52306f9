/** One raw client: it reads at once, a chunk at a time or nothing, and looks at nothing of what it reads. */
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { request } from '../../attack/harness/wire.js'

const HOST = '127.0.0.1'
/** More than this is not written ahead to a server that does not read. */
const MOST_AHEAD = 2 * 1024 * 1024

const NOTHING = Buffer.alloc(0)

/** quick: reads all. slow: a chunk whenever it is told to `sip`. dead: nothing. */
export const TEMPERS = ['quick', 'slow', 'dead']

export class Peer {
  #socket
  /** Unix sockets cannot be reset, and neither can what lies below TLS. */
  #mayReset
  #temper
  #reading = false
  /** The end of a message that has begun: it goes in front of all else. */
  #rest = NOTHING
  /** Whether it has asked for permessage-deflate. */
  compresses = false
  #gone

  /**
   * @param {{ port?: number, path?: string }} address
   * @param {boolean} tls
   * @param {string} temper one of TEMPERS
   */
  constructor(address, tls, temper) {
    const where = { ...address, host: HOST }
    this.#mayReset = address.port !== undefined && !tls
    this.#socket = tls ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where)
    this.#socket.on('error', () => {})
    this.#gone = new Promise(resolve => this.#socket.on('close', resolve))
    this.temper = temper
  }

  get isGone() {
    return this.#socket.destroyed
  }

  /** Whether it would read by itself. */
  set temper(temper) {
    this.#temper = temper
    if (temper === 'quick') this.#read()
    else this.#socket.pause()
  }

  /** @param {boolean} compression whether it offers permessage-deflate @param {Buffer} early goes out behind the request */
  ask(target, compression, early = NOTHING) {
    this.compresses = compression
    const extra = compression ? ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'] : []
    this.write(Buffer.concat([Buffer.from(request(target, extra)), early]))
  }

  /** The beginning of a request whose rest does not come. @param {number} size bytes of a header */
  begin(target, size) {
    const whole = request(target, [`X-Padding: ${'p'.repeat(size)}`])
    this.write(Buffer.from(whole.slice(0, -4)))
  }

  write(bytes) {
    const socket = this.#socket
    if (!socket.writable || socket.writableLength >= MOST_AHEAD) return
    if (this.#rest.length > 0) socket.write(this.#rest)
    this.#rest = NOTHING
    socket.write(bytes)
  }

  /** Writes the beginning of a message; its end goes in front of what is written next. */
  writePart(bytes, size) {
    this.write(bytes.subarray(0, size))
    this.#rest = bytes.subarray(size)
  }

  sip() {
    if (this.#temper !== 'slow' || this.#reading) return
    this.#read()
  }

  end() {
    this.#socket.end()
  }

  /** Resolves when its socket is gone; that the server knows is another matter. */
  reset() {
    if (this.#mayReset) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
    return this.#gone
  }

  #read() {
    const socket = this.#socket
    if (!this.#reading) {
      this.#reading = true
      socket.on('data', this.#onData)
    }
    socket.resume()
  }

  #onData = () => {
    if (this.#temper === 'quick') return
    this.#reading = false
    this.#socket.off('data', this.#onData)
    this.#socket.pause()
  }
}

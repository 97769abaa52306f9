// @ts-check
/** A raw socket: what has come and is not read yet, and waiting for more of it. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../helpers.js'
import { untilFinished } from './kernel.js'

/** Milliseconds between two looks at a port that nobody listens on yet. */
const RETRY = 20

export class Wire {
  #socket
  #bytes = Buffer.alloc(0)
  #over = false
  /** @type {Set<() => void>} */
  #waiting = new Set()

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket
    socket.setNoDelay()
    socket.on('data', bytes => {
      this.#bytes = Buffer.concat([this.#bytes, bytes])
      this.#wake()
    })
    // An error is an end as well: that of RST behind data shows by chance only.
    for (const event of ['end', 'error', 'close']) socket.on(event, () => this.#end())
  }

  /** @param {number} port somebody is about to listen on it, on this host */
  static async connect(port) {
    const search = async () => {
      for (;;) {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        try {
          await once(socket, 'connect')
          return new Wire(socket)
        } catch {
          await sleep(RETRY)
        }
      }
    }
    return within(search(), 'somebody who listens')
  }

  #end() {
    this.#over = true
    this.#wake()
  }

  #wake() {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Whether the server has ended the connection. */
  get over() {
    return this.#over
  }

  /** What has come and is not cut off. */
  get bytes() {
    return this.#bytes
  }

  /**
   * Takes bytes from the front.
   *
   * @param {number} size
   * @returns {Buffer | undefined} undefined where not so many have come
   */
  cut(size) {
    if (this.#bytes.length < size) return undefined
    const piece = this.#bytes.subarray(0, size)
    this.#bytes = this.#bytes.subarray(size)
    return piece
  }

  /**
   * Waits until `read` finds something in what has come, or the connection has ended.
   *
   * @template Found
   * @param {() => Found | undefined} read
   * @param {string} what
   * @returns {Promise<Found | undefined>}
   */
  async next(read, what) {
    /** @type {() => void} */
    let wake = () => {}
    const found = new Promise(resolve => {
      wake = () => {
        const result = read()
        if (result === undefined && !this.over) return
        // At once: a second call before anybody goes on would take what belongs to the next reader.
        this.#waiting.delete(wake)
        resolve(result)
      }
      this.#waiting.add(wake)
      wake()
    })
    try {
      return await within(found, what)
    } finally {
      this.#waiting.delete(wake)
    }
  }

  /** @param {number} milliseconds @returns {Promise<boolean>} whether something comes meanwhile */
  stirs(milliseconds) {
    return new Promise(resolve => {
      const done = (/** @type {boolean} */ stirred) => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(stirred)
      }
      // What came while this process was held up is read behind its timers, and before setImmediate.
      const timer = setTimeout(() => setImmediate(done, false), milliseconds)
      const wake = () => done(true)
      this.#waiting.add(wake)
    })
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    this.#socket.write(bytes)
  }

  /**
   * Node takes RST behind data for FIN; but to a connection that is reset nobody can write.
   *
   * @returns {Promise<boolean>}
   */
  isReset() {
    return new Promise(resolve => this.#socket.write(Buffer.of(0), error => resolve(error instanceof Error)))
  }

  /** The client's half is over: FIN. */
  finish() {
    this.#socket.end()
  }

  /** As `finish`; resolves when the server's side has the FIN, behind all that was written. */
  async finished() {
    const { remotePort = 0, localPort = 0 } = this.#socket
    this.finish()
    await untilFinished(remotePort, localPort)
  }

  /** RST. */
  reset() {
    this.#socket.resetAndDestroy()
  }

  /** @param {boolean} stopped */
  stopReading(stopped) {
    if (stopped) this.#socket.pause()
    else this.#socket.resume()
  }

  destroy() {
    this.#socket.destroy()
  }
}

/** Frames and handshakes as an attacker writes them: by hand, masked with a key of zeros, right or wrong. */

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const LARGE = 65536
const FIN = 0x80
const COMPRESSED = 0x40
const MASKED = 0x80

/**
 * @param {number} opcode
 * @param {Buffer | string} payload
 * @param {{ fin?: boolean, compressed?: boolean, length?: number }} options `length`: what the header claims
 */
export function frame(opcode, payload = '', { fin = true, compressed = false, length } = {}) {
  const bytes = Buffer.from(payload)
  const first = (fin ? FIN : 0) | (compressed ? COMPRESSED : 0) | opcode
  return Buffer.concat([header(first, length ?? bytes.length), bytes])
}

/** The same frame so often that one write holds about `size` bytes. */
export function repeated(one, size = LARGE) {
  return Buffer.concat(new Array(Math.max(1, Math.floor(size / one.length))).fill(one))
}

function header(first, length) {
  if (length < 126) return Buffer.from([first, MASKED | length, 0, 0, 0, 0])
  if (length < LARGE) return Buffer.from([first, MASKED | 126, length >> 8, length & 0xff, 0, 0, 0, 0])
  const bytes = Buffer.alloc(14)
  bytes[0] = first
  bytes[1] = MASKED | 127
  bytes.writeBigUInt64BE(BigInt(length), 2)
  return bytes
}

/** @param {string[]} extra whole header lines */
export function request(path, extra = []) {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: attacked',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...extra,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Reads the answer to a handshake and a server's frames, however they are cut. */
export class Reader {
  /** The status of the answer; undefined before it has come. @type {number | undefined} */
  status
  /** The code of the server's close frame; 1005 where it has none. @type {number | undefined} */
  closeCode
  #onMessage
  #rest = Buffer.alloc(0)
  /** Bytes of a payload that are still to come and of no interest. */
  #skip = 0

  /** @param {((payload: Buffer) => void) | undefined} onMessage of small frames that come whole */
  constructor(onMessage) {
    this.#onMessage = onMessage
  }

  read(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (this.status === undefined && !this.#readAnswer()) return
    while (this.#readFrame());
  }

  #readAnswer() {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.status = Number(this.#rest.toString('latin1', 9, 12))
    this.#rest = this.#rest.subarray(end + 4)
    return true
  }

  #readFrame() {
    const bytes = this.#rest
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length)
      this.#skip -= skipped
      this.#rest = bytes.subarray(skipped)
      return this.#rest.length > 0
    }
    if (bytes.length < 2) return false
    const short = bytes[1] & 0x7f
    const start = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < start) return false
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (length >= LARGE) {
      this.#rest = bytes.subarray(start)
      this.#skip = length
      return true
    }
    if (bytes.length < start + length) return false
    this.#take(bytes[0] & 0x0f, bytes.subarray(start, start + length))
    this.#rest = bytes.subarray(start + length)
    return this.#rest.length > 0
  }

  #take(opcode, payload) {
    if (opcode === Opcode.close) this.closeCode ??= payload.length < 2 ? 1005 : payload.readUInt16BE(0)
    else if (opcode <= Opcode.binary) this.#onMessage?.(payload)
  }
}

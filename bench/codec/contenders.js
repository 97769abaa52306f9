/** Who parses and writes frames without a socket: kore-ws, and ws with and without its addon, in one process. */
import { createRequire } from 'node:module'
import { DIST, SERVERS } from '../run/servers.js'

/** The most that one read gives, in bytes. */
export const READ_SIZE = 64 * 1024

/** Servers that are libraries with a parser of their own in reach, and whether bufferutil is part of it. */
const ADDON = { ws: false, 'ws+bufferutil': true }

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(size: number) => Buffer} readMemory where a read of the contender's server lies
 * @property {(onMessage: (bytes: Buffer, start: number, end: number) => void) => (chunk: Buffer) => void} parser
 * @property {(binary: boolean) => Writer} serializer
 *
 * @typedef {object} Writer
 * @property {(message: string | Buffer) => void} write as a server does: without a masking key
 * @property {() => number} bytes written so far
 */

/** @returns {Promise<Contender[]>} those that are installed */
export async function contenders() {
  const [{ Endpoint, FIN, Opcode, writeFrame, writeTextFrame }, { countMessageMemory }, readMemory] = await Promise.all([
    import(new URL('protocol/index.js', DIST).href),
    import(new URL('node-internals/young-garbage.js', DIST).href),
    ownReadMemory(),
  ])

  const koreWs = {
    name: 'kore-ws',
    readMemory,
    parser(onMessage) {
      const onClose = (_code, reason) => {
        throw new Error(`kore-ws closed: ${reason}`)
      }
      let read
      const receive = (_opcode, bytes, start, end) => {
        // As the server does for a message that has memory of its own.
        if (bytes !== read) countMessageMemory(end - start)
        onMessage(bytes, start, end)
      }
      const sink = { onMessage: receive, onPing() {}, onPong() {}, onClose }
      const endpoint = new Endpoint(sink, new ReusedOutput(), { role: 'server' })
      return chunk => {
        read = chunk
        endpoint.receive(chunk)
      }
    },
    serializer(binary) {
      const output = new ReusedOutput()
      const write = binary
        ? message => writeFrame(output, FIN | Opcode.binary, message, undefined, false)
        : message => writeTextFrame(output, FIN | Opcode.text, message, undefined)
      return { write, bytes: () => output.bytes }
    },
  }
  const peers = SERVERS.filter(({ name, missing }) => name in ADDON && missing() === undefined)
  return [koreWs, ...peers.map(({ name }) => wsContender(name, ADDON[name]))]
}

/** One receive buffer for all reads, in WebAssembly's memory, as `transport/receive-arena.ts` has it. */
async function ownReadMemory() {
  if (process.env.KORE_WS_PORTABLE === '1') return Buffer.allocUnsafeSlow
  const [{ useSimd }, { createSimdMemory }] = await Promise.all(
    ['protocol/mask.js', 'protocol/simd-xor.js'].map(file => import(new URL(file, DIST).href))
  )
  const { buffer, xor } = createSimdMemory(READ_SIZE)
  useSimd(buffer, xor)
  return size => Buffer.from(buffer, 0, size)
}

/** An Output whose memory is written over again and again, as a batch is once the kernel has taken it. */
class ReusedOutput {
  memory = Buffer.allocUnsafe(64 * 1024)
  blocked = false
  bytes = 0
  #at = 0

  reserve(size) {
    if (this.memory.length < size) this.memory = Buffer.allocUnsafe(size)
    if (this.memory.length - this.#at < size) this.#at = 0
    return this.#at
  }

  commit(size) {
    this.#at += size
    this.bytes += size
  }

  append(bytes) {
    this.bytes += bytes.length
  }
}

/** @returns {Contender} */
function wsContender(name, addon) {
  const { Receiver, Sender } = loadWs(addon)
  return {
    name,
    // ws keeps what it was given until a message is whole.
    readMemory: Buffer.allocUnsafeSlow,
    parser(onMessage) {
      const receiver = new Receiver({ isServer: true })
      receiver.on('message', data => onMessage(data, 0, data.length))
      receiver.on('error', error => {
        throw error
      })
      return chunk => void receiver.write(chunk)
    },
    serializer(binary) {
      const socket = new CountingSocket()
      const sender = new Sender(socket)
      const options = { binary, fin: true, mask: false, compress: false }
      return { write: message => sender.send(message, options), bytes: () => socket.bytes }
    },
  }
}

/** ws decides about its addon when it is loaded, so it is loaded anew. */
function loadWs(addon) {
  const require = createRequire(import.meta.url)
  for (const file of Object.keys(require.cache)) if (/[\\/]node_modules[\\/]ws[\\/]/.test(file)) delete require.cache[file]
  if (addon) delete process.env.WS_NO_BUFFER_UTIL
  else process.env.WS_NO_BUFFER_UTIL = '1'
  return require('ws')
}

/** What ws' Sender needs of a socket. It leaves text to the socket, which encodes it into memory of its own. */
class CountingSocket {
  bytes = 0

  cork() {}
  uncork() {}

  write(data) {
    this.bytes += (typeof data === 'string' ? Buffer.from(data, 'utf8') : data).length
    return true
  }
}

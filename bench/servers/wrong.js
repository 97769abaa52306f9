/** Servers that cheat, one way each: check.js sees to it that the load generator catches every one of them. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { answerOffer, COMPRESSED_CHEATS } from './wrong-deflate.js'
import { FrameSplitter } from './wrong-frames.js'
import { announce, BURST, BURST_MESSAGES } from './shared.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const SPOILED = 1000
const everybody = new Set()
/** By socket. */
const held = new Map()

/** By name: what is answered to message number `n`, and to whom if not to the sender: frames, or [socket, frame]. */
const CHEATS = {
  honest: frame => frame,
  'wrong length': (frame, n) => (n === SPOILED ? withPayload(frame, frame.payload.subarray(1)) : frame),
  'wrong opcode': (frame, n) => (n === SPOILED ? { ...frame, opcode: 3 - frame.opcode } : frame),
  'every 1,000th message dropped': (frame, n) => (n % SPOILED === 0 ? undefined : frame),
  'a message twice': (frame, n) => (n === SPOILED ? [frame, frame] : frame),
  'wrong payload': frame => withPayload(frame, Buffer.alloc(frame.payload.length, 0x2e)),
  fragments: frame => ({ ...frame, fin: false }),
  'a close frame': (frame, n) => (n === SPOILED ? { fin: true, opcode: 8, payload: Buffer.from([3, 0xe9]) } : frame),
  'hangs up': (frame, n, socket) => (n === SPOILED ? void socket.destroy() : frame),
  'goes silent': (frame, n) => (n < SPOILED ? frame : undefined),
  dies: (frame, n) => (n === SPOILED ? process.exit(1) : frame),
  'wrong key': frame => frame,
  'honest broadcast': (frame, _, sender) => others(sender).map(socket => [socket, frame]),
  'broadcast to the sender too': frame => [...everybody].map(socket => [socket, frame]),
  'broadcast that skips one': (frame, n, sender) =>
    others(sender)
      .slice(n === SPOILED ? 1 : 0)
      .map(socket => [socket, frame]),
  'honest burst': frame => burst(frame, BURST),
  'burst of one too few': (frame, n) => burst(frame, n === 10 ? BURST - 1 : BURST),
  'burst of one too many': (frame, n) => burst(frame, n === 10 ? BURST + 1 : BURST),
  ...COMPRESSED_CHEATS,
}

const cheat = CHEATS[process.argv[2]]
let count = 0

function others(sender) {
  return [...everybody].filter(socket => socket !== sender)
}

function burst(frame, size) {
  return Array.from({ length: size }, (_, i) => withPayload(frame, Buffer.from(BURST_MESSAGES[i % BURST])))
}

function withPayload(frame, payload) {
  return { ...frame, payload }
}

function encode({ fin, compressed = false, opcode, payload }) {
  const size = payload.length
  const length = size < 126 ? [size] : [126, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode, ...length]), payload])
}

/** In one piece; or all but the last byte, which comes later, or before the next answer. */
function put(socket, bytes) {
  if (!process.argv[2].endsWith(', cut')) return socket.write(bytes)
  const last = bytes.subarray(-1)
  socket.write(Buffer.concat([held.get(socket) ?? Buffer.alloc(0), bytes.subarray(0, -1)]))
  held.set(socket, last)
  setTimeout(() => {
    if (held.get(socket) !== last) return
    held.delete(socket)
    socket.write(last)
  }, 1)
}

createServer(socket => {
  socket.on('error', () => {}).on('close', () => everybody.delete(socket))
  socket.once('data', head => {
    const text = head.toString('latin1')
    const [, key = ''] = /^sec-websocket-key: *(\S+)/im.exec(text) ?? []
    const accept = process.argv[2] === 'wrong key' ? 'no' : createHash('sha1').update(key + GUID).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${accept}\r\n${answerOffer(process.argv[2], text)}\r\n`)
    const splitter = new FrameSplitter(frame => {
      const replies = cheat(frame, ++count, socket) ?? []
      for (const reply of Array.isArray(replies) ? replies : [replies]) {
        const [receiver, answer] = Array.isArray(reply) ? reply : [socket, reply]
        put(receiver, encode(answer))
      }
    })
    everybody.add(socket)
    socket.on('data', chunk => splitter.push(chunk))
  })
}).listen(0, '127.0.0.1', function () {
  announce(this.address().port)
})

/** Clients that cheat, one way each: check.js sees to it that the load generator catches every one of them. */
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { announce, url } from './shared.js'

const [, , mode, , batch, name] = process.argv
const SPOILED = mode === 'client-receive' ? 10 : 100

/** By name: what is sent for message number `n`: a text, [opcode, text, masked], or nothing. */
const CHEATS = {
  honest: text => text,
  'wrong text': (text, n) => (n === SPOILED ? text.replace(/.$/, '!') : text),
  'wrong opcode': (text, n) => (n === SPOILED ? [2, text, true] : text),
  unmasked: (text, n) => (n === SPOILED ? [1, text, false] : text),
  drops: (text, n) => (n === SPOILED ? undefined : text),
  'goes silent': (text, n) => (n < SPOILED ? text : undefined),
  'hangs up': (text, n) => (n === SPOILED ? void socket.destroy() : text),
  dies: (text, n) => (n === SPOILED ? process.exit(1) : text),
  'counts wrongly': (text, n) => (n === SPOILED ? text.replace(/^\d+/, count => String(count - 1)) : text),
  twice: (text, n) => (n === SPOILED ? [text, text].map(again => [1, again, true]) : text),
}

const cheat = CHEATS[name]
const { hostname, port, pathname } = new URL(url)
const key = randomBytes(16).toString('base64')
const socket = connect({ host: hostname, port: Number(port) })
socket.write(
  `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
)
socket.on('error', () => {})

function frame([opcode, text, masked]) {
  const payload = Buffer.from(text)
  const mask = masked ? randomBytes(4) : Buffer.alloc(0)
  if (masked) for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3]
  const size = payload.length
  const bit = masked ? 0x80 : 0
  const length = size < 126 ? [bit | size] : [bit | 126, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), mask, payload])
}

let sent = 0

function send(text) {
  const reply = cheat(text, ++sent)
  if (reply === undefined) return
  const all = typeof reply === 'string' ? [[1, reply, true]] : Array.isArray(reply[0]) ? reply : [reply]
  socket.write(Buffer.concat(all.map(frame)))
}

let rest = Buffer.alloc(0)
let count = 0
let characters = 0

function receive(text) {
  if (mode === 'client-echo') return send(text)
  count++
  characters += text.length
  if (count < Number(batch)) return
  send(`${count} ${characters} ${text}`)
  count = 0
  characters = 0
}

function read(chunk) {
  let at = 0
  rest = Buffer.concat([rest, chunk])
  for (;;) {
    const small = rest[at + 1] & 127
    const from = at + (small === 126 ? 4 : 2)
    if (from > rest.length) break
    const to = from + (small === 126 ? rest.readUInt16BE(at + 2) : small)
    if (to > rest.length) break
    receive(rest.toString('latin1', from, to))
    at = to
  }
  rest = rest.subarray(at)
}

socket.once('data', head => {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  if (!head.includes(accept)) process.exit(2)
  socket.on('data', read)
  announce()
})

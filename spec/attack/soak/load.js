/** The clients of the soak: `load.js PORT CONNECTIONS`. Each checks what it gets, and tells what it sent and got. */
import { Agent } from 'node:http'
import { connect } from '../../../dist/index.js'

const [port, total] = process.argv.slice(2).map(Number)
const TICK = 50
/** Handshakes under way at a time, and addresses that they come from. */
const DIALLING = 50
const ADDRESSES = 250
/** A room has so many. */
const ROOM = 20
const SHARES = { chat: 0.4, idle: 0.3, compressed: 0.15, abrupt: 0.1, slow: 0.048, stuck: 0.002 }
const DOCUMENT = JSON.stringify(
  Array.from({ length: 40 }, (_, i) => ({ id: i, name: `number ${i}`, tags: ['a', 'b'], ok: true }))
)

let nextId = 0
let records = []
let complaints = []
let finishing = false
const agents = Array.from({ length: ADDRESSES }, (_, i) => new Agent({ localAddress: `127.0.1.${i + 1}` }))

/** Milliseconds: about `mean`, so that not all do the same at a time. */
function about(mean) {
  return mean * (0.5 + Math.random())
}

/** What a client does when it is its turn; returns the milliseconds to its next turn. */
const TURNS = {
  chat(client) {
    client.send('say', 'a line of a chat, as people write them')
    return about(20_000)
  },
  idle: () => 60_000,
  compressed(client) {
    client.send('echo', DOCUMENT)
    return about(5000)
  },
  abrupt(client) {
    if (client.sent >= 5) client.socket.terminate()
    else client.send('echo', 'soon gone')
    return about(3000)
  },
  slow(client) {
    client.reading = !client.reading
    if (client.reading) client.socket.resume()
    else client.socket.pause()
    return client.reading ? about(1000) : about(4000)
  },
  stuck(client) {
    client.socket.pause()
    return 60_000
  },
}

class Client {
  reading = true
  sent = 0
  received = 0
  /** The last number of its room. */
  #number
  #kind
  #room
  #due = 0
  #id = 0

  constructor(kind, room) {
    this.#kind = kind
    this.#room = room
  }

  async dial() {
    this.#id = ++nextId
    this.sent = this.received = 0
    this.#number = undefined
    this.reading = true
    const room = this.#room === undefined ? '' : `&room=${this.#room}`
    const id = this.#id
    this.socket = await connect(`ws://127.0.0.1:${port}/?id=${id}${room}`, {
      agent: agents[id % ADDRESSES],
      compression: this.#kind === 'compressed',
      message: (_, message) => this.#receive(message),
      close: (_, code, reason) => this.#closed(code, reason),
      error: (_, error) => complaints.push(String(error?.stack ?? error)),
      timeout: 60_000,
    })
    this.#due = performance.now() + about(5000)
    if (finishing) this.finish()
  }

  turn(now) {
    if (this.socket?.readyState !== 'open' || now < this.#due) return
    this.#due = now + TURNS[this.#kind](this)
  }

  send(kind, text) {
    this.socket.send(`${kind}|${++this.sent}|${text}`)
  }

  finish() {
    // A paused connection throws away what still comes.
    this.socket?.resume()
    this.socket?.close(1000)
  }

  /** Its handshake came to nothing, and it was told so. */
  failed(error) {
    records.push({ id: this.#id, failed: error?.message ?? String(error) })
  }

  #receive(message) {
    this.received++
    const [from, text] = message.split('|', 2)
    const number = Number(text)
    if (from === 'echo') {
      if (number !== this.received) complaints.push(`${this.#id} got echo ${number}, and ${this.received} was due`)
    } else if (this.#number !== undefined && number !== this.#number + 1) {
      complaints.push(`${this.#id} got ${number} of its room behind ${this.#number}`)
    }
    this.#number = number
  }

  #closed(code, reason) {
    records.push({ id: this.#id, received: this.received, sent: this.sent, code, reason, kind: this.#kind })
    if (!finishing) again(this)
  }
}

const waiting = []
let dialling = 0

function again(client) {
  waiting.push(client)
  dialNext()
}

function dialNext() {
  if (dialling >= DIALLING || waiting.length === 0 || finishing) return
  dialling++
  const client = waiting.shift()
  client
    .dial()
    .catch(error => {
      client.failed(error)
      waiting.push(client)
    })
    .finally(() => {
      dialling--
      dialNext()
    })
}

const kinds = Object.entries(SHARES).flatMap(([kind, share]) => new Array(Math.round(share * total)).fill(kind))
const clients = kinds.map((kind, i) => {
  const room = kind === 'chat' ? `chat${Math.floor(i / ROOM)}` : kind === 'slow' || kind === 'stuck' ? kind : undefined
  return new Client(kind, room)
})
for (const client of clients) again(client)
for (let i = 0; i < DIALLING; i++) dialNext()
setInterval(() => {
  const now = performance.now()
  for (const client of clients) client.turn(now)
}, TICK)

process.on('disconnect', () => process.exit())
process.on('message', question => {
  if (question === 'finish') {
    finishing = true
    for (const client of clients) client.finish()
  }
  process.send({ records, complaints })
  records = []
  complaints = []
})
process.send({ clients: clients.length })

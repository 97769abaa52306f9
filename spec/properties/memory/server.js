/**
 * The servers whose memory is looked at, in a process of their own: `server.js DIRECTORY [FAULT]`. Each door with each set
 * of options is a server. What they do besides answering is told by the parent, message by message.
 */
import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocketServer } from '../../../dist/index.js'
import { DOORS, SETTINGS } from './doors.js'
import { payloadOf } from './payload.js'
import { PartSource } from './part-source.js'

const HOST = '127.0.0.1'
/** Bytes that the system's buffers are filled with at a time, and how often at most. */
const FILLING = 64 * 1024
const MOST_FILLING = 200
/** Agreed on where no compressor is a connection's own. */
const [directory, fault] = process.argv.slice(2)
const fixture = name => readFileSync(new URL(`../../fixtures/localhost.${name}.pem`, import.meta.url))
const identity = { key: fixture('key'), cert: fixture('cert') }

/** Connections by the number that their client has chosen. */
const connections = new Map()
/** What `accept` waits for. */
const thinking = new Map()
const servers = []
const sockets = { open: 0, tls: 0 }
/** What a server with a fault holds in secret. */
const secret = []

const FAULTS = {
  /** Keeps messages. */
  keeps: ({ data }, message) => void secret.push(message, data.id),
  /** Keeps one byte of a large block for each connection, as long as the connection is there. */
  pins: ({ data }) => void (data.pinned ??= Buffer.alloc(4 * 1024 * 1024).subarray(0, 1)),
}

/** What becomes of a message, by the client's path. */
const MESSAGES = {
  echo: (socket, message) => void socket.send(message),
  double(socket, message) {
    socket.send(message)
    socket.send(message)
  },
  hang: ({ data }) => new Promise(resolve => data.waiting.push(resolve)),
  shout: (socket, message) => void socket.publish('feed', message),
}

const callbacks = {
  accept({ url }) {
    const { pathname, searchParams } = new URL(url, 'ws://a')
    const data = { id: Number(searchParams.get('id')), role: pathname.slice(1), waiting: [] }
    if (data.role !== 'think') return { data }
    return new Promise(resolve => thinking.set(data.id, () => resolve({ data })))
  },
  open(socket) {
    const { data } = socket
    connections.set(data.id, socket)
    socket.subscribe('feed')
    if (data.role === 'pull') data.loop = socket[Symbol.asyncIterator]()
    if (data.role === 'pieces') data.loop = socket.messages({ stream: true })
  },
  message(socket, message) {
    if (fault !== undefined) FAULTS[fault](socket, message)
    return MESSAGES[socket.data.role]?.(socket, message)
  },
  close({ data }) {
    connections.delete(data.id)
  },
  // Peers break off and limits are reached all the time.
  error() {},
}

/** What the parent asks for. Connections that are gone are not missed. */
const ORDERS = {
  send(socket, { size, kind, count, compress }) {
    for (let i = 0; i < count; i++) socket.send(payloadOf(kind, size), { compress })
  },
  /** The system's buffers for a client that does not read are full from here on. */
  fill(socket) {
    for (let i = 0; i < MOST_FILLING && socket.readyState === 'open' && socket.bufferedAmount === 0; i++)
      socket.send(payloadOf('zeros', FILLING), { compress: false })
  },
  /** Another part of the message that is sent as a stream, or the first. */
  part(socket, { size, kind }) {
    const { data } = socket
    if (data.source === undefined) {
      data.source = new PartSource()
      const over = () => void (data.source = undefined)
      socket.sendStream(data.source).then(over, over)
    }
    data.source.push(kind, size)
  },
  finish: ({ data }) => data.source?.end(),
  next({ data }) {
    if (data.loop === undefined || data.busy === true) return
    data.busy = true
    nextOf(data).then(
      () => (data.busy = false),
      () => (data.current = undefined)
    )
  },
  settle({ data }, { count }) {
    for (const resolve of data.waiting.splice(0, count)) resolve()
  },
  pause: socket => socket.pause(),
  resume: socket => socket.resume(),
  ping: socket => void socket.ping(),
  close: socket => socket.close(1000, 'as asked'),
  terminate: socket => socket.terminate(),
}

const ORDERS_TO_ALL = {
  publish({ size, kind, compress }) {
    for (const server of servers) server.publish('feed', payloadOf(kind, size), { compress })
  },
  admit() {
    for (const admit of thinking.values()) admit()
    thinking.clear()
  },
  /** A connection that is not read does not see that its client is gone. */
  end() {
    ORDERS_TO_ALL.admit()
    for (const socket of connections.values()) socket.terminate()
  },
  /** Uses up part of the block that Node cuts small Buffers from. */
  age: ({ size }) => void Buffer.allocUnsafe(size),
}

/** Whole messages, or pieces of messages, one at a time. */
async function nextOf(data) {
  if (data.role === 'pull') {
    await data.loop.next()
    return
  }
  if (data.current === undefined) data.current = (await data.loop.next()).value
  else if ((await data.current.next()).done) data.current = undefined
}

/** Bytes that the server counts. */
function countedBy(server) {
  return server.metrics().memory.held
}

async function measure() {
  await turn()
  await turn()
  // The first only starts the sweep that gives ArrayBuffers back.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  const open = [...connections.values()]
  return {
    // ArrayBuffers are part of what is external; so is what zlib has.
    real: heapUsed + external,
    counted: servers.reduce((sum, server) => sum + countedBy(server), 0),
    sockets: sockets.open,
    tls: sockets.tls,
    handshakes: sockets.open - open.length,
  }
}

async function listen(door, options) {
  const server = new WebSocketServer({ ...callbacks, ...options })
  servers.push(server)
  const { unix, tls, attached } = DOORS[door]
  const where = unix ? { path: join(directory, `${servers.length}`) } : { port: 0, host: HOST }
  if (!tls && !attached) await server.listen(where)
  else {
    const http = tls ? createTlsServer(identity) : createServer()
    http.on('secureConnection', socket => count(socket, 'tls'))
    server.attach(http)
    await new Promise(resolve => http.listen(where, resolve))
    if (!unix) return { port: http.address().port }
  }
  return unix ? where : { port: server.address.port }
}

function count(socket, key) {
  sockets[key]++
  socket.once('close', () => sockets[key]--)
}

const addresses = {}
for (const door of Object.keys(DOORS)) {
  for (const [name, options] of Object.entries(SETTINGS)) addresses[`${door} ${name}`] = await listen(door, options)
}
subscribe('net.server.socket', ({ socket }) => count(socket, 'open'))
process.on('disconnect', () => process.exit())
process.on('message', async orders => {
  for (const { order, id, ...rest } of orders) {
    if (order === 'measure') process.send(await measure())
    else if (order in ORDERS_TO_ALL) ORDERS_TO_ALL[order]({ id, ...rest })
    else {
      const socket = connections.get(id)
      if (socket !== undefined) ORDERS[order](socket, rest)
    }
  }
})
process.send({ addresses })

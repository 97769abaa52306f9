/** The server of the soak, with its defaults and compression: counts what it gets and sends by connection. */
import { WebSocketServer } from '../../../dist/index.js'

const HOST = '127.0.0.1'
/** What those who read slowly are sent, and those who never do. */
const FEEDS = [
  { room: 'slow', bytes: 4096, every: 500 },
  { room: 'stuck', bytes: 32 * 1024, every: 25 },
]

/** Who is in a room, and the number of its last message. */
const rooms = new Map()
/** What is known of connections that are over, not yet told. */
let records = []
let complaints = []

function roomOf(name) {
  const room = rooms.get(name) ?? { members: new Set(), number: 0 }
  rooms.set(name, room)
  return room
}

function publish(name, text) {
  const room = roomOf(name)
  if (room.members.size === 0) return
  const open = [...room.members].filter(member => member.readyState === 'open')
  for (const { data } of open) data.sent++
  const count = server.publish(name, `${name}|${++room.number}|${text}`)
  if (count !== open.length) complaints.push(`published to ${count} of ${open.length}`)
}

const server = new WebSocketServer({
  compression: true,
  accept({ url }) {
    const { searchParams } = new URL(url, 'ws://a')
    return { data: { id: Number(searchParams.get('id')), room: searchParams.get('room'), received: 0, sent: 0 } }
  },
  open(socket) {
    const { room } = socket.data
    if (room === null) return
    socket.subscribe(room)
    roomOf(room).members.add(socket)
  },
  message(socket, message) {
    const { data } = socket
    const [kind, number] = message.split('|', 2)
    if (Number(number) !== ++data.received) complaints.push(`${data.id} sent ${number}, and ${data.received} was due`)
    if (kind === 'say') publish(data.room, message)
    if (kind !== 'echo' || socket.readyState !== 'open') return
    socket.send(`echo|${++data.sent}|${message}`)
  },
  close(socket, code, reason) {
    const { id, room, received, sent } = socket.data
    roomOf(room).members.delete(socket)
    records.push({ id, received, sent, code, reason })
  },
  error: (_, error) => complaints.push(String(error?.stack ?? error)),
})

for (const { room, bytes, every } of FEEDS) {
  const text = 'f'.repeat(bytes)
  setInterval(() => publish(room, text), every)
}

/**
 * Bytes that wait for whoever reads least. Those who never read share them: they rise to the limit of a queue, and are
 * gone with its connections. That is a tide, and no growth, but a run may end when it is high.
 */
function longestQueue() {
  let longest = 0
  for (const { bufferedAmount } of server.connections) longest = Math.max(longest, bufferedAmount)
  return longest
}

function sample() {
  // The first only starts the sweep that gives ArrayBuffers back.
  globalThis.gc()
  globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, held: heapUsed + external - longestQueue(), connections: server.connections.size }
}

process.on('disconnect', () => process.exit())
process.on('message', question => {
  if (question === 'sample') process.send({ sample: sample() })
  process.send({ records, complaints })
  records = []
  complaints = []
})
const { port } = await server.listen({ port: 0, host: HOST })
process.send({ port })

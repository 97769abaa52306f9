/** The same application with `ws`, with its defaults: `ws.js [--compression]`. */
import { WebSocketServer } from 'ws'
import { HOST, never, report, startFeed } from './common.js'

const topics = new Map()

function join(socket, topic) {
  const members = topics.get(topic) ?? new Set()
  members.add(socket)
  topics.set(topic, members)
  socket.topics.add(topic)
}

function leave(socket, topic) {
  const members = topics.get(topic)
  members?.delete(socket)
  if (members?.size === 0) topics.delete(topic)
  socket.topics.delete(topic)
}

const MESSAGES = {
  '/echo': (socket, data, binary) => socket.send(data, { binary }),
  '/topics'(socket, data) {
    const text = String(data)
    if (text[0] === '+') join(socket, text.slice(1))
    else leave(socket, text.slice(1))
  },
  '/closer': socket => socket.close(1000, 'as asked'),
  '/throw': () => {
    throw new Error('a mistake')
  },
  '/reject': () => Promise.reject(new Error('a mistake')),
  '/hang': (_, data) => never(data),
}

const server = new WebSocketServer({
  port: 0,
  host: HOST,
  perMessageDeflate: process.argv.includes('--compression'),
  verifyClient: ({ req }, answer) => {
    if (req.url !== '/never') answer(true)
  },
})
let feeding = false

server.on('connection', (socket, request) => {
  const onMessage = MESSAGES[request.url]
  socket.topics = new Set()
  socket.on('error', () => {})
  socket.on('message', (data, binary) => onMessage?.(socket, data, binary))
  socket.on('close', () => {
    for (const topic of socket.topics) leave(socket, topic)
  })
  if (request.url !== '/feed') return
  join(socket, 'feed')
  if (feeding) return
  feeding = true
  startFeed(data => {
    const members = topics.get('feed') ?? []
    for (const member of members) member.send(data)
    feeding = members.size > 0
    return members.size ?? 0
  })
})
server.on('listening', () => report(server.address().port, () => server.clients.size))

/** The same application with `ws`, with its defaults: `ws.js [--compression] [--tls]`. */
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { WebSocketServer } from 'ws'
import { credentials, HOST, NAME, never, report, startFeed } from './common.js'

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

/** To everybody in the topic; returns to how many. */
function publish(topic, data, options) {
  const members = topics.get(topic) ?? new Set()
  for (const member of members) member.send(data, options)
  return members.size
}

const MESSAGES = {
  '/echo': (socket, data, binary) => socket.send(data, { binary }),
  '/topics'(socket, data) {
    const text = String(data)
    if (text[0] === '+') join(socket, text.slice(1))
    else leave(socket, text.slice(1))
  },
  '/names': (socket, data) => join(socket, String(data).slice(0, NAME)),
  '/closer': socket => socket.close(1000, 'as asked'),
  '/throw': () => {
    throw new Error('a mistake')
  },
  '/reject': () => Promise.reject(new Error('a mistake')),
  '/hang': (_, data) => never(data),
}
const ROOM = /^\/room\//

const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: process.argv.includes('--compression'),
  verifyClient: ({ req }, answer) => {
    if (req.url === '/refused') answer(false, 503)
    else if (req.url === '/thinking') never(req)
    else if (req.url !== '/never') answer(true)
  },
})
let feeding = false

server.on('connection', (socket, request) => {
  const { url } = request
  const inRoom = ROOM.test(url)
  const onMessage = inRoom ? (_, data, binary) => publish(url, data, { binary }) : MESSAGES[url]
  socket.topics = new Set()
  socket.on('error', () => {})
  socket.on('message', (data, binary) => onMessage?.(socket, data, binary))
  socket.on('close', () => {
    for (const topic of socket.topics) leave(socket, topic)
  })
  if (inRoom) join(socket, url)
  if (url !== '/feed') return
  join(socket, 'feed')
  if (feeding) return
  feeding = true
  startFeed(data => {
    const receivers = publish('feed', data)
    feeding = receivers > 0
    return receivers
  })
})

/** As ws itself does it with the server that it is given; returns the port. */
async function listen(http) {
  http.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, connected => server.emit('connection', connected, request))
  })
  await new Promise(resolve => http.listen({ port: 0, host: HOST }, resolve))
  return http.address().port
}

const ports = { port: await listen(createServer()) }
if (process.argv.includes('--tls')) ports.securePort = await listen(createSecureServer(credentials()))
report(ports, () => server.clients.size)

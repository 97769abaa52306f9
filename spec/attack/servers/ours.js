/** Our server under attack, with its defaults: `ours.js [--compression | --dedicated] [--tls]`. */
import { createServer } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { refuse, WebSocketServer } from '../../../dist/index.js'
import { credentials, HOST, LATE, LONG, NAME, never, report, SLOW, startFeed, stuck } from './common.js'

const MESSAGES = {
  '/echo': (socket, data) => void socket.send(data),
  '/topics': (socket, data) => (data[0] === '+' ? socket.subscribe(data.slice(1)) : socket.unsubscribe(data.slice(1))),
  '/names': (socket, data) => socket.subscribe(data.slice(0, NAME)),
  '/closer': socket => socket.close(1000, 'as asked'),
  '/throw': () => {
    throw new Error('a mistake')
  },
  '/reject': () => Promise.reject(new Error('a mistake')),
  async '/slow'(_, data) {
    await delay(SLOW)
    return data
  },
  async '/long'(_, data) {
    await delay(LONG)
    return data
  },
  '/hang': (_, data) => never(data),
}
const ROOM = /^\/room\//

const server = new WebSocketServer({
  compression: process.argv.includes('--dedicated') ? 'dedicated' : process.argv.includes('--compression'),
  accept(upgrade) {
    const { path } = upgrade
    if (path === '/never') return stuck
    // As any asynchronous function does that goes on with it.
    if (path === '/thinking') return never(upgrade)
    if (path === '/late') return delay(LATE).then(() => ({ data: { path: upgrade.path } }))
    return path === '/refused' ? refuse(503) : { data: { path } }
  },
  open(socket) {
    if (ROOM.test(socket.data.path)) socket.subscribe(socket.data.path)
    if (socket.data.path !== '/feed') return
    socket.subscribe('feed')
    if (feeding) return
    feeding = true
    startFeed(data => {
      const receivers = server.publish('feed', data)
      feeding = receivers > 0
      return receivers
    })
  },
  message(socket, data) {
    const { path } = socket.data
    if (ROOM.test(path)) server.publish(path, data)
    else return MESSAGES[path]?.(socket, data)
  },
  // Mistakes are made by the thousand here.
  error() {},
})
let feeding = false

const { port } = await server.listen({ port: 0, host: HOST })
const ports = { port }
if (process.argv.includes('--tls')) {
  const secure = createServer(credentials())
  server.attach(secure)
  await new Promise(resolve => secure.listen({ port: 0, host: HOST }, resolve))
  ports.securePort = secure.address().port
}
report(ports, () => server.connections.size, counted)

function counted() {
  const { bytes, memory } = server.metrics()
  return memory?.held ?? bytes.queued + bytes.retained
}

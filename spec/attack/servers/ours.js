/** Our server under attack, with its defaults: `ours.js [--compression]`. */
import { WebSocketServer } from '../../../dist/index.js'
import { HOST, never, report, startFeed } from './common.js'

const MESSAGES = {
  '/echo': (socket, data) => void socket.send(data),
  '/topics': (socket, data) => (data[0] === '+' ? socket.subscribe(data.slice(1)) : socket.unsubscribe(data.slice(1))),
  '/closer': socket => socket.close(1000, 'as asked'),
  '/throw': () => {
    throw new Error('a mistake')
  },
  '/reject': () => Promise.reject(new Error('a mistake')),
  '/hang': (_, data) => never(data),
}

const server = new WebSocketServer({
  compression: process.argv.includes('--compression'),
  accept: ({ path }) => (path === '/never' ? never() : { data: { path } }),
  open(socket) {
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
  message: (socket, data) => MESSAGES[socket.data.path]?.(socket, data),
  // Mistakes are made by the thousand here.
  error() {},
})
let feeding = false

const { port } = await server.listen({ port: 0, host: HOST })
report(port, () => server.connections.size)

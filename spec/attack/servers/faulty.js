/**
 * Servers with one fault each, to see the runner find it: `faulty.js keeps|blocks|dies|leaves-open`. One that keeps what
 * it gets, one that is busy with a message for seconds, one that ends, one that lets no connection go.
 */
import { WebSocketServer } from '../../../dist/index.js'
import { HOST, report } from './common.js'

const BUSY = 6000
const kept = []
const opened = new Set()

const MESSAGES = {
  keeps: data => kept.push(Buffer.alloc(8 * 1024 * 1024, data)),
  blocks() {
    const until = performance.now() + BUSY
    while (performance.now() < until);
  },
  dies: () => process.exit(1),
  'leaves-open': () => {},
}
const onMessage = MESSAGES[process.argv[2]]

const server = new WebSocketServer({
  accept: ({ path }) => ({ data: { path } }),
  open: socket => void opened.add(socket),
  close: socket => {
    if (onMessage !== MESSAGES['leaves-open']) opened.delete(socket)
  },
  message(socket, data) {
    if (socket.data.path === '/echo') socket.send(data)
    else onMessage(data)
  },
})
const { port } = await server.listen({ port: 0, host: HOST })
report(port, () => opened.size)

/**
 * Servers with one fault each, to see the runner find it: `faulty.js keeps|pins|blocks|lags|dies|leaves-open`. One that
 * keeps what it gets, one that keeps less and counts none of it, one that is busy with a message for seconds, one that
 * is now and then for a moment, one that ends, one that lets no connection go.
 */
import { WebSocketServer } from '../../../dist/index.js'
import { HOST, report } from './common.js'

const BUSY = 6000
/** Each of so many messages holds everybody up for so many milliseconds. */
const [LAG_EVERY, LAG] = [10, 240]
const MIBI = 1024 * 1024
const kept = []
const opened = new Set()
let messages = 0

const MESSAGES = {
  keeps: data => kept.push(Buffer.alloc(8 * MIBI, data)),
  pins: data => kept.push(Buffer.alloc(MIBI, data)),
  blocks: () => block(BUSY),
  lags: () => ++messages % LAG_EVERY === 0 && block(LAG),
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
report(
  { port },
  () => opened.size,
  () => server.metrics().bytes.queued
)

function block(time) {
  const until = performance.now() + time
  while (performance.now() < until);
}

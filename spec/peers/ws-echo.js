// @ts-check
/** `ws` as a server that sends every message back: `node ws-echo.js lifted|default`, which is about its fragment limits. */
import { WebSocketServer } from 'ws'

const limits = process.argv[2] === 'lifted' ? { maxFragments: 0, maxBufferedChunks: 0 } : {}
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 }, ...limits })
server.on('connection', socket => {
  // What the cases do wrong comes here; the tester sees how it was dealt with.
  socket.on('error', () => {})
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
server.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`ws echoes on ws://127.0.0.1:${port}; Ctrl-C ends it`)
})

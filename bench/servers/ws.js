/** `ws`, as its documentation shows it: text as strings, binary as Buffers. */
import { WebSocketServer } from 'ws'
import { announce, BURST_MESSAGES } from './shared.js'

const echo = socket => socket.on('message', (data, isBinary) => socket.send(isBinary ? data : data.toString()))

const MODES = {
  echo,
  deflate: echo,
  'deflate-takeover': echo,
  chat: socket =>
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString()
      for (const client of server.clients) if (client !== socket) client.send(message)
    }),
  burst: socket =>
    socket.on('message', () => {
      for (const message of BURST_MESSAGES) socket.send(message)
    }),
}

const mode = process.argv[2]
const zlibDeflateOptions = process.env.DEFLATE_LEVEL === undefined ? {} : { level: Number(process.env.DEFLATE_LEVEL) }
const COMPRESSION = {
  deflate: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0, zlibDeflateOptions },
  'deflate-takeover': { threshold: 0 },
}

const attach = MODES[mode]
const perMessageDeflate = COMPRESSION[mode] ?? false
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate }, () => announce(server.address().port))
server.on('connection', socket => {
  socket.on('error', () => {})
  attach(socket)
})

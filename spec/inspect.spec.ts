/** `console.log` of a server, a connection and a WebSocket says what matters. */
import { createServer } from 'node:http'
import { inspect } from 'node:util'
import t from 'tap'
import { WebSocketServer } from '../lib/server.ts'
import { open } from './helpers/client.ts'
import { opened } from './helpers/websocket.ts'
import { running } from './helpers/running.ts'

/** On one line, however long. */
const shown = (value: unknown, depth = 2): string => inspect(value, { breakLength: Infinity, compact: true, depth })

t.test('a connection', async t => {
  const { server, port, journal } = await running(t, { accept: () => ({ data: { user: 'ann' } }), protocols: ['chat'] })
  const client = await open(t, `ws://127.0.0.1:${port}`, { protocols: 'chat', compression: false })
  const [socket] = server.connections
  const rest = "remoteAddress: '127.0.0.1', protocol: 'chat', extensions: '', bufferedAmount: 0"
  t.equal(shown(socket), `Connection { readyState: 'open', ${rest}, data: { user: 'ann' } }`)
  t.equal(shown(client), `Connection { readyState: 'open', ${rest}, data: undefined }`)
  t.equal(shown({ a: { b: { socket } } }), '{ a: { b: { socket: [Connection] } } }')
  client.close(1000, 'bye')
  await journal.until('close')
  t.match(shown(socket), "Connection { readyState: 'closed', closeInfo: { code: 1000, reason: 'bye', clean: true }, ")
})

t.test('a server', async t => {
  const server = new WebSocketServer({ message() {}, path: '/chat' })
  t.equal(shown(server), "WebSocketServer { address: null, attached: [], path: '/chat', closing: false, connections: 0 }")
  server.attach(createServer(), { path: '/a' })
  t.equal(shown(server), "WebSocketServer { address: null, attached: [ '/a' ], path: '/chat', closing: false, connections: 0 }")
  await server.close()
  t.match(shown(server), 'closing: true')
  const other = await running(t)
  await other.client()
  t.match(shown(other.server), /^WebSocketServer \{ address: \{ address: .*, port: \d+ \}, attached: \[\], path: undefined, closing: false, connections: 1 \}$/)
  const anywhere = new WebSocketServer().attach(createServer())
  t.match(shown(anywhere), "attached: [ 'every path' ]")
  await anywhere.close()
})

t.test('a WebSocket', async t => {
  const { port } = await running(t)
  const url = `ws://127.0.0.1:${port}/`
  const { socket } = await opened(t, url)
  t.match(shown(socket), `WebSocket { url: '${url}', readyState: 1, protocol: '', extensions: `)
  t.notOk(Object.keys(Object.getOwnPropertyDescriptors(socket)).some(name => name.includes('inspect')), 'nothing on the object itself')
})

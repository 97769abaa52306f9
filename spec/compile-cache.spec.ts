/**
 * V8's code cache: with NODE_COMPILE_CACHE, or where a program calls `enableCompileCache`, code comes back as it was
 * compiled in an earlier run (Node 22.1 and later). V8 gives private static methods the wrong class then.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const DIST = join(import.meta.dirname, '../dist')
// Compression, a text of several reads, streams and Kore's calls: much of the code has run when the cache is written.
const PROGRAM = `
import { connect, reconnecting, WebSocket, WebSocketServer } from '${DIST}/index.js'
import { createServer } from 'node:http'
import { handshake, kore_attach, kore_websocket_send } from '${DIST}/kore.js'

const server = new WebSocketServer({
  compression: 'dedicated',
  limits: { connectionsPerAddress: 50 },
  accept: async () => ({ data: 1 }),
  message: (socket, data) => void socket.send(data),
  error: (_, error) => { throw error },
})
const { port } = await server.listen({ port: 0, host: '127.0.0.1' })
const url = \`ws://127.0.0.1:\${port}\`
for (const data of ['hello', 'é'.repeat(100_000), Buffer.alloc(300_000)]) {
  const socket = await connect(url)
  if (!socket.send(data)) await socket.drained()
  for await (const message of socket) {
    if (message.length !== data.length) throw new Error('another message')
    break
  }
  await socket.ping()
  socket.close(1000)
  await socket.closed
}
for await (const socket of reconnecting(url)) {
  await socket.sendStream([Buffer.from('part')])
  for await (const stream of socket.messages({ stream: true })) {
    for await (const piece of stream) void piece
    break
  }
  break
}
const web = new WebSocket(url)
await new Promise(resolve => (web.onopen = resolve))
web.close()
await new Promise(resolve => (web.onclose = resolve))
const http = createServer().listen(0, '127.0.0.1')
kore_attach(http, { '/': request => handshake(request, null, (c, op, data) => kore_websocket_send(c, op, data), null) })
await new Promise(resolve => http.on('listening', resolve))
const kore = await connect(\`ws://127.0.0.1:\${http.address().port}/\`)
kore.send('kore')
for await (const message of kore) { console.log(message); kore.close() }
http.close()
await server.close()
`

t.test('code that comes back from the cache does as it did when it was compiled', async t => {
  const folder = t.testdir({ 'program.mjs': PROGRAM })
  const env = { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: join(folder, 'cache') }
  for (const time of ['first', 'second', 'third']) {
    const { stdout, stderr } = await run(process.execPath, [join(folder, 'program.mjs')], { env, timeout: 60_000 })
    t.strictSame([stdout, stderr], ['kore\n', ''], time)
  }
})

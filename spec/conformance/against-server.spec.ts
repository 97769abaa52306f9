import t, { type Test } from 'tap'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { runAgainstServer } from '../../lib/conformance/against-server.ts'
import type { Progress } from '../../lib/conformance/progress.ts'
import type { Results } from '../../lib/conformance/results.ts'
import { WebSocketServer } from '../../lib/server.ts'
import { brokenServer, type BrokenServer } from './broken-servers.ts'
import type { Fault } from './raw-echo.ts'

async function broken(t: Test, fault?: Fault): Promise<BrokenServer> {
  const server = await brokenServer(fault)
  t.teardown(() => server.close())
  return server
}

/** A server on our own library that echoes. */
async function ownServer(t: Test): Promise<string> {
  const server = new WebSocketServer({ message: (socket, data) => void socket.send(data) })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  return `ws://127.0.0.1:${port}/any?query`
}

function verdicts(results: Results): string[] {
  return results.list().map(({ id, behavior, behaviorClose }) => `${id} ${behavior} ${behaviorClose}`)
}

t.test('our own server is OK in every light case, with its default limits', async t => {
  const results = await runAgainstServer(await ownServer(t), { cases: ['autobahn'], exclude: ['9.*', '12.*', '13.*'] })
  const others = verdicts(results).filter(line => !line.endsWith(' OK OK'))
  t.same(
    others,
    ['7.1.6', '7.13.1', '7.13.2'].map(id => `${id} INFORMATIONAL INFORMATIONAL`)
  )
  t.equal(results.list().length, 247)
})

t.test('and in the longest, the most chopped and the most fragmented', async t => {
  const results = await runAgainstServer(await ownServer(t), { cases: ['9.1.6', '9.3.1', '9.5.6', '9.7.1', '9.8.6'] })
  t.same(
    results.failed.map(({ id, result, resultClose }) => `${id} ${result} ${resultClose}`),
    []
  )
  t.equal(results.list().length, 5)
})

t.test('the agent, the progress, one at a time', async t => {
  const server = await broken(t)
  const seen: Progress[] = []
  const results = await runAgainstServer(server.url, {
    cases: ['1.1.*'],
    agent: 'me',
    jobs: 1,
    progress: one => void seen.push(one),
  })
  t.same(results.agents, ['me'])
  t.same(
    seen.map(({ result }) => result.id),
    Array.from({ length: 8 }, (_, index) => `1.1.${index + 1}`),
    'in order'
  )
  t.match(seen[7], { done: 8, total: 8, failed: 0, title: 'Framing' })
  t.ok(seen.every(({ elapsed }, at) => at === 0 || elapsed >= seen[at - 1].elapsed))
  const unnamed = await runAgainstServer(new URL(server.url), { cases: ['1.1.1'] })
  t.same(unnamed.agents, [new URL(server.url).host])
})

t.test('quick is noted where it makes a difference', async t => {
  const server = await broken(t)
  const results = await runAgainstServer(server.url, { cases: ['1.1.1', '12.1.1'], quick: true })
  t.same(
    results.list().map(({ quick, result }) => [quick, result]),
    [
      [false, 'What came is what was expected for OK.'],
      [true, 'All 50 messages came back in time.'],
    ]
  )
  const full = await runAgainstServer(server.url, { cases: ['12.1.1'] })
  t.match(full.list(), [{ quick: false, result: 'All 1000 messages came back in time.' }])
})

t.test('the end can come early', async t => {
  const server = await broken(t)
  const abort = new AbortController()
  const results = await runAgainstServer(server.url, {
    jobs: 1,
    signal: abort.signal,
    progress: ({ done }) => done === 3 && abort.abort(),
  })
  t.equal(results.list().length, 3)
  const agent = new URL(server.url).host
  t.same(results.stopped, [agent])
  t.match(results.stopOf(agent), /^stopped after 3 of 772 cases$/)
})

t.test('an end that comes with the last case is none', async t => {
  const server = await broken(t)
  const abort = new AbortController()
  const results = await runAgainstServer(server.url, {
    cases: ['1.1.*'],
    signal: abort.signal,
    progress: ({ done, total }) => done === total && abort.abort(),
  })
  t.equal(results.list().length, 8)
  t.same(results.stopped, [])
})

t.test('what fails for want of room beside others runs once more, alone', async t => {
  const { port } = new URL((await broken(t)).url)
  let open = 0
  let refused = 0
  const take = (socket: Socket): void => {
    open++
    socket.on('close', () => open--)
    forward(socket, Number(port), '')
  }
  const url = await forwarding(t, socket => {
    // Room for one; the end of the one before may be on its way.
    const refuse = (): void => {
      refused++
      socket.destroy()
    }
    if (open === 0) take(socket)
    else setTimeout(() => (open === 0 ? take(socket) : refuse()), 50)
  })
  const results = await runAgainstServer(url, { cases: ['5.19', '1.*'], jobs: 8 })
  t.ok(refused >= 3, `${refused} were refused`)
  t.equal(results.list().length, 17)
  t.same(
    results.failed.map(({ id }) => id),
    []
  )
})

t.test('but not all of it, where the first ones keep their verdict', async t => {
  const server = await broken(t, 'never-pongs')
  const counts: Record<string, number> = {}
  const progress = ({ result: { id } }: Progress): void => {
    counts[id] = (counts[id] ?? 0) + 1
  }
  await runAgainstServer(server.url, { cases: ['1.1.1', '2.1', '2.2', '2.3', '2.4'], progress })
  t.equal(counts['1.1.1'], 1)
  t.equal(
    Object.values(counts).reduce((sum, count) => sum + count),
    5 + 2
  )
  const reset = (): void => Object.keys(counts).forEach(id => (counts[id] = 0))
  reset()
  await runAgainstServer(server.url, { cases: ['2.1', '2.2'], jobs: 1, progress })
  t.same([counts['2.1'], counts['2.2']], [1, 1], 'alone is alone')
  reset()
  await runAgainstServer(server.url, { cases: ['2.1', '2.2', '2.3', '5.6', '5.7', '5.8'], progress })
  const repeated = (group: string): number =>
    Object.entries(counts).reduce((sum, [id, count]) => (id.startsWith(group) && count > 1 ? sum + 1 : sum), 0)
  t.same([repeated('2.'), repeated('5.')], [2, 2], 'one group says nothing about another')
})

t.test('a server that refuses some handshakes fails these cases', async t => {
  const { port } = new URL((await broken(t)).url)
  const url = await forwarding(t, socket => {
    socket.once('data', head => {
      if (head.includes('permessage-deflate')) socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      else forward(socket, Number(port), head)
    })
  })
  const results = await runAgainstServer(url, { cases: ['1.1.1', '12.1.1'] })
  t.same(verdicts(results), ['1.1.1 OK OK', '12.1.1 FAILED FAILED'])
  t.match(results.failed[0], {
    result: /its first line is "HTTP\/1\.1 400 Bad Request"/,
    httpResponse: /^HTTP\/1\.1 400/,
    wasOpenHandshakeTimeout: false,
  })
})

t.test('over TLS', async t => {
  const read = (name: string): Buffer => readFileSync(new URL(`../fixtures/localhost.${name}.pem`, import.meta.url))
  const http = createHttpsServer({ key: read('key'), cert: read('cert') }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const server = new WebSocketServer({ message: (socket, data) => void socket.send(data) }).attach(http)
  t.teardown(async () => {
    http.close()
    await server.close({ timeout: 0 })
  })
  const url = `wss://localhost:${(http.address() as AddressInfo).port}/`
  const results = await runAgainstServer(url, { cases: ['1.*', '2.*', '7.*', '9.1.2'], tls: { ca: read('cert') } })
  t.same(
    results.failed.map(({ id, result, resultClose }) => `${id} ${result} ${resultClose}`),
    []
  )
})

t.test('where there is no server, that is no verdict', async t => {
  const server = await brokenServer()
  await server.close()
  await t.rejects(runAgainstServer(server.url), { name: 'HandshakeFailure', message: /ECONNREFUSED/ })
})

t.test('options that are none', async t => {
  for (const url of ['http://localhost/', 'nonsense', '']) {
    await t.rejects(
      runAgainstServer(url),
      { code: 'invalid-argument', message: /url must begin with ws:\/\/ or wss:\/\// },
      url
    )
  }
  for (const jobs of [0, 9, 1.5, NaN])
    await t.rejects(runAgainstServer('ws://x', { jobs }), { code: 'invalid-option', message: /jobs/ }, String(jobs))
  await t.rejects(runAgainstServer('ws://x', { cases: ['8.*'] }), { code: 'invalid-option', message: /cases/ })
})

/** A server whose every connection is for `serve` to deal with; returns its URL. */
async function forwarding(t: Test, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Joins a connection to a port of this machine; `first` has come already. */
function forward(socket: Socket, port: number, first: string | Buffer): void {
  const inner = connect({ port, host: '127.0.0.1', noDelay: true })
  inner.write(first)
  socket.pipe(inner).pipe(socket)
  inner.on('error', () => socket.destroy())
  socket.on('close', () => inner.destroy())
}

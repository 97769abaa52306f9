/** `kore-ws serve` and its signals: SIGHUP replaces the workers, SIGTERM ends it, a second one at once. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseExposition } from '../helpers/exposition.ts'
import { bytes, closeFrame, frame, masked } from '../helpers/frames.ts'
import { within } from '../helpers/journal.ts'
import { agree, knocking, PATIENCE } from '../helpers/pool-program.ts'
import { WireClient } from '../helpers/wire-client.ts'

// The command as it is installed: from dist, which `npm test` has built. Processes take their time on a busy machine.
const MAIN = join(import.meta.dirname, '../../dist/cli/main.js')
t.setTimeout(180_000)

interface Serving {
  readonly child: ChildProcessWithoutNullStreams
  readonly port: number
  readonly complaints: () => string
  client(path?: string): Promise<WireClient>
}

function serving(t: Test, ...parameters: string[]): Promise<Serving> {
  return servingWith(t, '', ...parameters)
}

/** @param options of Node, for the primary and its workers */
async function servingWith(t: Test, options: string, ...parameters: string[]): Promise<Serving> {
  const env = { ...process.env, NODE_OPTIONS: options }
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...parameters], { env })
  t.teardown(() => child.kill('SIGKILL'))
  let complaints = ''
  child.stderr.on('data', chunk => (complaints += String(chunk)))
  const [printed] = await once(child.stdout, 'data')
  const port = Number(/:(\d+)\n/.exec(String(printed))?.[1])
  const client = async (path = '/echo'): Promise<WireClient> => {
    const wire = await WireClient.to({ port, host: '127.0.0.1' })
    t.teardown(() => wire.socket.destroy())
    const { status } = await wire.handshake({ path })
    if (status !== 101) throw new Error(`refused with ${status}`)
    return wire
  }
  return { child, port, complaints: () => complaints, client }
}

async function figuresOf(port: number): Promise<ReadonlyMap<string, number>> {
  return parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).samples
}

/** Waits until the only worker has got so many messages on /echo. */
async function messagesReceived(port: number, count: number): Promise<void> {
  const name = 'kore_ws_messages_received_total{route="/echo",worker="1"}'
  for (const until = performance.now() + PATIENCE; (await figuresOf(port)).get(name) !== count; ) {
    if (performance.now() > until) throw new Error(`waited ${PATIENCE} ms for ${count} messages`)
  }
}

for (const workers of ['1', '2']) {
  t.test(`SIGHUP with ${workers}: other workers, the same port, 1012 to the clients, and no client refused`, async t => {
    const { child, port, client, complaints } = await serving(t, '--workers', workers)
    const clients = [await client(), await client('/chat'), await client('/people')]
    const knocks = knocking(port, '/echo')
    for (let round = 0; round < 2; round++) {
      child.kill('SIGHUP')
      await Promise.all(clients.splice(0).map(wire => agree(wire, 1012)))
      clients.push(await client())
    }
    t.strictSame([...(await knocks.stop()).keys()], ['101'])
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await Promise.all(clients.map(wire => Promise.race([agree(wire, 1001), agree(wire, 1012)])))
    t.strictSame(await exit, [0, null])
    t.equal(complaints(), '')
  })
}

t.test('SIGHUP while a client reads slowly: all that was sent to it arrives in front of the close frame', async t => {
  const { child, client, port } = await serving(t)
  const wire = await client()
  wire.socket.pause()
  const COUNT = 20
  for (let at = 0; at < COUNT; at++) wire.send(frame('82', Buffer.alloc(200_000, at)))
  wire.send(frame('81', 'the last'))
  // The other way it is full: the server has queued what it could not send.
  await messagesReceived(port, COUNT + 1)
  child.kill('SIGHUP')
  await new Promise(resolve => setTimeout(resolve, 1500))
  wire.socket.resume()
  await agree(wire, 1012)
  t.strictSame(wire.frames.slice(0, COUNT).map(({ payload }) => payload[0]), Array.from({ length: COUNT }, (_, at) => at))
  t.strictSame(wire.journal.lines.slice(COUNT, COUNT + 2), ['text the last', 'close 1012'])
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`a second ${signal} ends it at once, with 1`, async t => {
    const { child, client } = await serving(t)
    const silent = await client()
    const exit = once(child, 'exit')
    child.kill(signal)
    await silent.journal.until('close 1001', PATIENCE)
    child.kill(signal)
    t.strictSame(await within(exit, 'the exit', PATIENCE), [1, null])
    await silent.journal.until('end', PATIENCE)
  })
}

t.test('signals to the whole process group, as a terminal sends them, end it no less cleanly', async t => {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0'], { detached: true, env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(() => child.kill('SIGKILL'))
  const [printed] = await once(child.stdout, 'data')
  const wire = await WireClient.to({ port: Number(/:(\d+)\n/.exec(String(printed))?.[1]), host: '127.0.0.1' })
  t.teardown(() => wire.socket.destroy())
  await wire.handshake({ path: '/echo' })
  const group = -(child.pid ?? 0)
  const exit = once(child, 'exit')
  process.kill(group, 'SIGHUP')
  await wire.journal.until('close 1012', PATIENCE)
  wire.send(closeFrame(1012))
  wire.socket.end()
  const next = await WireClient.to({ port: Number(/:(\d+)\n/.exec(String(printed))?.[1]), host: '127.0.0.1' })
  t.teardown(() => next.socket.destroy())
  await next.handshake({ path: '/echo' })
  process.kill(group, 'SIGINT')
  await agree(next, 1001)
  t.strictSame(await exit, [0, null])
})

t.test('a flood of small messages to all workers ends no process, and everybody gets all of it', async t => {
  const { port, child, complaints, client } = await servingWith(t, '--max-old-space-size=48', '--workers', '2')
  const message = 'x'.repeat(20)
  const count = 400_000
  // node:cluster deals clients out in turn: some of these are with the flooder's worker, some are not.
  const others = await Promise.all([client('/chat'), client('/chat'), client('/chat'), client('/chat')])
  const flooder = await client('/chat')
  const got = others.map(({ socket }) => {
    let size = 0
    return new Promise<void>((resolve, reject) => {
      socket.removeAllListeners('data').on('data', chunk => {
        size += chunk.length
        if (size === (count * frame('81', message).length) / 2) resolve()
      })
      socket.on('close', () => reject(new Error(`closed after ${size} bytes: ${complaints()}`)))
    })
  })
  const thousand = bytes(masked(frame('81', message)).repeat(1000))
  const flood = (async () => {
    for (let sent = 0; sent < count && flooder.socket.writable; sent += 1000) {
      if (!flooder.socket.write(thousand)) await Promise.race([once(flooder.socket, 'drain'), once(flooder.socket, 'close')])
    }
  })()
  await within(Promise.all([flood, ...got]), 'the flood to arrive', 4 * PATIENCE)
  // What came is still counted until the other worker's word that it took it is here.
  const queued = (figures: ReadonlyMap<string, number>) =>
    ['1', '2'].map(worker => figures.get(`kore_ws_bus_queued_bytes{route="/chat",worker="${worker}"}`))
  let figures = await figuresOf(port)
  for (const until = Date.now() + PATIENCE; queued(figures).some(size => size !== 0) && Date.now() < until; ) figures = await figuresOf(port)
  t.same(queued(figures), [0, 0])
  t.equal(figures.get('kore_ws_workers'), 2)
  for (const worker of ['1', '2']) t.equal(figures.get(`kore_ws_bus_missed_total{route="/chat",worker="${worker}"}`), 0)
  t.equal(complaints(), '')
  child.kill('SIGTERM')
})

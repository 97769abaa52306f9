/** startWorkers, relayBroadcasts and GLOBAL broadcasts between real worker processes. */
import { fork, type ChildProcess } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { relayBroadcasts, startWorkers } from '../../lib/kore.ts'
import { bytes, closeFrame, frame, masked } from '../helpers/frames.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { transpiled } from '../helpers/transpiled.ts'

const PROGRAM = transpiled(t, 'spec/kore/fixtures/workers.ts')

interface Note {
  readonly listening?: number
  readonly port?: number
  readonly exit?: number
  readonly closed?: boolean
}

/** The program as a process of its own, its clients, and what its primary tells. */
class Program {
  readonly #child: ChildProcess
  readonly #notes: Note[] = []
  readonly #clients: RawClient[] = []
  port = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', note => this.#notes.push(note as Note))
  }

  static async start(t: Test, how: 'pool' | 'own', workers: number): Promise<Program> {
    const program = new Program(fork(PROGRAM, [how, String(workers)], { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } }))
    t.teardown(() => program.#stop())
    for (let at = 0; at < workers; at++) program.port = (await program.note(note => note.listening !== undefined)).port ?? 0
    return program
  }

  /** Takes the first note that fits, or waits for it. */
  async note(fits: (note: Note) => boolean): Promise<Note> {
    // Other processes take their time where the machine is busy.
    const signal = AbortSignal.timeout(60_000)
    for (;;) {
      const at = this.#notes.findIndex(fits)
      if (at >= 0) return this.#notes.splice(at, 1)[0]
      await once(this.#child, 'message', { signal })
    }
  }

  /** A client and the process that it is connected to. */
  async client(): Promise<{ client: RawClient; pid: number }> {
    const client = await RawClient.handshake(this.port)
    this.#clients.push(client)
    const [, length] = bytes(await client.read(2))
    const text = bytes(await client.read(length)).toString()
    return { client, pid: Number(text.replace('pid ', '')) }
  }

  /** So many clients on each of so many processes: node:cluster deals connections out in turn, but promises nothing. */
  async clients(processes: number, each: number): Promise<Map<number, RawClient[]>> {
    const byPid = new Map<number, RawClient[]>()
    for (let tries = 0; tries < 50; tries++) {
      const { client, pid } = await this.client()
      const clients = byPid.get(pid) ?? []
      if (clients.length < each) byPid.set(pid, [...clients, client])
      else await client.close()
      if (byPid.size === processes && [...byPid.values()].every(known => known.length === each)) return byPid
    }
    throw new Error(`50 clients are not enough for ${processes} processes: ${[...byPid.keys()]}`)
  }

  async close(): Promise<void> {
    this.#child.send('close')
    await this.note(note => note.closed === true)
  }

  async #stop(): Promise<void> {
    for (const client of this.#clients) await client.close()
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    if (child.connected) child.send('close', () => {})
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await gone
    clearTimeout(timer)
  }
}

function say(client: RawClient, text: string): void {
  client.send(masked(frame('81', text)))
}

/** Each client gets exactly `texts` up to and without `end`, which somebody sends to all. */
async function hears(t: Test, client: RawClient, texts: readonly string[], name: string): Promise<void> {
  const expected = texts.map(text => frame('81', text)).join('')
  t.ok((await client.readAs(expected)) === expected, name)
}

for (const how of ['pool', 'own'] as const) {
  t.test(`GLOBAL over two workers (${how}): everybody but src, once, in the order of the sender`, async t => {
    const program = await Program.start(t, how, 2)
    const [[a1, a2], [b1, b2]] = [...(await program.clients(2, 2)).values()]

    say(a1, 'G with src')
    await hears(t, a2, ['G with src'], 'the same worker')
    await hears(t, b1, ['G with src'], 'the other worker')
    await hears(t, b2, ['G with src'], 'the other worker')

    say(b1, 'N with null')
    for (const client of [a1, a2, b1, b2]) await hears(t, client, ['N with null'], 'everybody: a1 has not got its own before')

    say(a1, 'L local')
    await hears(t, a2, ['L local'], 'LOCAL: the same worker')
    say(a1, '7 scope 7')
    await hears(t, a2, ['7 scope 7'], 'any other scope is LOCAL')
    say(a1, 'N after it')
    for (const client of [a1, a2, b1, b2]) await hears(t, client, ['N after it'], 'LOCAL: nobody else')

    const binary = Buffer.from(Array.from({ length: 70_000 }, (_, at) => at % 256))
    binary[0] = 'G'.charCodeAt(0)
    for (const size of [1, 2, 255, 16_000]) {
      b2.send(masked(frame('82', binary.subarray(0, size))))
      const expected = frame('82', binary.subarray(0, size))
      for (const client of [a1, a2, b1]) t.ok((await client.readAs(expected)) === expected, `${size} bytes, every value`)
    }

    const texts = Array.from({ length: 200 }, (_, at) => `G message ${at}`)
    for (const text of texts) say(a1, text)
    for (const client of [a2, b1, b2]) await hears(t, client, texts, '200 in order')

    say(a2, 'N the end')
    for (const client of [a1, a2, b1, b2]) await hears(t, client, ['N the end'], 'and nothing else')
    for (const client of [a1, a2, b1, b2]) t.equal(client.unread, '')
  })
}

t.test('a worker that is killed is replaced, and the others lose nothing', async t => {
  const program = await Program.start(t, 'pool', 3)
  const byPid = await program.clients(3, 1)
  const [[a], [b], [victim]] = [...byPid.values()]
  const [, , killed] = [...byPid.keys()]
  const texts = Array.from({ length: 200 }, (_, at) => `G message ${at}`)
  for (const [at, text] of texts.entries()) {
    say(a, text)
    if (at === 50) say(victim, 'K')
    if (at % 20 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await hears(t, b, texts, '200 in order')
  await program.note(({ exit }) => exit === killed)
  t.match(await victim.rest(), /^(81.*)?( reset)?$/, 'what came before the kill, and no close frame')

  const { listening, port } = await program.note(note => note.listening !== undefined)
  t.not(listening, killed)
  t.notOk(byPid.has(Number(listening)), 'a new process')
  t.equal(port, program.port)
  for (const pid of [...byPid.keys()]) if (pid === killed) byPid.delete(pid)
  let replacement: RawClient | undefined
  for (let tries = 0; tries < 50 && replacement === undefined; tries++) {
    const { client, pid } = await program.client()
    if (pid === listening) replacement = client
    else await client.close()
  }
  if (replacement === undefined) throw new Error('nobody came to the new worker')
  say(replacement, 'N from the new one')
  for (const client of [a, b, replacement]) await hears(t, client, ['N from the new one'], 'it takes part')
})

t.test('pool.close(): every worker gets SIGTERM and may take leave of its clients; none is replaced', async t => {
  const program = await Program.start(t, 'pool', 2)
  const clients = [...(await program.clients(2, 1)).values()].flat()
  const closed = program.close()
  for (const client of clients) {
    t.equal(await client.readAs(closeFrame(1001)), closeFrame(1001))
    client.send(masked(closeFrame(1001)))
    t.equal(await client.rest(), '')
  }
  await closed
  for (let at = 0; at < 2; at++) t.type((await program.note(({ exit }) => exit !== undefined)).exit, 'number')
})

t.test('startWorkers: the count', async t => {
  for (const count of [0, -1, 1.5, NaN, Infinity, '2', null, undefined]) {
    t.throws(() => startWorkers(count as number, () => t.fail('must not run')), {
      name: 'MisuseError',
      code: 'invalid-argument',
      message: `count must be a whole number of workers, 1 or more, and not ${typeof count === 'string' ? '"2"' : String(count)}`,
    })
  }
})

t.test('relayBroadcasts in a process without workers does no harm', async t => {
  const before = cluster.listenerCount('fork')
  relayBroadcasts()
  relayBroadcasts()
  t.equal(cluster.listenerCount('fork'), before + 1, 'once is enough')
})

/** A program with workers as a process of its own (spec/fixtures/pool.ts), and clients of it. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import type { Note } from '../fixtures/pool.ts'
import { closeFrame } from './frames.ts'
import { WireClient } from './wire-client.ts'

/** Other processes take their time on a busy machine. */
export const PATIENCE = 30_000

export interface Client {
  readonly wire: WireClient
  readonly pid: number
}

/** The program as a process of its own, what its primary tells, and its clients. */
export class PoolProgram {
  readonly notes: Note[] = []
  readonly child: ChildProcess
  port = 0

  private constructor(t: Test, program: string, count: number, readyTime: number, endingTime: number) {
    const parameters = [count, readyTime, endingTime].map(String)
    this.child = fork(program, parameters, { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } })
    // An order may come too late.
    this.child.on('error', () => {})
    this.child.on('message', note => this.notes.push(note as Note))
    t.teardown(async () => {
      const gone = once(this.child, 'exit')
      // It may be gone by itself: then there is nobody to hear it.
      if (this.child.connected) this.child.send('exit', () => {})
      else this.child.kill('SIGKILL')
      if (this.child.exitCode === null && this.child.signalCode === null) await gone
    })
  }

  /** @param path where the program lies, as JavaScript; it has so many workers, which listen when this resolves */
  static async start(
    t: Test,
    path: string,
    count: number,
    { readyTime = 20_000, endingTime = 20_000, nature = '' } = {}
  ): Promise<PoolProgram> {
    process.env.NATURE = nature
    const program = new PoolProgram(t, path, count, readyTime, endingTime)
    delete process.env.NATURE
    for (let at = 0; at < count; at++) program.port = (await program.next('listening', at)).port ?? 0
    return program
  }

  /** The note of this kind behind the first `skipped` of them, once it has come. */
  async next(kind: Note['note'], skipped = 0): Promise<Note> {
    const signal = AbortSignal.timeout(PATIENCE)
    for (;;) {
      const note = this.of(kind)[skipped]
      if (note !== undefined) return note
      await once(this.child, 'message', { signal })
    }
  }

  of(kind: Note['note']): Note[] {
    return this.notes.filter(({ note }) => note === kind)
  }

  order(order: string): void {
    this.child.send(order)
  }

  async client(t: Test): Promise<Client> {
    const wire = await WireClient.to({ port: this.port, host: '127.0.0.1' })
    t.teardown(() => wire.socket.destroy())
    const { status } = await wire.handshake()
    if (status !== 101) throw new Error(`refused with ${status}`)
    await wire.journal.until('text pid', PATIENCE)
    return { wire, pid: Number(wire.journal.lines[0].slice('text pid '.length)) }
  }

  /** A client of each of so many workers, by the worker's process. */
  async clients(t: Test, workers: number): Promise<Map<number, WireClient>> {
    const clients = new Map<number, WireClient>()
    for (let tries = 0; tries < 50 && clients.size < workers; tries++) {
      const { wire, pid } = await this.client(t)
      if (clients.has(pid)) wire.socket.destroy()
      else clients.set(pid, wire)
    }
    return clients
  }
}

/** Answers the close frame as a good client does. */
export async function agree(wire: WireClient, code: number): Promise<void> {
  await wire.journal.until(`close ${code}`, PATIENCE)
  wire.send(closeFrame(code))
  await wire.journal.until('end', PATIENCE)
  wire.socket.end()
}

/** What becomes of a client's handshake: its status, 'lost' where the connection ends before, or what it waited for in vain. */
export async function fate(wire: WireClient, path = '/'): Promise<string> {
  // A worker that is killed ends its connections, or resets those that it had not read all of.
  const lost = new Promise<string>(resolve => {
    for (const event of ['end', 'close']) wire.socket.once(event, () => resolve('lost'))
  })
  const status = wire.handshake({ path }).then(
    ({ status }) => String(status),
    (error: Error) => error.message
  )
  const outcome = await Promise.race([status, lost])
  wire.socket.destroy()
  return outcome
}

/** Connects again and again, and says what became of it: 101, a status or an error, and how often. */
export function knocking(port: number, path = '/'): { stop(): Promise<Map<string, number>> } {
  let going = true
  const outcomes = new Map<string, number>()
  const once = (): Promise<string> =>
    WireClient.to({ port, host: '127.0.0.1' }).then(
      wire => fate(wire, path),
      (error: NodeJS.ErrnoException) => error.code ?? error.message
    )
  const knock = async (): Promise<void> => {
    while (going) {
      const outcome = await once()
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  const all = Promise.all([knock(), knock(), knock()])
  return {
    async stop() {
      going = false
      await all
      return outcomes
    },
  }
}

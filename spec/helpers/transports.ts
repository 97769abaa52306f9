/** Duplexes for a Connection: in memory, where the test decides what is taken when, and pairs of real sockets. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex, type DuplexOptions } from 'node:stream'
import type { Test } from 'tap'
import { hex } from './frames.ts'
import { within } from './journal.ts'

type Done = (error?: Error | null) => void

/** Keeps by reference what is written to it, as a stream may; takes it at once unless it is stalled. */
export class MemoryTransport extends Duplex {
  /** One entry for each call that a real stream would make to the system: the chunks that it got. */
  readonly writes: Buffer[][] = []
  /** Whether the other side has heard that nothing more comes. */
  finished = false
  #stalled = false
  #waiting: Done | undefined
  #seen = 0

  constructor(options: DuplexOptions = {}) {
    // Said, because Node's default went from 16 KiB to 64 with release 22.
    super({ writableHighWaterMark: 16 * 1024, ...options })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: Done): void {
    this.#take([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  override _final(done: Done): void {
    this.finished = true
    done()
  }

  /** What is written from now on waits. */
  stall(): void {
    this.#stalled = true
  }

  /** What waits is taken, and so is what follows. */
  goOn(): void {
    this.#stalled = false
    this.#waiting?.()
    this.#waiting = undefined
  }

  /** Takes what waits, but nothing that follows. */
  takeOne(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  /** All that was written since the last call, as hex. */
  written(): string {
    const fresh = this.writes.slice(this.#seen)
    this.#seen = this.writes.length
    return hex(Buffer.concat(fresh.flat()))
  }

  #take(chunks: Buffer[], done: Done): void {
    this.writes.push(chunks)
    if (this.#stalled) this.#waiting = done
    else done()
  }
}

/** One end of a pair: what is written to it can be read from the other. */
class Side extends Duplex {
  other: Side | undefined
  #onRead: Done | undefined

  override _read(): void {
    const onRead = this.#onRead
    this.#onRead = undefined
    onRead?.()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: Done): void {
    this.other?.accept(Buffer.from(chunk), done)
  }

  override _final(done: Done): void {
    this.other?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.other?.push(null)
    done(error)
  }

  accept(chunk: Buffer, done: Done): void {
    if (this.push(chunk)) done()
    else this.#onRead = done
  }
}

/** Two ends in memory. */
export function memoryPair(): [Duplex, Duplex] {
  const one = new Side()
  const other = new Side()
  one.other = other
  other.other = one
  return [one, other]
}

/** Resolves when the stream is gone. Unlike `once` it is no listener for errors. */
export function closed(stream: Duplex): Promise<void> {
  if (stream.closed) return Promise.resolve()
  const gone = new Promise<void>(resolve => void stream.once('close', () => resolve()))
  return within(gone, 'a stream to close')
}

/** Two ends of a TCP connection: the accepted one, and the one that connected. */
export async function socketPair(t: Test): Promise<[server: Socket, client: Socket]> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const [server] = (await once(listener, 'connection')) as [Socket]
  listener.close()
  t.teardown(() => {
    server.destroy()
    client.destroy()
  })
  if (client.connecting) await once(client, 'connect')
  return [server, client]
}

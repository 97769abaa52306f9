/** An HTTP server with Kore routes for one test, its clients, and what its callbacks were called with. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'
import {
  config,
  connections,
  kore_attach,
  kore_connection_disconnect,
  kore_onerror,
  kore_websocket_handshake,
  type KoreConnection,
  type KoreHandler,
  type OnConnect,
  type OnDisconnect,
  type OnMessage,
} from '../../lib/kore.ts'
import { hex } from '../helpers/frames.ts'
import { PATIENCE } from '../helpers/journal.ts'
import { handshakeText, RawClient, type HandshakeParts } from '../helpers/raw-client.ts'

/** All that one look counts with, in milliseconds: while the process stands still nothing can come. */
const LOOK = 50

export class Served {
  readonly server: Server = createServer()
  /** `connect`, `text 6869 2`, `binary 00 1`, `disconnect`, in the order in which the callbacks ran. */
  readonly events: string[] = []
  /** What kore_onerror was told: error and connection. */
  readonly errors: { error: Error & { code?: string }; c: KoreConnection | null }[] = []
  /** The server's ends of the connections that are not closed. */
  readonly sockets = new Set<Socket>()
  readonly #clients: RawClient[] = []
  #wake: (() => void)[] = []

  /** @param handler for `/`, or all routes; without it `/` takes every handshake with the callbacks below */
  static async start(t: Test, handler?: KoreHandler | Record<string, KoreHandler>): Promise<Served> {
    const served = new Served()
    const routes = typeof handler === 'object' ? handler : { '/': handler ?? served.handshake }
    kore_attach(served.server, routes)
    await served.listen(t)
    return served
  }

  async listen(t: Test): Promise<void> {
    const { server } = this
    kore_onerror((error, c) => {
      this.errors.push({ error: error as Error, c })
      this.changed()
    })
    server.on('connection', socket => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(async () => {
      for (const client of this.#clients) await client.close()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      kore_onerror(undefined)
      config.websocket_maxframe = 16384
      config.websocket_timeout = 120
      config.websocket_origins = undefined
      try {
        await this.until('no connection and no socket left', () => this.sockets.size === 0 && this.#connections().length === 0)
      } finally {
        // One test's leftovers must not fail the others.
        for (const c of this.#connections()) kore_connection_disconnect(c)
        for (const socket of this.sockets) socket.destroy()
        await closed
      }
    })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** A handler that takes the handshake. */
  readonly handshake: KoreHandler = request => {
    kore_websocket_handshake(request, this.onconnect, this.onmessage, this.ondisconnect)
  }

  readonly onconnect: OnConnect = c => {
    this.note('connect')
    this.connected(c)
  }

  readonly onmessage: OnMessage = (c, op, data, length) => {
    this.note(`${op === 1 ? 'text' : op === 2 ? 'binary' : op} ${hex(data)} ${length}`)
    return this.received(c, op, data, length)
  }

  readonly ondisconnect: OnDisconnect = c => {
    this.note('disconnect')
    this.disconnected(c)
  }

  /** What else the callbacks do. */
  connected: OnConnect = () => {}
  received: OnMessage = () => {}
  disconnected: OnDisconnect = () => {}

  note(event: string): void {
    this.events.push(event)
    this.changed()
  }

  /** A client whose handshake has been answered with 101. */
  async client(parts: HandshakeParts = {}): Promise<RawClient> {
    return this.#kept(await RawClient.handshake(this.port, parts))
  }

  /** A client, and the connection that it became. */
  async pair(parts: HandshakeParts = {}): Promise<{ client: RawClient; c: KoreConnection }> {
    const client = await this.client(parts)
    const port = client.socket.localPort
    const c = [...connections].find(one => one.addr.port === port)
    if (c === undefined) throw new Error('no connection was added')
    return { client, c }
  }

  /** A client that has sent its request, with `frames` in the same segment. */
  async asking(parts: HandshakeParts = {}, frames = '', allowHalfOpen = false): Promise<RawClient> {
    const client = this.#kept(await RawClient.open(this.port, allowHalfOpen))
    client.text(handshakeText(parts) + Buffer.from(frames, 'hex').toString('latin1'))
    return client
  }

  /** Waits until so many events are there, or those up to one. */
  async happened(what: number | string): Promise<string[]> {
    const { events } = this
    await this.until(`event ${what}`, () => (typeof what === 'number' ? events.length >= what : events.includes(what)))
    return events
  }

  async until(what: string, met: () => boolean, time = PATIENCE): Promise<void> {
    let waited = 0
    for (let before = performance.now(); !met(); ) {
      if (waited > time) throw new Error(`waited ${time} ms in vain for ${what}: ${JSON.stringify(this.events)}`)
      await Promise.race([
        new Promise<void>(resolve => this.#wake.push(resolve)),
        new Promise<void>(resolve => setTimeout(resolve, 20)),
      ])
      const now = performance.now()
      waited += Math.min(now - before, LOOK)
      before = now
    }
  }

  changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #connections(): KoreConnection[] {
    return [...connections].filter(c => c.owner === this.server)
  }

  #kept(client: RawClient): RawClient {
    this.#clients.push(client)
    return client
  }
}

/** Every way into the library, behind one interface: the contract is run over each. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { once } from 'node:events'
import { connect as connectSocket, type AddressInfo, type NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import { refuse } from '../../lib/handshake/refusal.ts'
import * as kore from '../../lib/kore.ts'
import { WebSocketServer } from '../../lib/server.ts'
import { WireClient } from './wire-client.ts'

/** The most bytes of a message that every door takes. */
export const MESSAGE_BYTES = 200_000

/**
 * What every door serves, at every path: it echoes messages, writes them and the end of each connection down, agrees on
 * the subprotocol `chat`, and refuses a request with a header `x-refuse` with the status in it.
 */
export interface App {
  message(data: string | Buffer): void
  close(code: number | undefined): void
}

/** A served app. */
export interface Entrance {
  /** A new transport to it. */
  dial(): Promise<Duplex>
  broadcast(text: string): void
  /** Ends every connection; resolves when all are gone. */
  shutDown(): Promise<unknown>
}

export interface Door {
  readonly name: string
  /** Whether the app hears close codes (Kore's callback has none). */
  readonly tellsCodes: boolean
  /** What a client may agree on; undefined for none. Every message is compressed then. */
  readonly compression: 'shared' | 'dedicated' | undefined
  open(t: Test, app: App): Promise<Entrance>
}

const HERE = { port: 0, host: '127.0.0.1' }

/** Our API's doors, with compression or without. */
function doorsOf(compression: 'shared' | 'dedicated' | undefined): Door[] {
  const more = compression === undefined ? '' : `, ${compression} compression`
  return [
    {
      name: `listen, over TCP${more}`,
      tellsCodes: true,
      compression,
      async open(t, app) {
        const server = serve(t, app, compression)
        const { port } = (await server.listen(HERE)) as AddressInfo
        return entrance(server, overSocket({ port, host: HERE.host }))
      },
    },
    {
      name: `listen, on a unix socket${more}`,
      tellsCodes: true,
      compression,
      async open(t, app) {
        const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
        t.teardown(() => rm(folder, { recursive: true }))
        const server = serve(t, app, compression)
        const path = join(folder, 'socket')
        await server.listen({ path })
        return entrance(server, overSocket({ path }))
      },
    },
    {
      name: `attach, to node:http${more}`,
      tellsCodes: true,
      compression,
      async open(t, app) {
        const http = createHttpServer()
        const server = serve(t, app, compression).attach(http)
        return entrance(server, overSocket(await listening(t, http)))
      },
    },
    {
      name: `attach, to node:https${more}`,
      tellsCodes: true,
      compression,
      async open(t, app) {
        const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}.pem`, import.meta.url))
        const cert = fixture('localhost.cert')
        const https = createHttpsServer({ key: fixture('localhost.key'), cert })
        const server = serve(t, app, compression).attach(https)
        const where = await listening(t, https)
        return entrance(server, async () => {
          const socket = connectTls({ ...where, ca: cert, servername: 'localhost' })
          await once(socket, 'secureConnect')
          return socket
        })
      },
    },
    {
      name: `upgrade, from a listener of the user${more}`,
      tellsCodes: true,
      compression,
      async open(t, app) {
        const http = createHttpServer()
        const server = serve(t, app, compression)
        http.on('upgrade', (request, socket, head) => server.upgrade(request, socket, head))
        return entrance(server, overSocket(await listening(t, http)))
      },
    },
  ]
}

const KORE: Door = {
  name: 'kore_attach',
  tellsCodes: false,
  compression: undefined,
  async open(t, app) {
    const http = createHttpServer()
    kore.config.websocket_maxframe = MESSAGE_BYTES
    kore.kore_onerror(() => {})
    t.teardown(() => kore.kore_onerror(undefined))
    t.teardown(kore.kore_attach(http, { '/': request => serveKore(request, app) }))
    return {
      dial: overSocket(await listening(t, http)),
      broadcast: text => kore.kore_websocket_broadcast(null, kore.WEBSOCKET_OP_TEXT, text, null, kore.WEBSOCKET_BROADCAST_LOCAL),
      shutDown: () => kore.kore_shutdown(),
    }
  }
}

export const DOORS: readonly Door[] = [...doorsOf(undefined), KORE, ...doorsOf('shared'), ...doorsOf('dedicated')]

/** A client of the entrance, with no handshake made. */
export async function dialled(t: Test, { dial }: Entrance): Promise<WireClient> {
  const transport = await dial()
  t.teardown(() => transport.destroy())
  return new WireClient(transport)
}

function serve(t: Test, app: App, compression: Door['compression']): WebSocketServer {
  const server = new WebSocketServer({
    protocols: ['chat'],
    limits: { messageBytes: MESSAGE_BYTES },
    compression: compression && { mode: compression, threshold: 0 },
    accept({ headers }) {
      const status = headers['x-refuse']
      return status === undefined ? undefined : refuse(Number(status), { body: 'Not today.\n' })
    },
    message(socket, data) {
      app.message(data)
      socket.send(data)
    },
    close: (_, code) => app.close(code),
    error() {},
  })
  t.teardown(() => server.close({ timeout: 0 }))
  return server
}

function serveKore(request: kore.KoreRequest, app: App): void {
  const status = request.headers['x-refuse']
  if (status !== undefined) {
    kore.http_response(request, Number(status), 'Not today.\n')
    return
  }
  const offered = request.headers['sec-websocket-protocol']?.split(/, */) ?? []
  if (offered.includes('chat')) kore.http_response_header(request, 'sec-websocket-protocol', 'chat')
  kore.kore_websocket_handshake(
    request,
    null,
    (c, op, data) => {
      app.message(op === kore.WEBSOCKET_OP_TEXT ? data.toString() : Buffer.from(data))
      kore.kore_websocket_send(c, op, data)
    },
    () => app.close(undefined)
  )
}

function entrance(server: WebSocketServer, dial: () => Promise<Duplex>): Entrance {
  return { dial, broadcast: text => void server.broadcast(text), shutDown: () => server.close() }
}

function overSocket(where: NetConnectOpts): () => Promise<Duplex> {
  return async () => {
    const socket = connectSocket({ ...where, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
}

async function listening(t: Test, http: HttpServer | HttpsServer): Promise<{ port: number; host: string }> {
  http.listen(HERE)
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  return { port: (http.address() as AddressInfo).port, host: HERE.host }
}

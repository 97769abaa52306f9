/** Every way to a WebSocketServer of the test's own, behind one interface. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { connect as connectSocket, type AddressInfo, type NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Test } from 'tap'
import type { WebSocketServer } from '../../lib/server.ts'
import type { HandshakeParts } from './raw-client.ts'
import { CERT, KEY } from './raw-server.ts'
import { WireClient } from './wire-client.ts'

/** A new transport to the server. */
export type Dial = () => Promise<Duplex>

export interface ServerDoor {
  readonly name: string
  /** Lets the server be reached until the end of the test, which ends the server too. */
  open(t: Test, server: WebSocketServer): Promise<Dial>
}

const HERE = { port: 0, host: '127.0.0.1' }

export const SERVER_DOORS: readonly ServerDoor[] = [
  {
    name: 'listen, over TCP',
    async open(t, server) {
      t.teardown(() => server.close({ timeout: 0 }))
      const { port } = (await server.listen(HERE)) as AddressInfo
      return overSocket({ port, host: HERE.host })
    },
  },
  {
    name: 'listen, on a unix socket',
    async open(t, server) {
      const folder = await mkdtemp(join(tmpdir(), 'kore-ws-'))
      t.teardown(async () => {
        await server.close({ timeout: 0 })
        await rm(folder, { recursive: true })
      })
      const path = join(folder, 'socket')
      await server.listen({ path })
      return overSocket({ path })
    },
  },
  {
    name: 'attach, to node:http',
    async open(t, server) {
      const http = createHttpServer()
      server.attach(http)
      return overSocket(await listening(t, server, http))
    },
  },
  {
    name: 'attach, to node:https',
    async open(t, server) {
      const https = createHttpsServer({ key: KEY, cert: CERT })
      server.attach(https)
      const where = await listening(t, server, https)
      return async () => {
        const socket = connectTls({ ...where, ca: CERT, servername: 'localhost' })
        await once(socket, 'secureConnect')
        return socket
      }
    },
  },
  {
    name: 'upgrade, from a listener of the user',
    async open(t, server) {
      const http = createHttpServer()
      http.on('upgrade', (request, socket, head) => server.upgrade(request, socket, head))
      return overSocket(await listening(t, server, http))
    },
  },
]

/** A client with no handshake made, gone with the test. */
export async function stranger(t: Test, dial: Dial): Promise<WireClient> {
  const transport = await dial()
  t.teardown(() => transport.destroy())
  return new WireClient(transport)
}

/** A client with its handshake done, and `early` (hex, masked) in the same write as the request. */
export async function visitor(t: Test, dial: Dial, parts: HandshakeParts = {}, early = ''): Promise<WireClient> {
  const client = await stranger(t, dial)
  const { status, body } = await client.handshake(parts, early)
  if (status !== 101) throw new Error(`refused with ${status}: ${body}`)
  return client
}

function overSocket(where: NetConnectOpts): Dial {
  return async () => {
    const socket = connectSocket({ ...where, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
}

async function listening(t: Test, server: WebSocketServer, http: HttpServer | HttpsServer): Promise<{ port: number; host: string }> {
  http.listen(HERE)
  await once(http, 'listening')
  t.teardown(async () => {
    await server.close({ timeout: 0 })
    http.closeAllConnections()
    http.close()
  })
  return { port: (http.address() as AddressInfo).port, host: HERE.host }
}

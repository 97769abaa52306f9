/** A WebSocketServer on a port of its own, with what it does written down, and clients of it. */
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer } from '../../lib/server.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import type { Connection } from '../../lib/transport/connection.ts'
import type { Message } from '../../lib/transport/message.ts'
import { describeError, describeMessage } from './connected.ts'
import { Journal } from './journal.ts'
import type { HandshakeParts } from './raw-client.ts'
import { WireClient } from './wire-client.ts'

type Socket = Connection<unknown>

export interface Observed {
  readonly server: WebSocketServer
  /** `open`, `text a`, `binary 61`, `drain`, `close 1000 bye`, `error …`; `refused: …` for errors of no connection. */
  readonly journal: Journal
}

/** A server that writes down what happens to it, and ends with the test. */
export function observedServer(t: Test, options: ServerOptions<unknown> = {}): Observed {
  const journal = new Journal()
  const server = new WebSocketServer({
    ...options,
    open(socket: Socket) {
      journal.add('open')
      return options.open?.(socket)
    },
    message(socket: Socket, data: Message) {
      journal.add(describeMessage(data))
      return options.message?.(socket, data)
    },
    drain(socket: Socket) {
      journal.add('drain')
      return options.drain?.(socket)
    },
    close(socket: Socket, code: number, reason: string) {
      journal.add(`close ${code} ${reason}`.trimEnd())
      return options.close?.(socket, code, reason)
    },
    error(socket: Socket | null, error: unknown) {
      journal.add(`${socket === null ? 'refused' : 'error'}: ${describeError(error)}`)
      options.error?.(socket, error)
    },
  })
  t.teardown(() => server.close({ timeout: 0 }).catch(() => {}))
  return { server, journal }
}

export interface Running extends Observed {
  readonly port: number
  /** A client that is connected, and no more. */
  dial(): Promise<WireClient>
  /** A client with its handshake done. */
  client(parts?: HandshakeParts): Promise<WireClient>
}

/** The same, listening on a free port. */
export async function running(t: Test, options: ServerOptions<unknown> = {}): Promise<Running> {
  const observed = observedServer(t, options)
  const { port } = (await observed.server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  return { ...observed, port, ...clientsOf(t, port) }
}

/** Clients of a port of this machine, gone with the test. */
export function clientsOf(t: Test, port: number): Pick<Running, 'dial' | 'client'> {
  const dial = async (): Promise<WireClient> => {
    const client = await WireClient.to({ port, host: '127.0.0.1' })
    t.teardown(() => client.socket.destroy())
    return client
  }
  const client = async (parts?: HandshakeParts): Promise<WireClient> => {
    const dialled = await dial()
    const { status, body } = await dialled.handshake(parts)
    if (status !== 101) throw new Error(`refused with ${status}: ${body}`)
    return dialled
  }
  return { dial, client }
}

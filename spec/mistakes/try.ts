/** Runs mistakes as they are written, and tells what came of them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import * as exported from '../../lib/index.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { within } from '../helpers/journal.ts'
import type { Group } from './list.ts'

export interface Told {
  readonly line: string
  readonly code: string
  readonly message: string
}

/** What the lines of a group have to work with; gone with the test. */
export interface Things {
  readonly server: exported.WebSocketServer
  readonly socket: exported.Connection
  readonly client: exported.Connection
  readonly http: ReturnType<typeof createServer>
  readonly app: () => void
}

/** A server that is not open yet, and a connection of another. */
export async function things(t: Test): Promise<Things> {
  const other = new exported.WebSocketServer({ message() {} })
  const { port } = (await other.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  const client = await within(exported.connect(`ws://127.0.0.1:${port}`, { message() {} }), 'a connection')
  const [socket] = other.connections
  const http = createServer()
  const server = new exported.WebSocketServer({ message() {} })
  t.teardown(async () => {
    await other.close({ timeout: 0 })
    await server.close({ timeout: 0 })
    http.close()
  })
  return { server, socket, client, http, app() {} }
}

/** Runs a line of a group; what is not told as misuse is an error of the spec. */
export async function told(group: Group, line: string, given: Things): Promise<Told> {
  const error = await (group.program.includes('accept') ? answered(line) : thrown(group.program.replace('%', line), given))
  if (!(error instanceof MisuseError)) throw new Error(`${line} is not told as misuse, but ${String(error)}`, { cause: error })
  return { line, code: error.code, message: error.message }
}

async function thrown(program: string, given: Things): Promise<unknown> {
  try {
    await run(program, given)
  } catch (error) {
    return error
  }
  return 'not at all'
}

/** What the `error` callback gets of the answer to a handshake. */
async function answered(line: string): Promise<unknown> {
  const accept = (await run(`() => (${line})`, {})) as () => undefined
  const told: unknown[] = []
  const server = new exported.WebSocketServer({ accept, message() {}, error: (_, error) => void told.push(error) })
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  const refused = await within(exported.connect(`ws://127.0.0.1:${port}`).then(() => 'open', error => error), 'an answer')
  await server.close({ timeout: 0 })
  if (!(refused instanceof exported.HandshakeError) || refused.status !== 500) return refused
  return told[0]
}

/** The value of an expression that may name what `kore-ws` exports and what is given. */
async function run(expression: string, given: object): Promise<unknown> {
  const names = { ...exported, ...given }
  const body = `return (async () => (${expression}))()`
  return new Function(...Object.keys(names), body)(...Object.values(names)) as Promise<unknown>
}

/** Runs the cases with clients: a server with the paths of Autobahn's, so that drivers written for that one work. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Case } from './case.ts'
import { Opcode } from '../protocol/opcode.ts'
import { Peer } from './peer.ts'
import { progressOf, type Progress } from './progress.ts'
import { Results } from './results.ts'
import { runCase, wishesOf, type RanCase, type RunnableCase } from './run-case.ts'
import { probeClient } from './run-probe.ts'
import { selectCases, type Selection } from './select.ts'
import { WireLog } from './wire-log.ts'
import { HANDSHAKE_TIME } from './wire/client-handshake.ts'
import { HandshakeFailure, readHead } from './wire/http.ts'
import { acceptRequest, readRequest, refuseRequest, type Request } from './wire/server-handshake.ts'

export interface ServeOptions extends Selection {
  /** Default 9001, as Autobahn's examples have it; 0: any free one. */
  readonly port?: number | undefined
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  /** For wss: what `tls.createServer` takes, such as `key` and `cert`. */
  readonly tls?: TlsOptions | undefined
  /** 50 messages in each of the compressed cases in place of 1,000. */
  readonly quick?: boolean | undefined
  /** After every case; `total` is how many one client runs, and `done` how many this one has. */
  readonly progress?: ((progress: Progress) => void) | undefined
  /** A client asks for the reports to be written. */
  readonly updateReports?: (() => void) | undefined
}

export interface CaseServer {
  /** Where clients find `/getCaseCount`, `/runCase` and so on. */
  readonly url: string
  readonly port: number
  readonly results: Results
  /** Resolves when a client has asked for the end: `/updateReports?agent=…&shutdownOnComplete=true`. */
  readonly done: Promise<void>
  /** Drops all connections. */
  close(): Promise<void>
}

/** @throws MisuseError for a wrong option; rejects with the system's error where it can't listen */
export async function serveCases(options: ServeOptions = {}): Promise<CaseServer> {
  const { host = '127.0.0.1', port = 9001, tls } = options
  const service = new CaseService(options)
  const accept = (socket: Socket): void => void service.accept(socket)
  const server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `${tls === undefined ? 'ws' : 'wss'}://${name}:${address.port}`,
    port: address.port,
    results: service.results,
    done: service.done,
    close: () => service.close(server),
  }
}

class CaseService {
  readonly results = new Results()
  readonly done: Promise<void>
  readonly #options: ServeOptions
  readonly #cases: readonly Case[]
  readonly #sockets = new Set<Socket>()
  readonly #started = performance.now()
  #resolve: () => void = () => {}

  constructor(options: ServeOptions) {
    this.#options = options
    this.#cases = selectCases(options, 'client')
    this.done = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  async accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    // What goes wrong is found out by whoever reads.
    socket.on('error', () => {})
    socket.setNoDelay(true)
    try {
      const request = readRequest(await readHead(socket, HANDSHAKE_TIME))
      if (typeof request === 'string') refuseRequest(socket, '400 Bad Request', request)
      else await this.#route(socket, request)
    } catch (error) {
      // Nobody waits for this: thrown on, it would end the process, and the runs of all other clients.
      if (!(error instanceof HandshakeFailure)) process.emitWarning(`A connection failed: ${String(error)}`)
      socket.destroy()
    }
  }

  async close(server: Server): Promise<void> {
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #route(socket: Socket, request: Request): Promise<void> {
    const { pathname, searchParams } = request.url
    const agent = searchParams.get('agent') ?? ''
    const testCase = this.#caseOf(searchParams)
    const needs = {
      '/getCaseCount': [true, true],
      '/updateReports': [true, agent],
      '/getCaseInfo': [testCase, true],
      '/getCaseStatus': [testCase, agent],
      '/runCase': [testCase, agent],
    }
    if (!Object.hasOwn(needs, pathname)) {
      refuseRequest(socket, '404 Not Found', `There is no ${pathname}; there are ${Object.keys(needs).join(', ')}.`)
    } else if (needs[pathname as keyof typeof needs].some(need => !need)) {
      refuseRequest(
        socket,
        '400 Bad Request',
        `${pathname} needs a case from 1 to ${this.#cases.length}, an agent, or both: ?case=1&agent=NAME.`
      )
    } else if (pathname === '/runCase' && testCase !== undefined) {
      await this.#run(socket, request, testCase, agent)
    } else {
      await this.#answer(socket, request, testCase, agent)
    }
  }

  /** By its place among the selected cases (`case=1`), or by its number (`casetuple=6.4.1`). */
  #caseOf(parameters: URLSearchParams): Case | undefined {
    const number = parameters.get('casetuple')
    if (number !== null) return this.#cases.find(({ id }) => id === number)
    return this.#cases[Number(parameters.get('case')) - 1]
  }

  async #run(socket: Socket, request: Request, testCase: Case, agent: string): Promise<void> {
    const { result } =
      testCase.kind === 'probe'
        ? await probeClient(socket, request, testCase, agent)
        : await this.#runCase(socket, request, testCase, agent)
    this.results.add(result)
    const done = this.results.list(agent)
    const failed = this.results.failed.filter(one => one.agent === agent).length
    this.#options.progress?.(progressOf(result, done.length, this.#cases.length, failed, this.#started))
  }

  async #runCase(socket: Socket, request: Request, testCase: RunnableCase, agent: string): Promise<RanCase> {
    const { agreement, response } = acceptRequest(socket, request, wishesOf(testCase))
    const quick = this.#options.quick === true && testCase.kind === 'compressed'
    const { rest, text } = request.head
    return await runCase({
      testCase,
      agent,
      isServer: true,
      quick,
      socket,
      agreement,
      rest,
      request: text,
      response,
    })
  }

  /** One message, and then a close frame without a code. */
  async #answer(socket: Socket, request: Request, testCase: Case | undefined, agent: string): Promise<void> {
    const { pathname, searchParams } = request.url
    acceptRequest(socket, request, [])
    const peer = new Peer(socket, { isServer: true, compressed: false, log: new WireLog() })
    peer.start({ message() {}, pong() {} }, request.head.rest)
    const answer = (value?: unknown): void => {
      if (value !== undefined) peer.sendMessage(Opcode.text, 0, Buffer.from(JSON.stringify(value)), 0)
      peer.close(Buffer.alloc(0))
    }
    let forget = (): void => {}
    if (pathname === '/getCaseCount') answer(this.#cases.length)
    else if (pathname === '/getCaseInfo') answer({ id: testCase?.id, description: testCase?.sends })
    else if (pathname === '/getCaseStatus')
      forget = this.results.whenDone(agent, testCase?.id ?? '', ({ behavior }) => answer({ behavior }))
    else this.#update(answer)
    await peer.over
    forget()
    if (searchParams.get('shutdownOnComplete') === 'true') this.#resolve()
  }

  #update(answer: () => void): void {
    this.#options.updateReports?.()
    answer()
  }
}

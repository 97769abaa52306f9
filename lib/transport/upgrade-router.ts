/** One `upgrade` listener for each HTTP server, for all WebSocket servers attached to it: which path is whose. */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Diagnostics } from '../diagnostics.ts'
import { resolveLimits } from '../limits.ts'
import { REFUSALS } from '../handshake/refusal.ts'
import { asksForWebSocket, pathOf } from '../handshake/request.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { Admission } from './admission.ts'
import { afterAnswers, watchAnswers } from './http-answers.ts'
import { serveWithoutUpgrade } from './plain-requests.ts'

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Milliseconds for a client to take a refusal. */
const REFUSAL_TIME = 10_000

/** @throws MisuseError `invalid-option` for a path that no request can have */
export function checkPath(path: unknown): void {
  if (path === undefined || (typeof path === 'string' && PATH.test(path))) return
  const encoded = typeof path === 'string' && path.startsWith('/') ? encodedPath(path) : undefined
  throw new MisuseError(
    'invalid-option',
    encoded === undefined
      ? `path must be a string that begins with / and has no query, and not ${show(path)}`
      : `path must be as it stands in a URL, ${show(encoded)} and not ${show(path)}`
  )
}

/** RFC 3986, section 3.3: what a path may be made of. */
const PATH = /^\/(?:[\w\-.~!$&'()*+,;=:@/]|%[\da-f]{2})*$/i

/** The path as a client sends it; undefined for one with a query or a fragment, which no path has. */
function encodedPath(path: string): string | undefined {
  if (/[?#]/.test(path)) return undefined
  try {
    const encoded = encodeURI(path)
    return PATH.test(encoded) ? encoded : undefined
  } catch {
    return undefined
  }
}

/** Requests for a path that no server has: refused and published for none of them, and kept up to the default limit. */
const unrouted = new Admission(resolveLimits(), false, new Diagnostics())
const routers = new WeakMap<HttpServer | HttpsServer, UpgradeRouter>()

/**
 * The router of an HTTP server.
 *
 * @throws MisuseError `invalid-argument` for what is none
 */
export function routerOf(server: HttpServer | HttpsServer): UpgradeRouter {
  const { prependListener, listenerCount } = Object(server) as Partial<HttpServer>
  if (typeof prependListener !== 'function' || typeof listenerCount !== 'function') {
    throw new MisuseError('invalid-argument', `server must be an HTTP server, such as http.createServer() gives, and not ${show(server)}`)
  }
  const known = routers.get(server)
  if (known !== undefined) return known
  const router = new UpgradeRouter(server)
  routers.set(server, router)
  return router
}

export class UpgradeRouter {
  readonly #server: HttpServer | HttpsServer
  /** By path; undefined stands for every path that has no entry of its own. */
  readonly #listeners = new Map<string | undefined, UpgradeListener>()
  /** Paths that another listener may take. */
  readonly #offered = new Set<string | undefined>()
  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#route(request, socket, head)
  }

  constructor(server: HttpServer | HttpsServer) {
    this.#server = server
  }

  /**
   * @returns what takes the path back
   * @throws MisuseError `invalid-state` for a path that is taken
   */
  add(path: string | undefined, listener: UpgradeListener): () => void {
    if (this.#listeners.has(path) && !this.#offered.delete(path)) {
      throw new MisuseError('invalid-state', `${path === undefined ? 'a server for every path' : path} is attached already`)
    }
    watchAnswers(this.#server)
    // In front of others: what they write is theirs, and shows that the socket is.
    if (this.#listeners.size === 0) this.#server.prependListener('upgrade', this.#onUpgrade)
    this.#listeners.set(path, listener)
    return () => {
      if (this.#listeners.get(path) !== listener) return
      this.#listeners.delete(path)
      this.#offered.delete(path)
      if (this.#listeners.size === 0) this.#server.off('upgrade', this.#onUpgrade)
    }
  }

  /** Lets another listener have the path from now on; until one takes it, nothing changes. */
  offer(path: string | undefined): void {
    if (this.#listeners.has(path)) this.#offered.add(path)
  }

  #route(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const alone = this.#server.listenerCount('upgrade') === 1
    if (!asksForWebSocket(request)) {
      // Another protocol's upgrade is for those who listen for it.
      if (alone) afterAnswers(socket, () => serveWithoutUpgrade(this.#server, request, socket, head))
      return
    }
    const listener = this.#listeners.get(pathOf(request.url)) ?? this.#listeners.get(undefined)
    const take = (): void => {
      if (listener !== undefined) listener(request, socket, head)
      else if (alone) unrouted.refuse(socket, REFUSALS.path, REFUSAL_TIME)
    }
    if (alone) {
      afterAnswers(socket, take)
      return
    }
    // Another listener may be the one that is meant, by the subprotocol for instance. Its answer is out by then.
    const before = bytesOf(socket)
    setImmediate(() => {
      if (!isTaken(socket, before)) afterAnswers(socket, take)
    })
  }
}

/** Whether somebody has answered, or reads, since the socket had written so many bytes. */
function isTaken(socket: Duplex, before: number): boolean {
  if (socket.destroyed || !socket.writable || bytesOf(socket) !== before) return true
  return socket.listenerCount('data') + socket.listenerCount('readable') > 0
}

/** Bytes that were written to the socket, ever. */
function bytesOf(socket: Duplex): number {
  return socket instanceof Socket ? socket.bytesWritten : socket.writableLength
}

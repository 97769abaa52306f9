/** One `upgrade` listener for each HTTP server, for all WebSocket servers attached to it: which path is whose. */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Diagnostics } from '../diagnostics.ts'
import { resolveLimits } from '../limits.ts'
import { REFUSALS } from '../handshake/refusal.ts'
import { asksForWebSocket, pathOf } from '../handshake/request.ts'
import { describe, MisuseError, show } from '../protocol/misuse-error.ts'
import { Admission } from './admission.ts'
import { afterAnswers, watchAnswers } from './http-answers.ts'
import { serveWithoutUpgrade } from './plain-requests.ts'

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Milliseconds for a client to take a refusal. */
const REFUSAL_TIME = 10_000

/** @throws MisuseError `invalid-option` for a path that no request can have */
export function checkPath(path: unknown): void {
  if (path === undefined) return
  if (typeof path === 'string' && PATTERN.test(path)) {
    const instead = 'leave path out, and let accept look at request.path'
    throw new MisuseError('invalid-option', `path is compared as it stands, and ${show(path)} looks like a pattern: ${instead}`)
  }
  if (typeof path === 'string' && PATH.test(path)) return
  const encoded = typeof path === 'string' && path.startsWith('/') ? encodedPath(path) : undefined
  throw new MisuseError(
    'invalid-option',
    encoded === undefined
      ? `path must be a string that begins with / and has no query, and not ${show(path)}`
      : `path must be as it stands in a URL, ${show(encoded)} and not ${show(path)}`
  )
}

/** As routers have it: `/rooms/*`, `/rooms/:id`, `/rooms/(.*)`. Clients could send such a path, but none does. */
const PATTERN = /\/(?:\*+|:[a-z_]\w*[?*+]?|[^/]*\(\.\*\)[^/]*)(?:\/|$)/i

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
  const { prependListener, listenerCount, listen } = Object(server) as Partial<HttpServer>
  // A framework's application has some of these, and is a function or has the server as a property.
  const isServer = typeof server === 'object' && [prependListener, listenerCount, listen].every(each => typeof each === 'function')
  if (!isServer) throw noServer(server)
  const known = routers.get(server)
  if (known !== undefined) return known
  const router = new UpgradeRouter(server)
  routers.set(server, router)
  return router
}

function noServer(given: unknown): MisuseError {
  const sentence = 'server must be an HTTP server, such as http.createServer() gives'
  const { server } = Object(given) as { readonly server?: unknown }
  if (typeof given === 'number') return invalid(`${sentence}; a port is for listen, as in await server.listen({ port: ${given} })`)
  if (typeof given === 'function') return invalid(`${sentence}, and not a function: write attach(http.createServer(app))`)
  if (typeof server === 'object' && server !== null) return invalid(`${sentence}: here it is the property server`)
  return invalid(`${sentence}, and not ${show(given)}`)
}

/** @throws MisuseError `invalid-argument` for other arguments than those of an `upgrade` event */
export function checkUpgrade(request: unknown, socket: unknown, head: unknown): void {
  const { rawHeaders, httpVersionMajor } = Object(request) as Partial<IncomingMessage>
  if (!Array.isArray(rawHeaders) || typeof httpVersionMajor !== 'number') {
    throw invalid(`request must be the http.IncomingMessage of an upgrade event, and not ${describe(request)}`)
  }
  const { write, pipe, destroy } = Object(socket) as Partial<Duplex>
  if (![write, pipe, destroy].every(each => typeof each === 'function')) {
    throw invalid(`socket must be the second argument of an upgrade event, and not ${describe(socket)}`)
  }
  // Also that of another realm, as under Jest.
  if (!ArrayBuffer.isView(head)) throw invalid(`head must be the third argument of an upgrade event, a Buffer, and not ${describe(head)}`)
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-argument', sentence)
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

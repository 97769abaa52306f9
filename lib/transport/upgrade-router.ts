/** One `upgrade` listener for each HTTP server, for all WebSocket servers attached to it: which path is whose. */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { Diagnostics } from '../diagnostics.ts'
import { resolveLimits } from '../limits.ts'
import { REFUSALS } from '../handshake/refusal.ts'
import { asksForWebSocket, pathOf } from '../handshake/request.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { Admission } from './admission.ts'

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Milliseconds for a client to take a refusal. */
const REFUSAL_TIME = 10_000

/** @throws MisuseError `invalid-option` for a path that no request can have */
export function checkPath(path: unknown): void {
  if (path === undefined || (typeof path === 'string' && path.startsWith('/') && !path.includes('?'))) return
  throw new MisuseError(
    'invalid-option',
    `path must be a string that begins with / and has no query, and not ${show(path)}`
  )
}

/** Requests for a path that no server has: refused and published for none of them, and kept up to the default limit. */
const unrouted = new Admission(resolveLimits(), false, new Diagnostics())
const routers = new WeakMap<HttpServer | HttpsServer, UpgradeRouter>()

/** The router of an HTTP server. */
export function routerOf(server: HttpServer | HttpsServer): UpgradeRouter {
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
    if (this.#listeners.size === 0) this.#server.on('upgrade', this.#onUpgrade)
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
    // Another protocol's upgrade is for those who listen for it.
    if (!alone && !asksForWebSocket(request)) return
    const listener = this.#listeners.get(pathOf(request.url)) ?? this.#listeners.get(undefined)
    if (listener !== undefined) listener(request, socket, head)
    else if (alone) {
      unrouted.refuse(socket, REFUSALS.path, REFUSAL_TIME)
    }
  }
}

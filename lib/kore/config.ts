/** Kore's two settings for websockets (its configuration keywords), and what Kore has no keyword for. */
import { checkOriginPolicy, type OriginPolicy } from '../handshake/origin.ts'
import { resolveLimits, type Limits } from '../limits.ts'
import { checkAmount } from '../protocol/amount.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'

const MILLISECONDS = 1000

class Config {
  #maxframe = 16384
  #timeout = 120
  #lend = false
  #origins: OriginPolicy | undefined
  #limits: Limits | undefined

  /** Payload bytes of one message received, whole or in fragments; one more is answered with 1009. Default 16384. */
  get websocket_maxframe(): number {
    return this.#maxframe
  }

  set websocket_maxframe(bytes: number) {
    this.#maxframe = checkAmount('websocket_maxframe', bytes, 'bytes')
    this.#limits = undefined
  }

  /**
   * Seconds without a byte in or out after which a connection is closed; default 120, Infinity for never. It is taken
   * at the handshake; `idle_timer.length` changes it for one connection.
   */
  get websocket_timeout(): number {
    return this.#timeout
  }

  set websocket_timeout(seconds: number) {
    this.#timeout = checkAmount('websocket_timeout', seconds, 'seconds')
    this.#limits = undefined
  }

  /**
   * Whether onmessage gets the payload where it lies, as in Kore: good until the callback returns, or the promise that it
   * returns is awaited for the first time. Default false: bytes of its own. Not in Kore.
   */
  get websocket_lend(): boolean {
    return this.#lend
  }

  set websocket_lend(lend: boolean) {
    if (typeof lend !== 'boolean') throw new MisuseError('invalid-option', `websocket_lend must be true or false, and not ${show(lend)}`)
    this.#lend = lend
  }

  /** As the `origins` option of a WebSocketServer; by default pages of the host that they connect to. Not in Kore. */
  get websocket_origins(): OriginPolicy | undefined {
    return this.#origins
  }

  set websocket_origins(origins: OriginPolicy | undefined) {
    this.#origins = checkOriginPolicy(origins)
  }

  /** @internal The settings as limits of a connection. */
  get limits(): Limits {
    this.#limits ??= resolveLimits({ messageBytes: this.#maxframe, idleTime: inMilliseconds(this.#timeout) })
    return this.#limits
  }
}

/** What is too long to be counted is never. */
function inMilliseconds(seconds: number): number {
  const milliseconds = seconds * MILLISECONDS
  return Number.isSafeInteger(milliseconds) ? milliseconds : Infinity
}

/** The settings: assign to them before the handshakes that they are for. A wrong value throws a MisuseError. */
export const config = new Config()

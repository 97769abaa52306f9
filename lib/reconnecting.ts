/** A client that connects again and again: an async iterator of connections, with growing, random pauses. */
import { establish, handlersOf } from './client.ts'
import { checkConnectOptions, type ConnectOptions, type ConnectPlan } from './client-options.ts'
import { backoff, isFinal, retryAfter } from './handshake/client-retry.ts'
import { readTarget, type Target } from './handshake/client-target.ts'
import { checkAmount } from './protocol/amount.ts'
import { CloseCode } from './protocol/close-code.ts'
import { MisuseError } from './protocol/misuse-error.ts'
import type { ConnectionHandlers } from './transport/connection-setup.ts'
import type { Connection } from './transport/connection.ts'
import { whenAborted } from './transport/abort-listeners.ts'
import { ProcessHold } from './transport/process-hold.ts'
import { reportError } from './transport/report.ts'

export interface ReconnectingOptions extends Omit<ConnectOptions, 'error'> {
  /** Milliseconds: the pause after a failure is a random part of it, of twice as much after the next. Default 1000. */
  readonly minDelay?: number | undefined
  /** Milliseconds that the pause is a random part of at most. Default 30,000. */
  readonly maxDelay?: number | undefined
  /** Milliseconds that a connection has to last for the pauses to begin at `minDelay` again. Default 5000. */
  readonly stableTime?: number | undefined
  /** As for `connect`; `socket` is null for an attempt that failed and will be repeated. */
  readonly error?: ((socket: Connection | null, error: unknown) => void) | undefined
}

/** @internal Time and chance, for tests to take the place of. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** From 0 to below 1. */
  random(): number
  /** Rejects as soon as the signal aborts. @param hold of the timer */
  wait(milliseconds: number, signal: AbortSignal, hold: ProcessHold): Promise<unknown>
}

interface Timing {
  readonly minDelay: number
  readonly maxDelay: number
  readonly stableTime: number
}

/** A timer of Node's takes no more. */
const LONGEST_WAIT = 2 ** 31 - 1

const DEFAULTS: Timing = { minDelay: 1000, maxDelay: 30_000, stableTime: 5000 }

const CLOCK: Clock = {
  now: Date.now,
  random: Math.random,
  wait: (milliseconds, signal, hold) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        forget()
        resolve()
      }, milliseconds)
      const forget = whenAborted(signal, () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
      hold.carry(timer)
    }),
}

/**
 * Connections, one after the other: the next is made when the last is over and the loop asks for it.
 *
 * The first attempt is made at once. Later ones wait for a random part of a pause that doubles with each failure, from
 * `minDelay` up to `maxDelay`, and longer where a 429 or 503 says so in Retry-After. A connection lives at most as long
 * as the loop: leaving it closes the one at hand with 1000, an abort with 1001.
 *
 * The loop throws, and ends, with the signal's reason where that aborts, and with the error of an attempt that would
 * fail again and again: a MisuseError, a certificate that is not valid, a redirect that is not followed, and the
 * statuses 301, 308, 400, 401, 403, 404, 405, 407, 410, 426, 501 and 505.
 *
 * @throws MisuseError as `connect` rejects with
 */
export function reconnecting(url: string | URL, options: ReconnectingOptions = {}): Reconnections {
  return reconnectingBy(CLOCK, url, options)
}

/** @internal */
export function reconnectingBy(
  clock: Clock,
  url: string | URL,
  options: ReconnectingOptions
): Reconnections {
  const target = readTarget(url)
  // What is no object is for the check of the other options to complain about.
  const { minDelay, maxDelay, stableTime, ...others } = Object(options) as ReconnectingOptions
  const plan = checkConnectOptions(typeof options === 'object' && options !== null ? others : options)
  const timing = checkTiming({ minDelay, maxDelay, stableTime })
  return new Reconnecting(clock, timing, target, plan, options.error)
}

function checkTiming(given: Partial<Record<keyof Timing, number | undefined>>): Timing {
  const check = (name: keyof Timing): number => checkAmount(name, given[name] ?? DEFAULTS[name], 'milliseconds')
  const timing = { minDelay: check('minDelay'), maxDelay: check('maxDelay'), stableTime: check('stableTime') }
  if (timing.minDelay <= timing.maxDelay) return timing
  throw new MisuseError('invalid-option', `minDelay must be at most maxDelay, which is ${timing.maxDelay}`)
}

/** Connections, one after the other. */
export interface Reconnections extends AsyncIterableIterator<Connection> {
  [Symbol.asyncIterator](): this
  /** The connection at hand, an attempt or the pause before one keeps the process alive again, as at first. */
  ref(): this
  /** They no longer do. As Node's sockets and timers. */
  unref(): this
}

class Reconnecting implements Reconnections {
  readonly #clock: Clock
  readonly #timing: Timing
  readonly #target: Target
  readonly #plan: ConnectPlan
  readonly #onFailure: ((socket: null, error: unknown) => void) | undefined
  readonly #stop = new AbortController()
  #forgetSignal: (() => void) | undefined
  readonly #hold = new ProcessHold()
  #begun = false
  /** Attempts and short connections since the last that was stable. */
  #failures = 0
  #pause = 0
  #current: Connection | undefined
  #openedAt = 0
  #onOver = (): void => {}
  #last: Promise<unknown> = Promise.resolve()
  /** Whether the loop was left: what is under way ends without an error. */
  #left = false

  constructor(clock: Clock, timing: Timing, target: Target, plan: ConnectPlan, error: ReconnectingOptions['error']) {
    this.#clock = clock
    this.#timing = timing
    this.#target = target
    this.#plan = plan
    this.#onFailure = error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  ref(): this {
    this.#hold.ref()
    return this
  }

  unref(): this {
    this.#hold.unref()
    return this
  }

  next(): Promise<IteratorResult<Connection, undefined>> {
    if (!this.#begun) this.#begin()
    const next = this.#last.then(() => this.#advance())
    this.#last = next.catch(() => {})
    return next
  }

  /** The loop was left: the connection at hand is closed with 1000. */
  async return(): Promise<IteratorResult<Connection, undefined>> {
    this.#left = true
    this.#end(undefined, CloseCode.normal)
    return { done: true, value: undefined }
  }

  /** From the first call on, the caller's signal is listened to, until the loop ends. */
  #begin(): void {
    this.#begun = true
    const { signal } = this.#plan
    this.#forgetSignal = signal && whenAborted(signal, () => this.#end(signal.reason, CloseCode.goingAway))
  }

  async #advance(): Promise<IteratorResult<Connection, undefined>> {
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        await this.#over()
        if (this.#pause > 0) await this.#clock.wait(Math.min(this.#pause, LONGEST_WAIT), signal, this.#hold)
        const connection = await this.#connect()
        if (connection !== undefined) return { done: false, value: connection }
      }
    } catch (error) {
      this.#end(error, CloseCode.normal)
    }
    if (this.#left) return { done: true, value: undefined }
    // Thrown once; the iterator has ended then.
    this.#left = true
    throw signal.reason
  }

  /** Waits for the end of the connection at hand, if there is one. */
  #over(): Promise<void> {
    if (this.#current === undefined) return Promise.resolve()
    return new Promise(resolve => (this.#onOver = resolve))
  }

  /** An attempt; undefined where it failed and another may do better. */
  async #connect(): Promise<Connection | undefined> {
    const { signal } = this.#stop
    try {
      const { connection } = await establish(this.#target, { ...this.#plan, signal }, this.#handlers(), this.#hold)
      if (signal.aborted) {
        // The loop ended between the answer and here, and would know of none that it has to close.
        connection.close(this.#left ? CloseCode.normal : CloseCode.goingAway)
        throw signal.reason
      }
      this.#openedAt = this.#clock.now()
      if (connection.closeInfo === undefined) this.#current = connection
      else this.#ended()
      return connection
    } catch (error) {
      if (signal.aborted || isFinal(error)) throw error
      this.#failed(retryAfter(error, this.#clock.now()))
      const onFailure = this.#onFailure
      if (onFailure !== undefined) reportError(error, error => onFailure(null, error))
      return undefined
    }
  }

  #handlers(): ConnectionHandlers<Connection> {
    const handlers = handlersOf(this.#plan)
    return {
      ...handlers,
      close: (connection, code, reason) => {
        // One that ends before it is known here is dealt with when it becomes known.
        if (connection === this.#current) this.#ended()
        return handlers.close?.(connection, code, reason)
      },
    }
  }

  /** The connection at hand is over. */
  #ended(): void {
    this.#current = undefined
    if (this.#clock.now() - this.#openedAt >= this.#timing.stableTime) this.#failures = 0
    this.#failed(0)
    this.#onOver()
  }

  /** @param atLeast milliseconds that the server asks for */
  #failed(atLeast: number): void {
    const { minDelay, maxDelay } = this.#timing
    // On top, for all those who were told the same must not come back at the same moment.
    this.#pause = atLeast + backoff(this.#failures, minDelay, maxDelay, this.#clock.random())
    this.#failures++
  }

  #end(reason: unknown, code: number): void {
    this.#forgetSignal?.()
    this.#stop.abort(reason)
    this.#current?.close(code)
    this.#onOver()
  }
}

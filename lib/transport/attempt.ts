/** One attempt to connect, of several steps: the caller's signal and the time for all of them, in one place. */
import { HandshakeError } from '../handshake/handshake-error.ts'
import { whenAborted } from './abort-listeners.ts'
import { Deadline } from './deadlines.ts'
import { ProcessHold } from './process-hold.ts'

/** Why an attempt is over before its time: what the promise rejects with, and whether it was the time. */
interface Ending {
  readonly reason: unknown
  readonly late: boolean
}

/** Steps follow one another, so there is one place for the step at hand, and no listeners to forget. */
export class Attempt {
  /** Its sockets. */
  readonly hold: ProcessHold
  readonly #deadline: Deadline
  readonly #forgetSignal: (() => void) | undefined
  #ending: Ending | undefined
  #onEnding: ((ending: Ending) => void) | undefined

  /** @param time milliseconds for the whole attempt; Infinity for no limit */
  constructor(signal: AbortSignal | undefined, time: number, hold = new ProcessHold()) {
    this.hold = hold
    this.#deadline = new Deadline({
      onDeadline: () => {
        const reason = new HandshakeError('handshake-timeout', `the handshake was not done within ${time} ms`)
        this.#stop({ reason, late: true })
      },
    })
    this.#deadline.set(time)
    this.#forgetSignal = signal && whenAborted(signal, () => this.#stop({ reason: signal.reason, late: false }))
  }

  /** The step at hand: `onEnding` is called at most once, at once if the attempt is over already. */
  watch(onEnding: (ending: Ending) => void): void {
    this.#onEnding = onEnding
    if (this.#ending !== undefined) this.#tell(this.#ending)
  }

  /** The step at hand is done. */
  unwatch(): void {
    this.#onEnding = undefined
  }

  /** The attempt is over: the signal is let go. */
  end(): void {
    this.#deadline.clear()
    this.#forgetSignal?.()
  }

  #stop(ending: Ending): void {
    this.#ending ??= ending
    this.#tell(this.#ending)
  }

  #tell(ending: Ending): void {
    const tell = this.#onEnding
    this.#onEnding = undefined
    tell?.(ending)
  }
}

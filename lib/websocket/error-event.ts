/** ErrorEvent (HTML Standard, section 8.1.4.6), which not every release of Node has of its own. */

/** Why a connection failed. */
export interface ErrorEventInit {
  /** A HandshakeError, the network's error with its `code`, a Violation, or a ConnectionClosedError. */
  readonly error: unknown
  /** The error's sentence. */
  readonly message: string
}

/** The one for releases that have none. */
class OwnErrorEvent extends Event implements ErrorEventInit {
  readonly #init: ErrorEventInit

  constructor(type: string, init: ErrorEventInit) {
    super(type)
    this.#init = init
  }

  get error(): unknown {
    return this.#init.error
  }

  get message(): string {
    return this.#init.message
  }

  get [Symbol.toStringTag](): string {
    return 'ErrorEvent'
  }
}

Object.defineProperty(OwnErrorEvent, 'name', { value: 'ErrorEvent' })

/** An `error` event. The class is looked up late: in Node a global is costly to touch for the first time. */
export function errorEvent(error: unknown): Event & ErrorEventInit {
  const Class = (Reflect.get(globalThis, 'ErrorEvent') as typeof OwnErrorEvent | undefined) ?? OwnErrorEvent
  return new Class('error', { error, message: sentenceOf(error) })
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Node's for a name with several addresses, none of which was reached, leaves the sentences to those of each.
  const parts = error instanceof AggregateError && error.message === '' ? error.errors : []
  return parts.length === 0 ? error.message : parts.map(sentenceOf).join('; ')
}

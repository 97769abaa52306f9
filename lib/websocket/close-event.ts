/** CloseEvent (WebSockets Standard, section 6), which Node has of its own from release 23 on. */

/** How a connection ended. */
export interface CloseEventInit {
  readonly wasClean: boolean
  readonly code: number
  readonly reason: string
}

/** The one for releases that have none. */
class OwnCloseEvent extends Event implements CloseEventInit {
  readonly #init: CloseEventInit

  constructor(type: string, init: CloseEventInit) {
    super(type)
    this.#init = init
  }

  get wasClean(): boolean {
    return this.#init.wasClean
  }

  get code(): number {
    return this.#init.code
  }

  get reason(): string {
    return this.#init.reason
  }

  get [Symbol.toStringTag](): string {
    return 'CloseEvent'
  }
}

Object.defineProperty(OwnCloseEvent, 'name', { value: 'CloseEvent' })

/** A `close` event. The class is looked up late: in Node the global is costly to touch for the first time. */
export function closeEvent(init: CloseEventInit): Event & CloseEventInit {
  const Class = (Reflect.get(globalThis, 'CloseEvent') as typeof OwnCloseEvent | undefined) ?? OwnCloseEvent
  return new Class('close', init)
}

/** Event handler IDL attributes such as `onopen` (HTML Standard, section 8.1.8.1). */

export type EventHandler<Target, Given> = ((this: Target, event: Given) => unknown) | null

interface Entry {
  handler: object
  readonly listener: (event: Event) => void
}

/** The handlers of one target, by type of event. */
export class EventHandlers {
  readonly #target: EventTarget
  readonly #entries = new Map<string, Entry>()

  constructor(target: EventTarget) {
    this.#target = target
  }

  get(type: string): object | null {
    return this.#entries.get(type)?.handler ?? null
  }

  /**
   * A handler takes its place among the listeners when it is first set and keeps it when it is replaced; null gives the
   * place up. What is no object is null; an object that can't be called stays, and is not called.
   */
  set(type: string, value: unknown): void {
    const handler = typeof value === 'function' || (typeof value === 'object' && value !== null) ? value : null
    const entry = this.#entries.get(type)
    if (handler === null) {
      if (entry !== undefined) this.#target.removeEventListener(type, entry.listener)
      this.#entries.delete(type)
    } else if (entry !== undefined) {
      entry.handler = handler
    } else {
      this.#add(type, handler)
    }
  }

  #add(type: string, handler: object): void {
    const entry: Entry = {
      handler,
      listener: event => {
        // Not the event's currentTarget: in Node 20 only the first listener sees it.
        if (typeof entry.handler === 'function') entry.handler.call(this.#target, event)
      },
    }
    this.#entries.set(type, entry)
    this.#target.addEventListener(type, entry.listener)
  }
}

/** Holds back the reading of connections while the bus that their messages may go to is congested. */
import type { Gate } from '../transport/connection-setup.ts'
import type { Bus } from './bus.ts'

export interface Held {
  passGate(): void
}

export class BusGate<Connection extends Held> implements Gate<Connection> {
  readonly #bus: Bus
  readonly #held = new Set<Connection>()
  #watching = false

  constructor(bus: Bus) {
    this.#bus = bus
  }

  get closed(): boolean {
    return this.#bus.congested === true
  }

  wait(connection: Connection): void {
    this.#held.add(connection)
    if (!this.#watching) void this.#open()
  }

  /** The connection is over. */
  leave(connection: Connection): void {
    this.#held.delete(connection)
  }

  async #open(): Promise<void> {
    this.#watching = true
    try {
      await this.#bus.drained?.()
    } catch {
      // A bus that can't say when is asked again by the next message of each.
    }
    this.#watching = false
    const held = [...this.#held]
    this.#held.clear()
    for (const connection of held) connection.passGate()
  }
}

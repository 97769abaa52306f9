/** A bus in memory: each end stands for a process, and hears what the others publish. */
import type { Bus } from '../../lib/broadcast/bus.ts'

interface Subscription {
  readonly end: Bus
  readonly channel: string
  readonly listener: (bytes: Buffer) => void
}

export class FakeBus {
  readonly #subscriptions = new Set<Subscription>()

  /** How many listen on it. */
  get listeners(): number {
    return this.#subscriptions.size
  }

  end(): Bus {
    const end: Bus = {
      publish: (channel, bytes) => {
        for (const each of this.#subscriptions) {
          if (each.end !== end && each.channel === channel) each.listener(Buffer.from(bytes))
        }
      },
      subscribe: (channel, listener) => {
        const subscription = { end, channel, listener }
        this.#subscriptions.add(subscription)
        return () => void this.#subscriptions.delete(subscription)
      },
    }
    return end
  }
}

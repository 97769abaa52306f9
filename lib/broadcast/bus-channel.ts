/** One channel of a bus, as servers use it: envelopes out, checked envelopes in, and a count of what is none. */
import { types } from 'node:util'
import { MisuseError } from '../protocol/misuse-error.ts'
import type { Bus } from './bus.ts'
import { openEnvelope, sealEnvelope, type Envelope, type EnvelopeFault } from './envelope.ts'

/** Channels that are in use in this process: two servers on one would get each other's broadcasts, in other processes only. */
const taken = new WeakMap<Bus, Set<string>>()
const warned = new Set<EnvelopeFault>()

export class BusChannel {
  readonly #bus: Bus
  readonly #name: string
  readonly #unsubscribe: () => void
  #malformed = 0

  /**
   * @param listener called with what others publish
   * @throws MisuseError `invalid-state` for a name that is taken on this bus
   */
  constructor(bus: Bus, name: string, listener: (envelope: Envelope) => void) {
    this.#bus = bus
    this.#name = name
    const names = taken.get(bus) ?? new Set()
    if (names.has(name)) {
      throw new MisuseError(
        'invalid-state',
        'two servers on one bus would get each other\'s broadcasts: give each its own name, such as name: "admin"'
      )
    }
    taken.set(bus, names.add(name))
    this.#unsubscribe = bus.subscribe(name, bytes => this.#receive(bytes, listener))
  }

  /** How many messages were dropped because they are no envelopes, or of another version. */
  get malformed(): number {
    return this.#malformed
  }

  publish(envelope: Envelope): void {
    this.#bus.publish(this.#name, sealEnvelope(envelope))
  }

  /** Leaves the channel. */
  close(): void {
    taken.get(this.#bus)?.delete(this.#name)
    this.#unsubscribe()
  }

  #receive(bytes: unknown, listener: (envelope: Envelope) => void): void {
    // A bus of somebody else's may hand over a plain view, or anything.
    const envelope = types.isUint8Array(bytes) ? openEnvelope(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) : 'malformed'
    if (typeof envelope !== 'string') {
      listener(envelope)
      return
    }
    this.#malformed++
    warnOf(envelope, this.#name)
  }
}

/** Each fault once in a process: a bus may say it a thousand times a second. */
function warnOf(fault: EnvelopeFault, channel: string): void {
  if (warned.has(fault)) return
  warned.add(fault)
  const sentence =
    fault === 'malformed'
      ? `what came on the bus channel ${JSON.stringify(channel)} is no broadcast of kore-ws: it was dropped`
      : `a broadcast on the bus channel ${JSON.stringify(channel)} is of another version of kore-ws: it was dropped`
  process.emitWarning(sentence, { code: fault === 'malformed' ? 'KORE_WS_MALFORMED' : 'KORE_WS_FOREIGN_VERSION' })
}

/** Messages from one to many: encoded once, the same bytes to every receiver, on this process and through the bus. */
import { MisuseError } from '../protocol/misuse-error.ts'
import { Opcode } from '../protocol/opcode.ts'
import type { Connection } from '../transport/connection.ts'
import type { PublishOptions, TopicHub } from '../transport/connection-setup.ts'
import { checkPayload, type Payload } from '../transport/payload.ts'
import { checkTopic } from '../transport/topic.ts'
import type { Bus } from './bus.ts'
import { BusChannel } from './bus-channel.ts'
import { BusGate } from './bus-gate.ts'
import type { Envelope } from './envelope.ts'
import { encodeShared, type SharedFrame } from './shared-frame.ts'
import { Topics } from './topics.ts'

export class Broadcaster<Data> implements TopicHub<Connection<Data>> {
  readonly #connections: ReadonlySet<Connection<Data>>
  readonly #topics = new Topics<Connection<Data>>()
  readonly #channel: BusChannel | undefined
  /** What the connections wait at while the bus is congested. */
  readonly gate: BusGate<Connection<Data>> | undefined

  /**
   * @param name what sets this server apart from others on the same bus
   * @throws MisuseError `invalid-state` for a name that another server of this process has on the bus
   */
  constructor(connections: ReadonlySet<Connection<Data>>, bus: Bus | undefined, name: string) {
    this.#connections = connections
    this.gate = bus && new BusGate(bus)
    this.#channel = bus && new BusChannel(bus, `server ${name}`, envelope => this.#receive(envelope))
  }

  /** How many messages of the bus were dropped because they are no broadcasts of this version. */
  get malformed(): number {
    return this.#channel?.malformed ?? 0
  }

  subscribe(connection: Connection<Data>, topic: string): number {
    return this.#topics.subscribe(connection, checkTopic(topic))
  }

  unsubscribe(connection: Connection<Data>, topic: string): number {
    return this.#topics.unsubscribe(connection, checkTopic(topic))
  }

  isSubscribed(connection: Connection<Data>, topic: string): boolean {
    return this.#topics.has(connection, checkTopic(topic))
  }

  /** How many take part in a topic. */
  subscriberCount(topic: string): number {
    return this.#topics.membersOf(checkTopic(topic))
  }

  topicBytes(connection: Connection<Data>): number {
    return this.#topics.bytes(connection)
  }

  /** The connection is over. */
  leave(connection: Connection<Data>): void {
    this.#topics.leave(connection)
    this.gate?.leave(connection)
  }

  /** To everybody who takes part in the topic but `except`; returns to how many of this process. */
  publish(topic: string, data: Payload, options: PublishOptions, except: Connection<Data> | undefined): number {
    return this.#send(checkTopic(topic), data, options, except)
  }

  /** To every connection but `except`; returns to how many of this process. */
  broadcast(data: Payload, options: PublishOptions, except: Connection<Data> | undefined): number {
    return this.#send(undefined, data, options, except)
  }

  /** Leaves the bus. */
  close(): void {
    this.#channel?.close()
  }

  #send(
    topic: string | undefined,
    data: Payload,
    options: PublishOptions,
    except: Connection<Data> | undefined
  ): number {
    const { scope } = options
    const payload = checkPayload(data)
    const binary = options.binary ?? typeof payload !== 'string'
    const opcode = binary ? Opcode.binary : Opcode.text
    if (scope === 'global' && this.#channel === undefined) {
      throw new MisuseError('invalid-state', "scope: 'global' needs a bus: give the server one, such as bus: clusterBus()")
    }
    const frame = encodeShared(opcode, payload)
    if (scope === 'global') this.#channel?.publish({ opcode, topic, compress: options.compress, payload: frame.payload })
    return deliver(this.#receivers(topic), frame, options.compress, except)
  }

  #receive({ opcode, topic, payload, compress }: Envelope): void {
    deliver(this.#receivers(topic), encodeShared(opcode, payload), compress, undefined)
  }

  #receivers(topic: string | undefined): Iterable<Connection<Data>> {
    return topic === undefined ? this.#connections : this.#topics.members(topic)
  }
}

/** One of those that get a message. */
interface SharedReceiver {
  sendShared(frame: SharedFrame, compress: boolean | undefined): boolean
  /** What nobody expects was thrown: the others get the message all the same. */
  broken(error: unknown): void
}

/** Appends the frame to every receiver's batch; it leaves at the end of the tick, with others of the same tick. */
export function deliver<Receiver extends SharedReceiver>(
  receivers: Iterable<Receiver>,
  frame: SharedFrame,
  compress: boolean | undefined,
  except: Receiver | undefined
): number {
  let count = 0
  for (const receiver of receivers) {
    if (receiver === except) continue
    try {
      if (receiver.sendShared(frame, compress)) count++
    } catch (error) {
      receiver.broken(error)
    }
  }
  return count
}

/** Messages from one to many: encoded once, the same bytes to every receiver, on this process and through the bus. */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { Opcode } from '../protocol/opcode.ts'
import type { Connection } from '../transport/connection.ts'
import type { PublishOptions, TopicHub } from '../transport/connection-setup.ts'
import { checkPayload, type Payload } from '../transport/payload.ts'
import type { Bus } from './bus.ts'
import { BusGate } from './bus-gate.ts'
import { encodeShared, sharedFrom, type SharedFrame } from './shared-frame.ts'
import { Topics } from './topics.ts'

/** In place of a topic's length: the message is for everybody. */
const EVERYBODY = 0xffff
/** In front of the topic stand its length, in two bytes, and what `compress` said, in one. */
const PREFIX = 3
/** What `compress` can be, by the byte that says so. */
const COMPRESS = [undefined, true, false] as const

export class Broadcaster<Data> implements TopicHub<Connection<Data>> {
  readonly #connections: ReadonlySet<Connection<Data>>
  readonly #topics = new Topics<Connection<Data>>()
  readonly #bus: Bus | undefined
  readonly #channel: string
  readonly #unsubscribe: (() => void) | undefined
  /** What the connections wait at while the bus is congested. */
  readonly gate: BusGate<Connection<Data>> | undefined

  /** @param channel what sets this server apart from others on the same bus */
  constructor(connections: ReadonlySet<Connection<Data>>, bus: Bus | undefined, channel: string) {
    this.#connections = connections
    this.#bus = bus
    this.#channel = channel
    this.gate = bus && new BusGate(bus)
    this.#unsubscribe = bus?.subscribe(channel, bytes => this.#receive(bytes))
  }

  subscribe(connection: Connection<Data>, topic: string): number {
    return this.#topics.subscribe(connection, checkTopic(topic))
  }

  unsubscribe(connection: Connection<Data>, topic: string): number {
    return this.#topics.unsubscribe(connection, checkTopic(topic))
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
    this.#unsubscribe?.()
  }

  #send(
    topic: string | undefined,
    data: Payload,
    options: PublishOptions,
    except: Connection<Data> | undefined
  ): number {
    const scope = checkScope(options.scope)
    const payload = checkPayload(data)
    const binary = options.binary ?? typeof payload !== 'string'
    const frame = encodeShared(binary ? Opcode.binary : Opcode.text, payload)
    if (scope === 'global') this.#bus?.publish(this.#channel, pack(topic, options.compress, frame))
    return deliver(this.#receivers(topic), frame, options.compress, except)
  }

  #receive(packed: Buffer): void {
    const length = packed.readUInt16BE(0)
    const topic = length === EVERYBODY ? undefined : packed.toString('utf8', PREFIX, PREFIX + length)
    const start = length === EVERYBODY ? PREFIX : PREFIX + length
    const frame = sharedFrom(packed, start)
    deliver(this.#receivers(topic), frame, COMPRESS[packed[PREFIX - 1]], undefined)
  }

  #receivers(topic: string | undefined): Iterable<Connection<Data>> {
    return topic === undefined ? this.#connections : this.#topics.members(topic)
  }
}

/** Appends the frame to every receiver's batch; it leaves at the end of the tick, with others of the same tick. */
export function deliver<Receiver extends { sendShared(frame: SharedFrame, compress: boolean | undefined): boolean }>(
  receivers: Iterable<Receiver>,
  frame: SharedFrame,
  compress: boolean | undefined,
  except: Receiver | undefined
): number {
  let count = 0
  for (const receiver of receivers) {
    if (receiver !== except && receiver.sendShared(frame, compress)) count++
  }
  return count
}

function pack(
  topic: string | undefined,
  compress: boolean | undefined,
  { plain: { bytes, start, end } }: SharedFrame
): Buffer {
  const prefix = Buffer.alloc(PREFIX)
  prefix[PREFIX - 1] = COMPRESS.indexOf(compress)
  const name = Buffer.from(topic ?? '', 'utf8')
  prefix.writeUInt16BE(topic === undefined ? EVERYBODY : name.length)
  return Buffer.concat([prefix, name, bytes.subarray(start, end)])
}

function checkTopic(topic: string): string {
  if (typeof topic === 'string' && topic.length < 256) return topic
  throw new MisuseError('invalid-argument', 'topic must be a string of at most 255 characters')
}

function checkScope(scope: PublishOptions['scope']): 'local' | 'global' {
  if (scope === undefined || scope === 'local' || scope === 'global') return scope ?? 'local'
  throw new MisuseError('invalid-argument', `scope must be 'local' or 'global', and not ${show(scope)}`)
}

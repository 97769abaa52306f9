/** An Endpoint whose calls and output are written down, and the ways to feed it. */
import type { Test } from 'tap'
import { Endpoint, type EndpointOptions, type EndpointSink } from '../../lib/protocol/endpoint.ts'
import type { Role } from '../../lib/protocol/frame-parser.ts'
import type { Compression } from '../../lib/protocol/message-codec.ts'
import { Opcode, type DataOpcode } from '../../lib/protocol/opcode.ts'
import { BufferedOutput } from '../../lib/protocol/output.ts'
import { VIOLATIONS, Violation, type ViolationName } from '../../lib/protocol/violation.ts'
import { bytes, closeFrame, hex, KEY, masked } from './frames.ts'

export const ROLES: readonly Role[] = ['server', 'client']

export const WAYS = ['whole', 'byte by byte'] as const
export type Way = (typeof WAYS)[number]

/** A sink that does nothing but what is given. */
export function sinkWith(calls: Partial<EndpointSink>): EndpointSink {
  const nothing = (): void => {}
  const [onMessage, onMessagePiece, onMessageEnd, onPing, onPong] = [nothing, nothing, nothing, nothing, nothing]
  const rest = { onClose: nothing, onBusy: nothing, onOutput: nothing }
  return { onMessage, onMessagePiece, onMessageEnd, onPing, onPong, ...rest, ...calls }
}

export class Observed implements EndpointSink {
  /**
   * `text a`, `binary 0102`, `ping 61`, `pong 61`, `close 1000 reason`, `close 1002 sentence [violation]`; while it is
   * streaming `piece text 61`, `end text`; with compression `busy`, `ready`, `output`.
   */
  readonly events: string[] = []
  /** Why it ended, where it failed. */
  cause: unknown
  readonly output = new BufferedOutput()
  readonly role: Role
  readonly endpoint: Endpoint
  /** Called inside each call of the sink, after the event is written down. */
  hook: (event: string) => void = () => {}

  constructor(role: Role, options: Omit<EndpointOptions, 'role'> = {}) {
    this.role = role
    this.endpoint = new Endpoint(this, this.output, { maskingKey: () => bytes(KEY).readInt32LE(), ...options, role })
  }

  onMessage(opcode: DataOpcode, data: Buffer, start: number, end: number, ascii: boolean): void {
    const payload = data.subarray(start, end)
    const text = opcode === Opcode.text
    if (text && ascii && payload.some(byte => byte > 0x7f)) throw new Error('said to be ASCII, and is not')
    this.#happened(text ? `text ${payload.toString()}` : `binary ${hex(payload)}`)
  }

  onMessagePiece(opcode: DataOpcode, data: Buffer, start: number, end: number): void {
    const piece = data.subarray(start, end)
    this.#happened(`piece ${opcode === Opcode.text ? 'text' : 'binary'} ${hex(piece)}`)
  }

  onMessageEnd(opcode: DataOpcode): void {
    this.#happened(`end ${opcode === Opcode.text ? 'text' : 'binary'}`)
  }

  onBusy(busy: boolean): void {
    this.#happened(busy ? 'busy' : 'ready')
  }

  onOutput(): void {
    this.#happened('output')
  }

  onPing(data: Buffer, start: number, end: number): void {
    this.#happened(`ping ${hex(data.subarray(start, end))}`)
  }

  onPong(data: Buffer, start: number, end: number): void {
    this.#happened(`pong ${hex(data.subarray(start, end))}`)
  }

  onClose(code: number, reason: string, cause: unknown): void {
    this.cause = cause
    this.#happened(closeEvent(code, reason, cause instanceof Violation ? cause.code : undefined))
  }

  #happened(event: string): void {
    this.events.push(event)
    this.hook(event)
  }

  /** Feeds frames that are given unmasked, masked as this role's peer has to. */
  feed(frames: readonly string[], way: Way = 'whole'): void {
    this.feedRaw(asSentTo(this.role, frames), way)
  }

  /** Feeds bytes as they are. What was lent is overwritten right after, so that nothing may hold on to it. */
  feedRaw(wire: string, way: Way = 'whole'): void {
    const all = bytes(wire)
    const step = way === 'whole' ? all.length : 1
    for (let at = 0; at < all.length; at += step) {
      const chunk = Buffer.from(all.subarray(at, at + step))
      this.endpoint.receive(chunk)
      chunk.fill(0xaa)
    }
  }

  /** What went out since the last call. */
  sent(): string {
    return hex(this.output.take())
  }
}

export interface Expected {
  readonly events: readonly string[]
  /** Unmasked frames; nothing unless given. */
  readonly sent?: readonly string[]
}

export interface WireOptions {
  readonly roles?: readonly Role[]
  readonly maxMessageBytes?: number
  readonly maxRetainedBytes?: number
  /** Made anew for each endpoint. */
  readonly compression?: (role: Role) => Compression
}

/** Feeds unmasked `frames`, whole and one byte at a time, to both roles (or those given), masked where they must be. */
export function bothWays(t: Test, frames: readonly string[], expected: Expected, options: WireOptions = {}): void {
  const { roles = ROLES, compression, ...limits } = options
  for (const role of roles) {
    for (const way of WAYS) {
      const observed = new Observed(role, { ...limits, compression: compression?.(role) })
      observed.feed(frames, way)
      const { events } = observed
      const sent = asSentBy(role, expected.sent ?? [])
      t.strictSame({ events, sent: observed.sent() }, { events: expected.events, sent }, `${role}, ${way}`)
    }
  }
}

/** What an endpoint does where its peer breaks a rule: a close frame with the code and the sentence, and it is over. */
export function failure(code: number, name: ViolationName, before: Expected = { events: [] }): Expected {
  const sentence = VIOLATIONS[name][1]
  return {
    events: [...before.events, closeEvent(code, sentence, name)],
    sent: [...(before.sent ?? []), closeFrame(code, sentence)],
  }
}

export function asSentBy(role: Role, frames: readonly string[]): string {
  return frames.map(frame => (role === 'client' ? masked(frame) : hex(bytes(frame)))).join('')
}

export function asSentTo(role: Role, frames: readonly string[]): string {
  return asSentBy(role === 'server' ? 'client' : 'server', frames)
}

/** Carries what two endpoints have written to one another until both are silent. */
export function exchange(one: Observed, other: Observed, way: Way = 'whole'): void {
  for (;;) {
    const there = one.sent()
    const back = other.sent()
    if (there === '' && back === '') return
    other.feedRaw(there, way)
    one.feedRaw(back, way)
  }
}

function closeEvent(code: number, reason: string, violation: ViolationName | undefined): string {
  return `close ${code} ${reason} ${violation === undefined ? '' : `[${violation}]`}`.trimEnd()
}

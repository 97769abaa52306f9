/** Runs a case of echoes: a message, and the next one when the last has come back as it was. */
import { CloseCode } from '../protocol/close-code.ts'
import { Opcode } from '../protocol/opcode.ts'
import { toBuffer, type DataOpcode, type EchoCase } from './case.ts'
import type { Behavior, Conduct, Outcome, RecordedEvent } from './conduct.ts'
import { closePayload, type Peer } from './peer.ts'

/** What is sent, and what must come back. */
export interface Messages {
  readonly count: number
  /** Seconds for all of them. */
  readonly limit: number
  send(index: number): void
  /** A sentence about what is wrong with the echo of message `index`; undefined where it is right. */
  check(index: number, opcode: DataOpcode, payload: Buffer, compressed: boolean): string | undefined
}

export class Echoes implements Conduct {
  readonly #messages: Messages
  readonly #peer: Peer
  readonly #received: RecordedEvent[] = []
  #done = 0
  #behavior: Behavior = 'FAILED'
  #result: string
  late = false

  constructor(messages: Messages, peer: Peer) {
    this.#messages = messages
    this.#peer = peer
    this.#result = 'The connection was over before all messages were back.'
  }

  start(): void {
    const { limit } = this.#messages
    this.#peer.after(limit, () => {
      this.late = true
      this.#end(
        'FAILED',
        `Only ${this.#done} of ${this.#messages.count} messages were back after ${limit} s.`,
        Buffer.alloc(0)
      )
    })
    this.#messages.send(0)
  }

  message(opcode: DataOpcode, payload: Buffer, compressed: boolean): void {
    const wrong =
      this.#done < this.#messages.count
        ? this.#messages.check(this.#done, opcode, payload, compressed)
        : 'there is one message too many'
    if (wrong !== undefined) {
      this.#received.push({ is: 'message', opcode, payload })
      this.#end('FAILED', `Message ${this.#done + 1}: ${wrong}.`)
      return
    }
    this.#done++
    if (this.#done < this.#messages.count) this.#messages.send(this.#done)
    else
      this.#end(
        'OK',
        this.#done === 1 ? 'The message came back in time.' : `All ${this.#done} messages came back in time.`
      )
  }

  /** A pong that nobody asked for says nothing. */
  pong(): void {}

  outcome(): Outcome {
    return { behavior: this.#behavior, result: this.#result, received: this.#received }
  }

  #end(behavior: Behavior, result: string, close = closePayload(CloseCode.normal)): void {
    this.#behavior = behavior
    this.#result = result
    this.#peer.close(close)
  }
}

/** The same message each time. */
export function plainMessages(echoCase: EchoCase, peer: Peer): Messages {
  const { opcode, count, limit, fragment, chop } = echoCase
  const payload = toBuffer(echoCase.payload)
  return {
    count,
    limit,
    send: () => {
      if (chop > 0) peer.sendFrame({ opcode, fin: true, rsv: 0 }, payload, chop)
      else peer.sendMessage(opcode, 0, payload, fragment)
    },
    check: (_, echoed, bytes) => checkEcho(opcode, payload, echoed, bytes),
  }
}

/** What is wrong with an echo, as a sentence's end. */
export function checkEcho(opcode: DataOpcode, payload: Buffer, echoed: DataOpcode, bytes: Buffer): string | undefined {
  if (echoed !== opcode)
    return echoed === Opcode.text ? 'it is text, and binary was sent' : 'it is binary, and text was sent'
  if (bytes.length !== payload.length) return `it has ${bytes.length} bytes, and ${payload.length} were sent`
  return bytes.equals(payload) ? undefined : 'its bytes are not those that were sent'
}

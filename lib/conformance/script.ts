/** Runs a scripted case: its steps in order, what the peer does written down, and compared with what was expected. */
import { CloseCode } from '../protocol/close-code.ts'
import { toBuffer, type Bytes, type CaseEvent, type DataOpcode, type ScriptedCase, type Step } from './case.ts'
import type { Behavior, Conduct, Outcome, RecordedEvent } from './conduct.ts'
import { closePayload, type Peer } from './peer.ts'

const VERDICTS = ['OK', 'NON-STRICT'] as const

export class Script implements Conduct {
  readonly #case: ScriptedCase
  readonly #peer: Peer
  readonly #received: RecordedEvent[] = []
  late = false

  constructor(scriptedCase: ScriptedCase, peer: Peer) {
    this.#case = scriptedCase
    this.#peer = peer
  }

  start(): void {
    this.#run(0)
  }

  message(opcode: DataOpcode, payload: Buffer): void {
    this.#record({ is: 'message', opcode, payload })
  }

  pong(payload: Buffer): void {
    this.#record({ is: 'pong', payload })
  }

  outcome(): Outcome {
    const { events, informational } = this.#case
    const behavior: Behavior = VERDICTS.find(verdict => matches(this.#received, events[verdict])) ?? 'FAILED'
    const result =
      behavior === 'FAILED' ? 'What came is not what was expected.' : `What came is what was expected for ${behavior}.`
    return { behavior: informational ? 'INFORMATIONAL' : behavior, result, received: this.#received }
  }

  /** Does the steps from `from` on, up to a wait. */
  #run(from: number): void {
    for (const [index, step] of this.#case.steps.entries()) {
      if (index < from) continue
      if (step.do === 'wait') {
        this.#peer.after(step.seconds, () => this.#goOn(step.tag, index + 1))
        return
      }
      this.#do(step)
    }
  }

  #goOn(tag: string | undefined, next: number): void {
    if (this.#peer.state !== 'open') return
    this.#peer.note('a second later')
    if (tag !== undefined) this.#received.push({ is: 'timeout', tag })
    this.#run(next)
  }

  #do(step: Exclude<Step, { do: 'wait' }>): void {
    const peer = this.#peer
    if (step.do === 'frame') peer.sendFrame(step.frame, toBuffer(step.frame.payload), step.frame.chop, step.frame.alone)
    else if (step.do === 'message') peer.sendMessage(step.opcode, 0, toBuffer(step.payload), step.fragment)
    else if (step.do === 'header') peer.sendHeader({ opcode: step.opcode, fin: step.fin, rsv: 0 }, step.length)
    else if (step.do === 'data') peer.sendData(toBuffer(step.payload))
    else if (step.do === 'close') peer.close(toBuffer(step.payload))
    else if (step.do === 'kill') peer.after(step.after, () => this.#kill(step.after))
    else peer.after(step.after, () => this.#giveUp(step.after))
  }

  #kill(seconds: number): void {
    this.late = true
    this.#peer.fail(CloseCode.goingAway, `The case was not over after ${seconds} s.`)
  }

  #giveUp(seconds: number): void {
    this.late = true
    this.#peer.note(`The case was not over after ${seconds} s.`)
    this.#peer.close(Buffer.alloc(0))
  }

  /** When what came is all that may come, the tester closes. */
  #record(event: RecordedEvent): void {
    this.#received.push(event)
    const { events, close, keepOpen } = this.#case
    const isDone = VERDICTS.every(verdict => events[verdict] === undefined || matches(this.#received, events[verdict]))
    if (isDone && close.closedByMe && !keepOpen) this.#peer.close(closePayload(close.codes[0]))
  }
}

function matches(received: readonly RecordedEvent[], expected: readonly CaseEvent[] | undefined): boolean {
  if (expected === undefined || received.length !== expected.length) return false
  return received.every((event, index) => isSame(event, expected[index]))
}

export function isSame(event: RecordedEvent, wanted: CaseEvent): boolean {
  if (event.is === 'timeout') return wanted.is === 'timeout' && wanted.tag === event.tag
  if (event.is === 'pong') return wanted.is === 'pong' && isPayload(event.payload, wanted.payload)
  return wanted.is === 'message' && wanted.opcode === event.opcode && isPayload(event.payload, wanted.payload)
}

function isPayload(payload: Buffer, wanted: Bytes): boolean {
  return payload.length === wanted.length && payload.equals(toBuffer(wanted))
}

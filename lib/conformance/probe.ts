/** Runs a case of the second set: bytes of any kind, and a verdict by what the peer made of them. */
import { constants, inflateRawSync } from 'node:zlib'
import { CloseCode } from '../protocol/close-code.ts'
import {
  toBuffer,
  type Allowed,
  type CaseEvent,
  type DataOpcode,
  type Ending,
  type ProbeCase,
  type ProbeStep,
} from './case.ts'
import type { Conduct, Outcome, RecordedEvent } from './conduct.ts'
import { closePayload, type Peer } from './peer.ts'
import { isSame } from './script.ts'
import { rawFrameBytes } from './wire/raw-frame.ts'
import { describeFrame } from './wire-log.ts'

const TAIL = Buffer.from('0000ffff', 'hex')
/** Bytes that an echo may inflate to. */
const MAX_INFLATED = 32 * 1024 * 1024
const MAX_WINDOW = 32_768
/** Seconds for a peer that has sent what it must not, and may be about to close. */
const GRACE = 0.5

/** What is known of a probe when it is over. */
export interface Observed {
  readonly ending: Ending
  /** A close code or a status. */
  readonly code: number | undefined
  /** Names in lower case: of a refusal, its headers. */
  readonly headers?: ReadonlyMap<string, string> | undefined
  readonly events: readonly RecordedEvent[]
}

export class Probe implements Conduct {
  readonly #case: ProbeCase
  readonly #peer: Peer
  readonly #isServer: boolean
  readonly #received: RecordedEvent[] = []
  /** The end of what the peer has sent compressed. */
  #window: Buffer = Buffer.alloc(0)
  #sent = false
  #waited = false
  late = false

  constructor(probeCase: ProbeCase, peer: Peer, isServer: boolean) {
    this.#case = probeCase
    this.#peer = peer
    this.#isServer = isServer
  }

  start(): void {
    this.#peer.after(this.#case.patience, () => this.#giveUp())
    this.#run(0)
  }

  message(opcode: DataOpcode, payload: Buffer, compressed: boolean): void {
    const plain = compressed ? this.#inflate(payload) : payload
    if (plain === undefined) this.#peer.fail(CloseCode.invalidPayload, 'The peer sent a message that does not inflate.')
    else this.#record({ is: 'message', opcode, payload: plain })
  }

  /** With or without context takeover: what a message does not refer to does no harm. */
  #inflate(payload: Buffer): Buffer | undefined {
    const dictionary = this.#window.length > 0 ? { dictionary: this.#window } : {}
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED, ...dictionary }
    try {
      const plain = inflateRawSync(Buffer.concat([payload, TAIL]), options)
      this.#window = Buffer.concat([this.#window, plain]).subarray(-MAX_WINDOW)
      return plain
    } catch (error) {
      // What is longer than that is no echo of anything that has to come back.
      return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? Buffer.alloc(0) : undefined
    }
  }

  pong(payload: Buffer): void {
    if (this.#case.lastPong && this.#received.at(-1)?.is === 'pong') this.#received.pop()
    this.#record({ is: 'pong', payload })
  }

  outcome(): Outcome {
    const { allowed } = this.#case
    const isRefused = allowed.every(({ ending }) => ending === 'refuses')
    if (isRefused)
      return { ...judge(this.#case, 'The handshake was taken, and has to be refused.'), received: this.#received }
    return judge(this.#case, this.#observed())
  }

  #observed(): Observed | string {
    const { record } = this.#peer
    if (record.failedByMe) return record.reason ?? 'The peer broke a rule.'
    if (record.closeTimedOut) return 'The peer did not answer the close frame.'
    // That a server drops TCP in time is for other cases to see to.
    const wasAnswered = record.wasClean || record.dropTimedOut
    const isAnswer = record.closedByMe && wasAnswered && [undefined, record.localCode].includes(record.remoteCode)
    const ending = this.#waited ? 'waits' : isAnswer ? 'answers' : 'closes'
    return { ending, code: record.remoteCode, events: this.#received }
  }

  #run(from: number): void {
    for (const [index, step] of this.#case.steps.entries()) {
      if (index < from) continue
      if (step.do === 'pause') {
        this.#peer.after(step.seconds, () => this.#run(index + 1))
        return
      }
      this.#do(step)
    }
    this.#sent = true
    this.#closeIfDone()
  }

  #do(step: Exclude<ProbeStep, { do: 'pause' }>): void {
    const { chop } = this.#case
    if (step.do === 'bytes') this.#peer.sendBytes(toBuffer(step.bytes), step.what, chop)
    else if (step.do === 'close') this.#peer.close(toBuffer(step.payload))
    else if (step.do === 'end') this.#peer.end()
    else if (step.do === 'reset') this.#peer.reset()
    else this.#send(step, chop)
  }

  #send({ frame, times }: Extract<ProbeStep, { do: 'send' }>, chop: number): void {
    const one = rawFrameBytes(frame, !this.#isServer)
    const bytes = times === 1 ? one : Buffer.alloc(one.length * times, one)
    const payload = toBuffer(frame.payload)
    const remarks = [
      frame.masked !== undefined && (frame.masked ? 'masked' : 'not masked'),
      frame.form !== undefined && `its length in ${frame.form} bytes more`,
      frame.claim !== undefined && `a length of ${frame.claim.toLocaleString('en-US')} is claimed`,
      times > 1 && `${times.toLocaleString('en-US')} times`,
      chop > 0 && `${chop} at a time`,
    ].filter(Boolean)
    const line = describeFrame(frame, payload.subarray(0, 32), payload.length)
    this.#peer.sendBytes(bytes, remarks.length > 0 ? `${line} (${remarks.join(', ')})` : line, chop)
  }

  #record(event: RecordedEvent): void {
    this.#received.push(event)
    this.#closeIfDone()
  }

  /** The tester closes when all has come that may come, or what may not. */
  #closeIfDone(): void {
    const allowed = this.#case.allowed.filter(({ ending }) => ending !== 'refuses')
    const isAnswered = allowed.some(({ ending, events }) => {
      if (ending !== 'answers') return false
      return events === undefined ? this.#received.length > 0 : matches(this.#received, events)
    })
    const isPossible = allowed.some(
      ({ events }) => events !== undefined && isPrefix(this.#received, events, this.#case)
    )
    // The peer may still close, where that is allowed whatever came before.
    const mayClose = allowed.some(({ events }) => events === undefined)
    if (this.#sent && isAnswered) this.#closeNow()
    else if (!isPossible && !mayClose) this.#closeNow()
    else if (!isPossible && this.#received.length > 0) this.#peer.after(GRACE, () => this.#closeNow())
  }

  #closeNow(): void {
    this.#peer.close(closePayload(CloseCode.normal))
  }

  #giveUp(): void {
    if (this.#peer.state !== 'open') return
    this.late = !this.#case.allowed.some(({ ending }) => ending === 'waits')
    this.#waited = true
    this.#peer.abandon(`Nothing more came within ${this.#case.patience} s.`)
  }
}

/** The verdict: that of the first thing allowed that fits. @param observed a sentence: what the peer did wrong */
export function judge(probeCase: ProbeCase, observed: Observed | string): Outcome {
  if (typeof observed === 'string') return { behavior: 'FAILED', result: observed, received: [] }
  const fit = probeCase.allowed.find(allowed => fits(allowed, observed))
  const what = `The peer ${describe(observed)}`
  const result = fit === undefined ? `${what}: that is not allowed.` : `${what}.`
  return { behavior: fit?.verdict ?? 'FAILED', result, received: observed.events }
}

function fits({ ending, codes, header, events }: Allowed, observed: Observed): boolean {
  const { code, headers } = observed
  return (
    ending === observed.ending &&
    (codes === undefined || code === undefined || codes.includes(code)) &&
    (header === undefined || headers?.has(header) === true) &&
    matches(observed.events, events)
  )
}

function describe({ ending, code, events }: Observed): string {
  const came =
    events.length === 0 ? '' : `, after ${events.length === 1 ? 'an echo or pong' : `${events.length} of them`}`
  const how = {
    refuses: code === undefined ? 'ended TCP in place of an answer' : `refused the handshake with ${code}`,
    closes: code === undefined ? 'dropped TCP' : `closed with ${code}`,
    answers: 'did all that was asked of it, and answered the close frame',
    waits: 'waited',
  }
  return ending === 'answers' ? how.answers : how[ending] + came
}

function matches(received: readonly RecordedEvent[], expected: readonly CaseEvent[] | undefined): boolean {
  if (expected === undefined) return true
  return received.length === expected.length && received.every((event, index) => isSame(event, expected[index]))
}

/** Whether what came may be the start of what is expected; the last pong may be one that another will take the place of. */
function isPrefix(
  received: readonly RecordedEvent[],
  expected: readonly CaseEvent[],
  { lastPong }: ProbeCase
): boolean {
  if (received.length > expected.length) return false
  const sure = lastPong && received.at(-1)?.is === 'pong' ? received.slice(0, -1) : received
  return sure.every((event, index) => isSame(event, expected[index]))
}

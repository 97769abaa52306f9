/** The words that the lists of cases are written in. */
import { Opcode } from '../../protocol/opcode.ts'
import type { Bytes, CaseEvent, DataOpcode, EchoCase, ExpectedClose, Frame, ScriptedCase, Step } from '../case.ts'

export const { continuation, text, binary, ping, pong } = Opcode

/** UTF-8. */
export function utf8(string: string): Bytes {
  return whole(Buffer.from(string))
}

export function hex(digits: string): Bytes {
  return whole(Buffer.from(digits, 'hex'))
}

/** A pattern repeated, and cut to `length`. */
export function repeated({ pattern }: Bytes, length: number): Bytes {
  return { pattern, length }
}

export const NOTHING = hex('')
export const STAR = utf8('*')
export const FE = hex('fe')
export const HELLO = utf8('Hello, world!')

/** A close frame's payload. */
export function closing(code: number, reason: Bytes = NOTHING): Bytes {
  const bytes = Buffer.alloc(2 + reason.length)
  bytes.writeUInt16BE(code)
  bytes.fill(reason.pattern, 2)
  return whole(bytes)
}

export function frame(opcode: number, payload: Bytes = NOTHING, more: Partial<Frame> = {}): Step {
  return { do: 'frame', frame: { opcode, payload, fin: true, rsv: 0, chop: 0, alone: false, ...more } }
}

/** A frame that is not the last one of its message. */
export function part(opcode: number, payload: Bytes, more: Partial<Frame> = {}): Step {
  return frame(opcode, payload, { fin: false, ...more })
}

export function message(opcode: DataOpcode, payload: Bytes, fragment = 0): Step {
  return { do: 'message', opcode, payload, fragment }
}

export function close(payload: Bytes): Step {
  return { do: 'close', payload }
}

export function wait(seconds: number, tag?: string): Step {
  return { do: 'wait', seconds, tag }
}

export function kill(after: number): Step {
  return { do: 'kill', after }
}

export function giveUp(after: number): Step {
  return { do: 'give-up', after }
}

export function messageOf(opcode: DataOpcode, payload: Bytes): CaseEvent {
  return { is: 'message', opcode, payload }
}

export function pongOf(payload: Bytes): CaseEvent {
  return { is: 'pong', payload }
}

export function timeoutOf(tag: string): CaseEvent {
  return { is: 'timeout', tag }
}

/** The tester closes with 1000, and the peer answers as it should. */
export const CLEAN: ExpectedClose = { closedByMe: true, codes: [1000], clean: true }
/** The peer fails the connection, with 1002 or without a code. */
export const PROTOCOL_ERROR: ExpectedClose = { closedByMe: false, codes: [1002], clean: false }
/** The peer fails the connection, with 1007 or without a code. */
export const INVALID_TEXT: ExpectedClose = { closedByMe: false, codes: [1007], clean: false }

type Script = Pick<ScriptedCase, 'id' | 'sends' | 'expects' | 'steps' | 'close'> & Partial<ScriptedCase>

/** A scripted case; what is left out is off. */
export function scripted(script: Script): ScriptedCase {
  return {
    kind: 'scripted',
    events: { OK: [] },
    informational: false,
    codeDecides: false,
    sideDecides: false,
    keepOpen: false,
    ...script,
  }
}

/** A message or a ping whose answer is all that is expected, before the tester closes. */
export function answered(id: string, sends: string, steps: readonly Step[], ...OK: CaseEvent[]): ScriptedCase {
  return scripted({ id, sends, expects: expectation(OK), steps, events: { OK }, close: CLEAN })
}

/** Something that breaks a rule; events that may come before the peer fails the connection. */
export function refused(id: string, sends: string, steps: readonly Step[], ...before: CaseEvent[]): ScriptedCase {
  const events = before.length === 0 ? { OK: before } : { OK: before, 'NON-STRICT': [] }
  const first =
    before.length === 0 ? 'No message or pong, and' : 'The echo of what was valid (or nothing: non-strict), and'
  const expects = `${first} the connection is failed at once: code 1002, or TCP is dropped.`
  return scripted({ id, sends, expects, steps, events, close: PROTOCOL_ERROR })
}

function expectation(events: readonly CaseEvent[]): string {
  const pongs = events.filter(event => event.is === 'pong').length
  const parts = [
    pongs > 0 ? (pongs === 1 ? 'a pong with the same payload' : `${pongs} pongs with the payloads in order`) : '',
    events.length > pongs ? 'the same message' : '',
  ]
  const answer = parts.filter(Boolean).join(', then ') || 'nothing'
  return `What comes back: ${answer}. Then the tester closes with 1000 and gets an answer.`
}

type Echo = Pick<EchoCase, 'id' | 'opcode' | 'payload' | 'limit'> & Partial<EchoCase>

/** A message that has to come back, or many, one after the other. */
export function echo({ id, opcode, payload, limit, count = 1, fragment = 0, chop = 0 }: Echo): EchoCase {
  const kind = opcode === text ? 'text' : 'binary'
  const what =
    count === 1
      ? `A ${kind} message of ${amount(payload.length)}`
      : `${amount(count, '')}${kind} messages of ${amount(payload.length)}, one after the other`
  const frames = fragment === 0 ? '' : `, in fragments of ${amount(fragment)}`
  const writes = chop === 0 ? '' : `, sent ${amount(chop)} at a time`
  return {
    kind: 'echo',
    id,
    sends: `${what}${frames}${writes}.`,
    expects: `${count === 1 ? 'It comes' : 'All come'} back as sent, within ${limit} seconds; then a clean close.`,
    close: CLEAN,
    opcode,
    payload,
    count,
    limit,
    fragment,
    chop,
  }
}

/** A number as people read it, with its unit: `65,536 bytes`. */
export function amount(value: number, unit = value === 1 ? 'byte' : 'bytes'): string {
  return `${value.toLocaleString('en-US')} ${unit}`
}

function whole(pattern: Buffer): Bytes {
  return { pattern, length: pattern.length }
}

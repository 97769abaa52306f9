/** The words that the second set is written in, and its numbers. */
import {
  toBuffer,
  type Allowed,
  type Bytes,
  type CaseEvent,
  type ExpectedClose,
  type ProbeCase,
  type ProbeStep,
  type RawFrame,
} from '../case.ts'
import {
  binary,
  CLEAN,
  closing,
  continuation,
  hex,
  messageOf,
  NOTHING,
  ping,
  pong,
  pongOf,
  repeated,
  text,
  utf8,
} from '../cases/build.ts'
import { Opcode } from '../../protocol/opcode.ts'
import { head, REQUEST } from '../wire/handshake-text.ts'

export { binary, closing, continuation, hex, messageOf, NOTHING, ping, pong, pongOf, repeated, text, utf8 }
export const closeFrame = Opcode.close

/** Seconds that a peer has to do something. */
const PATIENCE = 2

export const HELLO = utf8('Hello')
const AFTER = utf8('after')

export type Draft = Pick<ProbeCase, 'sends' | 'steps' | 'allowed'> & Partial<ProbeCase>

/** The cases of a group under their numbers. @param common what they share; a rule begins with its section */
export function probes(group: string, common: Partial<ProbeCase>, drafts: readonly Draft[]): ProbeCase[] {
  return drafts.map((draft, index) => {
    const { rule = '', ...more } = { ...common, ...draft }
    return {
      kind: 'probe',
      id: `${group}.${index + 1}`,
      tests: 'both',
      expects: rule,
      rule,
      close: closeOf(more.allowed),
      handshake: undefined,
      early: false,
      chop: 0,
      wishes: [],
      patience: PATIENCE,
      lastPong: false,
      ...more,
    }
  })
}

/** How the best of what is allowed ends, in Autobahn's words. */
function closeOf([{ ending, codes }]: readonly Allowed[]): ExpectedClose {
  return ending === 'answers' ? CLEAN : { closedByMe: false, codes: codes ?? [], clean: false }
}

export function send(opcode: number, payload: Bytes = NOTHING, more: Partial<RawFrame> = {}, times = 1): ProbeStep {
  const frame = {
    opcode,
    payload,
    fin: true,
    rsv: 0,
    masked: undefined,
    key: undefined,
    form: undefined,
    claim: undefined,
  }
  return { do: 'send', frame: { ...frame, ...more }, times }
}

/** A frame that is not the last one of its message. */
export function part(opcode: number, payload: Bytes, more: Partial<RawFrame> = {}, times = 1): ProbeStep {
  return send(opcode, payload, { fin: false, ...more }, times)
}

export function raw(bytes: Bytes, what: string): ProbeStep {
  return { do: 'bytes', bytes, what }
}

export function pause(seconds: number): ProbeStep {
  return { do: 'pause', seconds }
}

export const END: ProbeStep = { do: 'end' }
export const RESET: ProbeStep = { do: 'reset' }
export const CLOSE: ProbeStep = { do: 'close', payload: closing(1000) }

/** A good message, whose echo shows that the peer went on as if nothing had been. */
export const GOES_ON: ProbeStep = send(text, AFTER)
export const WENT_ON: CaseEvent = messageOf(text, AFTER)

export function echoed(payload: Bytes = HELLO, opcode: typeof text | typeof binary = text): CaseEvent {
  return messageOf(opcode, payload)
}

function allow(verdict: Allowed['verdict'], ending: Allowed['ending'], more: Partial<Allowed> = {}): Allowed {
  return { verdict, ending, codes: undefined, header: undefined, events: undefined, ...more }
}

/** The peer closes with one of the codes, or drops TCP, after these events. Other codes are another matter. */
export function closesOnly(codes: readonly number[], ...events: readonly CaseEvent[]): readonly Allowed[] {
  return [allow('OK', 'closes', { codes, events })]
}

/** The same; another code is not as section 7.1.7 recommends. */
export function closes(codes: readonly number[], ...events: readonly CaseEvent[]): readonly Allowed[] {
  return [...closesOnly(codes, ...events), allow('NON-STRICT', 'closes', { events })]
}

/** These events, and a clean close. */
export function answers(...events: readonly CaseEvent[]): readonly Allowed[] {
  return [allow('OK', 'answers', { events })]
}

/** The handshake is refused: with a status (any, where none is given), or without one, which is not as it should be. */
export function refuses(codes?: readonly number[], header?: string): readonly Allowed[] {
  return [allow('OK', 'refuses', { codes, header })]
}

/** Who closes may have sent anything before; otherwise these events. */
export function nonStrict(ending: Allowed['ending'], ...events: readonly CaseEvent[]): Allowed {
  return allow('NON-STRICT', ending, ending === 'closes' || ending === 'refuses' ? {} : { events })
}

/** Whatever came before; but who waits has done nothing. */
export function informational(...endings: readonly Allowed['ending'][]): readonly Allowed[] {
  return endings.map(ending => allow('INFORMATIONAL', ending, ending === 'waits' ? { events: [] } : {}))
}

/** Anything is well that ends the connection. */
export const ENDS: readonly Allowed[] = [allow('OK', 'closes')]

/** The good request with a line in place of the one that begins with `name`; without it, for an empty line. */
export function requestWith(name: string, ...lines: readonly string[]): string {
  return head(REQUEST.flatMap(line => (line.startsWith(name) ? lines : [line])))
}

/** The good request with more lines. */
export function requestAnd(...lines: readonly string[]): string {
  return head([...REQUEST, ...lines])
}

/** Several steps' frames under one name: bytes as they are. */
export function bytesOf(string: string): Bytes {
  return hex(Buffer.from(string, 'latin1').toString('hex'))
}

export function sizeOf(bytes: Bytes): number {
  return toBuffer(bytes).length
}

/** What a case is: bytes and waits to send, events to expect, and how the end is judged. Data only. */
import type { Opcode } from '../protocol/opcode.ts'
import type { CorpusName } from './corpus/index.ts'

/** Bytes: a pattern, repeated and cut to a length. */
export interface Bytes {
  readonly pattern: Buffer
  readonly length: number
}

/** One frame, with every freedom to be wrong. */
export interface Frame {
  readonly opcode: number
  readonly fin: boolean
  /** The reserved bits as a number from 0 to 7: 4 is RSV1, 2 is RSV2, 1 is RSV3. */
  readonly rsv: number
  readonly payload: Bytes
  /** Octets per write, each write in its own turn of the event loop; 0: the frame is written at once. */
  readonly chop: number
  /** Written in a turn of its own, behind what was written before. */
  readonly alone: boolean
}

/** One thing that the tester does. The steps are done in order, all at once up to the next wait. */
export type Step =
  | { readonly do: 'frame'; readonly frame: Frame }
  /** A message, cut into frames of `fragment` octets. */
  | { readonly do: 'message'; readonly opcode: DataOpcode; readonly payload: Bytes; readonly fragment: number }
  /** A frame's header that promises `length` octets; they follow in `data` steps, under one masking key. */
  | { readonly do: 'header'; readonly opcode: number; readonly fin: boolean; readonly length: number }
  | { readonly do: 'data'; readonly payload: Bytes }
  /** Starts the closing handshake with this payload, valid or not. */
  | { readonly do: 'close'; readonly payload: Bytes }
  /** What follows is done after this many seconds, if the connection is still open; a tag is recorded then. */
  | { readonly do: 'wait'; readonly seconds: number; readonly tag: string | undefined }
  /** After so many seconds the tester fails the connection: code 1001. Behind a wait, the time counts from there. */
  | { readonly do: 'kill'; readonly after: number }
  /** After so many seconds the tester closes the connection, without a code. */
  | { readonly do: 'give-up'; readonly after: number }

export type DataOpcode = typeof Opcode.text | typeof Opcode.binary

/** What the peer did, as the tester records it; and the tags of waits that passed. */
export type CaseEvent =
  | { readonly is: 'message'; readonly opcode: DataOpcode; readonly payload: Bytes }
  | { readonly is: 'pong'; readonly payload: Bytes }
  | { readonly is: 'timeout'; readonly tag: string }

/** How the connection has to end. */
export interface ExpectedClose {
  /** The tester, and not the peer, is the first to close. */
  readonly closedByMe: boolean
  /** The codes that the peer may answer with; none at all always passes. */
  readonly codes: readonly number[]
  /** The closing handshake has to be complete, and the server has to drop TCP in time. */
  readonly clean: boolean
}

interface Named {
  readonly id: string
  /** What the tester sends. */
  readonly sends: string
  /** What the peer has to do. */
  readonly expects: string
  readonly close: ExpectedClose
}

/** Steps, and the lists of events that they may lead to. */
export interface ScriptedCase extends Named {
  readonly kind: 'scripted'
  readonly steps: readonly Step[]
  readonly events: { readonly OK: readonly CaseEvent[]; readonly 'NON-STRICT'?: readonly CaseEvent[] }
  /** Whatever happens, the verdict is INFORMATIONAL: the RFC leaves it open. */
  readonly informational: boolean
  /** A wrong close code fails the case, not its close alone. */
  readonly codeDecides: boolean
  /** A close by the wrong side fails the case, not its close alone. */
  readonly sideDecides: boolean
  /** The tester does not close when all expected events are there. */
  readonly keepOpen: boolean
}

/** Messages that have to come back as they were sent, each before the next one is sent. */
export interface EchoCase extends Named {
  readonly kind: 'echo'
  readonly opcode: DataOpcode
  readonly payload: Bytes
  readonly count: number
  /** Seconds for all of them. */
  readonly limit: number
  /** Octets per frame; 0: one frame. */
  readonly fragment: number
  readonly chop: number
}

/** The same over permessage-deflate, with pieces of a corpus. */
export interface CompressedCase extends Named {
  readonly kind: 'compressed'
  readonly corpus: CorpusName
  /** Of a message: bytes, or code points where the corpus is text. */
  readonly length: number
  readonly count: number
  readonly limit: number
  readonly fragment: number
  /** What the tester asks for, the dearest first: offered as a client, demanded as a server. */
  readonly wishes: readonly DeflateWish[]
}

/** What the peer's compressor is asked to do without. */
export interface DeflateWish {
  readonly noContextTakeover: boolean
  /** 0: no wish. */
  readonly windowBits: number
}

/** Bytes of any kind, and one of several ways to take them: what Autobahn leaves out. */
export interface ProbeCase extends Named {
  readonly kind: 'probe'
  /** Whom it is about: in the tester's own role it is left out. */
  readonly tests: 'server' | 'client' | 'both'
  /** The section of the RFC, and its sentence in words of our own. */
  readonly rule: string
  /** The request, or the answer of the tester as a server, with `{names}` to fill in; undefined: a good one. */
  readonly handshake: string | undefined
  /** The steps are done with the handshake, in one write. */
  readonly early: boolean
  /** Octets per write, of all that is sent; 0: at once. */
  readonly chop: number
  readonly wishes: readonly DeflateWish[]
  readonly steps: readonly ProbeStep[]
  /** What the peer may do: the first one that fits is the verdict, and FAILED if none does. */
  readonly allowed: readonly Allowed[]
  /** Seconds to wait for it. */
  readonly patience: number
  /** Of pongs in a row only the last one counts (RFC 6455, section 5.5.3). */
  readonly lastPong: boolean
}

/** A frame whose mask, length and form of the length are as they must, unless they are given. */
export interface RawFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Bytes
  readonly masked: boolean | undefined
  readonly key: Bytes | undefined
  /** Octets behind the second one that tell the length. */
  readonly form: 0 | 2 | 8 | undefined
  /** The length that the header tells, whatever follows. */
  readonly claim: bigint | undefined
}

export type ProbeStep =
  | { readonly do: 'send'; readonly frame: RawFrame; readonly times: number }
  /** What is no frame; `what` it is, for the log. */
  | { readonly do: 'bytes'; readonly bytes: Bytes; readonly what: string }
  | { readonly do: 'close'; readonly payload: Bytes }
  | { readonly do: 'pause'; readonly seconds: number }
  /** The tester ends its side of TCP, or resets the connection. */
  | { readonly do: 'end' }
  | { readonly do: 'reset' }

/** What the peer made of a probe, as a whole. */
export type Ending =
  /** It refused the handshake, with a status. */
  | 'refuses'
  /** It was the first to close, by a close frame or by the end of TCP. */
  | 'closes'
  /** It did what the events say, and answered the tester's close frame. */
  | 'answers'
  /** It did nothing more. */
  | 'waits'

export interface Allowed {
  readonly verdict: 'OK' | 'NON-STRICT' | 'INFORMATIONAL'
  readonly ending: Ending
  /** Close codes, or statuses; none at all (TCP dropped) always fits. Undefined: any. */
  readonly codes: readonly number[] | undefined
  /** A header that a refusal has to have. */
  readonly header: string | undefined
  /** All that came before the end. Undefined: whatever came. */
  readonly events: readonly CaseEvent[] | undefined
}

export type Case = ScriptedCase | EchoCase | CompressedCase | ProbeCase

/** The bytes themselves: memory that nobody may write to. */
export function toBuffer({ pattern, length }: Bytes): Buffer {
  return pattern.length === length ? pattern : Buffer.alloc(length, pattern.length === 0 ? 0 : pattern)
}

/** Group 7: the closing handshake, and what a close frame may carry (RFC 6455, sections 5.5.1, 7.1 and 7.4). */
import { Opcode } from '../../protocol/opcode.ts'
import type { Bytes, Case, ScriptedCase } from '../case.ts'
import {
  CLEAN,
  close,
  closing,
  continuation,
  frame,
  hex,
  kill,
  message,
  messageOf,
  NOTHING,
  part,
  ping,
  repeated,
  scripted,
  STAR,
  text,
  utf8,
} from './build.ts'

const HELLO = utf8('Hello World!')
const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
const UNDEFINED_CODES = [5000, 65_535]

type Script = Partial<ScriptedCase> & Pick<ScriptedCase, 'id' | 'sends' | 'steps'>

/** The tester closes in the course of its steps, and the peer answers; nothing else may come. */
function closes(script: Script): Case {
  const expects = 'Nothing but an answer to the close frame (code 1000, or none); then TCP is dropped.'
  return scripted({ expects, close: CLEAN, codeDecides: true, keepOpen: true, ...script })
}

/** A close frame that breaks a rule: no clean close is asked for. */
function broken(id: string, sends: string, payload: Bytes, more: Partial<ScriptedCase> = {}): Case {
  const expects = 'A close frame with code 1002, or one without a code, or TCP is dropped.'
  const end = { closedByMe: true, codes: [1002], clean: false }
  return closes({ id, sends, expects, steps: [close(payload), kill(1)], close: end, ...more })
}

const HANDSHAKE: readonly Case[] = [
  closes({
    id: '7.1.1',
    sends: 'A text message; then a close frame.',
    expects: 'The message comes back, then an answer to the close frame (code 1000, or none).',
    steps: [frame(text, HELLO), kill(1)],
    events: { OK: [messageOf(text, HELLO)] },
    keepOpen: false,
  }),
  closes({ id: '7.1.2', sends: 'Two close frames.', steps: [close(closing(1000)), frame(Opcode.close), kill(1)] }),
  closes({ id: '7.1.3', sends: 'A close frame, then a ping.', steps: [close(closing(1000)), frame(ping), kill(1)] }),
  closes({
    id: '7.1.4',
    sends: 'A close frame, then a text message.',
    steps: [close(closing(1000)), frame(text, HELLO), kill(1)],
  }),
  closes({
    id: '7.1.5',
    sends: 'The first fragment of a text message, a close frame, then the last fragment.',
    steps: [part(text, utf8('fragment1')), close(closing(1000)), frame(continuation, utf8('fragment2')), kill(1)],
  }),
  closes({
    id: '7.1.6',
    sends: 'A text message of 262,144 bytes, a short one, a close frame and a ping, at once.',
    expects: 'Nothing in particular: how much is echoed before the close frame is seen is left open.',
    steps: [
      message(text, repeated(utf8('BAsd7&jh23'), 262_144)),
      frame(text, HELLO),
      close(closing(1000)),
      frame(ping),
      kill(1),
    ],
    events: { OK: [messageOf(text, HELLO)], 'NON-STRICT': [] },
    informational: true,
    codeDecides: false,
  }),
]

const LENGTHS: readonly Case[] = [
  closes({ id: '7.3.1', sends: 'A close frame without payload.', steps: [close(NOTHING), kill(1)] }),
  broken('7.3.2', 'A close frame with one byte: half a code.', utf8('a')),
  closes({ id: '7.3.3', sends: 'A close frame with a code.', steps: [close(closing(1000)), kill(1)] }),
  closes({
    id: '7.3.4',
    sends: 'A close frame with a code and a reason.',
    steps: [close(closing(1000, HELLO)), kill(1)],
  }),
  closes({
    id: '7.3.5',
    sends: 'A close frame with a code and a reason of 123 bytes, the most there is room for.',
    steps: [close(closing(1000, repeated(STAR, 123))), kill(1)],
  }),
  broken(
    '7.3.6',
    'A close frame with a code and a reason of 124 bytes: one byte too long.',
    closing(1000, repeated(STAR, 124))
  ),
  broken(
    '7.5.1',
    'A close frame with a reason that is no UTF-8.',
    closing(1000, hex('cebae1bdb9cf83cebcceb5eda080656469746564')),
    {
      expects: 'A close frame with code 1007 or 1002, or one without a code, or TCP is dropped.',
      close: { closedByMe: true, codes: [1002, 1007], clean: false },
    }
  ),
]

const CODES: readonly Case[] = [
  ...VALID_CODES.map((code, index) =>
    closes({
      id: `7.7.${index + 1}`,
      sends: `A close frame with the valid code ${code}.`,
      expects: `A close frame with code ${code} or 1000, or without a code; then TCP is dropped.`,
      steps: [close(closing(code)), kill(1)],
      close: { closedByMe: true, codes: [1000, code], clean: true },
      keepOpen: false,
    })
  ),
  ...INVALID_CODES.map((code, index) =>
    broken(`7.9.${index + 1}`, `A close frame with code ${code}, which must not travel.`, closing(code), {
      keepOpen: false,
    })
  ),
  ...UNDEFINED_CODES.map((code, index) =>
    closes({
      id: `7.13.${index + 1}`,
      sends: `A close frame with code ${code}, beyond the ranges that the RFC gives a meaning.`,
      expects: 'Nothing in particular: the RFC does not say.',
      steps: [close(closing(code)), kill(1)],
      close: { closedByMe: true, codes: [1000, code, 1002], clean: false },
      informational: true,
      codeDecides: false,
    })
  ),
]

export const CLOSE: readonly Case[] = [...HANDSHAKE, ...LENGTHS, ...CODES]

/** Group 24: how connections end: half-closed, reset, in the middle of things, with data after the close frame. */
import type { ProbeCase } from '../case.ts'
import {
  answers,
  binary,
  CLOSE,
  closeFrame,
  closesOnly,
  closing,
  continuation,
  END,
  ENDS,
  echoed,
  GOES_ON,
  HELLO,
  hex,
  informational,
  nonStrict,
  NOTHING,
  part,
  ping,
  probes,
  raw,
  RESET,
  send,
  text,
  utf8,
} from './build.ts'

const NEW_CODES = [1012, 1013, 1014]

export const ENDINGS: readonly ProbeCase[] = [
  ...probes(
    '24.1',
    { rule: 'RFC 6455, 1.4 and 5.5.1: whoever got a close frame answers it, and discards what comes behind it.' },
    [
      { sends: 'A close frame, then a text message.', steps: [CLOSE, GOES_ON], allowed: answers() },
      {
        sends: 'A close frame, then a ping, a binary message and another close frame with 1001.',
        steps: [CLOSE, send(ping, HELLO), send(binary, HELLO), send(closeFrame, closing(1001))],
        allowed: answers(),
      },
      {
        sends: 'A close frame, then bytes that are no frames.',
        steps: [CLOSE, raw(hex('ffffffffffffffff'), '8 bytes of ff')],
        allowed: [...answers(), nonStrict('closes')],
      },
      {
        sends: 'A close frame, then a text message of 5 bytes without the last 3 of them.',
        steps: [CLOSE, send(text, utf8('He'), { claim: 5n })],
        allowed: answers(),
      },
      {
        sends: 'The first fragment of a text, then a close frame.',
        steps: [part(text, HELLO), CLOSE],
        allowed: answers(),
      },
      {
        sends: 'Two fragments of a text that stops within a character, then a close frame.',
        steps: [part(text, HELLO), part(continuation, hex('ce')), CLOSE],
        allowed: answers(),
      },
    ]
  ),
  ...probes(
    '24.2',
    {
      rule: 'RFC 6455, 7.1.5, 7.2.1 and 7.2.3: a connection may be lost at any time; whoever notices ends it. How long it may take is left open: to wait is not strict.',
    },
    [
      { sends: 'Nothing; the tester ends its side of TCP.', steps: [END], allowed: [...ENDS, nonStrict('waits')] },
      {
        sends: 'A text message; the tester ends its side of TCP.',
        steps: [send(text, HELLO), END],
        allowed: [...ENDS, nonStrict('waits'), nonStrict('waits', echoed())],
      },
      {
        sends: 'The first byte of a frame, and the end of TCP.',
        steps: [raw(hex('81'), 'the first byte of a frame'), END],
        allowed: [...ENDS, nonStrict('waits')],
      },
      {
        sends: 'Half of a text message, and the end of TCP.',
        steps: [send(text, HELLO, { claim: 10n }), END],
        allowed: [...closesOnly([1001, 1002, 1006]), ...ENDS, nonStrict('waits')],
      },
      {
        sends: 'The first fragment of a text, and the end of TCP.',
        steps: [part(text, HELLO), END],
        allowed: [...closesOnly([1001, 1002]), ...ENDS, nonStrict('waits')],
      },
      {
        sends: 'A close frame, and the end of TCP at once.',
        steps: [CLOSE, END],
        allowed: [...answers(), nonStrict('closes')],
      },
      // Of what becomes of a reset only a server shows something: it has to serve others afterwards.
      ...[
        { sends: 'Nothing; the tester resets the connection.', steps: [RESET] },
        { sends: 'A text message, and a reset.', steps: [send(text, HELLO), RESET] },
        { sends: 'The first fragment of a text, and a reset.', steps: [part(text, HELLO), RESET] },
        { sends: 'Half of a text message, and a reset.', steps: [send(text, HELLO, { claim: 10n }), RESET] },
      ].map(draft => ({ ...draft, tests: 'server' as const, allowed: ENDS })),
    ]
  ),
  ...probes(
    '24.3',
    { rule: 'RFC 6455, 5.5.1 and 7.4: a close frame has nothing, or a code that may travel and a reason in UTF-8.' },
    [
      {
        sends: 'A close frame with 1015, which must not travel.',
        steps: [send(closeFrame, closing(1015)), GOES_ON],
        allowed: closesOnly([1002]),
      },
      {
        sends: 'A close frame whose reason stops within a character.',
        steps: [send(closeFrame, closing(1000, hex('ce'))), GOES_ON],
        allowed: closesOnly([1002, 1007]),
      },
      {
        sends: 'A close frame whose reason has a surrogate in UTF-8.',
        steps: [send(closeFrame, closing(1000, hex('eda080'))), GOES_ON],
        allowed: closesOnly([1002, 1007]),
      },
      {
        sends: 'A close frame with a reason of NUL, a line end and a byte order mark.',
        steps: [{ do: 'close', payload: closing(1000, hex('000d0aefbbbf')) }],
        allowed: answers(),
      },
      {
        sends: 'A close frame without a payload, behind a message.',
        steps: [send(text, HELLO), { do: 'close', payload: NOTHING }],
        allowed: answers(echoed()),
      },
      ...NEW_CODES.map(code => ({
        sends: `A close frame with ${code}, which was registered after the RFC.`,
        rule: `RFC 6455, 7.4.2: codes from 1000 to 2999 are for the protocol and its revisions; IANA lists ${code}. What is done about it is left open.`,
        steps: [{ do: 'close' as const, payload: closing(code) }],
        allowed: informational('answers', 'closes'),
      })),
    ]
  ),
]

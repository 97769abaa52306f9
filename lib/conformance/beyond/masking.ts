/** Group 20: masking (RFC 6455, sections 5.1 and 5.3). */
import type { ProbeCase, ProbeStep } from '../case.ts'
import {
  answers,
  binary,
  closeFrame,
  closes,
  closesOnly,
  closing,
  continuation,
  echoed,
  GOES_ON,
  HELLO,
  hex,
  NOTHING,
  part,
  ping,
  pong,
  pongOf,
  probes,
  send,
  text,
  utf8,
  WENT_ON,
} from './build.ts'

/** A frame of each kind that is masked where it must not be, or the other way round. */
function wrong(masked: boolean): Pick<ProbeCase, 'sends' | 'steps' | 'allowed'>[] {
  const how = masked ? 'masked' : 'not masked'
  const one = (name: string, step: ProbeStep, allowed = closes([1002])): ReturnType<typeof wrong>[number] => {
    return { sends: `A ${name} frame that is ${how}; then a good message.`, steps: [step, GOES_ON], allowed }
  }
  return [
    one('text', send(text, HELLO, { masked })),
    one('binary', send(binary, HELLO, { masked })),
    one('text', send(text, NOTHING, { masked })),
    one('ping', send(ping, HELLO, { masked })),
    one('pong', send(pong, HELLO, { masked })),
    one('close', send(closeFrame, closing(1000), { masked }), closesOnly([1002])),
    {
      sends: `The first fragment of a text as it must be, the last one ${how}; then a good message.`,
      steps: [part(text, HELLO), send(continuation, HELLO, { masked }), GOES_ON],
      allowed: closes([1002]),
    },
    {
      sends: `A good message, one that is ${how}, and a good one.`,
      steps: [send(text, HELLO), send(text, HELLO, { masked }), GOES_ON],
      allowed: closes([1002], echoed()),
    },
    {
      sends: `A text frame of 65,536 bytes that is ${how}; then a good message.`,
      steps: [send(text, { pattern: Buffer.from('*'), length: 65_536 }, { masked }), GOES_ON],
      allowed: closes([1002]),
    },
  ]
}

const NINE = Array.from({ length: 9 }, (_, length) => utf8('abcdefgh'.slice(0, length)))

const KEYS = probes(
  '20.3',
  {
    tests: 'server',
    rule: 'RFC 6455, 5.3: each frame has a masking key of its own, which may be any four bytes, and the masking begins anew with it.',
  },
  [
    {
      sends: 'A text message masked with a key of zeros.',
      steps: [send(text, HELLO, { key: hex('00000000') })],
      allowed: answers(echoed()),
    },
    {
      sends: 'A text message masked with a key of ff ff ff ff.',
      steps: [send(text, HELLO, { key: hex('ffffffff') })],
      allowed: answers(echoed()),
    },
    {
      sends: 'A message in three fragments of 5, 6 and 7 bytes under three keys, with a ping under a fourth one.',
      steps: [
        part(text, utf8('abcde'), { key: hex('01020304') }),
        part(continuation, utf8('fghijk'), { key: hex('f0e0d0c0') }),
        send(ping, HELLO, { key: hex('12345678') }),
        send(continuation, utf8('lmnopqr'), { key: hex('80402010') }),
      ],
      allowed: answers(pongOf(HELLO), echoed(utf8('abcdefghijklmnopqr'))),
    },
    {
      sends: 'Nine messages of 0 to 8 bytes under one key.',
      steps: NINE.map(payload => send(text, payload, { key: hex('a1b2c3d4') })),
      allowed: answers(...NINE.map(payload => echoed(payload))),
    },
    {
      sends:
        'A text message that is valid UTF-8 only before it is masked, in one write and with a key that looks like a frame.',
      steps: [send(text, utf8('κόσμε'), { key: hex('88828182') }), GOES_ON],
      allowed: answers(echoed(utf8('κόσμε')), WENT_ON),
    },
  ]
)

export const MASKING: readonly ProbeCase[] = [
  ...probes(
    '20.1',
    {
      tests: 'server',
      rule: 'RFC 6455, 5.1: a server has to close the connection when a frame comes that is not masked; it may tell 1002.',
    },
    wrong(false)
  ),
  ...probes(
    '20.2',
    {
      tests: 'client',
      rule: 'RFC 6455, 5.1: a client has to close the connection when a frame comes that is masked; it may tell 1002.',
    },
    wrong(true)
  ),
  ...KEYS,
]

/** Group 21: reserved bits where Autobahn does not look: in control frames and continuations (RFC 6455, section 5.2). */
import type { ProbeCase, ProbeStep } from '../case.ts'
import {
  closeFrame,
  closes,
  closesOnly,
  closing,
  continuation,
  GOES_ON,
  HELLO,
  part,
  ping,
  pong,
  probes,
  send,
  text,
} from './build.ts'

const BITS = { RSV1: 4, RSV2: 2, RSV3: 1 }
const RULE =
  'RFC 6455, 5.2: reserved bits are zero unless an extension gave them a meaning; where one is set, the connection has to be failed.'

function each(
  name: string,
  steps: (rsv: number) => ProbeStep[],
  allowed = closes([1002])
): Pick<ProbeCase, 'sends' | 'steps' | 'allowed'>[] {
  return Object.entries(BITS).map(([bit, rsv]) => {
    return { sends: `${name} with ${bit} set; then a good message.`, steps: [...steps(rsv), GOES_ON], allowed }
  })
}

export const CONTROL_BITS: readonly ProbeCase[] = [
  ...probes(
    '21.1',
    { rule: RULE },
    each('A ping', rsv => [send(ping, HELLO, { rsv })])
  ),
  ...probes(
    '21.2',
    { rule: RULE },
    each('A pong', rsv => [send(pong, HELLO, { rsv })])
  ),
  ...probes(
    '21.3',
    { rule: RULE },
    each('A close frame', rsv => [send(closeFrame, closing(1000), { rsv })], closesOnly([1002]))
  ),
  ...probes('21.4', { rule: RULE }, [
    ...each('A text in two fragments, the last one', rsv => [part(text, HELLO), send(continuation, HELLO, { rsv })]),
    ...each('A text in three fragments, the empty one in the middle', rsv => [
      part(text, HELLO),
      part(continuation, { pattern: Buffer.alloc(0), length: 0 }, { rsv }),
      send(continuation, HELLO),
    ]),
  ]),
]

import t from 'tap'
import type { Allowed, ProbeCase } from '../../lib/conformance/case.ts'
import {
  answers,
  closes,
  closesOnly,
  echoed,
  HELLO,
  informational,
  nonStrict,
  probes,
  refuses,
} from '../../lib/conformance/beyond/build.ts'
import { judge, type Observed } from '../../lib/conformance/probe.ts'

function caseWith(allowed: readonly Allowed[]): ProbeCase {
  return probes('20.1', { rule: 'RFC 6455, 1: a rule.' }, [{ sends: 'Something.', steps: [], allowed }])[0]
}

function verdict(allowed: readonly Allowed[], observed: Partial<Observed> | string): string {
  const seen = {
    ending: 'closes',
    code: undefined,
    events: [],
    ...(typeof observed === 'string' ? {} : observed),
  } as const
  return judge(caseWith(allowed), typeof observed === 'string' ? observed : seen).behavior
}

const ECHO = { is: 'message', opcode: 1, payload: Buffer.from('Hello') } as const

t.test('to fail the connection: the code, another one, none, or not at all', async t => {
  t.equal(verdict(closes([1002]), { code: 1002 }), 'OK')
  t.equal(verdict(closes([1002]), {}), 'OK', 'TCP dropped')
  t.equal(verdict(closes([1002]), { code: 1011 }), 'NON-STRICT')
  t.equal(verdict(closesOnly([1002]), { code: 1011 }), 'FAILED')
  t.equal(verdict(closes([1002]), { ending: 'answers', code: 1000 }), 'FAILED')
  t.equal(verdict(closes([1002]), { ending: 'waits' }), 'FAILED')
  t.equal(verdict(closes([1002]), { code: 1002, events: [ECHO] }), 'FAILED', 'an echo that must not be')
  t.equal(verdict(closes([1002], echoed()), { code: 1002, events: [ECHO] }), 'OK')
})

t.test('to answer: the events, all of them, in order', async t => {
  t.equal(verdict(answers(echoed()), { ending: 'answers', events: [ECHO] }), 'OK')
  t.equal(verdict(answers(echoed()), { ending: 'answers' }), 'FAILED')
  t.equal(verdict(answers(echoed()), { ending: 'answers', events: [ECHO, ECHO] }), 'FAILED')
  t.equal(verdict(answers(echoed(HELLO, 2)), { ending: 'answers', events: [ECHO] }), 'FAILED', 'text for binary')
  t.equal(verdict(answers(), { ending: 'closes' }), 'FAILED')
})

t.test('to refuse: any status, some, with a header', async t => {
  const headers = new Map([['sec-websocket-version', '13']])
  t.equal(verdict(refuses(), { ending: 'refuses', code: 404 }), 'OK')
  t.equal(verdict(refuses([400]), { ending: 'refuses', code: 404 }), 'FAILED')
  const named = [...refuses(undefined, 'sec-websocket-version'), nonStrict('refuses')]
  t.equal(verdict(named, { ending: 'refuses', code: 426, headers }), 'OK')
  t.equal(verdict(named, { ending: 'refuses', code: 426, headers: new Map() }), 'NON-STRICT')
  t.equal(verdict(named, { ending: 'refuses', code: 426 }), 'NON-STRICT')
})

t.test('what is left open, and what is not', async t => {
  const open = [...closes([1009]), ...informational('waits', 'answers')]
  t.equal(verdict(open, { ending: 'waits' }), 'INFORMATIONAL')
  t.equal(verdict(open, { ending: 'waits', events: [ECHO] }), 'FAILED', 'who waits has done nothing')
  t.equal(verdict(open, { ending: 'answers', events: [ECHO] }), 'INFORMATIONAL')
  t.equal(verdict(open, { code: 1009 }), 'OK', 'the first one that fits')
  t.equal(verdict(open, 'The peer sent a frame that is masked.'), 'FAILED')
})

t.test('in words', async t => {
  const result = (observed: Partial<Observed> & Pick<Observed, 'ending'>, allowed = closes([1002])): string =>
    judge(caseWith(allowed), { code: undefined, events: [], ...observed }).result
  t.equal(result({ ending: 'closes', code: 1002 }), 'The peer closed with 1002.')
  t.equal(result({ ending: 'closes' }), 'The peer dropped TCP.')
  t.equal(result({ ending: 'waits' }), 'The peer waited: that is not allowed.')
  t.equal(result({ ending: 'waits', events: [ECHO] }), 'The peer waited, after an echo or pong: that is not allowed.')
  t.equal(result({ ending: 'waits', events: [ECHO, ECHO] }), 'The peer waited, after 2 of them: that is not allowed.')
  t.equal(result({ ending: 'refuses', code: 400 }, refuses()), 'The peer refused the handshake with 400.')
  t.equal(result({ ending: 'refuses' }, refuses()), 'The peer ended TCP in place of an answer.')
  t.match(result({ ending: 'answers' }, answers()), /^The peer did all/)
})

import t from 'tap'
import type { Case } from '../../lib/conformance/case.ts'
import { CASES } from '../../lib/conformance/cases/index.ts'
import type { Outcome } from '../../lib/conformance/conduct.ts'
import type { CloseRecord } from '../../lib/conformance/peer.ts'
import { grade, gradeFailedHandshake, isFailed, type Evidence } from '../../lib/conformance/result.ts'

const EVIDENCE: Evidence = {
  agent: 'some',
  isServer: false,
  quick: false,
  started: new Date(0),
  duration: 12.6,
  request: 'GET',
  response: 'HTTP',
  log: [],
}
const CLEAN: CloseRecord = {
  closedByMe: true,
  failedByMe: false,
  droppedByMe: false,
  wasClean: true,
  reason: undefined,
  dropTimedOut: false,
  closeTimedOut: false,
  localCode: 1000,
  remoteCode: 1000,
  remoteReason: '',
}
const OK: Outcome = { behavior: 'OK', result: 'Good.', received: [] }

function caseOf(id: string): Case {
  const found = CASES.find(one => one.id === id)
  if (found === undefined) throw new Error(id)
  return found
}

/** Verdict and close of a case with an end like this. */
function verdict(id: string, record: Partial<CloseRecord>, outcome: Partial<Outcome> = {}, isServer = false): string {
  const { behavior, behaviorClose } = grade(
    caseOf(id),
    { ...OK, ...outcome },
    { ...CLEAN, ...record },
    { ...EVIDENCE, isServer }
  )
  return `${behavior}, ${behaviorClose}`
}

t.test('the end of the connection, in the order of the rules', async t => {
  // 1.1.1 wants a clean close with 1000 by the tester.
  t.equal(verdict('1.1.1', {}), 'OK, OK')
  t.equal(verdict('1.1.1', { remoteCode: undefined }), 'OK, OK', 'no code is as good')
  t.equal(verdict('1.1.1', { closedByMe: false, wasClean: false, remoteCode: 1001 }), 'OK, FAILED')
  t.equal(verdict('1.1.1', { wasClean: false, remoteCode: 1001, droppedByMe: true }), 'OK, UNCLEAN')
  t.equal(verdict('1.1.1', { remoteCode: 1001, droppedByMe: true }), 'OK, WRONG CODE')
  t.equal(verdict('1.1.1', { droppedByMe: true }), 'OK, FAILED BY CLIENT')
  t.equal(verdict('1.1.1', { droppedByMe: true }, {}, true), 'OK, OK', 'as a server, that is for the tester to do')
  // 3.1 wants the peer to fail the connection, cleanly or not.
  const dropped = { closedByMe: false, wasClean: false, remoteCode: undefined }
  t.equal(verdict('3.1', dropped), 'OK, OK')
  t.equal(verdict('3.1', { ...dropped, remoteCode: 1002 }), 'OK, OK')
  t.equal(verdict('3.1', { ...dropped, remoteCode: 1007 }), 'OK, WRONG CODE')
  t.equal(verdict('3.1', {}), 'OK, FAILED')
})

t.test('where the code or the side decides the case', async t => {
  t.equal(verdict('7.7.5', { remoteCode: 1007 }), 'OK, OK')
  t.equal(verdict('7.7.5', { remoteCode: 1008 }), 'FAILED, WRONG CODE')
  t.equal(verdict('7.7.5', { wasClean: false }), 'OK, UNCLEAN')
  t.equal(verdict('6.3.1', { closedByMe: true }), 'FAILED, FAILED')
  t.equal(verdict('6.3.1', { closedByMe: false, remoteCode: 1002 }), 'OK, WRONG CODE')
  t.equal(
    grade(caseOf('7.7.5'), OK, { ...CLEAN, remoteCode: 1008 }, EVIDENCE).result,
    'The close code was 1008, and should have been 1000 or 1007, or none.'
  )
})

t.test('informational cases are so whatever happens, and others have the verdict of their conduct', async t => {
  t.equal(
    verdict('7.13.1', { wasClean: false, closedByMe: false }, { behavior: 'INFORMATIONAL' }),
    'INFORMATIONAL, INFORMATIONAL'
  )
  t.equal(verdict('6.4.1', { closedByMe: false, remoteCode: 1007 }, { behavior: 'NON-STRICT' }), 'NON-STRICT, OK')
  t.equal(verdict('12.1.1', {}, { behavior: 'UNIMPLEMENTED' }), 'UNIMPLEMENTED, OK')
  t.equal(verdict('9.1.1', {}, { behavior: 'FAILED' }), 'FAILED, OK')
})

t.test('what is a failure', async t => {
  for (const behavior of ['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED'] as const) {
    t.notOk(isFailed({ behavior, behaviorClose: 'OK' }), behavior)
    t.ok(isFailed({ behavior, behaviorClose: 'UNCLEAN' }), behavior)
  }
  t.notOk(isFailed({ behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL' }))
  for (const behaviorClose of ['WRONG CODE', 'UNCLEAN', 'FAILED BY CLIENT', 'FAILED'] as const)
    t.ok(isFailed({ behavior: 'OK', behaviorClose }))
  t.ok(isFailed({ behavior: 'FAILED', behaviorClose: 'OK' }))
})

t.test("the details, under Autobahn's names", async t => {
  const received = [
    { is: 'message', opcode: 1, payload: Buffer.from('Hello, world!') },
    { is: 'message', opcode: 2, payload: Buffer.alloc(0) },
    { is: 'pong', payload: Buffer.from([0, 255]) },
    { is: 'timeout', tag: 'A' },
  ] as const
  const result = grade(
    caseOf('3.2'),
    { ...OK, received },
    { ...CLEAN, reason: 'why', remoteCode: undefined, remoteReason: undefined },
    EVIDENCE
  )
  t.match(result, {
    id: '3.2',
    agent: 'some',
    started: '1970-01-01T00:00:00.000Z',
    duration: 13,
    quick: false,
    isServer: false,
    expected: { OK: ['text, 13 bytes: "Hello, world!"'], 'NON-STRICT': [] },
    received: ['text, 13 bytes: "Hello, world!"', 'binary, empty', 'pong, 2 bytes: 00 ff', 'a second passed (A)'],
    expectedClose: { closedByMe: false, closeCode: [1002], requireClean: false },
    closedByMe: true,
    wasClean: true,
    wasNotCleanReason: 'why',
    localCloseCode: 1000,
    remoteCloseCode: null,
    remoteCloseReason: null,
    httpRequest: 'GET',
    httpResponse: 'HTTP',
    wirelog: [],
  })
  t.same(grade(caseOf('9.1.1'), OK, CLEAN, EVIDENCE).expected, {})
})

t.test('no connection at all', async t => {
  const result = gradeFailedHandshake(caseOf('1.1.1'), 'No answer.', true, EVIDENCE)
  t.match(result, {
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    result: 'No answer.',
    wasOpenHandshakeTimeout: true,
    remoteCloseCode: null,
  })
  t.equal(gradeFailedHandshake(caseOf('1.1.1'), 'No.', false, EVIDENCE).wasOpenHandshakeTimeout, false)
})

/** A result as a run gives it, for the specs of what is made of results. */
import { ALL_CASES } from '../../lib/conformance/select.ts'
import { grade, type CaseResult } from '../../lib/conformance/result.ts'

/** A case that is OK, but for `changes`. */
export function resultOf(id: string, changes: Partial<CaseResult> = {}): CaseResult {
  const testCase = ALL_CASES.find(one => one.id === id)
  if (testCase === undefined) throw new Error(`there is no case ${id}`)
  const { closedByMe, codes } = testCase.close
  const record = {
    closedByMe,
    failedByMe: false,
    droppedByMe: false,
    wasClean: true,
    reason: undefined,
    dropTimedOut: false,
    closeTimedOut: false,
    localCode: codes[0],
    remoteCode: codes[0],
    remoteReason: '',
  }
  const log = [
    { at: 0, side: 'tester', line: 'text, fin, 1 byte: "a"' },
    { at: 0.5, side: 'peer', line: 'text, fin, 1 byte: "a"' },
    { at: 1, side: 'note', line: 'TCP dropped by the peer' },
  ] as const
  const evidence = {
    agent: 'some',
    isServer: false,
    quick: false,
    started: new Date(0),
    duration: 1,
    request: '',
    response: '',
    log,
  }
  return { ...grade(testCase, { behavior: 'OK', result: 'Good.', received: [] }, record, evidence), ...changes }
}

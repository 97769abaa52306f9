import t from 'tap'
import type { Case } from '../../lib/conformance/case.ts'
import type { CaseResult } from '../../lib/conformance/result.ts'
import { selectCases } from '../../lib/conformance/select.ts'
import { resultOf } from './result-of.ts'

// What `npm run conformance` judges with: does it find a case that is missing, one too many, and any other verdict?

interface Module {
  judge(cases: readonly Case[], results: readonly CaseResult[], verdictFor: (one: Case) => string | undefined): string[]
  bestOf(testCase: Case): string | undefined
}

const name = './judge.js'
const { judge, bestOf } = (await import(name)) as Module

const FLOODS = ['25.1.1', '25.1.2', '25.1.3', '25.1.4', '25.1.5']
const LEFT_OPEN = ['7.1.6', '7.13.1', '7.13.2', '24.3.6', '24.3.7', '24.3.8']

/** A run in which all is as it should be, but for some cases. */
function runOf(cases: readonly Case[], changes: Readonly<Record<string, Partial<CaseResult>>> = {}): CaseResult[] {
  return cases.map(one => {
    const behavior = (bestOf(one) ?? '') as CaseResult['behavior']
    return resultOf(one.id, { behavior, behaviorClose: 'OK', ...changes[one.id] })
  })
}

for (const [tests, others] of [
  ['server', ['27.2.12', '27.3.18', '27.3.19', '29.6.1', '29.6.4']],
  ['client', ['28.2.5', '29.6.1', '29.6.5']],
] as const) {
  t.test(`the best verdicts that our own ${tests} can get`, async t => {
    const cases = selectCases({}, tests)
    const informational = cases.filter(one => bestOf(one) === 'INFORMATIONAL').map(({ id }) => id)
    t.same(informational, [...LEFT_OPEN, ...FLOODS, ...others])
    t.ok(cases.every(one => ['OK', 'INFORMATIONAL'].includes(bestOf(one) ?? '')))
    t.same(judge(cases, runOf(cases), bestOf), [])
  })
}

t.test('each way in which a case is not as it should be', async t => {
  const cases = selectCases({ cases: ['6.4.1', '7.1.6', '12.1.1', '20.1.1', '25.1.1'] }, 'server')
  const wrong: [changes: Readonly<Record<string, Partial<CaseResult>>>, complaint: RegExp][] = [
    [{ '6.4.1': { behavior: 'FAILED', result: 'Why.' } }, /^6\.4\.1 is FAILED, and should be OK: Why\.$/],
    [{ '6.4.1': { behavior: 'NON-STRICT' } }, /^6\.4\.1 is NON-STRICT, and should be OK/],
    [{ '6.4.1': { behavior: 'INFORMATIONAL' } }, /^6\.4\.1 is INFORMATIONAL, and should be OK/],
    [{ '6.4.1': { behaviorClose: 'UNCLEAN', resultClose: 'Cut.' } }, /^6\.4\.1 is FAILED, and should be OK: .*Cut\.$/],
    [{ '7.1.6': { behavior: 'OK' } }, /^7\.1\.6 is OK, and should be INFORMATIONAL/],
    [{ '12.1.1': { behavior: 'UNIMPLEMENTED' } }, /^12\.1\.1 is UNIMPLEMENTED, and should be OK/],
    [{ '20.1.1': { behavior: 'INFORMATIONAL' } }, /^20\.1\.1 is INFORMATIONAL, and should be OK/],
    [{ '25.1.1': { behavior: 'OK' } }, /^25\.1\.1 is OK, and should be INFORMATIONAL/],
  ]
  for (const [changes, complaint] of wrong) {
    const complaints = judge(cases, runOf(cases, changes), bestOf)
    t.equal(complaints.length, 1)
    t.match(complaints[0], complaint)
  }
  const run = runOf(cases)
  t.same(judge(cases, run.slice(1), bestOf), ['6.4.1 is missing, and should be OK'])
  t.equal(judge(cases, [], bestOf).length, 5, 'a run of nothing is not one without faults')
  t.same(judge(cases, [...run, resultOf('1.1.1')], bestOf), ['1.1.1 was not asked for'])
})

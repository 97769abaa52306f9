// @ts-check
/** Whether a run came to what it should: each case that was asked for, and no other, with the verdict expected of it. */
import { columnOf } from '../../dist/conformance/report/table.js'
import { resolveLimits } from '../../dist/limits.js'

/** Pings and pongs. */
const COUNTED = [9, 10]
const { controlFrames: MOST } = resolveLimits()

/** @typedef {import('../../dist/conformance/index.js').CaseResult} CaseResult */
/** @typedef {import('../../dist/conformance/case.js').Case} Case */

/**
 * @param {readonly Case[]} cases that were asked for
 * @param {readonly CaseResult[]} results of one agent
 * @param {(testCase: Case) => string | undefined} verdictFor
 * @returns {string[]} what is not as it should be, a line for each case
 */
export function judge(cases, results, verdictFor) {
  const found = new Map(results.map(result => [result.id, result]))
  const complaints = cases.flatMap(testCase => {
    const result = found.get(testCase.id)
    found.delete(testCase.id)
    const wanted = verdictFor(testCase)
    if (result === undefined) return [`${testCase.id} is missing, and should be ${wanted}`]
    const verdict = columnOf(result)
    return verdict === wanted ? [] : [`${testCase.id} is ${verdict}, and should be ${wanted}: ${whyOf(result)}`]
  })
  return [...complaints, ...[...found.keys()].map(id => `${id} was not asked for`)]
}

/**
 * What our own server and client have to get: the best that there is. With their default limits they close on floods of
 * pings and pongs, which the cases leave open.
 *
 * @param {Case} testCase
 * @returns {string | undefined}
 */
export function bestOf(testCase) {
  if (testCase.kind !== 'probe') return testCase.kind === 'scripted' && testCase.informational ? 'INFORMATIONAL' : 'OK'
  const sent = testCase.steps.map(step => (step.do === 'send' && COUNTED.includes(step.frame.opcode) ? step.times : 0))
  const isFlood = sent.reduce((sum, times) => sum + times, 0) > MOST
  return testCase.allowed.find(({ ending }) => !isFlood || ending === 'closes')?.verdict
}

/** @param {CaseResult} result */
function whyOf({ behavior, result, resultClose }) {
  return behavior === 'FAILED' || resultClose === '' ? result : `${result} ${resultClose}`
}

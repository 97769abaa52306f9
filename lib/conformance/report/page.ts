/** The results as one HTML page that needs nothing else: a grid of all cases, each with what happened. */
import { readFileSync } from 'node:fs'
import type { Case, ExpectedClose } from '../case.ts'
import { groupOf, isBeyond, subgroupOf, TITLES } from '../cases/index.ts'
import { ALL_CASES } from '../select.ts'
import type { CaseResult } from '../result.ts'
import { isFailed } from '../result.ts'
import type { Results } from '../results.ts'
import type { LogLine } from '../wire-log.ts'
import { columnOf } from './table.ts'

const TEMPLATE = new URL('./page.html', import.meta.url)
const PLACE = '"the results"'

/** Lines of a log that the page shows from its start and its end; of failed cases it shows all. */
const FIRST = 12
/** Characters of a handshake that a case is about. */
const MOST_OF_HEAD = 600
const LAST = 6

/** @param results of one agent or several, which are shown side by side */
export function formatPage(results: Results): string {
  // Split and joined: the data may have what String.replace takes for patterns.
  return readFileSync(TEMPLATE, 'utf8')
    .split(PLACE)
    .join(embed(dataOf(results)))
}

/** JSON that can stand in a script element. */
function embed(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

function dataOf(results: Results): object {
  const { agents } = results
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    quick: results.list().some(result => result.quick),
    agents,
    stops: agents.map(agent => results.stopOf(agent) ?? ''),
    titles: TITLES,
    cases: ALL_CASES.filter(({ id }) => agents.some(agent => results.get(agent, id) !== undefined)).map(one => ({
      id: one.id,
      set: isBeyond(one.id) ? 'Beyond Autobahn' : 'Autobahn',
      group: groupOf(one.id),
      subgroup: subgroupOf(one.id),
      sends: one.sends,
      expects: one.expects,
      // In the second set the end is part of what is expected.
      close: one.kind === 'probe' ? '' : describeClose(one.close),
      results: agents.map(agent => shorten(results.get(agent, one.id), one)),
    })),
  }
}

function describeClose({ closedByMe, codes, clean }: ExpectedClose): string {
  return `${closedByMe ? 'The tester' : 'The peer'} closes; code ${codes.join(' or ')}, or none${clean ? '; cleanly' : ''}.`
}

function shorten(result: CaseResult | undefined, one: Case): object | null {
  if (result === undefined) return null
  return {
    verdict: columnOf(result),
    behavior: result.behavior,
    close: result.behaviorClose,
    why: result.result,
    whyClose: result.resultClose,
    code: result.remoteCloseCode,
    duration: result.duration,
    expected: result.expected,
    received: result.received,
    head: headOf(result, one),
    log: cut(result.wirelog, isFailed(result)).map(({ at, side, line }) => [at, side, line]),
  }
}

/** What the tester sent in place of a good handshake, as the case has it. */
function headOf({ isServer, httpRequest, httpResponse }: CaseResult, one: Case): string | undefined {
  if (one.kind !== 'probe' || one.handshake === undefined) return undefined
  const head = (isServer ? httpResponse : httpRequest).trimEnd()
  return head.length > MOST_OF_HEAD ? `${head.slice(0, MOST_OF_HEAD)} …` : head
}

function cut(log: readonly LogLine[], isWhole: boolean): readonly LogLine[] {
  if (isWhole || log.length <= FIRST + LAST + 1) return log
  const line = `… ${log.length - FIRST - LAST} lines more in the case's file …`
  return [...log.slice(0, FIRST), { at: log[FIRST].at, side: 'note', line }, ...log.slice(-LAST)]
}

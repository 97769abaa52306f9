/** The verdicts by group, as a table for the terminal. */
import type { CaseResult } from '../result.ts'
import { isFailed } from '../result.ts'
import type { Results } from '../results.ts'
import { groupOf, isBeyond, TITLES } from '../cases/index.ts'

const COLUMNS = ['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED', 'FAILED'] as const
type Column = (typeof COLUMNS)[number]

/** Failed cases that are listed one by one. */
const MOST_LISTED = 30

/** One table for each agent, and what failed. */
export function formatTables(results: Results): string {
  return results.agents.map(agent => formatTable(agent, results.list(agent), results.stopOf(agent))).join('\n')
}

function formatTable(agent: string, results: readonly CaseResult[], stop: string | undefined): string {
  const autobahn = results.filter(({ id }) => !isBeyond(id))
  const beyond = results.filter(({ id }) => isBeyond(id))
  const isBoth = autobahn.length > 0 && beyond.length > 0
  const all = row('    all', results)
  if (isBoth) all[1] = `${autobahn.length} + ${beyond.length}`
  const table = [
    ['', 'cases', ...COLUMNS],
    ...rowsOf(autobahn),
    ...(isBoth ? [row('    Autobahn', autobahn)] : []),
    ...rowsOf(beyond),
    ...(isBoth ? [row('    beyond Autobahn', beyond)] : []),
    all,
  ]
  const widths = table[0].map((_, column) => Math.max(...table.map(cells => cells[column].length)))
  const lines = table.map(cells =>
    cells
      .map((cell, column) => pad(cell, column, widths))
      .join('  ')
      .trimEnd()
  )
  const quick = results.some(result => result.quick) ? ' (quick: 50 messages, not 1,000, in the compressed cases)' : ''
  return `${agent}${quick}${stop === undefined ? '' : `: ${stop}`}\n${lines.join('\n')}\n${listFailed(results.filter(isFailed))}`
}

/** A row for each group. */
function rowsOf(results: readonly CaseResult[]): string[][] {
  const groups = [...new Set(results.map(({ id }) => groupOf(id)))]
  return groups.map(group => {
    const title = `${group.padStart(2)}  ${TITLES[group]}`
    return row(
      title,
      results.filter(({ id }) => groupOf(id) === group)
    )
  })
}

function row(title: string, results: readonly CaseResult[]): string[] {
  const counts = COLUMNS.map(column => results.filter(result => columnOf(result) === column).length)
  return [title, String(results.length), ...counts.map(count => (count === 0 ? '·' : String(count)))]
}

/** Where a result is counted: a bad end of the connection is a failure too. */
export function columnOf(result: Pick<CaseResult, 'behavior' | 'behaviorClose'>): Column {
  return isFailed(result) ? 'FAILED' : result.behavior
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  return column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])
}

function listFailed(failed: readonly CaseResult[]): string {
  const lines = failed.slice(0, MOST_LISTED).map(({ id, behavior, result, behaviorClose, resultClose }) => {
    return `  ${id.padEnd(8)}${behavior === 'FAILED' ? result : `close ${behaviorClose}: ${resultClose}`}\n`
  })
  const more = failed.length > MOST_LISTED ? `  … and ${failed.length - MOST_LISTED} more\n` : ''
  return failed.length === 0 ? '' : `failed:\n${lines.join('')}${more}`
}

/** What a change did: two reports side by side, as they are and relative to ws of the same run. */
import { figures, median, ratio } from '../run/statistics.js'
import { amount, times } from './format.js'
import { renderTable } from './table.js'

const BASE = 'ws'

/** @returns {string} */
export function compareReports(before, after) {
  const rows = after.workloads.flatMap(({ id, title }) =>
    Object.entries(after.results[id]).flatMap(([name, cell]) => rowOf(title, name, before.results[id], after.results[id]))
  )
  if (rows.length === 0) return '\nNothing to compare: no server did the same workload in both runs.\n'
  const table = renderTable({
    title: `Per CPU-second, ${before.date} and now`,
    columns: ['workload', 'server', 'before', 'now', 'now is', `× ${BASE} before`, `× ${BASE} now`],
    rows,
  })
  const node = before.machine.node === after.machine.node ? '' : `Node.js was ${before.machine.node}, and is ${after.machine.node}.\n`
  const cpu = before.machine.cpu === after.machine.cpu ? '' : `The machine was another: ${before.machine.cpu}.\n`
  return `\n${table}${node}${cpu}The columns × ${BASE} compare servers of one and the same run: trust them more.\n`
}

function rowOf(title, name, before, after) {
  const then = valueOf(before?.[name])
  const now = valueOf(after[name])
  if (then === undefined || now === undefined) return []
  return [
    [title, name, amount(then), amount(now), times(now / then), times(ratio(before[name], before[BASE])), times(ratio(after[name], after[BASE]))],
  ]
}

function valueOf(cell) {
  return cell?.rounds?.length ? median(figures(cell)) : undefined
}

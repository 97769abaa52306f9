/** Tables for the terminal. */
import { notesOf, summariesOf, tablesOf } from './tables.js'

export function terminalReport(report) {
  const tables = [...tablesOf(report), ...summariesOf(report)]
  return `${tables.map(renderTable).join('\n')}\n${notesOf(report).join('\n')}\n`
}

/** @param {import('./tables.js').Table} table */
export function renderTable({ title, columns, rows }) {
  // A sentence in place of figures does not widen its column.
  const full = rows.filter(row => row.length === columns.length)
  const widths = columns.map((column, i) => Math.max(column.length, ...full.map(row => row[i].length)))
  const first = Math.max(widths[0], ...rows.map(row => row[0].length))
  const line = row =>
    `  ${row.map((text, i) => (i === 0 ? text.padEnd(first) : row.length === columns.length ? text.padStart(widths[i]) : text)).join('  ')}`
  return `${title}\n${[columns, ...rows].map(line).join('\n')}\n`
}

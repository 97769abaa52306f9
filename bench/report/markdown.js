/** Tables for a page; between two markers in a page that has them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { notesOf, summariesOf, tablesOf } from './tables.js'

export const BEGIN = '<!-- figures: npm run bench -- --markdown docs/performance.md -->'
export const END = '<!-- end of figures -->'

/** @param {string} path */
export function writeMarkdown(path, report) {
  const figures = markdownReport(report)
  const page = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  const whole = from >= 0 && to > from ? `${page.slice(0, from + BEGIN.length)}\n\n${figures}\n${page.slice(to)}` : figures
  writeFileSync(path, whole)
}

export function markdownReport(report) {
  const parts = [
    notesOf(report)
      .map(note => `* ${note.replace(/^\*:/, '\\*:')}\n`)
      .join(''),
    ...summariesOf(report).map(renderTable),
    ...tablesOf(report).map(renderTable),
  ]
  return parts.join('\n')
}

function renderTable({ title, columns, rows }) {
  const line = cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  const rule = `|---|${'---:|'.repeat(columns.length - 1)}\n`
  const padded = rows.map(row => [...row, ...new Array(columns.length - row.length).fill('')])
  return `### ${capital(title)}\n\n${line(columns)}${rule}${padded.map(line).join('')}`
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1)
}

// @ts-check
/** The table of behaviours in docs/kore.md, and the differences that are known, each with its row. */
import { readFileSync } from 'node:fs'

/** @typedef {{ row: string, kore: string[], ours: string[] }} Difference `row`: the first cell, word for word */

const PAGE = new URL('../../../docs/kore.md', import.meta.url)
const TABLES = '## Row by row'
const VERDICTS = /^(same|RFC instead|safer|more|other|not here)\b/

/** @returns {Record<string, Difference>} by the name of the conversation */
export function readDifferences() {
  return JSON.parse(readFileSync(new URL('differences.json', import.meta.url), 'utf8'))
}

/**
 * The second cell of each row, by its first.
 *
 * @param {string} [page] the text of docs/kore.md
 * @returns {Map<string, string>}
 */
export function readRows(page = readFileSync(PAGE, 'utf8')) {
  const rows = new Map()
  for (const line of page.slice(page.indexOf(TABLES)).split('\n')) {
    const [, kore, ours] = line.split(/(?<!\\)\|/).map(cell => cell.trim())
    if (ours === undefined || !VERDICTS.test(ours)) continue
    if (rows.has(kore)) throw new Error(`docs/kore.md has two rows “${kore}”`)
    rows.set(kore, ours)
  }
  return rows
}

/**
 * What is wrong with a difference, whatever the servers do.
 *
 * @param {Difference} difference
 * @param {Map<string, string>} rows
 * @returns {string | undefined}
 */
export function wrongRow({ row }, rows) {
  const verdict = rows.get(row)
  if (verdict === undefined) return `docs/kore.md has no row “${row}”`
  if (verdict === 'same') return `docs/kore.md says “same” in the row “${row}”`
  return undefined
}

/** Pages of the documentation, as far as specs read them: their tables, row by row, and the words in them that are code. */
import { readFileSync } from 'node:fs'

/** A table: the cells of each row, under the names of the columns. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The text of a page, by its path in `docs`. */
export function pageOf(path: string): string {
  return readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8')
}

/** The tables of a page, in order. */
export function tablesOf(page: string): Table[] {
  const tables: string[][] = []
  let before = ''
  for (const line of page.split('\n')) {
    if (line.startsWith('|')) {
      if (before.startsWith('|')) tables.at(-1)?.push(line)
      else tables.push([line])
    }
    before = line
  }
  return tables.map(([head = '', , ...lines]) => ({ columns: cellsOf(head), rows: lines.map(cellsOf) }))
}

/** The only table of a page that has these columns; of some of them the first will do. */
export function tableOf(page: string, ...columns: readonly string[]): Table {
  const found = tablesOf(page).filter(table => columns.every((name, at) => table.columns[at] === name))
  const [table] = found
  if (table === undefined || found.length > 1) throw new Error(`${found.length} tables begin with the columns ${columns.join(' | ')}`)
  for (const { length } of table.rows) {
    if (length !== table.columns.length) throw new Error(`a row of the table ${columns.join(' | ')} has ${length} cells`)
  }
  return table
}

/** The part of a page under a heading, up to the next of the same depth or a lesser one. */
export function sectionOf(page: string, heading: string): string {
  const lines = page.split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) throw new Error(`there is no heading ${heading}`)
  const depth = depthOf(heading)
  const end = lines.findIndex((line, at) => at > start && depthOf(line) > 0 && depthOf(line) <= depth)
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n')
}

/** The words of a cell that are marked as code. */
export function codesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** `bytes.received`, `.sent` are two figures of one name. */
export function pathsIn(cell: string): string[] {
  let parent = ''
  return codesIn(cell).map(code => {
    if (code.startsWith('.')) return parent + code
    parent = code.split('.')[0] ?? ''
    return code
  })
}

const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, s: 1000 }

/** The first amount of a text, in bytes or milliseconds: `16 MiB`, `10,000 ms`, `30 s`, `Infinity`. */
export function amountIn(text: string): number {
  const [amount] = amountsIn(text)
  if (amount === undefined) throw new Error(`there is no amount in ${JSON.stringify(text)}`)
  return amount
}

/** All amounts of a text. */
export function amountsIn(text: string): number[] {
  return [...text.matchAll(/(?<![\w.])(?:(\d[\d,]*)(?: (KiB|MiB|s)\b)?|(Infinity))/g)].map(([, digits = '', unit = '', infinity]) =>
    infinity === undefined ? Number(digits.replaceAll(',', '')) * (UNITS[unit] ?? 1) : Infinity
  )
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map(cell => cell.trim())
}

function depthOf(line: string): number {
  return /^(#+) /.exec(line)?.[1].length ?? 0
}

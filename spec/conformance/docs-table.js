// @ts-check
/** The verdicts of a whole run as a table in docs/reference/conformance.md, between its two marks. */
import { readFileSync, writeFileSync } from 'node:fs'
import { groupOf, isBeyond, TITLES } from '../../dist/conformance/cases/index.js'
import { columnOf } from '../../dist/conformance/report/table.js'

const PAGE = new URL('../../docs/reference/conformance.md', import.meta.url)
const BEGIN = '<!-- run:begin -->\n'
const END = '<!-- run:end -->'

/** @typedef {import('../../dist/conformance/index.js').CaseResult} CaseResult */

/**
 * @param {ReadonlyMap<string, readonly CaseResult[]>} runs by the name of the agent
 * @param {boolean} quick
 */
export function writeTable(runs, quick) {
  const page = readFileSync(PAGE, 'utf8')
  const [before, rest] = page.split(BEGIN)
  const after = rest.slice(rest.indexOf(END))
  writeFileSync(PAGE, `${before}${BEGIN}${formatTable(runs, quick)}${after}`)
}

/**
 * @param {ReadonlyMap<string, readonly CaseResult[]>} runs
 * @param {boolean} quick
 */
function formatTable(runs, quick) {
  const all = [...runs.values()]
  const ids = all.flatMap(results => results.map(({ id }) => id))
  const groups = [...new Set(ids.map(groupOf))].sort((one, other) => Number(one) - Number(other))
  /** @type {[title: string, isMeant: (id: string) => boolean][]} */
  const rows = [
    ...groups.map(
      group => /** @type {typeof rows[number]} */ ([`${group} ${TITLES[group]}`, id => groupOf(id) === group])
    ),
    ['**Autobahn**', id => !isBeyond(id)],
    ['**beyond Autobahn**', isBeyond],
  ]
  const lines = [
    ['', ...runs.keys()],
    ['---', ...all.map(() => '---')],
    ...rows.map(([title, isMeant]) => [title, ...all.map(results => sum(results.filter(({ id }) => isMeant(id))))]),
  ]
  const kind = quick ? 'A quick run' : 'A whole run'
  const date = new Date().toISOString().slice(0, 10)
  const version = process.version.slice(1)
  return `${kind} of ${date}, Node.js ${version}:\n\n${lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')}`
}

/**
 * `34 OK, 3 INFORMATIONAL`
 *
 * @param {readonly CaseResult[]} results
 */
function sum(results) {
  const verdicts = results.map(columnOf)
  const parts = [...new Set(verdicts)].map(name => `${verdicts.filter(one => one === name).length} ${name}`)
  return parts.sort((one, other) => parseInt(other) - parseInt(one)).join(', ') || '–'
}

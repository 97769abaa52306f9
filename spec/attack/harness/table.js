/** The result as a table: for the terminal, and for a page between two markers. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { HEAP } from './measure.js'

export const BEGIN = '<!-- attacks: npm run test:attack -- --markdown docs/security.md -->'
export const END = '<!-- end of attacks -->'
const MIBI = 1024 * 1024
const LABELS = { ours: 'kore-ws', ws: 'ws' }
/** Of what an attacker got, so many kinds are told. */
const KINDS = 4

/**
 * @typedef {object} Row
 * @property {string} title
 * @property {Record<string, import('./measure.js').Result>} results by server
 */

/** What is printed when an attack is over. */
export function lineOf(title, server, result) {
  const { faults } = result
  const verdict = faults.length === 0 ? 'ok    ' : 'failed'
  const line = `${verdict} ${server.padEnd(4)} ${title}: ${cellsOf(result).join('; ')}`
  return [line, ...faults.map(fault => `       ${fault}`)].join('\n')
}

/** Peak memory, what others saw, what the attacker got. */
function cellsOf({ peak, seen, newcomer, got, ended, memory: held }) {
  const memory = `${mebibytes(peak)}${held === undefined ? '' : `; ${heldOf(held)}`}`
  if (ended !== undefined) return [memory, `process ended (${ended.slice(0, 80)})`, gotOf(got)]
  const latency = seen.lost ? 'connection lost' : `${milliseconds(seen.worst)} (median ${milliseconds(seen.median)}, p99 ${milliseconds(seen.p99)})`
  const late = seen.late === 0 ? '' : `, ${seen.late} of ${seen.asked} over 100 ms`
  return [
    memory,
    `${latency}${late}; new ${newcomer === undefined ? 'not served' : `${newcomer.refused ? 'refused in ' : ''}${milliseconds(newcomer.time)}`}`,
    gotOf(got),
  ]
}

/** Of a server that counts nothing, only what it held. */
function heldOf({ real, counted }) {
  return `${mebibytes(real)} held${counted === undefined ? '' : `, ${mebibytes(counted)} counted`}`
}

function mebibytes(bytes) {
  return `${Math.round(bytes / MIBI)} MiB`
}

function gotOf(got) {
  const kinds = got.slice(0, KINDS).map(([what, count]) => `${count.toLocaleString('en')} ${what}`)
  return kinds.length === 0 ? '–' : kinds.join(', ')
}

function milliseconds(time) {
  return `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`
}

/** @param {Row[]} rows */
export function markdownOf(rows, report) {
  const servers = Object.keys(report.versions)
  const line = cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  const columns = ['attack', ...servers.flatMap(name => [`${LABELS[name]}: memory`, 'others waited', 'attacker got'])]
  const rule = `|---|${'---|'.repeat(columns.length - 1)}\n`
  const body = rows.map(({ title, results }) => line([title, ...servers.flatMap(name => columnsOf(results[name]))]))
  const notes = notesOf(rows, report).map(note => `* ${note}\n`)
  return `${notes.join('')}\n${line(columns)}${rule}${body.join('')}`
}

function notesOf(rows, { date, short, versions }) {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, ${memory}, Linux ${release()}, Node.js ${process.version}`
  const names = Object.entries(versions).map(([name, version]) => `${LABELS[name]} ${version}`)
  const noise = Math.max(0, ...rows.flatMap(({ results }) => Object.values(results).map(result => result.noise)))
  return [
    `${date}: ${machine}${short ? '; the short form, with fewer connections and seconds' : ''}.`,
    `${names.join(', ')}, with their defaults; heap ${HEAP} MiB. In bold: failed.`,
    'Memory: resident at most; *held*: on the heap and in buffers behind a garbage collection, beside what the server counts.',
    'Others waited: at worst, in the median and in p99, for an echo; *new*: to connect and be answered.',
    `An idle server beside them answered within ${milliseconds(noise)} at worst: so much of it is the machine’s.`,
  ]
}

function columnsOf(result) {
  if (result === undefined) return ['–', '–', '–']
  const cells = cellsOf(result)
  return result.faults.length === 0 ? cells : cells.map((cell, i) => (i < 2 ? `**${cell}**` : cell))
}

export function writeMarkdown(path, text) {
  const page = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  const whole = from >= 0 && to > from ? `${page.slice(0, from + BEGIN.length)}\n\n${text}\n${page.slice(to)}` : text
  writeFileSync(path, whole)
}

/** A report as tables of text, which the terminal and the page show alike. */
import { BUSY } from '../run/measure.js'
import { SUBJECT } from '../run/servers.js'
import { cpuShare, figures, median, rates, ratio } from '../run/statistics.js'
import { amount, bytes, megabytes, microseconds, percent, times } from './format.js'

const BASE = 'ws'
/** A load average above this is somebody else's work. */
const QUIET = 0.5
const PLAIN_SUMMARY = 'Messages per second of the server’s processor time'
/** By group, those with a table of their own. */
const SUMMARIES = {
  deflate: 'Compressed messages per second of the server’s processor time',
  client: 'Messages per second of the client’s processor time',
}
const CODEC_TITLES = { parse: 'Parser alone, masked frames', serialize: 'Serializer alone, unmasked frames' }

/** @typedef {{ title: string, columns: string[], rows: string[][] }} Table */

/** @returns {Table[]} */
export function tablesOf(report) {
  const codecs = report.workloads.filter(({ kind }) => kind === 'codec')
  return [
    ...report.workloads.filter(({ kind }) => kind !== 'codec').map(workload => tableOf(workload, report.results[workload.id])),
    ...Object.keys(CODEC_TITLES).flatMap(what => codecTable(what, codecs, report.results)),
  ]
}

/** The headlines of all workloads: a table for those of like kind, of who takes part in them. @returns {Table[]} */
export function summariesOf(report) {
  const measured = report.workloads.filter(({ kind }) => kind !== 'codec' && kind !== 'idle')
  const plain = measured.filter(({ group }) => SUMMARIES[group] === undefined)
  const others = Object.entries(SUMMARIES).map(([group, title]) => summaryOf(report, title, measured.filter(row => row.group === group)))
  return [summaryOf(report, PLAIN_SUMMARY, plain), ...others].filter(table => table !== undefined)
}

/** @returns {Table | undefined} */
function summaryOf(report, title, rows) {
  const names = Object.keys(report.versions).filter(name => rows.some(({ id }) => report.results[id][name] !== undefined))
  if (rows.length === 0) return undefined
  return {
    title,
    columns: ['workload', ...names],
    rows: rows.map(workload => [workload.title, ...names.map(name => headline(report.results[workload.id][name]))]),
  }
}

/** What the tables need to be understood. @returns {string[]} */
export function notesOf(report) {
  const { machine, missing, unable = {} } = report
  const { pinning } = machine
  const where = pinning ? `server (or client) under test on CPU ${pinning.server}, load generator on CPU ${pinning.load}` : 'not pinned to processors'
  const notes = [
    `${report.date}: ${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory}, ${machine.system}; ${where}.`,
    `Node.js under test ${machine.node}, load generator on ${machine.loadNode}; ${report.rounds} rounds of ${report.seconds} s, ` +
      'medians, in brackets the least and the most.',
    Object.entries(report.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join('; '),
  ]
  if (machine.busy > QUIET) {
    notes.push(`The machine had other work when the run began (load average ${machine.busy.toFixed(1)}): take it again on a quiet one.`)
  }
  if (report.quick) notes.push('Short rounds (--quick): these figures show that all works, and not how fast it is.')
  for (const [name, sentence] of Object.entries(missing)) notes.push(`missing: ${name}: ${sentence}`)
  for (const [name, sentence] of Object.entries(unable)) notes.push(`without compression: ${name}: ${sentence}`)
  const cells = report.workloads.filter(({ kind }) => kind !== 'codec').flatMap(({ id }) => Object.values(report.results[id]))
  if (cells.some(loadBound)) {
    notes.push(
      `*: the server (or client) was busy for less than ${BUSY * 100} % of the time (column CPU): its messages a second are somebody else’s ` +
        'limit, mostly the load generator’s (column load); per CPU-second holds.'
    )
  }
  if (cells.some(cell => cell.rounds?.some(round => round.bytes === undefined && round.cpu === undefined))) {
    notes.push('Processor time is not known for all servers here; where it is not, messages a second stand in for it.')
  }
  return notes
}

function tableOf(workload, cells) {
  return workload.kind === 'idle' ? idleTable(workload, cells) : loadTable(workload, cells)
}

function loadTable({ title, unit, group }, cells) {
  const timed = Object.values(cells).some(cell => cell.rounds?.some(round => round.latency))
  const sized = Object.values(cells).some(cell => cell.rounds?.some(round => round.replyBytes))
  const who = group === 'client' ? 'client' : 'server'
  const columns = [who, `${unit}/s`, 'per CPU-second', '', `× ${BASE}`, `${SUBJECT} is`, 'CPU', 'load', 'memory']
  if (sized) columns.push('reply')
  if (timed) columns.push('p50', 'p99', 'p99.9')
  const rows = Object.entries(cells).map(([name, cell]) => {
    if (cell.error !== undefined) return [name, `error: ${cell.error}`]
    const own = figures(cell)
    const row = [
      name,
      `${amount(median(rates(cell)))}${loadBound(cell) ? '*' : ''}`,
      amount(median(own)),
      spread(own),
      times(ratio(cell, cells[BASE])),
      name === SUBJECT ? '' : times(ratio(cells[SUBJECT], cell)),
      percent(cpuShare(cell)),
      percent(cpuShare(cell, 'loadCpu')),
      megabytes(medianOf(cell, round => round.memory)),
    ]
    if (sized) row.push(bytes(medianOf(cell, round => round.replyBytes)))
    if (timed) row.push(...['p50', 'p99', 'p999'].map(key => microseconds(medianOf(cell, round => round.latency?.[key]))))
    return row
  })
  return { title, columns, rows }
}

function idleTable({ title }, cells) {
  const rows = Object.entries(cells).map(([name, cell]) => {
    if (cell.error !== undefined) return [name, `error: ${cell.error}`]
    const own = figures(cell)
    return [name, amount(median(own)), spread(own), times(ratio(cell, cells[BASE])), name === SUBJECT ? '' : times(ratio(cells[SUBJECT], cell))]
  })
  return { title, columns: ['server', 'bytes each', '', `× ${BASE}`, `${SUBJECT} is`], rows }
}

/** @returns {Table[]} none where nothing of it was measured */
function codecTable(what, codecs, results) {
  const mine = codecs.filter(({ job }) => job.what === what)
  if (mine.length === 0) return []
  const names = [...new Set(mine.flatMap(({ id }) => Object.keys(results[id])))]
  const peers = names.filter(name => name !== SUBJECT)
  const rows = mine.map(({ id, job }) => {
    const cells = results[id]
    const failed = Object.values(cells).find(cell => cell.error !== undefined)
    const label = `${job.label}, ${job.binary ? 'binary' : 'text'}`
    if (failed !== undefined) return [label, `error: ${failed.error}`]
    return [label, ...names.map(name => speed(cells[name], job)), ...peers.map(name => times(ratio(cells[SUBJECT], cells[name])))]
  })
  const columns = [what === 'parse' ? 'frames/s (bytes/s)' : 'frames/s', ...names, ...peers.map(name => `${SUBJECT} is, of ${name}`)]
  return [{ title: CODEC_TITLES[what], columns, rows }]
}

function spread(values) {
  return `(${amount(Math.min(...values))} – ${amount(Math.max(...values))})`
}

/** Large payloads are written by reference: bytes a second would be a number without meaning. */
function speed(cell, { what, size }) {
  const frames = median(figures(cell))
  return what === 'parse' ? `${amount(frames)} (${amount(frames * size)}B)` : amount(frames)
}

function headline(cell) {
  if (cell === undefined) return ''
  return cell.error === undefined ? amount(median(figures(cell))) : 'error'
}

function loadBound(cell) {
  const share = cpuShare(cell)
  return share !== undefined && share < BUSY
}

function medianOf(cell, pick) {
  const values = cell.rounds.map(pick).filter(value => value !== undefined)
  return values.length === 0 ? undefined : median(values)
}

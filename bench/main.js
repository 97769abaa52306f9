/** `npm run bench`: kore-ws beside other servers; a table, and on demand JSON, markdown, a picture, a comparison. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { HELP, readArguments, UsageError } from './run/arguments.js'
import { killAll } from './run/children.js'
import { describeMachine, findNode } from './run/machine.js'
import { countSteps, measureAll } from './run/measure.js'
import { findPinning } from './run/pinning.js'
import { Progress } from './run/progress.js'
import { SERVERS, SUBJECT } from './run/servers.js'
import { chooseWorkloads, workloads } from './run/workloads.js'
import { compareReports } from './report/compare.js'
import { writeMarkdown } from './report/markdown.js'
import { picture } from './report/svg.js'
import { terminalReport } from './report/table.js'

const USAGE = 2
const REPORT_VERSION = 1

async function main() {
  const options = readArguments(process.argv.slice(2))
  if (options.help) return void process.stdout.write(HELP)
  const chosen = chooseWorkloads(workloads(options), options.only)
  if (typeof chosen === 'string') throw new UsageError(`There is no workload ${JSON.stringify(chosen)}; --list names them.`)
  checkServers(options.against)
  const node = findNode(options.node)
  if (options.list) return void process.stdout.write(list(workloads(options), node))
  const { servers, missing } = chooseServers(options.against, node)
  for (const path of [options.json, options.markdown, options.svg]) checkWritable(path)
  const before = options.compare === undefined ? undefined : readReport(options.compare)

  const report = await measure({ ...options, node }, chosen, servers, missing)
  process.stdout.write(terminalReport(report))
  if (before !== undefined) process.stdout.write(compareReports(before, report))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`)
  if (options.markdown !== undefined) writeMarkdown(options.markdown, report)
  if (options.svg !== undefined) writePicture(options.svg, report)
  if (Object.values(report.results).some(cells => cells[SUBJECT]?.error !== undefined)) process.exitCode = 1
}

function writePicture(path, report) {
  const svg = picture(report)
  if (svg === undefined) process.stderr.write('bench: no picture: it shows workloads beside ws, and none was measured.\n')
  else writeFileSync(path, svg)
}

async function measure(options, chosen, servers, missing) {
  const { rounds, seconds, warmUp, quick, node } = options
  const pinning = findPinning()
  const setup = { workloads: chosen, servers, rounds, seconds, warmUp, node, pinning }
  const progress = new Progress(countSteps(setup))
  const machine = describeMachine(node, pinning)
  const date = new Date().toISOString().slice(0, 10)
  const results = await measureAll({ ...setup, progress })
  progress.end()
  const versions = Object.fromEntries(servers.map(server => [server.name, server.version(node)]))
  const unable = chosen.some(({ group }) => group === 'deflate') ? unableOf(servers) : {}
  return { version: REPORT_VERSION, date, machine, rounds, seconds, quick, versions, missing, unable, workloads: chosen, results }
}

/** Who has no part in the compressed workloads, and why. */
function unableOf(servers) {
  return Object.fromEntries(servers.flatMap(({ name, unable }) => (unable === undefined ? [] : [[name, unable]])))
}

function checkServers(names = []) {
  for (const name of names) {
    if (!SERVERS.some(server => server.name === name)) {
      throw new UsageError(`There is no server ${JSON.stringify(name)}; there are: ${SERVERS.map(server => server.name).join(', ')}.`)
    }
  }
}

/** Who takes part, and what keeps the others from it. */
function chooseServers(names, node) {
  const wanted = SERVERS.filter(({ name }) => names === undefined || name === SUBJECT || names.includes(name))
  const missing = Object.fromEntries(
    wanted.flatMap(server => {
      const sentence = server.missing(node)
      return sentence === undefined ? [] : [[server.name, sentence]]
    })
  )
  if (missing[SUBJECT] !== undefined) throw new UsageError(`${SUBJECT}: ${missing[SUBJECT]}.`)
  return { servers: wanted.filter(({ name }) => missing[name] === undefined), missing }
}

function list(all, node) {
  const rows = all.map(({ id, group, title }) => `  ${id.padEnd(24)}${group.padEnd(12)}${title}\n`)
  const peers = SERVERS.map(server => {
    const absent = server.missing(node)
    const state = absent === undefined ? `${server.what}, ${server.version(node)}` : `missing: ${absent}`
    return `  ${server.name.padEnd(20)}${state}\n`
  })
  return `Workloads (name, group, what):\n${rows.join('')}\nServers:\n${peers.join('')}`
}

/** Before the run, not after it. */
function checkWritable(path) {
  if (path === undefined) return
  try {
    closeSync(openSync(path, 'a'))
  } catch (error) {
    throw new UsageError(`${JSON.stringify(path)} can't be written: ${error.code}.`)
  }
}

function readReport(path) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'))
    if (report.version === REPORT_VERSION) return report
  } catch {
    // One sentence for all that can be wrong with it.
  }
  throw new UsageError(`--compare: ${JSON.stringify(path)} is no JSON file of this benchmark.`)
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    killAll()
    process.exit(1)
  })
}
process.on('exit', killAll)

main().catch(error => {
  killAll()
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`bench: ${error.message}\n`)
  process.exit(USAGE)
})

// @ts-check
/**
 * Our own server and our own client through all cases, Autobahn's and ours, by the fast paths and by the portable ones;
 * and `ws` through Autobahn's, to see it graded as the original grades it: `npm run conformance`. With arguments it is the command: `npm run conformance -- ws://host:port/path`, or `-- --help`.
 *
 * `--quick` may come without others: 50 messages, not 1,000, in each of the compressed cases; and so may `--docs`, which
 * writes the table of docs/reference/conformance.md.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { formatTables, runAgainstServer, serveCases, writeReports } from '../../dist/conformance/index.js'
import { selectCases } from '../../dist/conformance/select.js'
import { writeTable } from './docs-table.js'
import { bestOf, judge } from './judge.js'
import { ProgressLine } from '../../dist/cli/progress-line.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const CLIENT = fileURLToPath(new URL('client.js', import.meta.url))
const WS = fileURLToPath(new URL('../peers/ws-echo.js', import.meta.url))
const WS_PACKAGE = fileURLToPath(new URL('../peers/node_modules/ws/package.json', import.meta.url))
const REPORT = 'conformance-report'
/** What the two ways of working are called, and what switches to them. */
const MODES = { fast: {}, portable: { KORE_WS_PORTABLE: '1' } }

/** @typedef {import('../../dist/conformance/index.js').Progress} Progress */

const parameters = process.argv.slice(2)
if (parameters.some(parameter => !['--quick', '--docs'].includes(parameter))) runCommand()
else process.exitCode = (await runAll(parameters.includes('--quick'))) ? 0 : 1

function runCommand() {
  const child = spawn(process.execPath, [MAIN, 'conformance', ...parameters], { stdio: 'inherit' })
  // The command ends when the same Ctrl-C reaches it.
  process.on('SIGINT', () => {})
  child.on('exit', code => process.exit(code ?? 1))
}

/**
 * @param {boolean} quick
 * @returns {Promise<boolean>} whether everything is as it should be
 */
async function runAll(quick) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  /** @type {Map<string, readonly import('../../dist/conformance/index.js').CaseResult[]>} */
  const runs = new Map()
  for (const [mode, env] of Object.entries(MODES)) {
    for (const [role, run] of /** @type {const} */ ([
      ['server', testServer],
      ['client', testClient],
    ])) {
      const agent = `kore-ws ${role}, ${mode}`
      const results = await timed(agent, progress => run(agent, { ...process.env, ...env }, { quick, progress }))
      writeReports(results, REPORT)
      console.log(formatTables(results))
      const cases = selectCases({}, role)
      const complaints = judge(cases, results.list(agent), bestOf)
      for (const complaint of complaints) console.log(`NOT as it should be: ${complaint}`)
      count(sum, Math.max(0, cases.length - complaints.length), complaints.length)
      runs.set(`${role}, ${mode}`, results.list())
    }
  }
  if (parameters.includes('--docs')) writeTable(runs, quick)
  await checkWs(sum)
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  console.log(`report: ${REPORT}/index.html\n${sum.passed} passed, ${sum.failed} failed${skipped}`)
  return sum.failed === 0
}

/**
 * @param {{ passed: number, failed: number }} sum
 * @param {number} passed
 * @param {number} failed
 */
function count(sum, passed, failed) {
  sum.passed += passed
  sum.failed += failed
}

/**
 * Runs something, with its progress on standard error.
 *
 * @template Value
 * @param {string} name
 * @param {(progress: (progress: Progress) => void) => Promise<Value>} run
 * @returns {Promise<Value>}
 */
async function timed(name, run) {
  const line = new ProgressLine(process.stderr)
  const started = performance.now()
  console.log(`${name} …`)
  const value = await run(progress => line.show(progress))
  line.clear()
  console.log(`  done in ${Math.round((performance.now() - started) / 1000)} s`)
  return value
}

/**
 * `ws` is graded as the original grades it: all but 6.4.1 to 6.4.4 OK, and those NON-STRICT; with its default limits for
 * fragments, four cases fail.
 *
 * @param {{ passed: number, failed: number, skipped: number }} sum
 */
async function checkWs(sum) {
  const graded = {
    ...verdictsOf(['6.4.1', '6.4.2', '6.4.3', '6.4.4'], 'NON-STRICT'),
    ...verdictsOf(['7.1.6', '7.13.1', '7.13.2'], 'INFORMATIONAL'),
  }
  const cut = verdictsOf(['9.3.1', '9.3.2', '9.4.1', '9.4.2'], 'FAILED')
  const checks = /** @type {const} */ ([
    ['ws without limits for fragments', 'lifted', ['autobahn'], graded],
    ['ws with its default limits', 'default', ['9.3.*', '9.4.*'], cut],
  ])
  if (!existsSync(WS_PACKAGE)) {
    console.log('ws: skipped; spec/peers/install.sh installs it')
    sum.skipped += checks.length
    return
  }
  for (const [agent, limits, cases, wanted] of checks) {
    const results = await timed(agent, progress =>
      serving([WS, limits], process.env, url => runAgainstServer(url, { agent, cases, quick: true, progress }))
    )
    const complaints = judge(selectCases({ cases }, 'server'), results.list(agent), ({ id }) => wanted[id] ?? 'OK')
    for (const complaint of complaints) console.log(`NOT as the original grades it: ${complaint}`)
    if (complaints.length === 0) console.log('as the original grades it\n')
    count(sum, complaints.length === 0 ? 1 : 0, complaints.length === 0 ? 0 : 1)
  }
}

/**
 * @param {readonly string[]} ids
 * @param {string} verdict
 * @returns {Record<string, string>}
 */
function verdictsOf(ids, verdict) {
  return Object.fromEntries(ids.map(id => [id, verdict]))
}

/**
 * @param {string} agent
 * @param {NodeJS.ProcessEnv} env
 * @param {{ quick: boolean, progress: (progress: Progress) => void }} options
 */
async function testServer(agent, env, options) {
  const parameters = [MAIN, 'echo', '--port', '0', '--compression', 'shared', '--compression-threshold', '0']
  return serving(parameters, env, url => runAgainstServer(url, { agent, ...options }))
}

/**
 * @template Value
 * @param {readonly string[]} parameters of a server that prints its URL
 * @param {NodeJS.ProcessEnv} env
 * @param {(url: string) => Promise<Value>} run
 * @returns {Promise<Value>}
 */
async function serving(parameters, env, run) {
  const server = spawn(process.execPath, parameters, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [greeting] = await once(server.stdout, 'data')
    return await run(/ws:\S+?(?=;)/.exec(String(greeting))?.[0] ?? '')
  } finally {
    server.kill()
  }
}

/**
 * @param {string} agent
 * @param {NodeJS.ProcessEnv} env
 * @param {{ quick: boolean, progress: (progress: Progress) => void }} options
 */
async function testClient(agent, env, options) {
  const server = await serveCases({ port: 0, ...options })
  try {
    const client = spawn(process.execPath, [CLIENT, server.url, agent], { env, stdio: 'inherit' })
    const [code] = await once(client, 'exit')
    if (code !== 0) throw new Error(`the client ended with ${code}`)
    return server.results
  } finally {
    await server.close()
  }
}

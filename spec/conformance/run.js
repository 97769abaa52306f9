// @ts-check
/**
 * Our own server and our own client through all 517 cases, by the fast paths and by the portable ones: `npm run
 * conformance`. With arguments it is the command: `npm run conformance -- ws://host:port/path`, or `-- --help`.
 *
 * `--quick` may come alone: 50 messages, not 1,000, in each of the compressed cases.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { formatTables, isFailed, runAgainstServer, serveCases, writeReports } from '../../dist/conformance/index.js'
import { ProgressLine } from '../../dist/cli/progress-line.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const CLIENT = fileURLToPath(new URL('client.js', import.meta.url))
const REPORT = 'conformance-report'
/** What the two ways of working are called, and what switches to them. */
const MODES = { fast: {}, portable: { KORE_WS_PORTABLE: '1' } }

/** @typedef {import('../../dist/conformance/index.js').Results} Results */

const parameters = process.argv.slice(2)
if (parameters.some(parameter => parameter !== '--quick')) runCommand()
else process.exitCode = (await runAll(parameters.length > 0)) ? 0 : 1

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
  const line = new ProgressLine(process.stderr)
  let passed = 0
  let failed = 0
  for (const [mode, env] of Object.entries(MODES)) {
    for (const [role, run] of Object.entries({ server: testServer, client: testClient })) {
      const started = performance.now()
      const results = await run(
        `kore-ws ${role}, ${mode}`,
        { ...process.env, ...env },
        { quick, progress: line.show.bind(line) }
      )
      line.clear()
      writeReports(results, REPORT)
      console.log(`${formatTables(results)}${Math.round((performance.now() - started) / 1000)} seconds\n`)
      const bad = results.list().filter(result => isFailed(result) || result.behavior === 'NON-STRICT').length
      failed += bad
      passed += results.list().length - bad
    }
  }
  console.log(`report: ${REPORT}/index.html\n${passed} passed, ${failed} failed`)
  return failed === 0
}

/**
 * @param {string} agent
 * @param {NodeJS.ProcessEnv} env
 * @param {{ quick: boolean, progress: (progress: import('../../dist/conformance/index.js').Progress) => void }} options
 */
async function testServer(agent, env, options) {
  const server = spawn(process.execPath, [MAIN, 'echo', '--port', '0', '--compression', 'shared', '--compression-threshold', '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [greeting] = await once(server.stdout, 'data')
    const url = /ws:\S+?(?=;)/.exec(String(greeting))?.[0] ?? ''
    return await runAgainstServer(url, { agent, ...options })
  } finally {
    server.kill()
  }
}

/**
 * @param {string} agent
 * @param {NodeJS.ProcessEnv} env
 * @param {{ quick: boolean, progress: (progress: import('../../dist/conformance/index.js').Progress) => void }} options
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

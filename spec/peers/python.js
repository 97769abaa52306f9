// @ts-check
/** The Python package `websockets`: runs python.py and reports what it prints. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { within } from './helpers.js'
import { withServers } from './server.js'

const PYTHON = process.env.PYTHON || '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('python.py', import.meta.url))
/** Milliseconds; each wait of the script has a deadline of its own. */
const ALL_CHECKS = 300_000

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const version = await versionOf(PYTHON)
  if (version === undefined) return report.skip('python websockets', `${PYTHON} has no package websockets; apt-get install python3-websockets`)
  const title = `python websockets ${version}`
  await withServers(report, title, async (serve, echo, title) => {
    const parameters = [SCRIPT, serve.host, echo.host, serve.compresses ? 'compressed' : 'plain']
    // Newer versions look for a proxy.
    const env = { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' }
    const child = spawn(PYTHON, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
    createInterface(child.stdout).on('line', line => {
      if (line === 'terminate') return [serve, echo].forEach(server => server.terminate())
      const { name, ok, details } = JSON.parse(line)
      if (ok) report.pass(`${title}, ${name}`)
      else report.fail(`${title}, ${name}`, details)
    })
    try {
      const [code] = await within(once(child, 'close'), 'the end of python.py', ALL_CHECKS)
      if (code !== 0) throw new Error(`python.py ended with ${code}: ${stderr}`)
    } finally {
      child.kill('SIGKILL')
    }
  })
}

/** @param {string} python */
async function versionOf(python) {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', 'import websockets.version as v; print(v.version)'])
    return stdout.trim()
  } catch {
    return undefined
  }
}

// @ts-check
/** Bun's client: runs bun-checks.js in Bun and reports what it prints. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { HOW_TO_INSTALL, within } from './helpers.js'
import { withServers } from './server.js'

const BUN = fileURLToPath(new URL('node_modules/.bin/bun', import.meta.url))
const SCRIPT = fileURLToPath(new URL('bun-checks.js', import.meta.url))
/** Milliseconds; each wait of the script has a deadline of its own. */
const ALL_CHECKS = 300_000

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const version = await versionOf()
  if (version === undefined) return report.skip('bun', HOW_TO_INSTALL)
  await withServers(report, `bun ${version}`, async (serve, echo, title) => {
    const parameters = [SCRIPT, serve.host, echo.host, serve.compresses ? 'compressed' : 'plain']
    const child = spawn(BUN, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
    createInterface(child.stdout).on('line', line => {
      const { name, ok, details } = JSON.parse(line)
      if (ok) report.pass(`${title}, ${name}`)
      else report.fail(`${title}, ${name}`, details)
    })
    try {
      const [code] = await within(once(child, 'close'), 'the end of bun-checks.js', ALL_CHECKS)
      if (code !== 0) throw new Error(`bun-checks.js ended with ${code}: ${stderr}`)
    } finally {
      child.kill('SIGKILL')
    }
  })
}

async function versionOf() {
  try {
    return (await promisify(execFile)(BUN, ['--version'])).stdout.trim()
  } catch {
    return undefined
  }
}

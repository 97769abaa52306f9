// @ts-check
/**
 * Our server against clients that nobody here wrote, and our Kore calls against Kore's own:
 * `npm run test:peers [-- PEER … --screenshot FILE]`.
 *
 * What is not installed is skipped; spec/peers/install.sh installs it.
 */
import { parseArgs } from 'node:util'
import * as bun from './bun.js'
import * as chromium from './chromium.js'
import * as halfOpen from './half-open.js'
import * as kore from './kore.js'
import * as client from './our-client.js'
import * as python from './python.js'
import { Report } from './report.js'
import { isBuilt } from './server.js'
import * as undici from './undici.js'
import * as ws from './ws.js'

/** @type {Record<string, { run(report: Report, options: { screenshot?: string | undefined }): Promise<void> }>} */
const PEERS = { client, ws, undici, bun, python, chromium, kore, 'half-open': halfOpen }

const USAGE = 2
/** Milliseconds after the last check in which everything that was opened has to be gone. */
const LINGER = 30_000

for (const [signal, code] of /** @type {const} */ ([['SIGINT', 130], ['SIGTERM', 143]])) {
  process.once(signal, () => process.exit(code))
}

const { names, screenshot } = readCommandLine()
if (!isBuilt()) refuse('dist/cli/main.js is missing; npm run build makes it.')

const report = new Report()
for (const name of names) await PEERS[name].run(report, { screenshot })
process.exitCode = report.finish(Boolean(process.env.CI)) ? 0 : 1

setTimeout(() => {
  console.error(`still open after the last check: ${process.getActiveResourcesInfo().join(', ')}`)
  process.exit(1)
}, LINGER).unref()

function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({ options: { screenshot: { type: 'string' } }, allowPositionals: true })
    const unknown = positionals.find(name => !Object.hasOwn(PEERS, name))
    if (unknown !== undefined) throw new Error(`there is no peer ${unknown}; there are ${Object.keys(PEERS).join(', ')}`)
    return { names: positionals.length > 0 ? positionals : Object.keys(PEERS), screenshot: values.screenshot }
  } catch (error) {
    return refuse(/** @type {Error} */ (error).message)
  }
}

/**
 * @param {string} sentence
 * @returns {never}
 */
function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

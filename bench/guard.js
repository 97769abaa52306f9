/**
 * The regression guard: parser and serializer as a ratio to ws' Receiver and Sender, in one process, in turns. A ratio
 * holds on any machine where frames a second do not; only one under half of its reference fails. Ends with "N passed,
 * N failed". `--measure` writes the references anew, and prints them for docs/performance.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { contenders } from './codec/contenders.js'
import { measureCodecs } from './codec/measure.js'
import { median, ratio } from './run/statistics.js'

const REFERENCES = new URL('./guard.json', import.meta.url)
const PEER = 'ws'
const SUBJECT = 'kore-ws'
const FAILS_UNDER = 0.5
const ROUNDS = 7
const SECONDS = 0.1
/** The whole is repeated where a ratio fails: other work of the machine passes, a regression does not. */
const ATTEMPTS = 3

const SIZES = [20, 1024, 16 * 1024]
const CASES = ['parse', 'serialize'].flatMap(what =>
  SIZES.flatMap(size => [false, true].map(binary => ({ what, size, binary, name: `${what} ${size} B ${binary ? 'binary' : 'text'}` })))
)

async function ratiosOf(cases) {
  const both = (await contenders()).filter(({ name }) => name === SUBJECT || name === PEER)
  if (both.length < 2) {
    process.stderr.write(`guard: ${PEER} is not installed: npm ci --prefix bench\n`)
    process.exit(2)
  }
  return cases.map(job => {
    const cells = measureCodecs({ ...job, rounds: ROUNDS, seconds: SECONDS }, both)
    return ratio(cells[SUBJECT], cells[PEER])
  })
}

async function measure() {
  const runs = []
  for (let i = 0; i < ATTEMPTS; i++) runs.push(await ratiosOf(CASES))
  const ratios = CASES.map(({ name }, i) => [name, Number(median(runs.map(run => run[i])).toFixed(2))])
  const references = { ...JSON.parse(readFileSync(REFERENCES, 'utf8')), node: process.version, ratios: Object.fromEntries(ratios) }
  writeFileSync(REFERENCES, `${JSON.stringify(references, null, 2)}\n`)
  console.log(pageTable(references.ratios))
}

/** As docs/performance.md quotes it. */
function pageTable(ratios) {
  const jobs = [...new Set(CASES.map(({ what, size }) => `${what} ${size} B`))]
  const rows = jobs.map(job => `| ${job} | ${ratios[`${job} binary`].toFixed(1)} × | ${ratios[`${job} text`].toFixed(1)} × |`)
  return ['| kore-ws, of ws | binary | text |', '|---|---:|---:|', ...rows].join('\n')
}

async function check() {
  const references = JSON.parse(readFileSync(REFERENCES, 'utf8')).ratios
  const best = new Map()
  let open = CASES
  for (let attempt = 0; attempt < ATTEMPTS && open.length > 0; attempt++) {
    const ratios = await ratiosOf(open)
    open.forEach(({ name }, i) => best.set(name, Math.max(best.get(name) ?? 0, ratios[i])))
    open = open.filter(({ name }) => best.get(name) < references[name] * FAILS_UNDER)
  }
  for (const { name } of CASES) {
    const low = best.get(name) < references[name] * FAILS_UNDER
    const figures = `${best.get(name).toFixed(2)} × ${PEER}, reference ${references[name].toFixed(2)}`
    console.log(`${low ? 'not ok' : 'ok'}: ${name}: ${figures}${low ? `: under ${FAILS_UNDER} of it` : ''}`)
  }
  console.log(`${CASES.length - open.length} passed, ${open.length} failed`)
  process.exitCode = open.length === 0 ? 0 : 1
}

const [flag, ...more] = process.argv.slice(2)
if (more.length > 0 || (flag !== undefined && flag !== '--measure')) {
  process.stderr.write('guard: takes nothing, or --measure to write guard.json anew.\n')
  process.exit(2)
}
await (flag === '--measure' ? measure() : check())

/**
 * The attacks: `npm run test:attack -- [--short] [--only NAME]… [--against ours,ws] [--json FILE] [--markdown FILE]`.
 *
 * Each server is a process with a fixed heap. Before the attacks, the runner shows that it can fail: servers with one
 * fault each must be found out. Only our own server's failures fail the run; `ws` is there for scale.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { attacks } from './harness/attacks.js'
import { HEAP, measure, measurePatiently, RESIDENT } from './harness/measure.js'
import { Prober } from './harness/prober.js'
import { lineOf, markdownOf, writeMarkdown } from './harness/table.js'
import { Target } from './harness/target.js'

const USAGE = 2
const SERVERS = { ours: 'ours.js', ws: 'ws.js' }
const OURS = 'ours'
/** For the attack with the most connections, in each of two processes. */
const DESCRIPTORS = { full: 10_300, short: 5300 }
/** Of faulty.js: what the server does wrong, and what the verdict must say of it. */
const FAULTS = {
  keeps: /MiB resident|process ended/,
  pins: /and only 0 counted/,
  blocks: /somebody else waited|nobody new/,
  lags: /in p99/,
  dies: /process ended/,
  'leaves-open': /left behind/,
}

const options = readCommandLine()
if (process.platform !== 'linux')
  refuse('the attacks read /proc, and use the many addresses of 127/8: they need Linux.')
if (!existsSync(new URL('../../dist/index.js', import.meta.url))) refuse('dist is missing; npm run build makes it.')
if (options.against.includes('ws') && !existsSync(new URL('./node_modules/ws/package.json', import.meta.url)))
  refuse('ws is not installed; npm ci --prefix spec/attack')

const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
const needed = DESCRIPTORS[options.short ? 'short' : 'full']
if (descriptors < needed) refuse(`there are ${descriptors} file descriptors, and ${needed} are needed: ulimit -n`)

const started = performance.now()
const idle = await Target.start(SERVERS[OURS], [], HEAP)
const control = await Prober.start(idle.port)
/** @type {import('./harness/table.js').Row[]} */
const rows = []
let passed = 0
let failed = 0

console.log(`heap ${HEAP} MiB, at most ${RESIDENT * HEAP} MiB resident, Node ${process.version}`)
if (options.short) console.log('the short form: fewer connections and seconds than the titles say')
if (options.only.length === 0) await checkRunner()
for (const attack of attacks) {
  if (options.only.length > 0 && !options.only.includes(attack.id)) continue
  await run(attack)
}
control.stop()
idle.stop()

const report = {
  date: new Date().toISOString().slice(0, 10),
  short: options.short,
  versions: versionsOf(options.against),
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ ...report, rows }, null, 1)}\n`)
if (options.markdown !== undefined) writeMarkdown(options.markdown, markdownOf(rows, report))
console.log(`${Math.round((performance.now() - started) / 1000)} seconds`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** A server with a fault must fail, and because of it. */
async function checkRunner() {
  const attack = attacks.find(({ id }) => id === 'self-check')
  for (const [fault, expected] of Object.entries(FAULTS)) {
    const { faults } = await measure(attack, {
      program: 'faulty.js',
      parameters: [fault],
      short: true,
      control,
      recovery: 2000,
    })
    const found = faults.some(sentence => expected.test(sentence))
    settle(found)
    const verdict = found ? 'ok     the runner finds' : 'failed the runner does not find'
    console.log(`${verdict} a server that ${fault.replace('-', ' ')}: ${faults.join('; ')}`)
  }
}

async function run(attack) {
  const results = {}
  for (const server of options.against) {
    const begun = performance.now()
    const how = { program: SERVERS[server], short: options.short, control }
    const result = await measurePatiently(attack, how, faults =>
      console.log(`again  ${server.padEnd(4)} ${attack.title}: ${faults.join('; ')}`)
    )
    results[server] = result
    if (server === OURS) settle(result.faults.length === 0)
    console.log(`${lineOf(attack.title, server, result)} [${Math.round((performance.now() - begun) / 1000)} s]`)
  }
  rows.push({ id: attack.id, title: attack.title, results })
}

function settle(good) {
  if (good) passed++
  else failed++
}

function versionsOf(servers) {
  const version = file => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')).version
  const all = { ours: () => version('../../package.json'), ws: () => version('./node_modules/ws/package.json') }
  return Object.fromEntries(servers.map(server => [server, all[server]()]))
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        short: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        against: { type: 'string' },
        json: { type: 'string' },
        markdown: { type: 'string' },
      },
    })
    for (const name of values.only) {
      if (!attacks.some(({ id }) => id === name))
        throw new Error(`there is no attack ${name}; there are ${attacks.map(({ id }) => id).join(', ')}`)
    }
    // The short form has no time for scale.
    const against = (values.against ?? (values.short ? OURS : 'ours,ws')).split(',')
    const unknown = against.find(server => !Object.hasOwn(SERVERS, server))
    if (unknown !== undefined) throw new Error(`--against takes ours, ws or both, and not ${unknown}`)
    return { ...values, against }
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

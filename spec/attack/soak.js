/**
 * The soak: `npm run soak -- [--minutes 30] [--connections 5000] [--json FILE] [--svg FILE]`.
 *
 * Our server in one process, clients that chat, idle, read slowly or never, break off and compress in another. In the
 * end memory has not grown, and each message that was accepted for sending has come, but for those of connections that
 * were told to be dropped.
 */
import { execFileSync, fork } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ledger } from './soak/ledger.js'
import { plot } from './soak/plot.js'
import { median, slopeOf } from './soak/statistics.js'

const USAGE = 2
const HEAP = 512
const SAMPLES = 180
/** Of the time: not judged, as caches fill and code is compiled. */
const WARM_UP = 1 / 6
const MIBI = 1024 * 1024
/** What memory may seem to grow over the whole time judged: noise is of about this size. */
const [NOISE_SHARE, NOISE] = [0.05, 8 * MIBI]
/** Descriptors that a process needs besides its connections. */
const SPARE = 200
/** Seconds for the connections to be there, and for them to be over in the end. */
const BEGINNING = 120
const ENDING = 180
const MAX_SAID = 20

const options = readCommandLine()
if (!existsSync(new URL('../../dist/index.js', import.meta.url))) refuse('dist is missing; npm run build makes it.')
const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
if (descriptors < options.connections + SPARE)
  refuse(
    `${options.connections} connections need ${options.connections + SPARE} file descriptors, and there are ${descriptors}: ulimit -n`
  )

const ledger = new Ledger()
const complaints = new Set()
const samples = []
let began = performance.now()
let over = false
const server = start('server.js', [], [`--max-old-space-size=${HEAP}`, '--expose-gc'], 'server')
const { port } = await told(server, 'port')
const load = start('load.js', [String(port), String(options.connections)], [], 'client')
const { clients } = await told(load, 'clients')
await run()
const faults = [...(await finish()), ...judge('resident memory', 'rss'), ...judge('heap and buffers', 'held')]
report(faults)

function start(file, parameters, execArgv, side) {
  const child = fork(fileURLToPath(new URL(`soak/${file}`, import.meta.url)), parameters, { execArgv })
  child.on('message', message => take(side, message))
  child.on('exit', code => {
    if (!over) complaints.add(`the process of the ${side} ended with ${code}`)
  })
  return child
}

function take(side, { records = [], complaints: said = [], sample }) {
  ledger.add(side, records)
  for (const sentence of said) complaints.add(`${side}: ${sentence}`)
  if (sample !== undefined) samples.push({ at: (performance.now() - began) / 1000, ...sample })
}

function told(child, key) {
  return new Promise(resolve => child.on('message', message => key in message && resolve(message)))
}

async function run() {
  console.log(
    `${clients} connections, ${options.minutes} minutes, heap ${HEAP} MiB, ${descriptors} descriptors, Node ${process.version}`
  )
  await reach(() => samples.at(-1)?.connections >= clients, BEGINNING, 'sample')
  // What waits for those who never read has been at its limit once: the process keeps resident what it has used once.
  await reach(() => ledger.reasons.has('slow-consumer'), BEGINNING, 'sample')
  samples.length = 0
  began = performance.now()
  const seconds = options.minutes * 60
  const every = Math.max(1, seconds / SAMPLES)
  while ((performance.now() - began) / 1000 < seconds && alive()) {
    ask('sample')
    await delay(every * 1000)
    if (process.stderr.isTTY) process.stderr.write(`\r${lineOf(samples.at(-1))} `)
  }
  if (process.stderr.isTTY) process.stderr.write('\n')
}

/** Everybody says goodbye; then both sides' accounts must be complete. */
async function finish() {
  if (alive()) {
    const before = samples.length
    load.send('finish')
    await reach(() => samples.at(-1)?.connections === 0 && ledger.open === 0, ENDING, 'sample')
    samples.length = before
  }
  over = true
  for (const child of [server, load]) child.kill()
  const faults = [...ledger.faults, ...complaints]
  if (ledger.open > 0) faults.push(`${ledger.open} connections are over on one side only`)
  if (ledger.counts.connections < clients) faults.push(`only ${ledger.counts.connections} connections came to an end`)
  return faults
}

async function reach(isReached, seconds, question) {
  const deadline = performance.now() + seconds * 1000
  while (!isReached() && performance.now() < deadline && alive()) {
    ask(question)
    await delay(500)
  }
}

function alive() {
  return server.connected && load.connected
}

function ask(question) {
  if (!alive()) return
  server.send(question, () => {})
  load.send('records', () => {})
}

function lineOf(sample) {
  if (sample === undefined) return ''
  return `${Math.round(sample.at)} s, ${sample.connections} connections, ${(sample.rss / MIBI).toFixed(0)} MiB resident, ${(sample.held / MIBI).toFixed(1)} MiB held, ${ledger.counts.received} messages accounted for`
}

/** Growth over the time judged, by the median of all slopes, beside what is noise. */
function judge(name, key) {
  const judged = samples.filter(({ at }) => at >= options.minutes * 60 * WARM_UP)
  if (judged.length < 10) return [`${name}: only ${judged.length} samples`]
  const slope = slopeOf(judged.map(sample => [sample.at, sample[key]]))
  const growth = slope * (judged.at(-1).at - judged[0].at)
  const usual = median(judged.map(sample => sample[key]))
  const noise = Math.max(NOISE_SHARE * usual, NOISE)
  console.log(
    `${name}: ${(usual / MIBI).toFixed(1)} MiB, grew by ${(growth / MIBI).toFixed(2)} MiB in ${Math.round(judged.at(-1).at - judged[0].at)} s; noise is up to ${(noise / MIBI).toFixed(1)} MiB`
  )
  return growth < noise ? [] : [`${name} grows`]
}

function report(faults) {
  const { counts } = ledger
  for (const fault of faults.slice(0, MAX_SAID)) console.log(`fault: ${fault.split('\n')[0]}`)
  console.log(
    `${counts.connections} connections, ${counts.clean} closed by handshake, ${counts.dropped} dropped (${listOf(ledger.reasons)}); handshakes that came to nothing: ${listOf(ledger.failures)}`
  )
  console.log(
    `${counts.sent} messages accepted, ${counts.received} received, ${counts.lost} lost with a dropped connection`
  )
  const date = new Date().toISOString().slice(0, 10)
  const soak = {
    date,
    minutes: options.minutes,
    connections: clients,
    warmUp: options.minutes * 60 * WARM_UP,
    counts,
    faults,
    samples,
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(soak)}\n`)
  if (options.svg !== undefined && samples.length > 1) writeFileSync(options.svg, plot(soak))
  const memory = faults.filter(fault => fault.endsWith('grows') || fault.includes('samples')).length
  const failed = memory + (faults.length > memory ? 1 : 0)
  // Two judgements of memory, and one of all accounts.
  console.log(`${3 - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function listOf(counts) {
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || 'none'
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '30' },
        connections: { type: 'string', default: '5000' },
        json: { type: 'string' },
        svg: { type: 'string' },
      },
    })
    const minutes = Number(values.minutes)
    if (!(minutes > 0)) throw new Error(`--minutes must be a number above 0, and not ${values.minutes}`)
    const connections = Number(values.connections)
    if (!(connections >= 100)) throw new Error(`--connections must be 100 at least, and not ${values.connections}`)
    return { ...values, minutes, connections }
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

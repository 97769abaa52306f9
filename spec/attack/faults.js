/**
 * Random schedules of network faults: `npm run test:faults -- [--schedules 100000] [--seed S] [--from INDEX]`.
 *
 * Each index of a seed is one schedule: a server and a client, joined by two ends that fail as sockets do, while both
 * send, stream, pause, publish, loop and close. In the end each connection has been closed once, nothing was told of it
 * behind that, every promise has settled, no exception has escaped, and nothing is left: no timer, listener or handle.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runBatch } from './faults/batch.js'
import { Leftovers } from './faults/leftovers.js'

const USAGE = 2
/** Side by side: those that wait for a deadline wait together. */
const BATCH = 500
const MAX_FAULTS = 20

const options = readCommandLine()
if (!existsSync(new URL('../../dist/index.js', import.meta.url))) refuse('dist is missing; npm run build makes it.')
const lib = await import('./faults/lib.js')

/** @type {string[]} */
const escaped = []
process.on('uncaughtException', error => escaped.push(`escaped: ${error.stack}`))
process.on('unhandledRejection', error => escaped.push(`rejected, and nobody saw it: ${error?.stack ?? error}`))

const { seed, from, schedules } = options
console.log(`seed ${seed}, Node ${process.version}`)
const started = performance.now()
const leftovers = new Leftovers()
let done = 0
let failed = 0
while (done < schedules && failed < MAX_FAULTS) {
  const count = Math.min(BATCH, schedules - done)
  const { faults } = await runBatch(lib, { seed, from: from + done, count })
  for (const what of escaped.splice(0))
    faults.push({ index: from + done, what: `in the ${count} from here on: ${what}` })
  for (const { index, what } of faults) console.log(`--seed ${seed} --from ${index} --schedules 1: ${what}`)
  failed += new Set(faults.map(({ index }) => index)).size
  done += count
  if (process.stderr.isTTY) process.stderr.write(`\r${done} schedules, ${failed} failed `)
}
for (const complaint of await leftovers.check()) {
  console.log(`left behind: ${complaint}`)
  failed++
}
if (process.stderr.isTTY) process.stderr.write('\n')
console.log(`${Math.round((performance.now() - started) / 1000)} seconds`)
console.log(`${done - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        schedules: { type: 'string', default: '100000' },
        seed: { type: 'string' },
        from: { type: 'string', default: '0' },
      },
    })
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed)
    return { seed, schedules: whole('schedules', values.schedules), from: whole('from', values.from) }
  } catch (error) {
    return refuse(error.message)
  }
}

function whole(name, value) {
  if (/^\d{1,10}$/.test(value)) return Number(value)
  throw new Error(`--${name} must be a whole number, and not ${value}`)
}

function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

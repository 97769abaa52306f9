/**
 * What connections hold is counted: `npm run test:memory -- [--steps 15000] [--seed S] [--from STEP]`.
 *
 * For any mix of traffic, over any door, the memory that a server's connections hold is at most twice what it counts, and
 * constants (memory/bound.js). Servers in a process of their own, clients in this one: random steps, and a look at the
 * servers' memory after each few. First it has to find two servers that hold what they do not count.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { boundOf, inMebibytes } from './memory/bound.js'
import { mixOf, STRETCH } from './memory/mix.js'
import { runStretch } from './memory/stretch.js'
import { Target } from './memory/target.js'

const USAGE = 2
/** Of this seed, from this stretch on, and not judged: caches fill, code is compiled. */
const WARM_UP = { seed: 1, first: 100, stretches: 8, steps: 300 }
/** Always of this seed, so that it fails or passes alike; the first stretches do little besides what they are for. */
const SELF_CHECK = { seed: 2, first: 100 }
const FAULTS = ['keeps', 'pins']
/** A fault has to be found in so many. */
const STRETCHES_FOR_A_FAULT = 20
const MOST_FAILURES = 10
const STEPS_SHOWN = 25

const options = readCommandLine()
if (!existsSync(new URL('../../dist/index.js', import.meta.url))) refuse('dist is missing; npm run build makes it.')

const { seed, from, steps } = options
const sums = { passed: 0, failed: 0 }
const seen = { counted: 0, real: 0, share: 0 }
console.log(`seed ${seed}, Node ${process.version}`)
const started = performance.now()
for (const fault of FAULTS) await selfCheck(fault)
await run()
console.log(
  `${Math.round((performance.now() - started) / 1000)} seconds; counted up to ${inMebibytes(seen.counted)}, held up to ${inMebibytes(seen.real)}, and at most ${(100 * seen.share).toFixed(0)} % of what is allowed`
)
console.log(`${sums.passed} passed, ${sums.failed} failed`)
process.exitCode = sums.failed === 0 ? 0 : 1

async function run() {
  let { target, baseline } = await startWarm()
  const first = Math.floor(from / STRETCH)
  const last = Math.ceil((from + steps) / STRETCH)
  for (let index = first; index < last && sums.failed < MOST_FAILURES; index++) {
    const complaint = await attempt(target, { seed, index, baseline })
    if (process.stderr.isTTY) process.stderr.write(`\r${(index + 1 - first) * STRETCH} steps, ${sums.failed} failed `)
    if (complaint === undefined) continue
    target.stop()
    ;({ target, baseline } = await startWarm())
  }
  if (process.stderr.isTTY) process.stderr.write('\n')
  target.stop()
}

/** One stretch; what is wrong with it is said and returned. */
async function attempt(target, options) {
  let complaint
  try {
    await runStretch(target, options, (measured, wrong, play) => {
      note(measured)
      if (complaint !== undefined) return false
      complaint = wrong
      if (wrong === undefined) sums.passed++
      else fail(options.index, wrong, play)
      return wrong === undefined
    })
  } catch (error) {
    complaint = error.message
    fail(options.index, complaint)
  }
  return complaint
}

function note(measured) {
  const { counted, real } = measured
  seen.counted = Math.max(seen.counted, counted)
  seen.real = Math.max(seen.real, real)
  seen.share = Math.max(seen.share, real / boundOf(measured))
}

function fail(index, complaint, play) {
  sums.failed++
  console.log(`--seed ${seed} --from ${index * STRETCH} --steps ${STRETCH}: ${complaint}`)
  const { actions, ...mix } = mixOf(seed, index)
  console.log(`  mix: ${JSON.stringify({ ...mix, actions: [...new Set(actions)] })}`)
  for (const line of play?.log.slice(-STEPS_SHOWN) ?? []) console.log(`  ${line}`)
}

/** Servers with this fault have to be found. */
async function selfCheck(fault) {
  const { target, baseline } = await startWarm(fault)
  let found
  for (let i = 0; i < STRETCHES_FOR_A_FAULT && found === undefined; i++) {
    await runStretch(target, { seed: SELF_CHECK.seed, index: SELF_CHECK.first + i, baseline }, (_, wrong) => {
      found ??= wrong
      return found === undefined
    })
  }
  target.stop()
  if (found === undefined) {
    sums.failed++
    console.log(`the servers that hold memory in secret (${fault}) were not found`)
  } else {
    sums.passed++
    console.log(`self-check, ${fault}: ${found}`)
  }
}

async function startWarm(fault) {
  const target = await Target.start(fault)
  const { seed, first, stretches, steps } = WARM_UP
  for (let index = first; index < first + stretches; index++)
    await runStretch(target, { seed, index, steps, baseline: 0 }, () => true)
  const { real } = await target.measure()
  return { target, baseline: real }
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        steps: { type: 'string', default: '15000' },
        seed: { type: 'string' },
        from: { type: 'string', default: '0' },
      },
    })
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed)
    return { seed, steps: whole('steps', values.steps), from: whole('from', values.from) }
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

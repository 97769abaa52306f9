/**
 * The differential fuzzer: `npm run fuzz -- [--seconds 60 | --streams N] [--seed S] [--from INDEX] [--replay]`.
 *
 * Each index of a seed is one stream, one header and at times a round trip, so that the same seed is the same run.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

const USAGE = 2
/** Milliseconds between two lines of progress. */
const PROGRESS_EVERY = 500
/** One round trip comes with so many streams. */
const STREAMS_A_ROUND_TRIP = 4
/** An entry of the known list should have been seen after so many streams. */
const LONG_RUN = 200_000
const MAX_DIFFERENCES = 20

const options = readCommandLine()
if (!existsSync(new URL('../../dist/protocol/endpoint.js', import.meta.url)))
  refuse('dist is missing; npm run build makes it.')
if (!existsSync(new URL('./node_modules/ws/package.json', import.meta.url)))
  refuse('ws is not installed; npm ci --prefix spec/fuzz')

const lib = await import('./lib.js')
const { compare } = await import('./compare.js')
const { minimise, readFound, save } = await import('./found.js')
const { compareHandshakes, KNOWN_HEADERS, KNOWN_OFFERS, KNOWN_REQUESTS } = await import('./handshake.js')
const { KNOWN } = await import('./known.js')
const { createDriver } = await import('./ours.js')
const { Random } = await import('./random.js')
const { roundTrip } = await import('./round-trip.js')
const { randomCase, randomCuts } = await import('./streams.js')
const { runTheirs, version } = await import('./theirs.js')

const driver = createDriver(lib)
const counts = new Map([...KNOWN, ...KNOWN_HEADERS, ...KNOWN_OFFERS, ...KNOWN_REQUESTS].map(({ name }) => [name, 0]))
const total = { streams: 0, bytes: 0, headers: 0, trips: 0, differences: 0 }

process.exitCode = (options.replay ? await replay() : await fuzz()) ? 0 : 1

async function fuzz() {
  const { seed, from } = options
  console.log(`seed ${seed}, ws ${version}, Node ${process.version}`)
  const started = performance.now()
  let shown = started
  for (let index = from; !isOver(started) && total.differences < MAX_DIFFERENCES; index++) {
    await oneStream(seed, index)
    report(compareHandshakes(new Random(seed ^ 0x5eed, index), lib), { seed, index })
    total.headers++
    if (index % STREAMS_A_ROUND_TRIP === 0) await oneTrip(seed, index)
    if (process.stderr.isTTY && performance.now() - shown > PROGRESS_EVERY) {
      shown = performance.now()
      process.stderr.write(`\r${progress(started)}`)
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\n')
  return finish()
}

function isOver(started) {
  if (options.streams !== undefined) return total.streams >= options.streams
  return performance.now() - started >= options.seconds * 1000
}

function progress(started) {
  const seconds = (performance.now() - started) / 1000
  const { streams, differences } = total
  return `${seconds.toFixed(0)} s, ${streams} streams (${(streams / seconds).toFixed(0)}/s), ${differences} differences `
}

async function oneStream(seed, index) {
  const random = new Random(seed, index)
  const settings = randomCase(random)
  const cuts = randomCuts(random, settings.stream.length)
  const variantSeed = random.below(2 ** 31)
  total.streams++
  total.bytes += settings.stream.length
  const result = await guarded(() => compare(settings, cuts, variantSeed, driver, runTheirs))
  report(result, { seed, index })
  if (result.difference === undefined) return
  const fails = async (smaller, pieces) =>
    (await guarded(() => compare(smaller, pieces, variantSeed, driver, runTheirs))).difference !== undefined
  const small = await minimise(settings, cuts, fails)
  const name = save({ seed, index, what: result.difference.what }, small.settings, small.cuts, variantSeed)
  console.log(
    `  kept as ${name}, ${small.settings.stream.length} bytes: ${small.settings.stream.subarray(0, 60).toString('hex')}`
  )
}

async function oneTrip(seed, index) {
  total.trips++
  const wrong = await guarded(() => roundTrip(new Random(seed ^ 0x7219, index), driver))
  if (wrong === undefined) return
  const difference = wrong.difference ?? wrong
  report({ known: [], difference }, { seed, index })
  if (wrong.stream !== undefined)
    console.log(
      `  kept as ${save({ seed, index, what: wrong.what }, { ...wrong.settings, stream: wrong.stream }, [], 1)}`
    )
}

/** What throws is a difference too. */
async function guarded(run) {
  try {
    return await run()
  } catch (error) {
    return { known: [], difference: { what: `thrown: ${error.stack}` } }
  }
}

function report({ known, difference }, where) {
  for (const name of known) counts.set(name, counts.get(name) + 1)
  if (difference === undefined) return
  total.differences++
  console.log(`${where.seed}/${where.index} ${difference.what}`)
  for (const side of ['header', 'ours', 'theirs', 'model']) {
    if (difference[side] !== undefined) console.log(`  ${side.padEnd(7)}${brief(difference[side])}`)
  }
}

function brief(outcome) {
  if (outcome === null || typeof outcome !== 'object' || outcome.events === undefined) return JSON.stringify(outcome)
  const events = outcome.events.map(event => (event.length > 40 ? `${event.slice(0, 36)}… (${event.length})` : event))
  return `${JSON.stringify(outcome.end)} after ${JSON.stringify(events.slice(-5))}`
}

function finish() {
  console.log('known differences, and how often they were seen:')
  for (const [name, count] of counts) console.log(`  ${String(count).padStart(8)}  ${name}`)
  const unseen = [...counts].filter(([, count]) => count === 0).map(([name]) => name)
  if (total.streams >= LONG_RUN && unseen.length > 0)
    console.log(`never seen, so perhaps no longer so: ${unseen.join(', ')}`)
  console.log(`${total.bytes} bytes, ${total.headers} handshakes, ${total.trips} round trips`)
  console.log(`${total.streams} streams, ${total.differences} differences`)
  return total.differences === 0
}

async function replay() {
  const found = readFound()
  for (const { name, settings, cuts, variantSeed } of found) {
    const result = await guarded(() => compare(settings, cuts, variantSeed, driver, runTheirs))
    console.log(`${name}: ${result.difference?.what ?? (result.known.join() || 'no difference')}`)
    report(result, { seed: name, index: 'replay' })
  }
  console.log(`${found.length} streams, ${total.differences} differences`)
  return total.differences === 0
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '60' },
        streams: { type: 'string' },
        seed: { type: 'string' },
        from: { type: 'string', default: '0' },
        replay: { type: 'boolean', default: false },
      },
    })
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed)
    const streams = values.streams === undefined ? undefined : whole('streams', values.streams)
    return {
      seed,
      streams,
      seconds: whole('seconds', values.seconds),
      from: whole('from', values.from),
      replay: values.replay,
    }
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

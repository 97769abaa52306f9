/**
 * The random attacker: `npm run test:attack:random -- [--seed N] [--minutes 1] [--heap 256]
 * [--compression shared|dedicated] [--against ours,ws]`.
 *
 * One server process with compression, of the seed's choice where it is not given; peers that do a little of everything that an attack does, in an order that the
 * seed decides. In the end the process lives, somebody else was answered in time, its memory has stayed within bounds
 * and is what it counts, and nothing is left behind.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { HEAP, measure } from './harness/measure.js'
import { Prober } from './harness/prober.js'
import { lineOf } from './harness/table.js'
import { Target } from './harness/target.js'
import { randomAttack } from './random/attack.js'

const USAGE = 2
const DESCRIPTORS = 1000
/** Milliseconds behind the attack's own time. */
const SPARE = 240_000
const OURS = 'ours.js'
const PROGRAMS = { ours: OURS, ws: 'ws.js' }
const MODES = ['shared', 'dedicated']

const { seed, minutes, heap, compression, against } = readCommandLine()
if (process.platform !== 'linux') refuse('the attacker reads /proc, and uses the many addresses of 127/8: it needs Linux.')
if (!existsSync(new URL('../../dist/index.js', import.meta.url))) refuse('dist is missing; npm run build makes it.')
const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
if (descriptors < DESCRIPTORS) refuse(`there are ${descriptors} file descriptors, and ${DESCRIPTORS} are needed: ulimit -n`)

console.log(`seed ${seed}, ${minutes} minutes, heap ${heap} MiB, compression ${compression}, Node ${process.version}`)
const idle = await Target.start(OURS, [], HEAP)
const control = await Prober.start(idle.port)
let failed = 0
for (const server of against) {
  const result = await attacked(server)
  console.log(lineOf(randomAttack.title, server, result))
  console.log(`somebody else asked ${result.seen.asked} times; an idle server took ${Math.round(result.noise)} ms at worst`)
  for (const [what, count] of result.got) console.log(`${String(count).padStart(7)} ${what}`)
  // The other is there for scale.
  if (server === 'ours') failed += result.faults.length
}
control.stop()
idle.stop()
if (failed > 0)
  console.log(
    `again: npm run test:attack:random -- --seed ${seed} --minutes ${minutes} --heap ${heap} --compression ${compression}`
  )
console.log(`${failed === 0 ? 1 : 0} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function attacked(server) {
  const seconds = 60 * minutes
  return measure(
    { ...randomAttack, heap },
    {
      program: PROGRAMS[server],
      parameters: compression === 'dedicated' ? ['--dedicated'] : [],
      settings: [seed, seconds].map(String),
      short: false,
      control,
      time: 1000 * seconds + SPARE,
    }
  )
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string', default: '1' },
        heap: { type: 'string', default: String(HEAP) },
        compression: { type: 'string' },
        against: { type: 'string', default: 'ours' },
      },
    })
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed)
    const compression = values.compression ?? MODES[seed % MODES.length]
    if (!MODES.includes(compression)) throw new Error(`--compression is shared or dedicated, and not ${compression}`)
    const against = values.against.split(',')
    const unknown = against.find(server => !Object.hasOwn(PROGRAMS, server))
    if (unknown !== undefined) throw new Error(`--against takes ours, ws or both, and not ${unknown}`)
    return { seed, minutes: whole('minutes', values.minutes), heap: whole('heap', values.heap), compression, against }
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

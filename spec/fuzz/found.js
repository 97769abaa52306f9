/** Streams that showed a difference: made smaller, kept as files in found/, and read again. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { frameStarts } from './frames.js'

const FOLDER = new URL('./found/', import.meta.url)
const HEX_A_LINE = 96
/** How often a stream is tried again while it is made smaller. */
const TRIES = 400

/** @param {(settings: object, cuts: number[]) => Promise<boolean>} fails whether a difference is still there */
export async function minimise(settings, cuts, fails) {
  let tries = 0
  const stillFails = async (stream, pieces) => ++tries <= TRIES && fails({ ...settings, stream }, pieces)
  let { stream } = settings
  let pieces = cuts
  for (const simple of [[], new Array(Math.min(stream.length, 3000)).fill(1)]) {
    if (await stillFails(stream, simple)) {
      pieces = simple
      break
    }
  }
  for (const removals of [framesOf, halvesOf]) {
    for (let again = true; again;) {
      again = false
      for (const [start, end] of removals(stream)) {
        const smaller = Buffer.concat([stream.subarray(0, start), stream.subarray(end)])
        if (smaller.length < stream.length && (await stillFails(smaller, pieces))) {
          stream = smaller
          again = true
          break
        }
      }
    }
  }
  return { settings: { ...settings, stream }, cuts: pieces }
}

function framesOf(stream) {
  const starts = frameStarts(stream)
  return starts.map((start, i) => [start, starts[i + 1] ?? stream.length])
}

function* halvesOf(stream) {
  for (let size = stream.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < stream.length; at += size) yield [at, at + size]
  }
}

/** @returns {string} the file's name */
export function save({ seed, index, what }, { role, limit, deflate, stream }, cuts, variantSeed) {
  mkdirSync(FOLDER, { recursive: true })
  const header = { what, seed, index, role, limit, deflate: deflate ?? null, cuts, variantSeed }
  const lines = Object.entries(header).map(([name, value]) => `# ${name}: ${JSON.stringify(value)}`)
  const hex = stream.toString('hex').match(new RegExp(`.{1,${HEX_A_LINE}}`, 'g')) ?? []
  const name = `${seed}-${index}.hex`
  writeFileSync(new URL(name, FOLDER), [...lines, ...hex, ''].join('\n'))
  return `spec/fuzz/found/${name}`
}

/** Every file in found/, ready to be run again. */
export function readFound() {
  mkdirSync(FOLDER, { recursive: true })
  return readdirSync(FOLDER)
    .filter(name => name.endsWith('.hex'))
    .sort()
    .map(name => parse(name, readFileSync(new URL(name, FOLDER), 'utf8')))
}

function parse(name, text) {
  const lines = text.split('\n')
  const header = {}
  for (const line of lines) {
    const match = /^# (\w+): (.*)$/.exec(line)
    if (match !== null) header[match[1]] = JSON.parse(match[2])
  }
  const stream = Buffer.from(
    lines
      .filter(line => !line.startsWith('#'))
      .join('')
      .replaceAll(' ', ''),
    'hex'
  )
  const { what, role, limit, deflate, cuts = [], variantSeed = 1 } = header
  return { name, what, settings: { role, limit, deflate: deflate ?? undefined, stream }, cuts, variantSeed }
}

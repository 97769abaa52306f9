/**
 * Breaks lib in one place at a time and runs the spec of that file: `npm run test:mutations [-- --jobs 2 PART]`, where
 * PART is of the file's name.
 *
 * Each job has a copy of lib and spec in JavaScript, so a mutation costs the start of one process.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { MUTATIONS } from './list.js'
import { complain, filesToBreak } from './unlisted.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Files and folders that the specs need. */
const PATHS = [
  'lib/protocol',
  'lib/deflate',
  'lib/handshake',
  'lib/node-internals',
  'lib/foreign-names.ts',
  'spec/protocol',
  'spec/deflate',
  'spec/handshake',
  'spec/helpers',
]
/** Milliseconds for a spec; a mutation that makes it hang is found too. */
const PATIENCE = 60_000
/** As things are it has to come to its end, however much the machine does besides. */
const UNBROKEN_PATIENCE = 300_000
/** Characters at the end of what a spec has printed. */
const SHOWN = 4000
const USAGE = 2

const { jobs, part } = readCommandLine()
const tasks = Object.entries(MUTATIONS).flatMap(([file, list]) =>
  file.includes(part) ? list.map(([from, to]) => ({ file, from, to })) : []
)
const complaints = complain(filesToBreak())
if (complaints.length > 0) refuse(complaints.join('\n'))
if (tasks.length === 0) refuse(`No file with mutations has ${JSON.stringify(part)} in its name.`)
const originals = new Map()
const folder = mkdtempSync(join(tmpdir(), 'kore-ws-mutations-'))
const running = new Set()
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => process.exit(code))
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const counts = { killed: 0, hung: 0, survived: 0, stale: 0 }
const started = performance.now()
const copies = Array.from({ length: jobs }, (_, i) => makeCopy(join(folder, String(i))))
await inTurns(new Set(tasks.map(({ file }) => specOf(file))), checkSpec)
await inTurns(tasks, attempt)
const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(
  `${tasks.length} mutations: ${counts.killed + counts.hung} found (${counts.hung} by hanging), ` +
    `${counts.survived} not found, ${counts.stale} no longer apply; ${seconds} s`
)
process.exitCode = counts.survived + counts.stale === 0 ? 0 : 1

function makeCopy(copy) {
  const walk = path => {
    if (!existsSync(join(ROOT, path))) return
    if (statSync(join(ROOT, path)).isDirectory()) {
      mkdirSync(join(copy, path), { recursive: true })
      for (const name of readdirSync(join(ROOT, path))) walk(join(path, name))
    } else if (path.endsWith('.ts')) {
      if (!originals.has(path)) originals.set(path, compile(readFileSync(join(ROOT, path), 'utf8')))
      writeFileSync(built(copy, path), originals.get(path))
    }
  }
  PATHS.forEach(walk)
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'package.json'), '{ "type": "module" }')
  return copy
}

function built(copy, path) {
  return join(copy, path.replace(/\.ts$/, '.js'))
}

function compile(source) {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  }
  return ts.transpileModule(source, { compilerOptions }).outputText
}

function specOf(file) {
  return `spec/${file.replace(/\.ts$/, '.spec.ts')}`
}

/** Each copy takes the next item when it is done with one. */
async function inTurns(items, act) {
  const queue = [...items]
  const work = async copy => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(copy, item)
  }
  await Promise.all(copies.map(work))
}

/** A spec that fails as things are would find everything. */
async function checkSpec(copy, spec) {
  if (!existsSync(join(ROOT, spec))) refuse(`${spec} is missing`)
  const outcome = await run(copy, spec, UNBROKEN_PATIENCE)
  if (outcome === 'survived') return
  refuse(`${spec} fails without any mutation (${outcome}):\n${readFileSync(printed(copy), 'utf8').slice(-SHOWN)}`)
}

async function attempt(copy, { file, from, to }) {
  const path = `lib/${file}`
  const source = readFileSync(join(ROOT, path), 'utf8')
  const label = `${path}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`
  if (source.split(from).length !== 2) {
    counts.stale++
    console.log(`no longer applies (it is there ${source.split(from).length - 1} times): ${label}`)
    return
  }
  writeFileSync(built(copy, path), compile(source.replace(from, () => to)))
  const outcome = await run(copy, specOf(file), PATIENCE)
  writeFileSync(built(copy, path), originals.get(path))
  counts[outcome]++
  if (outcome === 'survived') console.log(`not found: ${label}`)
  if (outcome === 'hung') console.log(`found, since the spec hangs: ${label}`)
  if (process.stderr.isTTY)
    process.stderr.write(`\r${Object.values(counts).reduce((sum, count) => sum + count)} of ${tasks.length} `)
}

/** Ends at the first failure. @returns 'survived', 'killed' or 'hung'; `printed` has what it said */
function run(copy, spec, patience) {
  return new Promise(resolve => {
    // A file: what a spec starts and leaves running would keep a pipe open.
    const output = openSync(printed(copy), 'w')
    const child = spawn(process.execPath, [built(copy, spec)], {
      cwd: copy,
      // Else it would be tap's half a minute for the whole file: too little where the machine is busy.
      env: { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: String(patience / 1000) },
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    running.add(child)
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      child.kill('SIGKILL')
    }, patience)
    child.once('exit', code => {
      clearTimeout(timer)
      running.delete(child)
      resolve(hung ? 'hung' : code === 0 ? 'survived' : 'killed')
    })
  })
}

function printed(copy) {
  return join(copy, 'printed')
}

function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      options: { jobs: { type: 'string', default: '2' } },
      allowPositionals: true,
    })
    if (positionals.length > 1) throw new Error(`there is one PART, and not ${positionals.join(' and ')}`)
    if (!/^[1-9]\d?$/.test(values.jobs)) throw new Error(`--jobs must be 1 to 99, and not ${values.jobs}`)
    return { jobs: Number(values.jobs), part: positionals[0] ?? '' }
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

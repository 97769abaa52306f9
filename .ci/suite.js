// @ts-check
/**
 * The whole suite on this Node.js, which has to run TypeScript by itself (22.18 or later): without tap's loader a file
 * starts in a third of the time. Ends with tap's own line of sums; what is skipped or cut short counts as failed.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'

/** More than processors: many specs wait. */
const JOBS = 3
/** Seconds for one test, and milliseconds for one file: for those that hang, whatever else the machine does. */
const TEST_PATIENCE = '120'
const PATIENCE = 240_000

const MOCKS = '--import=' + import.meta.resolve('@tapjs/mock/import')

const files = globSync('spec/**/*.spec.ts', { exclude: name => name === 'node_modules' || name === 'peers' }).sort()
let total = 0
let pass = 0
let fail = 0

/** @param {string} file */
async function run(file) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MOCKS, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: TEST_PATIENCE },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const status = await new Promise(resolve => child.on('close', resolve))
  clearTimeout(timer)
  const sums = [...output.matchAll(/^# \{ total: (\d+), pass: (\d+)/gm)].at(-1)
  const [all, good] = sums === undefined ? [0, 0] : [Number(sums[1]), Number(sums[2])]
  const bad = status === 0 && good > 0 ? all - good : Math.max(1, all - good)
  total += good + bad
  pass += good
  fail += bad
  console.log(`${bad === 0 ? 'ok' : 'not ok'}: ${file}, ${good} of ${good + bad}`)
  if (bad > 0) console.log(output.split('\n').filter(line => /not ok|Error/.test(line)).slice(0, 20).join('\n'))
}

const queue = [...files]
const worker = async () => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file)
}
await Promise.all(Array.from({ length: JOBS }, worker))
console.log(`# { total: ${total}, pass: ${pass}, fail: ${fail} }`)
process.exitCode = fail > 0 || files.length === 0 ? 1 : 0

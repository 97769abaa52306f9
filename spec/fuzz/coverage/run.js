/**
 * Coverage-guided fuzzing with jsfuzz: `npm run fuzz:coverage [-- --seconds 60] [TARGET …]`, so many seconds for each.
 *
 * What a target throws on is kept beside this file as crash-TARGET.bin.
 */
const { spawn } = require('node:child_process')
const {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} = require('node:fs')
const { tmpdir } = require('node:os')
const { join, relative } = require('node:path')
const { parseArgs } = require('node:util')

const ROOT = join(__dirname, '../../..')
const FOLDERS = ['protocol', 'deflate', 'handshake']
const TARGETS = ['parser', 'grammar', 'inflater']
const SEEDS = {
  parser: [
    '0181057f9f4d5158',
    '00810548656c6c6f',
    '028203010203',
    '03c18437fa213d7dfa213d',
    '00890161',
    '00880203e8',
    '00010161800162',
    '0082fe007e00000000',
  ],
  grammar: [
    Buffer.from('permessage-deflate; client_max_window_bits="1\\0", a').toString('hex'),
    Buffer.from('Sec-WebSocket-Key\ndGhlIHNhbXBsZSBub25jZQ==').toString('hex'),
  ],
  inflater: ['00f248cdc9c90700', '03f248cdc9c90700', '0fcb48cdc9c9574840100000', '03010300fcff61626300'],
}
const USAGE = 2

const { seconds, targets } = readCommandLine()
const jsfuzz = join(__dirname, 'node_modules/jsfuzz/build/src/index.js')
if (!existsSync(jsfuzz)) refuse('jsfuzz is not installed; npm ci --prefix spec/fuzz/coverage')

const folder = mkdtempSync(join(tmpdir(), 'kore-ws-coverage-'))
let child
process.once('exit', () => {
  stop()
  rmSync(folder, { recursive: true, force: true })
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => process.exit(code))

main()

async function main() {
  compileLib()
  for (const target of targets) if (!(await run(target))) process.exitCode = 1
}

function compileLib() {
  const ts = require(require.resolve('typescript', { paths: [ROOT] }))
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    rewriteRelativeImportExtensions: true,
  }
  for (const name of FOLDERS) {
    mkdirSync(join(folder, 'lib', name), { recursive: true })
    for (const file of readdirSync(join(ROOT, 'lib', name))) {
      const { outputText } = ts.transpileModule(readFileSync(join(ROOT, 'lib', name, file), 'utf8'), {
        compilerOptions,
      })
      writeFileSync(join(folder, 'lib', name, file.replace(/\.ts$/, '.js')), outputText)
    }
  }
}

/** True where the target held for all of its time. */
function run(target) {
  const corpus = join(folder, target)
  mkdirSync(corpus)
  SEEDS[target].forEach((hex, i) => writeFileSync(join(corpus, `seed-${i}`), Buffer.from(hex, 'hex')))
  const crash = join(folder, 'crash')
  // It takes no absolute path for the target.
  const args = [
    jsfuzz,
    relative(folder, join(__dirname, 'targets', `${target}.js`)),
    corpus,
    '--exact-artifact-path',
    crash,
  ]
  const env = { ...process.env, KORE_WS_COMMONJS: join(folder, 'lib') }
  return new Promise(resolve => {
    // A group of its own, since jsfuzz does not end its worker.
    child = spawn(process.execPath, args, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = []
    child.stdout.setEncoding('utf8').on('data', data => lines.push(...data.split('\n').filter(line => line !== '')))
    const timer = setTimeout(stop, seconds * 1000)
    child.once('close', () => {
      clearTimeout(timer)
      child = undefined
      const last = lines.findLast(line => line.startsWith('#')) ?? 'nothing was run'
      const good = !existsSync(crash) && /^#[1-9]/.test(last)
      console.log(`${good ? 'ok     ' : 'not ok '} ${target}: ${last}`)
      if (!good) console.log(lines.slice(-20).join('\n'))
      if (existsSync(crash)) copyFileSync(crash, join(__dirname, `crash-${target}.bin`))
      resolve(good)
    })
  })
}

function stop() {
  if (child === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      options: { seconds: { type: 'string', default: '60' } },
      allowPositionals: true,
    })
    const unknown = positionals.find(name => !TARGETS.includes(name))
    if (unknown !== undefined) throw new Error(`there is no target ${unknown}; there are ${TARGETS.join(', ')}`)
    if (!/^\d{1,6}$/.test(values.seconds))
      throw new Error(`--seconds must be a whole number, and not ${values.seconds}`)
    return { seconds: Number(values.seconds), targets: positionals.length > 0 ? positionals : TARGETS }
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(sentence) {
  console.error(sentence)
  process.exit(USAGE)
}

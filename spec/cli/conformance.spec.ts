import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { conformance } from '../../lib/cli/conformance.ts'
import { CONFORMANCE_FLAGS, CONFORMANCE_OPERAND } from '../../lib/cli/conformance-flags.ts'
import { HELP, readFlags } from '../../lib/cli/flags.ts'
import { runClient } from '../conformance/broken-clients.ts'
import { brokenServer } from '../conformance/broken-servers.ts'

// The command as it is installed: from dist, which `npm test` has built.

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js')
const ENV = { ...process.env, NODE_OPTIONS: '' }

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `kore-ws conformance` in a folder. */
function run(cwd: string, ...parameters: string[]): Promise<Ran> {
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN, 'conformance', ...parameters], { cwd, env: ENV }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

t.test('a good server: the table, the reports, exit code 0', async t => {
  const server = await brokenServer()
  t.teardown(() => server.close())
  const cwd = t.testdir()
  const { code, out, err } = await run(
    cwd,
    server.url,
    '--cases',
    '1.*,12.1.1',
    '--exclude=1.2.*',
    '--quick',
    '--agent',
    'mine'
  )
  t.match({ code, err }, { code: 0, err: '' })
  t.match(out, /^mine \(quick: .*\n.*\n 1 {2}Framing +8 +8 [^]*report: conformance-report\/index\.html\n$/)
  const index = JSON.parse(readFileSync(join(cwd, 'conformance-report/index.json'), 'utf8')) as Record<string, object>
  t.equal(Object.keys(index.mine).length, 9)
})

t.test('a bad server: what failed, exit code 1; --json and --report', async t => {
  const server = await brokenServer('never-pongs')
  t.teardown(() => server.close())
  const cwd = t.testdir()
  const { code, out, err } = await run(
    cwd,
    '--cases=2.1,2.7',
    '--json',
    server.url,
    '--report',
    'elsewhere',
    '--jobs',
    '1'
  )
  t.equal(code, 1)
  const host = new URL(server.url).host
  t.match(JSON.parse(out), {
    [host]: { '2.1': { behavior: 'FAILED', behaviorClose: 'OK' }, '2.7': { behavior: 'OK' } },
  })
  t.match(err, /failed:\n {2}2\.1 .*\nreport: elsewhere\/index\.html\n$/)
})

t.test('as a server, until a client asks for the end', async t => {
  const cwd = t.testdir()
  const child = spawn(process.execPath, [MAIN, 'conformance', '--serve', '--port', '0', '--cases', '1.1.*,2.1'], {
    cwd,
    env: ENV,
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [first] = (await once(child.stdout, 'data')) as [Buffer]
  t.match(String(first), /^kore-ws tests clients on ws:\/\/127\.0\.0\.1:\d+: .*\/runCase/)
  const port = Number(/:(\d+):/.exec(String(first))?.[1])
  const rest = text(child.stdout)
  for (let number = 1; number <= 8; number++) await runClient(port, `/runCase?case=${number}&agent=raw`)
  await runClient(port, '/updateReports?agent=raw')
  t.equal(
    Object.keys((JSON.parse(readFileSync(join(cwd, 'conformance-report/index.json'), 'utf8')) as { raw: object }).raw)
      .length,
    8
  )
  await runClient(port, '/runCase?case=9&agent=raw', { fault: 'never-pongs' })
  const exit = once(child, 'exit')
  await runClient(port, '/updateReports?agent=raw&shutdownOnComplete=true')
  t.same((await exit)[0], 1, 'one case failed')
  t.match(await rest, /^raw\n[^]*failed:\n {2}2\.1 /)
})

t.test('as a server, until Ctrl-C', async t => {
  const child = spawn(process.execPath, [MAIN, 'conformance', '--serve', '--port', '0', '--json', '--cases', '1.1.*'], {
    cwd: t.testdir(),
    env: ENV,
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stderr, 'data')
  const exit = once(child, 'exit')
  const out = text(child.stdout)
  child.kill('SIGINT')
  t.same((await exit)[0], 0)
  t.same(JSON.parse(await out), {})
})

t.test('Ctrl-C ends a run early, with what there is', async t => {
  const server = await brokenServer()
  t.teardown(() => server.close())
  const cwd = t.testdir()
  const child = spawn(
    process.execPath,
    [MAIN, 'conformance', server.url, '--cases', '5.19,5.20,6.4.*', '--jobs', '1'],
    { cwd, env: ENV }
  )
  t.teardown(() => child.kill('SIGKILL'))
  const [out, err] = [text(child.stdout), text(child.stderr)]
  const exit = once(child, 'exit')
  // The first one only looks whether there is a server.
  while (server.served < 2) await new Promise(resolve => setTimeout(resolve, 10))
  child.kill('SIGINT')
  t.same((await exit)[0], 130)
  t.match(await out, /^127\.0\.0\.1:\d+: stopped after 1 of 6 cases\n[^]* 5 {2}Fragmentation +1 [^]*\nreport: /)
  t.equal(await err, 'kore-ws: stopped after 1 of 6 cases\n')
  t.match(readFileSync(join(cwd, 'conformance-report/index.html'), 'utf8'), /"stopped after 1 of 6 cases"/)
})

t.test('a folder that the reports can not go to', async t => {
  const server = await brokenServer()
  t.teardown(() => server.close())
  const cwd = t.testdir({ file: '' })
  const { code, out, err } = await run(cwd, server.url, '--cases', '1.1.1', '--report', 'file')
  t.same([code, out, err], [2, '', 'kore-ws: The reports can\'t be written to "file": EEXIST.\n'])
  t.equal(server.served, 0, 'said before the run')
  t.match(await run(cwd, '--serve', '--port', '0', '--report', 'file/deep'), { code: 2, err: /"file\/deep": ENOTDIR\.\n$/ })
})

t.test('no folder stays where there was no run', async t => {
  const cwd = t.testdir({ old: {} })
  t.match(await run(cwd, 'http://localhost/'), { code: 2 })
  t.match(await run(cwd, 'http://localhost/', '--report', 'old'), { code: 2 })
  t.same(readdirSync(cwd), ['old'])
})

t.test('reports that can not be written, after all: the verdicts are told, and a server goes on', async t => {
  const cwd = t.testdir()
  const child = spawn(process.execPath, [MAIN, 'conformance', '--serve', '--port', '0', '--json', '--cases', '2.1'], {
    cwd,
    env: ENV,
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [first] = (await once(child.stderr, 'data')) as [Buffer]
  const port = Number(/:(\d+):/.exec(String(first))?.[1])
  const [out, err, exit] = [text(child.stdout), text(child.stderr), once(child, 'exit')]
  mkdirSync(join(cwd, 'conformance-report/index.json'))
  await runClient(port, '/runCase?case=1&agent=raw')
  await runClient(port, '/updateReports?agent=raw')
  await runClient(port, '/updateReports?agent=raw&shutdownOnComplete=true')
  t.same((await exit)[0], 2)
  t.match(JSON.parse(await out), { raw: { '2.1': { behavior: 'OK' } } })
  t.match(await err, /^(kore-ws: The reports can't be written to "conformance-report": EISDIR\.\n){2}raw\n[^]*EISDIR\.\n$/)
})

/** What the command says to its parameters without a process of its own. */
async function refuse(...parameters: string[]): Promise<void> {
  const values = readFlags(CONFORMANCE_FLAGS, parameters, CONFORMANCE_OPERAND)
  if (values !== HELP) await conformance(values)
}

t.test('a wrong command line', async t => {
  const server = await brokenServer()
  await server.close()
  const wrong: [parameters: string[], sentence: RegExp][] = [
    [[], /^kore-ws conformance needs either the URL of a server or --serve\.$/],
    [['ws://localhost/', '--serve'], /either the URL/],
    [['ws://localhost/', 'ws://localhost/'], /^There is one URL too many: "ws:\/\/localhost\/"\.$/],
    [['http://localhost/'], /^url must begin with ws:\/\/ or wss:\/\/, and not be "http:\/\/localhost\/"\.$/],
    [['ws://localhost/', '--cases', '8.*'], /cases: "8\.\*" means no case/],
    [['--serve', '--cases', '8.*'], /cases: "8\.\*" means no case/],
    [['ws://localhost/', '--jobs', '9'], /--jobs takes a whole number from 1 to 8/],
    [['--serve', '--port', '70000'], /--port takes/],
    [['--serve=yes'], /--serve/],
    [['--serve', '--port', String(await busyPort(t))], /^Port \d+ of 127\.0\.0\.1 is in use/],
    [[server.url], /^There is no WebSocket server at ws:.*ECONNREFUSED/],
  ]
  for (const [parameters, sentence] of wrong) {
    await t.rejects(refuse(...parameters), { name: 'UsageError', message: sentence }, parameters.join(' '))
  }
})

async function busyPort(t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

t.test('the help', async t => {
  t.match(await run(t.testdir(), '--help'), { code: 0, out: /\n {2}URL +the server to test[^]*--serve +be the server/ })
})

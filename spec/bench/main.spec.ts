import { execFile } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const MAIN = join(import.meta.dirname, '../../bench/main.js')

/** What `npm run bench` says to flags with which nothing is measured. */
function run(...flags: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, [MAIN, ...flags], { env: { ...process.env, NODE_OPTIONS: '' } }, (_, out, err) =>
      resolve({ code: child.exitCode, out, err })
    )
  })
}

t.test('a wrong command line is one also where there is only a list to print', async t => {
  const wrong: [flags: string[], sentence: RegExp][] = [
    [['--against', 'nobody'], /^bench: There is no server "nobody"; there are: kore-ws, .*\.\n$/],
    [['--list', '--against', 'ws,nobody'], /^bench: There is no server "nobody"; there are: /],
    [['--list', '--only', 'nothing'], /^bench: There is no workload "nothing"; --list names them\.\n$/],
    [['--list', '--rounds', '0'], /^bench: --rounds takes a whole number from 1 to 100, and not "0"\.\n$/],
  ]
  for (const [flags, sentence] of wrong) t.match(await run(...flags), { code: 2, out: '', err: sentence }, flags.join(' '))
})

t.test('the list', async t => {
  t.match(await run('--list', '--against', 'ws'), { code: 0, err: '', out: /^Workloads [^]*\nServers:\n +kore-ws / })
})

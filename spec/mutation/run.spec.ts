import { execFile } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

interface Module {
  filesToBreak(): string[]
  complain(files: readonly string[]): string[]
}

const name = './unlisted.js'
const { filesToBreak, complain } = (await import(name)) as Module

t.test('every file has mutations, or a reason for none', async t => {
  const files = filesToBreak()
  t.ok(files.includes('protocol/utf8.ts') && files.includes('handshake/request.ts'))
  t.same(complain(files), [])
  t.match(complain([...files, 'protocol/new.ts']), [/^lib\/protocol\/new\.ts has no mutations/])
  t.match(complain(files.filter(file => file !== 'protocol/index.ts')), [/a reason for lib\/protocol\/index\.ts that/])
})

t.test('a part of no name is a mistake, not a success', async t => {
  const ran = await new Promise(resolve => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, 'run.js'), 'fram-parser'],
      { env: { ...process.env, NODE_OPTIONS: '' } },
      (_, out, err) => resolve({ code: child.exitCode, out, err })
    )
  })
  t.same(ran, { code: 2, out: '', err: 'No file with mutations has "fram-parser" in its name.\n' })
})

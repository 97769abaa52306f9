import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { transpiled } from '../helpers/transpiled.ts'

const run = promisify(execFile)

async function usedNames(t: Test, portable: boolean): Promise<string[]> {
  const { KORE_WS_PORTABLE: _, NODE_OPTIONS: __, ...env } = process.env
  const program = transpiled(t, 'spec/fixtures/undocumented.ts')
  const { stdout } = await run(process.execPath, [program], { env: { ...env, ...(portable && { KORE_WS_PORTABLE: '1' }) } })
  return JSON.parse(stdout) as string[]
}

t.test('portable mode: nothing that Node does not document', async t => {
  t.strictSame(await usedNames(t, true), [])
})

t.test('the fast mode uses such names, and each is noticed', async t => {
  const names = await usedNames(t, false)
  for (const name of ['_handle', 'latin1Slice', 'utf8Slice', 'setFlagsFromString', 'the end listener of net']) t.ok(names.includes(name), name)
})

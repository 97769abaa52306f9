import { spawnSync } from 'node:child_process'
import t from 'tap'
import { stayAlive } from '../../lib/transport/stay-alive.ts'

const MODULE = new URL('../../lib/transport/stay-alive.ts', import.meta.url).href

/** The exit code and output of a script that has nothing but an unreferenced timer to wait for. */
function run(): [code: number | null, output: string] {
  const script = `
    const { stayAlive } = await import(${JSON.stringify(MODULE)})
    const work = new Promise(resolve => setTimeout(resolve, 50).unref())
    await stayAlive(work)
    console.log('done')`
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', script])
  return [status, stdout.toString().trim()]
}

t.test('the process stays until the work is done, and not a moment longer', async t => {
  t.strictSame(run(), [0, 'done'])
})

t.test('it gives what the work gives', async t => {
  t.equal(await stayAlive(Promise.resolve(5)), 5)
  await t.rejects(stayAlive(Promise.reject(new Error('oops'))), { message: 'oops' })
})

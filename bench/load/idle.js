/** Connections that do nothing: some come and go first, so that what the server needs once is not counted. */

const WARM_UP = 500
const SETTLE = 500

/**
 * @param {import('./run.js').Run} run
 * @param {() => Promise<number>} readMemory resident bytes of the server, after a collection where there is one
 */
export async function runIdle(run, job, readMemory) {
  const quiet = client => {
    run.listen(client, () => {
      throw new Error('an idle connection got a message')
    })
  }
  await run.open(job.address, Math.min(WARM_UP, job.connections), quiet)
  for (const client of run.clients.splice(0)) client.end()
  await run.pause(SETTLE)
  const before = await run.until(readMemory())
  await run.open(job.address, job.connections, quiet)
  await run.pause(SETTLE)
  const after = await run.until(readMemory())
  return { bytes: (after - before) / job.connections }
}

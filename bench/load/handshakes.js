/** Handshakes, one after the other on so many lanes: connect, upgrade, check the answer, hang up. */
import { Client } from './client.js'

/** @param {import('./run.js').Run} run */
export async function runHandshakes(run, job, readCpu) {
  const lanes = new Set()
  const next = lane => {
    if (!run.going) return
    lanes.delete(lane)
    const client = new Client(
      job.address,
      () => {
        run.count++
        client.end()
        next(client)
      },
      why => run.fail(`a handshake: ${why}`)
    )
    lanes.add(client)
  }
  for (let i = 0; i < job.connections; i++) next(undefined)
  try {
    return await run.measure(job, readCpu)
  } finally {
    run.going = false
    for (const client of lanes) client.end()
  }
}

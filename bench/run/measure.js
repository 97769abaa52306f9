/** The measuring: for each workload all servers, or clients, are started, and take turns, round by round. */
import { spawnSync } from 'node:child_process'
import { ServerProcess } from './server-process.js'
import { takesPart } from './servers.js'
import { WorkerProcess } from './worker-process.js'

/** Beyond the seconds measured: opening connections, warming up, waiting for the last replies. */
const EXTRA_SECONDS = 30
const LATER_WARM_UP = 0.2
const IDLE_SECONDS = 120
/** Open files beside the connections. */
const SPARE_FILES = 100

/** Below this share of a processor the load generator, and not the server, was the limit. */
export const BUSY = 0.9

/**
 * @typedef {object} Setup
 * @property {import('./programs.js').Server[]} servers
 * @property {import('./workloads.js').Workload[]} workloads
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp
 * @property {string} node path of the Node.js under test
 * @property {import('./pinning.js').Pinning | undefined} pinning
 * @property {import('./progress.js').Progress} progress
 */

/** @param {Setup} setup @returns {Promise<Record<string, Record<string, import('./statistics.js').Cell>>>} */
export async function measureAll(setup) {
  const results = {}
  for (const workload of setup.workloads) {
    const { kind } = workload
    if (kind === 'codec') results[workload.id] = await measureCodec(setup, workload)
    else if (kind === 'idle') results[workload.id] = await measureIdle(setup, workload)
    else results[workload.id] = await measureServers(setup, workload)
  }
  return results
}

/** How many steps the progress goes through. @param {Omit<Setup, 'progress'>} setup */
export function countSteps({ workloads, servers, rounds }) {
  return workloads
    .map(workload => (workload.kind === 'codec' ? 1 : rounds * servers.filter(server => takesPart(server, workload)).length))
    .reduce((sum, steps) => sum + steps, 0)
}

async function measureServers(setup, workload) {
  const { rounds, node, pinning, progress } = setup
  const taking = setup.servers.filter(server => takesPart(server, workload))
  const cells = {}
  const running = new Map()
  const load = new WorkerProcess('load/main.js', { node: process.execPath, cpu: pinning?.load })
  try {
    const url = workload.group === 'client' ? (await load.perform({ kind: 'listen' }, EXTRA_SECONDS)).url : undefined
    for (const server of taking) {
      cells[server.name] = { rounds: [] }
      try {
        const options = { node, cpu: pinning?.server, url, batch: workload.job.batch }
        running.set(server, await ServerProcess.start(server, workload.mode, options))
      } catch (error) {
        cells[server.name] = { error: error.message }
      }
    }
    for (let round = 1; round <= rounds; round++) {
      for (const server of taking) {
        progress.step(workload.title, server.name, `round ${round} of ${rounds}`)
        const process = running.get(server)
        if (cells[server.name].error !== undefined) continue
        try {
          cells[server.name].rounds.push(await measureRound(setup, workload, server, process, load, round))
        } catch (error) {
          cells[server.name] = { error: await process.reason(error) }
        }
      }
    }
  } finally {
    load.stop()
    for (const process of running.values()) process.stop()
  }
  return cells
}

async function measureRound(setup, { kind, job }, server, process, load, number) {
  const { address, pids } = process
  const { seconds } = setup
  // Code that has been compiled stays so.
  const warmUp = number === 1 ? setup.warmUp : setup.warmUp * LATER_WARM_UP
  const whole = { ...job, kind, address, client: server.name, pids, seconds, warmUp, repliesMasked: server.repliesMasked ?? false }
  const round = await load.perform(whole, warmUp + seconds + EXTRA_SECONDS, () => process.cpu())
  const memory = await process.memory()
  // A server that fell during the last moment has not done it.
  if (process.ended !== undefined) throw new Error(process.ended)
  return { ...round, memory }
}

/** In turns as well, but each time with a new process: memory that was used once is seldom given back. */
async function measureIdle(setup, workload) {
  const { servers, rounds, progress } = setup
  const taking = servers.filter(server => takesPart(server, workload))
  const tooFew = tooFewFiles(workload.job.connections)
  const cells = Object.fromEntries(taking.map(({ name }) => [name, tooFew === undefined ? { rounds: [] } : { error: tooFew }]))
  for (let round = 1; round <= rounds; round++) {
    for (const server of taking) {
      progress.step(workload.title, server.name, `round ${round} of ${rounds}`)
      if (cells[server.name].error !== undefined) continue
      try {
        cells[server.name].rounds.push(await idleBytes(setup, workload, server))
      } catch (error) {
        cells[server.name] = { error: error.message }
      }
    }
  }
  return cells
}

async function idleBytes({ node, pinning }, { kind, mode, job }, server) {
  const load = new WorkerProcess('load/main.js', { node: process.execPath, cpu: pinning?.load })
  const running = await ServerProcess.start(server, mode, { node, cpu: pinning?.server, gc: true })
  try {
    const memory = async () => {
      if (server.collects) await running.collect()
      return running.memory()
    }
    return await load.perform({ ...job, kind, address: running.address }, IDLE_SECONDS, memory)
  } catch (error) {
    throw new Error(await running.reason(error))
  } finally {
    load.stop()
    running.stop()
  }
}

/** @returns {string | undefined} what is to be done about the limit */
function tooFewFiles(connections) {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })
  const needed = connections + SPARE_FILES
  if (stdout.trim() === 'unlimited' || !(Number(stdout) < needed)) return undefined
  return `needs ${needed} open files, and the limit is ${stdout.trim()}: ulimit -n ${needed}`
}

async function measureCodec(setup, workload) {
  const { rounds, seconds, node, pinning, progress } = setup
  progress.step(workload.title, 'in one process', '')
  const codec = new WorkerProcess('codec/main.js', { node, cpu: pinning?.server })
  try {
    const job = { ...workload.job, rounds, seconds: seconds / 8 }
    return await codec.perform(job, rounds * seconds + EXTRA_SECONDS)
  } catch (error) {
    return { 'kore-ws': { error: error.message } }
  } finally {
    codec.stop()
  }
}

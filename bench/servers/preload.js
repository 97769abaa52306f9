/**
 * Loaded into every Node server before its program: collects on SIGUSR2 where the workload measures memory, and where
 * there is no /proc tells what this process and its workers have used.
 */
if (globalThis.gc !== undefined) {
  process.on('SIGUSR2', () => {
    // One collection frees what it finds dead, and only the next gives half-empty pages back: by chance, up to 8 MiB.
    globalThis.gc()
    globalThis.gc()
  })
}

const USAGE = 'usage'

if (process.send !== undefined) {
  process.on('message', async message => {
    if (message === USAGE) process.send(await usage())
  })
}

/** Of this process and its workers. */
async function usage() {
  const { user, system } = process.cpuUsage()
  const all = [{ cpu: (user + system) / 1e6, memory: process.memoryUsage.rss() }, ...(await usageOfWorkers())]
  return { cpu: sum(all.map(({ cpu }) => cpu)), memory: sum(all.map(({ memory }) => memory)) }
}

async function usageOfWorkers() {
  const { default: cluster } = await import('node:cluster')
  return Promise.all(Object.values(cluster.workers ?? {}).map(ask))
}

function ask(worker) {
  return new Promise(resolve => {
    const listen = answer => {
      if (answer?.cpu === undefined) return
      worker.off('message', listen)
      resolve(answer)
    }
    worker.on('message', listen)
    worker.send(USAGE)
  })
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0)
}

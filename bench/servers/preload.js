/**
 * Loaded into every Node server before its program: collects on SIGUSR2 where the workload measures memory, and where
 * there is no /proc tells what this process has used.
 */
if (globalThis.gc !== undefined) process.on('SIGUSR2', () => globalThis.gc())

if (process.send !== undefined) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send({ cpu: (user + system) / 1e6, memory: process.memoryUsage.rss() })
  })
}

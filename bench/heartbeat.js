/**
 * What the heartbeat costs: so many connections over streams that nothing comes of, with the default times, and the
 * processor time that the process uses while it does nothing else; the pings that they get after the interval are not
 * counted. `node bench/heartbeat.js [CONNECTIONS] [SECONDS]`, after `npm run build`. Ends with one line.
 */
import { Duplex } from 'node:stream'
import { resolveLimits } from '../dist/limits.js'
import { Connection } from '../dist/transport/connection.js'
import { Heartbeat, resolveHeartbeat } from '../dist/transport/heartbeat.js'

const count = Number(process.argv[2] ?? 100_000)
const seconds = Number(process.argv[3] ?? 20)
/** Less than the interval, so that nobody is pinged. */
const MOST_SECONDS = 25

class Silent extends Duplex {
  _read() {}
  _write(chunk, encoding, callback) {
    callback()
  }
}

if (!(count > 0 && seconds > 0 && seconds <= MOST_SECONDS)) {
  process.stderr.write(`heartbeat: a number of connections, and at most ${MOST_SECONDS} seconds\n`)
  process.exit(2)
}

const handlers = { failed() {}, gone() {} }
const limits = resolveLimits()
const wait = time => new Promise(resolve => setTimeout(resolve, time))

/** Processor time in microseconds, over so many seconds. */
async function used() {
  const { user, system } = process.cpuUsage()
  await wait(seconds * 1000)
  const after = process.cpuUsage()
  return after.user + after.system - user - system
}

const alone = await used()
const heartbeat = new Heartbeat(resolveHeartbeat())
for (let i = 0; i < count; i++) {
  const setup = { role: 'server', transport: new Silent(), handlers, limits, heartbeat, protocol: '', data: undefined }
  new Connection(setup).start(undefined)
  // As if they came one after another: those of one tick would be neighbours in memory.
  if (i % 1000 === 0) await wait(0)
}
await wait(1000)
const share = ((await used()) - alone) / (seconds * 1e6)
console.log(`${count.toLocaleString('en')} connections: ${(100 * share).toFixed(2)} % of a core`)
process.exit()
